"""Tf-idf baseline for tokens: which words and pairs of words a text holds, and a linear map to class scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from snnctl.baselines.base import Baseline, Fitted, NotApplicableError, Told
from snnctl.baselines.classes import fit_and_choose_on
from snnctl.baselines.logistic import minimise
from snnctl.core.catalog import BASELINES
from snnctl.measure.items import ItemSplit, LabelledBatch, LabelledData, batches

# From strong to weak, so that a tie on validation keeps the simpler model.
PENALTIES = (1e-3, 3e-4, 1e-4, 3e-5, 1e-5)
_MOST_STEPS = 100


@dataclass(frozen=True)
class Bags:
    """Sparse rows: the features of each text and their values.

    Args:
        rows: [total] int64, the text of each.
        features: [total] int64.
        values: [total] float64.
        count: N, how many texts.
    """

    rows: Tensor
    features: Tensor
    values: Tensor
    count: int

    def scores(self, weight: Tensor, bias: Tensor) -> Tensor:
        """[N, K] from weight [F, K] and bias [K]."""
        return _Product.apply(weight, self) + bias


class _Product(torch.autograd.Function):
    """Sparse rows times a matrix [F, K]; `bincount` sums several times faster than indexing or sparse products."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor, bags: Bags) -> Tensor:
        ctx.bags, ctx.features = bags, len(weight)
        return _summed(bags.rows, bags.features, bags.values, weight, bags.count)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        bags: Bags = ctx.bags
        return _summed(bags.features, bags.rows, bags.values, grads[0], ctx.features), None


def _summed(to: Tensor, of: Tensor, values: Tensor, matrix: Tensor, count: int) -> Tensor:
    """[count, K] with sum over cells i of values[i] * matrix[of[i]] at row to[i]."""
    columns = [torch.bincount(to, weights=values * column[of], minlength=count) for column in matrix.unbind(1)]
    return torch.stack(columns, dim=1)


class TfIdf:
    """Counts of tokens and of neighbouring pairs, weighed by how rare they are, each text scaled to length 1.

    Equation:
        idf_j  = ln((1 + n) / (1 + n_j)) + 1          n texts of train, n_j of them with feature j
        x_ij   = count_ij * idf_j,  x_i = x_i / |x_i|

    Features that train does not have are left out.

    Args:
        tokens: [N, L] int64 of train, 0 is padding.
        vocabulary: how many different tokens there are.

    Source: scikit-learn's TfidfVectorizer with `ngram_range=(1, 2)`, which this equals.
    """

    def __init__(self, tokens: Tensor, vocabulary: int) -> None:
        self.vocabulary = vocabulary
        text, key = self._grams(tokens)
        once = torch.unique(text * vocabulary**2 + key) % vocabulary**2
        self.keys, held = torch.unique(once, return_counts=True)
        self.idf = ((1 + len(tokens)) / (1 + held.double())).log() + 1

    @property
    def features(self) -> int:
        return len(self.keys)

    def _grams(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Text and key of every token and of every pair of neighbours; key = first * V + second, second 0 for one."""
        real = tokens != 0
        both = real[:, :-1] & real[:, 1:]
        text = torch.cat((real.nonzero()[:, 0], both.nonzero()[:, 0]))
        single = tokens[real] * self.vocabulary
        double = tokens[:, :-1][both] * self.vocabulary + tokens[:, 1:][both]
        return text, torch.cat((single, double))

    def bags(self, tokens: Tensor) -> Bags:
        """Features of texts [N, L]."""
        text, key = self._grams(tokens)
        place = torch.searchsorted(self.keys, key).clamp_max(max(self.features - 1, 0))
        known = self.keys[place] == key
        cells, counts = torch.unique(text[known] * self.features + place[known], return_counts=True)
        row, feature = cells // self.features, cells % self.features
        values = counts.double() * self.idf[feature]
        squares = torch.zeros(len(tokens), dtype=torch.float64).index_add(0, row, values.square())
        values = values / squares.sqrt()[row]
        return Bags(row, feature, values, len(tokens))


@dataclass(frozen=True)
class TextClassifier:
    """A fitted model.

    Args:
        tfidf: the features.
        weight: [F, K].
        bias: [K].
        penalty: the one chosen on validation.
    """

    tfidf: TfIdf
    weight: Tensor
    bias: Tensor
    penalty: float

    def scores(self, tokens: Tensor) -> Tensor:
        """[B, L] -> [B, K], log-probabilities up to a constant."""
        return self.tfidf.bags(tokens).scores(self.weight, self.bias)


def fit_tfidf(
    train: tuple[Tensor, Tensor],
    val: tuple[Tensor, Tensor],
    vocabulary: int,
    classes: int,
    *,
    penalties: Sequence[float] = PENALTIES,
    tolerance: float = 1e-5,
) -> TextClassifier:
    """Logistic regression, see `minimise`, on tf-idf of `train`; the penalty as weak as cross-entropy on `val` gains.

    Args:
        train, val: tokens [N, L] int64 and classes [N] int64.
        vocabulary: how many different tokens there are.
        classes: K.
        penalties: to choose from, strong to weak; the bias is not penalised.
        tolerance: the search for an optimum ends when a step changes loss and weights by less.
    """
    tfidf = TfIdf(train[0], vocabulary)
    bags, judged = tfidf.bags(train[0]), tfidf.bags(val[0])
    weight = torch.zeros(tfidf.features, classes, dtype=torch.float64)
    bias = torch.zeros(classes, dtype=torch.float64)
    search = {"max_iter": _MOST_STEPS, "history_size": 10, "tolerance_grad": 1e-9, "tolerance_change": tolerance}
    best, lowest = None, float("inf")
    for penalty in penalties:
        weight, bias = minimise(bags.scores, train[1], (weight, bias), penalty, **search)
        reached = float(F.cross_entropy(judged.scores(weight, bias), val[1]))
        if reached >= lowest:  # along the path the loss on validation falls, then rises
            break
        best, lowest = TextClassifier(tfidf, weight, bias, penalty), reached
    assert best is not None
    return best


@BASELINES.register("tfidf")
class WeighedWords(Baseline):
    """Logistic regression on the tf-idf of words and their pairs, for texts.

    See `fit_tfidf`.
    """

    serves = ("classes",)

    def fit(self, data: LabelledData, *, batch_size: int, seed: int, progress: Told) -> Fitted:
        """Fit on the tokens of `train`; the penalty is chosen on `val`."""
        train, val = fit_and_choose_on(data)
        signal = data.input_signal
        if signal.kind != "tokens":
            raise NotApplicableError("it counts words, and the inputs are not tokens")
        model = fit_tfidf(_tokens(train, batch_size), _tokens(val, batch_size), signal.features, data.classes)
        return Fitted(lambda inputs: model.scores(inputs.cpu()), f"penalty {model.penalty:g}")


def _tokens(split: ItemSplit[LabelledBatch], batch_size: int) -> tuple[Tensor, Tensor]:
    """All tokens [N, L] and classes [N] of a split."""
    every = list(batches(split, batch_size))
    longest = max(batch.inputs.shape[1] for batch in every)
    padded = [F.pad(batch.inputs.cpu(), (0, longest - batch.inputs.shape[1])) for batch in every]
    return torch.cat(padded), torch.cat([batch.targets.cpu() for batch in every])
