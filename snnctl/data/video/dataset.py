"""Videos as batches of whole sequences: frames that are seen, and frames that are to be predicted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from snnctl.core.choices import SplitName
from snnctl.core.diagnostic import Diagnostic
from snnctl.core.shapes import SignalSpec
from snnctl.data.base import Dataset
from snnctl.data.cache import sha256_of
from snnctl.data.cuts import SPLIT_NAMES
from snnctl.data.decoding import picture_facts, picture_warnings
from snnctl.data.repeats import Repeats, repeats
from snnctl.data.video.clips import Clips, VideoSet, Windows

if TYPE_CHECKING:
    from snnctl.data.video.anew import FittedVideo


@dataclass(frozen=True)
class VideoBatch:
    """Whole sequences of a video, of which the first `seen` frames are given.

    Args:
        frames: [B, F_in + F_out, L, C] float32 in 0..1; L = H * W positions row by row.
        seen: F_in.
    """

    frames: Tensor
    seen: int

    observed: ClassVar[None] = None  # no pixel is missing
    soft: ClassVar[None] = None

    @property
    def inputs(self) -> Tensor:
        """[B, F_in, L, C] the frames that are seen."""
        return self.frames[:, : self.seen]

    @property
    def targets(self) -> Tensor:
        """[B, F_out, L, C] the frames that follow."""
        return self.frames[:, self.seen :]

    def to(self, device: torch.device | str) -> VideoBatch:
        """The same batch on `device`."""
        return VideoBatch(self.frames.to(device), self.seen)

    def __len__(self) -> int:
        return len(self.frames)


def video_signal(shape: tuple[int, int, int], seen: int, ahead: int) -> SignalSpec:
    """Frames of `shape` (H, W, C), positions row by row, channels last."""
    rows, columns, channels = shape
    return SignalSpec(0, rows * columns, channels, grid=(rows, columns), frames=seen, ahead=ahead)


def to_frames(pixels: Any) -> Tensor:
    """[B, F, H, W, C] uint8, or float32 in 0..1 -> [B, F, H * W, C] float32 in 0..1."""
    values = torch.from_numpy(np.ascontiguousarray(pixels)).flatten(2, 3)
    return values.to(torch.float32).div_(255.0) if values.dtype == torch.uint8 else values


@dataclass(frozen=True)
class VideoSplit:
    """One split: windows over the clips of one part.

    Args:
        clips: of the whole part.
        windows: those of this split.
        seen: F_in.
        ahead: F_out.
    """

    clips: Clips
    windows: Windows
    seen: int
    ahead: int

    def __len__(self) -> int:
        return len(self.windows)

    def batch(self, indices: Tensor) -> VideoBatch:
        """The sequences at `indices` (int64 [B]).

        Shape:
            frames [B, F_in + F_out, H * W, C] float32 in 0..1.
        """
        pixels = self.clips.gather(self.windows[indices.numpy()], self.seen + self.ahead)
        return VideoBatch(to_frames(pixels), self.seen)


@dataclass(frozen=True)
class VideoData(Dataset):
    """A set of videos, cut into splits and windows.

    Args:
        source: the clips.
        cut: split -> (part, windows over its clips).
        seen, ahead: F_in and F_out.
        fitted: what a trained model keeps of it.
    """

    source: VideoSet
    cut: Mapping[str, tuple[str, Windows]]
    seen: int
    ahead: int
    fitted: FittedVideo | None = None

    @property
    def input_signal(self) -> SignalSpec:
        return video_signal(self.source.shape, self.seen, self.ahead)

    def split(self, name: SplitName) -> VideoSplit:
        part, windows = self.cut[name]
        return VideoSplit(self.source.parts[part], windows, self.seen, self.ahead)

    @cached_property
    def warnings(self) -> tuple[Diagnostic, ...]:
        origin = self.source.origin
        return (*picture_warnings(self.source.findings, origin), *self.repeats.warnings(origin))

    @cached_property
    def repeats(self) -> Repeats:
        """Clips that stand in two splits; one clip that was cut in time is none."""
        parts = {name: clips.each for name, clips in self.source.parts.items()}
        cut = {name: (part, np.unique(windows.clips)) for name, (part, windows) in self.cut.items()}
        return repeats(parts, cut, "clips", self.source.folder)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 hex over the content of the set and the windows."""
        cut = (self.cut[name] for name in SPLIT_NAMES)
        pieces = (part.encode() + found.clips.tobytes() + found.offsets.tobytes() for part, found in cut)
        return sha256_of((self.source.digest, self.seen, self.ahead), pieces)

    def facts(self) -> dict[str, Any]:
        splits = {}
        for name in SPLIT_NAMES:
            part = self.split(name)
            clips = np.unique(part.windows.clips)
            splits[name] = {
                "sequences": len(part),
                "clips": len(clips),
                "groups": len(np.unique(part.clips.groups[clips])),
            }
        return {
            **self.source.describe(),
            "frames_in": self.seen,
            "frames_out": self.ahead,
            "splits": splits,
            "repeated": self.repeats.facts(),
            **picture_facts(self.source.findings),
        }
