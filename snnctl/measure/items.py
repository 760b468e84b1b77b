"""What is measured, and by what: batches of items with their targets, splits that give them, meters."""

from __future__ import annotations

from typing import Any, Protocol, TypeVar

from torch import Tensor


class TargetBatch(Protocol):
    """Inputs, targets, and which targets are real or scored (None = all)."""

    @property
    def inputs(self) -> Tensor: ...
    @property
    def targets(self) -> Tensor: ...
    @property
    def observed(self) -> Tensor | None: ...


BatchT_co = TypeVar("BatchT_co", covariant=True)


class ItemSplit(Protocol[BatchT_co]):
    """One part of the data."""

    def __len__(self) -> int: ...
    def batch(self, indices: Tensor, /) -> BatchT_co:
        """The items at `indices` (int64 [B])."""


class Meter(Protocol):
    """Streaming metrics of a task."""

    def update(self, prediction: Tensor, target: Tensor, observed: Tensor | None = None, /) -> None:
        """Add one batch."""

    def merge(self, other: Any, /) -> None:
        """Add what another meter of the same kind has seen."""

    def compute(self) -> dict[str, float]:
        """Metric name -> value; nan where undefined."""
