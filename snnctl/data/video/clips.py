"""Clips of a video, as a reader gives them and end to end, and the windows that are cut from them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

import numpy as np

from snnctl.data.arrays import Whole
from snnctl.data.cache import Source
from snnctl.data.pictures import spelled

By = Literal["clip", "time"]


@dataclass(frozen=True, kw_only=True)
class Customs:
    """How the makers of a set, or its literature, cut it into windows and splits.

    Args:
        by: how splits are made that are missing: whole clips, or in time order.
        from_end: windows are laid from the end of a clip to its beginning.
        shared: clips this far from each other may show the same frames.
        lengths: (F_in, F_out) that the set is made for; None = any.
    """

    by: By = "clip"
    from_end: bool = False
    shared: int = 0
    lengths: tuple[int, int] | None = None

    def customs(self) -> dict[str, Any]:
        """These alone, by name."""
        return {each.name: getattr(self, each.name) for each in fields(Customs)}


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
class VideoSource(Customs, Source[Run]):
    """A set of videos before it is taken into the cache; its parts count frames."""


@dataclass(frozen=True)
class Clips:
    """Clips of one part of a set: frames that follow each other without a gap.

    Args:
        frames: [M, H, W, C] uint8, or float32 in 0..1, of all clips.
        firsts: [K] index of the first frame of each.
        lengths: [K] frames of each.
        groups: [K] clips of one group (a recording with gaps, a person) stay in one split.
        strides: [K] frames from one window to the next as published; 0 = windows do not overlap.
        step: from one frame of a clip to the next in `frames`; more than 1 where time is the first axis.
    """

    frames: Any
    firsts: Whole
    lengths: Whole
    groups: Whole
    strides: Whole
    step: int = 1

    @classmethod
    def of_table(cls, frames: Any, table: Whole) -> Clips:
        """From rows (length, group, stride), clips lying one after the other."""
        lengths = table[:, 0]
        return cls(frames, np.cumsum(lengths) - lengths, lengths, table[:, 1], table[:, 2])

    @property
    def shape(self) -> tuple[int, int, int]:
        """(H, W, C)."""
        rows, columns, channels = self.frames.shape[1:]
        return rows, columns, channels

    def each(self) -> Iterator[Any]:
        """The frames [n, H, W, C] of one clip after the other."""
        for first, length in zip(self.firsts.tolist(), self.lengths.tolist(), strict=True):
            yield self.frames[first : first + self.step * length : self.step][:length]

    def gather(self, windows: Windows, length: int) -> Any:
        """Pixels [W, length, H, W, C] of some windows."""
        first = self.firsts[windows.clips] + self.step * windows.offsets
        return self.frames[first[:, None] + self.step * np.arange(length)]


@dataclass(frozen=True)
class Windows:
    """Where windows begin.

    Args:
        clips: [W] which clip.
        offsets: [W] which of its frames.
    """

    clips: Whole
    offsets: Whole

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, chosen: Any) -> Windows:
        return Windows(self.clips[chosen], self.offsets[chosen])


@dataclass(frozen=True)
class VideoSet(Customs):
    """A set of videos, as its makers cut it.

    Args:
        parts: `train`, `val`, `test`, or `all` for a set that is not cut.
        origin: what a message calls it.
        format: how it is stored.
        licence: as its makers state it; "" where nothing is known.
        digest: of its content.
        bytes: on disk.
        folder: of the set in the cache; None for an array that is mapped where it lies.
        findings: see `VideoManifest`.
        by, from_end, shared, lengths: see `Customs`.
    """

    parts: Mapping[str, Clips]
    origin: str
    format: str
    licence: str
    digest: str
    bytes: int
    folder: Path | None = None
    findings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(H, W, C) of a frame."""
        return next(iter(self.parts.values())).shape

    def facts(self) -> Mapping[str, Any]:
        """For `snnctl data prep`."""
        frames = sum(int(clips.lengths.sum()) for clips in self.parts.values())
        return {"parts": self.clips, "frames": frames, "frame": spelled(self.shape)}

    def words(self) -> str:
        """The same in one line."""
        return "{clips:,} clips, {frames:,} frames of {frame}".format(clips=sum(self.clips.values()), **self.facts())

    @property
    def clips(self) -> dict[str, int]:
        """Part -> how many."""
        return {name: len(clips.lengths) for name, clips in self.parts.items()}

    def describe(self) -> dict[str, Any]:
        """Facts for `snnctl data info`."""
        return {
            "origin": self.origin,
            "format": self.format,
            "frame": spelled(self.shape),
            "frames": {name: int(clips.lengths.sum()) for name, clips in self.parts.items()},
            "clips": self.clips,
            "licence": self.licence or "unknown",
            "bytes": self.bytes,
        }


def lay_windows(clips: Clips, length: int, stride: int | None, *, from_end: bool) -> Windows:
    """All windows of `length` frames, in the order of clips and of time; none leaves its clip.

    Args:
        stride: frames from one window to the next; None = as published for the clip, else `length`.
        from_end: the last window ends with the clip, rather than the first one beginning with it.
    """
    numbers, offsets = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for number, (frames, published) in enumerate(zip(clips.lengths.tolist(), clips.strides.tolist(), strict=True)):
        room = frames - length
        if room < 0:
            continue
        every = stride or published or length
        starts = np.arange(room % every if from_end else 0, room + 1, every)
        numbers.append(np.full(len(starts), number))
        offsets.append(starts)
    return Windows(np.concatenate(numbers), np.concatenate(offsets))
