"""What classification needs of its data: items with one class each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import torch
from torch import Tensor

from snnctl.core.shapes import SignalSpec
from snnctl.measure.items import ItemSplit


class LabelledBatch(Protocol):
    """Inputs [B, ...] and targets [B] int64, every target known; or, of mixed items, shares of classes [B, K]."""

    @property
    def inputs(self) -> Tensor: ...
    @property
    def targets(self) -> Tensor: ...
    @property
    def soft(self) -> Tensor | None: ...


class LabelledData(Protocol):
    """Items with one of `classes` classes each."""

    @property
    def classes(self) -> int: ...
    @property
    def input_signal(self) -> SignalSpec: ...
    def split(self, name: str, /) -> ItemSplit[LabelledBatch]:
        """The part called `train`, `val` or `test`."""


def labelled_batches(split: ItemSplit[LabelledBatch], batch_size: int) -> Iterator[LabelledBatch]:
    """All items of `split` once, in order."""
    for indices in torch.arange(len(split)).split(batch_size):
        yield split.batch(indices)
