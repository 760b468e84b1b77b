"""Reference classifiers on the same items, under the same metrics as the model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import torch
from torch import Tensor

from snnctl.measure.baselines import BaselineReport, NotApplicableError, Progress
from snnctl.measure.classes import ClassificationMetrics, ClassMetricName
from snnctl.measure.labels import LabelledData, LabelledSplit, labelled_batches
from snnctl.measure.logistic import fit_logistic

ClassifierName = Literal["majority", "linear", "linear_pooled"]
Classifier = Callable[[Tensor], Tensor]  # inputs [B, ...] -> scores [B, K]

# Doubles of the training inputs held at once (512 MB).
_MOST_VALUES = 2**26


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
    batch_size: int = 512,
    split: str = "test",
    progress: Progress | None = None,
) -> BaselineReport:
    """Fit each baseline on `train` (choices on `val`) and score it on `split`.

    Args:
        names: which baselines, in report order: the majority class, logistic regression on the flattened
            inputs, and on their mean over positions.
        data: data with classes.
        metric_names: metrics of the scores.
        batch_size: items gathered at once.
        split: the part to score on; it has no say in any choice.
        progress: told how far each baseline is.
    """
    report = BaselineReport({}, {}, {})
    for name in names:
        try:
            predict, chosen = _fit(name, data, batch_size)
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


def _fit(name: ClassifierName, data: LabelledData, batch_size: int) -> tuple[Classifier, str]:
    train, val = data.split("train"), data.split("val")
    if not len(train):
        raise NotApplicableError("it needs train items to fit on, and there are none")
    if name == "majority":
        return majority(data, batch_size), ""
    if not len(val):
        raise NotApplicableError("its penalty is chosen on val items, and there are none")
    features = pooled if name == "linear_pooled" else flattened
    sample = train.batch(torch.arange(1)).inputs
    if not sample.is_floating_point():
        raise NotApplicableError(f"it needs real inputs, these are {sample.dtype}".replace("torch.", ""))
    if name == "linear_pooled" and sample.dim() != 3:
        raise NotApplicableError("the inputs have no axis of positions to pool over")
    values = features(sample).numel() * (len(train) + len(val))
    if values > _MOST_VALUES:
        raise NotApplicableError(f"{values:,} input values are more than it holds at once ({_MOST_VALUES:,})")
    model = fit_logistic(_gather(train, features, batch_size), _gather(val, features, batch_size), data.classes)
    return (lambda inputs: model.scores(features(inputs))), f"penalty {model.penalty:g}"


def _gather(split: LabelledSplit, features: Callable[[Tensor], Tensor], batch_size: int) -> tuple[Tensor, Tensor]:
    """All features [N, F] and classes [N] of a split."""
    parts = [(features(batch.inputs), batch.targets.cpu()) for batch in labelled_batches(split, batch_size)]
    return torch.cat([x for x, _ in parts]), torch.cat([y for _, y in parts])
