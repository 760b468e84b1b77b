"""What classification needs of its data: items with one class each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import torch
from torch import Tensor

from snnctl.core.shapes import SignalSpec


class LabelledBatch(Protocol):
    """Inputs [B, ...] and targets [B] int64, every target known; or, of mixed items, shares of classes [B, K]."""

    @property
    def inputs(self) -> Tensor: ...
    @property
    def targets(self) -> Tensor: ...
    @property
    def soft(self) -> Tensor | None: ...


class LabelledSplit(Protocol):
    """One part of the data."""

    def __len__(self) -> int: ...
    def batch(self, indices: Tensor, /) -> LabelledBatch:
        """The items at `indices` (int64 [B])."""


class LabelledData(Protocol):
    """Items with one of `classes` classes each."""

    @property
    def classes(self) -> int: ...
    @property
    def input_signal(self) -> SignalSpec: ...
    def split(self, name: str, /) -> LabelledSplit:
        """The part called `train`, `val` or `test`."""


def labelled_batches(split: LabelledSplit, batch_size: int) -> Iterator[LabelledBatch]:
    """All items of `split` once, in order."""
    for indices in torch.arange(len(split)).split(batch_size):
        yield split.batch(indices)
