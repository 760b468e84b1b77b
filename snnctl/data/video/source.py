"""What a reader of videos gives before they are written into the cache: parts of clips, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from snnctl.data.video.clips import By


@dataclass(frozen=True)
class Run:
    """Frames that follow each other without a gap.

    Args:
        frames: [n, H, W, C] uint8, or float32 in 0..1.
        group: clips of one group stay in one split.
        stride: frames from one window to the next as published; 0 = windows do not overlap.
    """

    frames: Any
    group: int
    stride: int = 0


@dataclass(frozen=True)
class VideoPart:
    """One part of a source.

    Args:
        name: `train`, `val`, `test`, or `all` for a source that is not cut.
        count: frames.
        runs: gives them in an order that is always the same.
    """

    name: str
    count: int
    runs: Callable[[], Iterator[Run]]


@dataclass(frozen=True)
class VideoSource:
    """A set of videos before it is written into the cache; see `VideoSet` for the fields of the same names."""

    parts: tuple[VideoPart, ...]
    origin: str
    format: str
    licence: str = ""
    by: By = "clip"
    from_end: bool = False
    shared: int = 0
    lengths: tuple[int, int] | None = None
