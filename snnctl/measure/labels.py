"""What classification needs of its data: items with one class each, or with one at every step."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import torch
from torch import Tensor

from snnctl.core.shapes import SignalSpec
from snnctl.measure.items import ItemSplit, TargetBatch


class LabelledBatch(TargetBatch, Protocol):
    """Inputs [B, ...] and targets [B] int64, every target known; or, of mixed items, shares of classes [B, K]."""

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


def labelled_batches(split: ItemSplit[LabelledBatch], batch_size: int) -> Iterator[LabelledBatch]:
    """All items of `split` once, in order."""
    for indices in torch.arange(len(split)).split(batch_size):
        yield split.batch(indices)
