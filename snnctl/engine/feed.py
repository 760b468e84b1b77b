"""Training batches: their order by seed and epoch, augmented by the data, the next made ahead where a core is free."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import torch
from torch import Tensor

from snnctl.core.seeds import stream_seed
from snnctl.data.base import ChangingSplit

Job = TypeVar("Job")
Made = TypeVar("Made")


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


def training_batch(split: Any, indices: Tensor, seed: int, epoch: int, number: int, rank: int = 0) -> Any:
    """The training batch `number` of an epoch: a pure function of the arguments.

    Of a split that is no `ChangingSplit` it is the batch that evaluation sees.

    Args:
        seed: of the run; what is drawn comes from its `augment` stream.
        rank: of the process, each of which draws for its own share of the batch.
    """
    if not isinstance(split, ChangingSplit):
        return split.batch(indices)
    return split.training_batch(indices, stream_seed(seed, "augment", epoch, number, rank), epoch)


def a_core_is_free(device: torch.device) -> bool:
    """Whether making a batch beside the step before takes nothing from that step."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return device.type != "cpu" or cores > torch.get_num_threads()


def ahead(jobs: Iterable[Job], make: Callable[[Job], Made], *, threaded: bool) -> Iterator[tuple[Job, Made]]:
    """Each job with what `make` made of it, in order; with `threaded` the next is made while this one is used."""
    if not threaded:
        for job in jobs:
            yield job, make(job)
        return
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="feed") as pool:
        waiting = None
        for job in jobs:
            following = job, pool.submit(make, job)
            if waiting is not None:
                yield waiting[0], waiting[1].result()
            waiting = following
        if waiting is not None:
            yield waiting[0], waiting[1].result()
