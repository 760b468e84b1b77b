"""What is measured, and by what: batches of items with their targets, splits and data that give them, meters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor

from snnctl.core.shapes import SignalSpec


class TargetBatch(Protocol):
    """Inputs, targets, and which targets are real or scored (None = all)."""

    @property
    def inputs(self) -> Tensor: ...
    @property
    def targets(self) -> Tensor: ...
    @property
    def observed(self) -> Tensor | None: ...


class LabelledBatch(TargetBatch, Protocol):
    """Inputs [B, ...] and targets [B] int64, every target known; or, of mixed items, shares of classes [B, K]."""

    @property
    def soft(self) -> Tensor | None: ...


class StepBatch(TargetBatch, Protocol):
    """Inputs [B, T, L, C], targets [B, T] int64, and observed [B, T] bool: the steps that are scored."""


BatchT_co = TypeVar("BatchT_co", covariant=True)


class ItemSplit(Protocol[BatchT_co]):
    """One part of the data."""

    def __len__(self) -> int: ...
    def batch(self, indices: Tensor, /) -> BatchT_co:
        """The items at `indices` (int64 [B])."""


class SplitData(Protocol[BatchT_co]):
    """Data in parts."""

    def split(self, name: str, /) -> ItemSplit[BatchT_co]:
        """The part called `train`, `val` or `test`."""


class ClassData(SplitData[BatchT_co], Protocol[BatchT_co]):
    """Items with classes."""

    @property
    def classes(self) -> int: ...
    @property
    def input_signal(self) -> SignalSpec: ...


LabelledData = ClassData[LabelledBatch]  # one class each
StepData = ClassData[StepBatch]  # one at every step; some also know `ceiling(inputs)`, scores [B, T, K]


def batches(
    split: ItemSplit[BatchT_co], batch_size: int, generator: torch.Generator | None = None
) -> Iterator[BatchT_co]:
    """All items of `split` once, in order, or shuffled by `generator`."""
    order = torch.arange(len(split)) if generator is None else torch.randperm(len(split), generator=generator)
    for start in range(0, len(split), batch_size):
        yield split.batch(order[start : start + batch_size])


class Meter(Protocol):
    """Streaming metrics of a task."""

    def update(self, prediction: Tensor, target: Tensor, observed: Tensor | None = None, /) -> None:
        """Add one batch."""

    def merge(self, other: Any, /) -> None:
        """Add what another meter of the same kind has seen."""

    def compute(self) -> dict[str, float]:
        """Metric name -> value; nan where undefined."""


def add(meter: Meter, prediction: Tensor, batch: Any) -> None:
    """Add what was predicted of a batch; one whose items were scaled each in its own way has their `scale` [B, C]."""
    scale = getattr(batch, "scale", None)
    own = () if scale is None else (scale,)
    meter.update(prediction, batch.targets, batch.observed, *own)


def refuse_unknown(names: Sequence[str], known: Sequence[str]) -> None:
    """Raises ValueError where one of the `names` is no metric."""
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ValueError(f"unknown metric `{unknown[0]}`; known: {', '.join(known)}")
