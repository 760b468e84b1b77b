"""Reference classifiers on the same items, under the same metrics as the model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from snnctl.baselines.cnn import fit_cnn
from snnctl.baselines.forecasts import BaselineReport, NotApplicableError, Progress
from snnctl.baselines.logistic import fit_logistic
from snnctl.baselines.tfidf import fit_tfidf
from snnctl.measure.classes import ClassificationMetrics, ClassMetricName
from snnctl.measure.items import ItemSplit
from snnctl.measure.labels import LabelledBatch, LabelledData, labelled_batches

ClassifierName = Literal["majority", "linear", "linear_pooled", "cnn", "tfidf"]
Classifier = Callable[[Tensor], Tensor]  # inputs [B, ...] -> scores [B, K]

# Input values up to which features are doubles, and the optimum is exact; more are single floats, which takes seconds.
_MOST_DOUBLES = 2**22
# Input values held at all (1 GB of single floats); of more items an even selection is taken.
_MOST_VALUES = 2**28


def flattened(inputs: Tensor) -> Tensor:
    """[B, ...] -> [B, F] float64: every value at its place."""
    return inputs.to("cpu", torch.float64).flatten(1)


def pooled(inputs: Tensor) -> Tensor:
    """[B, L, C] -> [B, C] float64: the mean over positions, blind to their order."""
    return inputs.to("cpu", torch.float64).mean(1)


def majority(data: LabelledData, batch_size: int) -> Classifier:
    """The most frequent class of `train`, always; of equally frequent ones the first."""
    counts = torch.zeros(data.classes, dtype=torch.int64)
    for batch in labelled_batches(data.split("train"), batch_size):
        counts += torch.bincount(batch.targets.cpu(), minlength=data.classes)
    scores = counts.to(torch.float64)

    def predict(inputs: Tensor) -> Tensor:
        return scores.expand(len(inputs), -1)

    return predict


def run_classifiers(
    names: Sequence[ClassifierName],
    data: LabelledData,
    metric_names: Sequence[ClassMetricName],
    *,
    seed: int = 0,
    batch_size: int = 512,
    split: str = "test",
    progress: Progress | None = None,
) -> BaselineReport:
    """Fit each baseline on `train` (choices on `val`) and score it on `split`.

    Args:
        names: which baselines, in report order: the majority class, logistic regression on the flattened
            inputs, on their mean over positions, a small convolutional network, and logistic
            regression on the tf-idf of tokens.
        data: data with classes.
        metric_names: metrics of the scores.
        seed: of the network's weights and order; the others draw nothing.
        batch_size: items gathered at once.
        split: the part to score on; it has no say in any choice.
        progress: told how far each baseline is.
    """
    report = BaselineReport({}, {}, {})
    for name in names:
        try:
            told = None if progress is None else partial(progress, name)
            predict, chosen = _fit(name, data, batch_size, seed, told)
        except NotApplicableError as reason:
            report.omitted[name] = str(reason)
            continue
        metrics = ClassificationMetrics(metric_names, data.classes)
        for batch in labelled_batches(data.split(split), batch_size):
            metrics.update(predict(batch.inputs), batch.targets)
        report.scores[name] = metrics.compute()
        if chosen:
            report.chosen[name] = chosen
        if progress:
            progress(name, 1.0)
    return report


def _fit(
    name: ClassifierName, data: LabelledData, batch_size: int, seed: int, progress: Callable[[float], None] | None
) -> tuple[Classifier, str]:
    train, val = data.split("train"), data.split("val")
    if not len(train):
        raise NotApplicableError("it needs train items to fit on, and there are none")
    if name == "majority":
        return majority(data, batch_size), ""
    if name == "cnn":
        if data.input_signal.grid is None:
            raise NotApplicableError("the inputs are no images")
        return fit_cnn(data, seed, progress)
    if not len(val):
        raise NotApplicableError("its penalty is chosen on val items, and there are none")
    if name == "tfidf":
        return _tfidf(data, train, val, batch_size)
    features = pooled if name == "linear_pooled" else flattened
    sample = train.batch(torch.arange(1)).inputs
    if not sample.is_floating_point():
        raise NotApplicableError(f"it needs real inputs, these are {sample.dtype}".replace("torch.", ""))
    if name == "linear_pooled" and sample.dim() != 3:
        raise NotApplicableError("the inputs have no axis of positions to pool over")
    width = features(sample).numel()
    single = width * (len(train) + len(val)) > _MOST_DOUBLES
    dtype = torch.float32 if single else torch.float64
    most = max(1, _MOST_VALUES // width)
    fitted = _gather(train, features, batch_size, width, dtype, most)
    model = fit_logistic(fitted, _gather(val, features, batch_size, width, dtype, most), data.classes)
    of = f", on {len(fitted[1]):,} of {len(train):,} items" if len(fitted[1]) < len(train) else ""
    return (lambda inputs: model.scores(features(inputs).to(dtype))), f"penalty {model.penalty:g}{of}"


def _tfidf(
    data: LabelledData, train: ItemSplit[LabelledBatch], val: ItemSplit[LabelledBatch], batch_size: int
) -> tuple[Classifier, str]:
    signal = data.input_signal
    if signal.kind != "tokens":
        raise NotApplicableError("it counts words, and the inputs are not tokens")
    model = fit_tfidf(_tokens(train, batch_size), _tokens(val, batch_size), signal.features, data.classes)
    return (lambda inputs: model.scores(inputs.cpu())), f"penalty {model.penalty:g}"


def _tokens(split: ItemSplit[LabelledBatch], batch_size: int) -> tuple[Tensor, Tensor]:
    """All tokens [N, L] and classes [N] of a split."""
    batches = list(labelled_batches(split, batch_size))
    longest = max(batch.inputs.shape[1] for batch in batches)
    padded = [F.pad(batch.inputs.cpu(), (0, longest - batch.inputs.shape[1])) for batch in batches]
    return torch.cat(padded), torch.cat([batch.targets.cpu() for batch in batches])


def _gather(
    split: ItemSplit[LabelledBatch],
    features: Callable[[Tensor], Tensor],
    batch_size: int,
    width: int,
    dtype: torch.dtype,
    most: int,
) -> tuple[Tensor, Tensor]:
    """Features [N, F] and classes [N] of a split; of more than `most` items an even selection."""
    count = min(len(split), most)
    chosen = torch.arange(count) * len(split) // count
    values, targets = torch.empty(count, width, dtype=dtype), torch.empty(count, dtype=torch.int64)
    for first in range(0, count, batch_size):
        batch = split.batch(chosen[first : first + batch_size])
        values[first : first + batch_size] = features(batch.inputs)
        targets[first : first + batch_size] = batch.targets.cpu()
    return values, targets
