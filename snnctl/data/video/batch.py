"""Sequences of frames: those that are seen, and those that are to be predicted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor


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
