"""What every measure needs of data: batches of items with their targets, and splits that give them."""

from __future__ import annotations

from typing import Protocol, TypeVar

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
