"""What every source of spikes gives: parts of labelled recordings, block by block."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Whole = npt.NDArray[np.int64]
UNKNOWN = -1


@dataclass(frozen=True)
class Block:
    """Some recordings, one after the other.

    Args:
        times: [S] float16 or float32, seconds.
        units: [S] whole numbers, which channel fired.
        lengths: [n] int64, spikes of each recording.
        labels: [n] int64, classes.
        speakers: [n] int64, -1 = not known.
        takes: [n] int64, which repetition it is; -1 = not known.
    """

    times: Any
    units: Any
    lengths: Whole
    labels: Whole
    speakers: Whole
    takes: Whole


@dataclass(frozen=True)
class SpikePart:
    """One part of a source, as its makers cut it.

    Args:
        name: `train`, `val`, `test`, or `all` for a source that is not cut.
        count: recordings.
        blocks: gives them in an order that is always the same.
    """

    name: str
    count: int
    blocks: Callable[[], Iterator[Block]]


@dataclass(frozen=True)
class SpikeSource:
    """A labelled set of recordings before it is taken into the cache.

    Args:
        parts: names are unique.
        classes: names, in the order of their indices.
        origin: what a message calls it.
        format: how it is stored.
        speakers: names, in the order of their numbers; empty where they have none.
        licence: as its makers state it; "" where nothing is known.
    """

    parts: tuple[SpikePart, ...]
    classes: tuple[str, ...]
    origin: str
    format: str
    speakers: tuple[str, ...] = ()
    licence: str = ""


def unknown(count: int) -> Whole:
    """[count] of what is not known."""
    return np.full(count, UNKNOWN, np.int64)
