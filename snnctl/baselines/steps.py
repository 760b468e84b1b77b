"""Reference classifiers for classification at every step."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Literal

import torch
from torch import Tensor

from snnctl.baselines.forecasts import BaselineReport, NotApplicableError, Progress
from snnctl.baselines.logistic import fit_logistic
from snnctl.measure.classes import ClassMetricName
from snnctl.measure.items import ItemSplit
from snnctl.measure.steps import StepBatch, StepData, StepMetrics

StepClassifierName = Literal["majority", "linear_step", "ceiling"]
StepClassifier = Callable[[Tensor], Tensor]  # inputs [B, T, L, C] -> scores [B, T, K]

# Features of steps that logistic regression is fitted on; of more an even selection of items is taken.
_MOST_VALUES = 2**23


def run_step_classifiers(
    names: Sequence[StepClassifierName],
    data: StepData,
    metric_names: Sequence[ClassMetricName],
    *,
    batch_size: int = 512,
    split: str = "test",
    progress: Progress | None = None,
) -> BaselineReport:
    """Fit each baseline on the scored steps of `train` (choices on `val`) and score it on those of `split`.

    Args:
        names: which baselines, in report order: the most frequent class, logistic regression on the step's own input,
            which remembers nothing, and the decoder that the data brings, which knows how they were made.
        batch_size: items gathered at once.
        progress: told how far each baseline is.
    """
    report = BaselineReport({}, {}, {})
    for name in names:
        try:
            predict, chosen = _fit(name, data, batch_size)
        except NotApplicableError as reason:
            report.omitted[name] = str(reason)
            continue
        metrics = StepMetrics(metric_names, data.classes)
        for batch in _batches(data.split(split), batch_size):
            metrics.update(predict(batch.inputs), batch.targets, batch.observed)
        report.scores[name] = metrics.compute()
        if chosen:
            report.chosen[name] = chosen
        if progress:
            progress(name, 1.0)
    return report


def _batches(split: ItemSplit[StepBatch], batch_size: int) -> Iterator[StepBatch]:
    for indices in torch.arange(len(split)).split(batch_size):
        yield split.batch(indices)


def _scored(batch: StepBatch) -> Tensor:
    return torch.ones_like(batch.targets, dtype=torch.bool) if batch.observed is None else batch.observed


def _fit(name: StepClassifierName, data: StepData, batch_size: int) -> tuple[StepClassifier, str]:
    if name == "ceiling":
        ceiling = getattr(data, "ceiling", None)
        if ceiling is None:
            raise NotApplicableError("the data know no best decoder")
        return ceiling, ""
    if name == "majority":
        counts = torch.zeros(data.classes, dtype=torch.int64)
        for batch in _batches(data.split("train"), batch_size):
            counts += torch.bincount(batch.targets[_scored(batch)].cpu(), minlength=data.classes)
        scores = counts.to(torch.float64)
        return (lambda inputs: scores.expand(*inputs.shape[:2], -1)), ""
    model = fit_logistic(_steps(data.split("train"), batch_size), _steps(data.split("val"), batch_size), data.classes)
    return (lambda inputs: model.scores(_features(inputs))), f"penalty {model.penalty:g}"


def _features(inputs: Tensor) -> Tensor:
    """[B, T, L, C] -> [B, T, L * C] float64."""
    return inputs.to("cpu", torch.float64).flatten(2)


def _steps(split: ItemSplit[StepBatch], batch_size: int) -> tuple[Tensor, Tensor]:
    """Features [N, F] and classes [N] of the scored steps of an even selection of items."""
    first = split.batch(torch.arange(1))
    each = int(_scored(first).sum()) * _features(first.inputs).shape[-1]
    count = min(len(split), max(1, _MOST_VALUES // max(each, 1)))
    chosen = torch.arange(count) * len(split) // count
    values, targets = [], []
    for indices in chosen.split(batch_size):
        batch = split.batch(indices)
        scored = _scored(batch)
        values.append(_features(batch.inputs)[scored])
        targets.append(batch.targets[scored].cpu())
    return torch.cat(values), torch.cat(targets)
