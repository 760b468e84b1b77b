"""Data order as a pure function of (seed, epoch)."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from snnctl.core.seeds import stream_seed


def epoch_order(items: int, seed: int, epoch: int) -> Tensor:
    """A permutation of 0..items-1, int64; the same for the same (items, seed, epoch)."""
    generator = torch.Generator().manual_seed(stream_seed(seed, "order", epoch))
    return torch.randperm(items, generator=generator)


def batches(order: Tensor, batch_size: int) -> Iterator[Tensor]:
    """Consecutive slices of `order`; the last one may be smaller, nothing is dropped."""
    yield from order.split(batch_size)


def steps_per_epoch(items: int, batch_size: int) -> int:
    """How many slices `batches` yields."""
    return -(-items // batch_size)
