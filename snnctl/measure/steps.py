"""What classification at every step needs of its data, and its metrics."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor

from snnctl.core.shapes import SignalSpec
from snnctl.measure.classes import ClassificationMetrics
from snnctl.measure.items import ItemSplit, TargetBatch


class StepBatch(TargetBatch, Protocol):
    """Inputs [B, T, L, C], targets [B, T] int64, and observed [B, T] bool: the steps that are scored."""


class StepData(Protocol):
    """Items with one of `classes` classes at every step; some also know `ceiling(inputs)`, scores [B, T, K]."""

    @property
    def classes(self) -> int: ...
    @property
    def input_signal(self) -> SignalSpec: ...
    def split(self, name: str, /) -> ItemSplit[StepBatch]:
        """The part called `train`, `val` or `test`."""


class StepMetrics(ClassificationMetrics):
    """Classification metrics over all scored steps of all items, each step counting once.

    Shape: prediction [B, T, K] scores, target [B, T], observed [B, T] bool; None = every step is scored.
    """

    def update(self, prediction: Tensor, target: Tensor, observed: Tensor | None = None) -> None:
        """Add one batch."""
        kept = None if observed is None else observed.flatten()
        super().update(prediction.flatten(0, 1), target.flatten(), kept)
