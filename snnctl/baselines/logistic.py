"""Logistic regression baseline: a linear map to class scores, the optimum of a convex loss."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

# From strong to weak, so that a tie on validation keeps the simpler model.
PENALTIES = (1.0, 1e-1, 1e-2, 1e-3, 1e-4)
_MOST_STEPS = 200
# In single precision the last digits of the optimum are noise, and each step is over many values.
_MOST_SINGLE_STEPS = 60
# A spread below this share of the magnitude is the rounding of a constant feature.
_CONSTANT = 1e-9
_CONSTANT_SINGLE = 1e-6


@dataclass(frozen=True)
class Logistic:
    """A fitted model.

    Args:
        shift, scale: [F] what is taken off each feature, and what it is divided by.
        weight: [K, F].
        bias: [K].
        penalty: the one chosen on validation.
    """

    shift: Tensor
    scale: Tensor
    weight: Tensor
    bias: Tensor
    penalty: float

    def scores(self, features: Tensor) -> Tensor:
        """[B, F] -> [B, K], log-probabilities up to a constant."""
        return F.linear((features - self.shift) / self.scale, self.weight, self.bias)


def fit_logistic(
    train: tuple[Tensor, Tensor], val: tuple[Tensor, Tensor], classes: int, *, penalties: Sequence[float] = PENALTIES
) -> Logistic:
    """Fit on `train` for every penalty and keep the one with the lowest cross-entropy on `val`.

    Equation:
        z = (x - mean) / sd                                   (statistics of train; constant features are 0)
        W, b = argmin mean cross_entropy(z W' + b, y) + penalty / 2 |W|^2

    Args:
        train, val: features [N, F] and classes [N] int64; features of train in float32 are many, and are overwritten.
        classes: K.
        penalties: to choose from; the bias is not penalised.
    """
    features, targets = train
    shift = features.mean(0)
    single = features.dtype == torch.float32
    largest = torch.maximum(features.amax(0), -features.amin(0))
    centred = features.sub_(shift) if single else features - shift
    scale = torch.linalg.vector_norm(centred, dim=0) / len(centred) ** 0.5
    constant = scale <= (_CONSTANT_SINGLE if single else _CONSTANT) * largest
    scale = scale.masked_fill(constant, 1.0)
    z = centred.div_(scale).masked_fill_(constant, 0.0)
    weight = torch.zeros(classes, features.shape[1], dtype=features.dtype)
    bias = torch.zeros(classes, dtype=features.dtype)
    search = partial(minimise, max_iter=_MOST_SINGLE_STEPS if single else _MOST_STEPS, tolerance_change=1e-12)
    best, lowest = None, float("inf")
    for penalty in penalties:
        weight, bias = search(partial(F.linear, z), targets, (weight, bias), penalty, tolerance_grad=1e-8)
        model = Logistic(shift, scale, weight.masked_fill(constant, 0.0), bias, penalty)
        reached = float(F.cross_entropy(model.scores(val[0]), val[1]))
        if best is None or reached < lowest:
            best, lowest = model, reached
    assert best is not None
    return best


def minimise(
    scores: Callable[[Tensor, Tensor], Tensor],
    targets: Tensor,
    start: tuple[Tensor, Tensor],
    penalty: float,
    **search: Any,
) -> tuple[Tensor, Tensor]:
    """Weight and bias with the least mean cross_entropy(scores(weight, bias), targets) + penalty / 2 |weight|^2.

    Args:
        scores: of all items, [N, K].
        targets: classes [N].
        start: weight and bias to begin with, as a rule the optimum of the penalty before.
        penalty: on the weight.
        search: settings of `torch.optim.LBFGS`.
    """
    weight, bias = (part.clone().requires_grad_() for part in start)
    optimiser = torch.optim.LBFGS([weight, bias], line_search_fn="strong_wolfe", **search)

    def loss() -> Tensor:
        optimiser.zero_grad()
        value = F.cross_entropy(scores(weight, bias), targets) + 0.5 * penalty * weight.square().sum()
        value.backward()
        return value

    with torch.enable_grad():
        optimiser.step(loss)
    return weight.detach(), bias.detach()
