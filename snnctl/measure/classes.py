"""Classification metrics from a confusion matrix: exact over a split however it is cut into batches."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, get_args

import torch
from torch import Tensor

from snnctl.measure.items import refuse_unknown

ClassMetricName = Literal["accuracy", "balanced_accuracy", "macro_f1"]
CLASS_METRIC_NAMES: tuple[ClassMetricName, ...] = get_args(ClassMetricName)


class ClassificationMetrics:
    """Streaming metrics of a classifier: counts of (class, predicted class), nothing else is kept.

    The predicted class is the one with the highest score; of equal scores the first. Metrics are fractions
    0..1, and nan before the first item.

    Equation:
        n_ij = items of class i that were predicted as j
        accuracy = sum_i n_ii / n
        balanced_accuracy = mean over classes that occur of n_ii / sum_j n_ij
        macro_f1 = mean over classes that occur or were predicted of 2 n_ii / (sum_j n_ij + sum_j n_ji)

    Args:
        names: metrics that `compute` returns, the first being the headline.
        classes: K, >= 1.

    Shape: prediction [B, K] scores, target [B] whole numbers 0..K-1.

    Source: scikit-learn's accuracy_score, balanced_accuracy_score and f1_score(average="macro").
    """

    def __init__(self, names: Sequence[ClassMetricName], classes: int) -> None:
        refuse_unknown(names, CLASS_METRIC_NAMES)
        self.names = tuple(names)
        self.classes = classes
        self._counts = torch.zeros(classes, classes, dtype=torch.int64)

    @property
    def confusion(self) -> Tensor:
        """[K, K] counts; the row is the class, the column what was predicted."""
        return self._counts.clone()

    @torch.no_grad()
    def update(self, prediction: Tensor, target: Tensor, observed: Tensor | None = None) -> None:
        """Add one batch; items where `observed` [B] is false do not count."""
        if prediction.shape != (len(target), self.classes) or target.dim() != 1:
            raise ValueError(
                f"expected prediction [B, {self.classes}] and target [B], "
                f"got {list(prediction.shape)} and {list(target.shape)}"
            )
        chosen, target = prediction.detach().argmax(1).cpu(), target.detach().cpu()
        if observed is not None:
            kept = observed.cpu()
            chosen, target = chosen[kept], target[kept]
        if len(target) and not 0 <= int(target.min()) <= int(target.max()) < self.classes:
            raise ValueError(f"targets must be in 0..{self.classes - 1}, got {int(target.min())}..{int(target.max())}")
        cells = torch.bincount(target * self.classes + chosen, minlength=self.classes**2)
        self._counts += cells.view(self.classes, self.classes)

    def merge(self, other: ClassificationMetrics) -> None:
        """Add what `other` has seen, as if its batches had been given to this one."""
        if other.classes != self.classes:
            raise ValueError("only metrics of the same number of classes can be merged")
        self._counts += other._counts

    def compute(self) -> dict[str, float]:
        """Metric name -> value, in the order of `names`."""
        return {name: self._value(name) for name in self.names}

    def per_class(self) -> dict[str, list[float]]:
        """`recall`, `precision` and `f1` of each class; nan where undefined."""
        hits, actual, predicted = self._sums()
        return {
            "recall": (hits / actual).tolist(),
            "precision": (hits / predicted).tolist(),
            "f1": (2 * hits / (actual + predicted)).tolist(),
        }

    def _value(self, name: ClassMetricName) -> float:
        hits, actual, predicted = self._sums()
        if not float(actual.sum()):
            return math.nan
        match name:
            case "accuracy":
                return float(hits.sum() / actual.sum())
            case "balanced_accuracy":
                return float((hits / actual).nanmean())
            case "macro_f1":
                return float((2 * hits / (actual + predicted)).nanmean())

    def _sums(self) -> tuple[Tensor, Tensor, Tensor]:
        counts = self._counts.to(torch.float64)
        return counts.diagonal(), counts.sum(1), counts.sum(0)


class StepMetrics(ClassificationMetrics):
    """Classification metrics over all scored steps of all items, each step counting once.

    Shape: prediction [B, T, K] scores, target [B, T], observed [B, T] bool; None = every step is scored.
    """

    def update(self, prediction: Tensor, target: Tensor, observed: Tensor | None = None) -> None:
        """Add one batch."""
        kept = None if observed is None else observed.flatten()
        super().update(prediction.flatten(0, 1), target.flatten(), kept)
