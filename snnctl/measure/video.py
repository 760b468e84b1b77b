"""Metrics of predicted frames as streaming sums: exact over a split however it is cut into batches."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, get_args

import torch
from torch import Tensor

from snnctl.measure.items import refuse_unknown
from snnctl.measure.ssim import WINDOW, ssim

VideoMetricName = Literal["mse", "mae", "ssim", "ssim2", "psnr"]
VIDEO_METRIC_NAMES: tuple[VideoMetricName, ...] = get_args(VideoMetricName)
DATA_RANGES = {"ssim": 1.0, "ssim2": 2.0}


class VideoMetrics:
    """Streaming metrics of the frames ahead, float64, in O(frames) memory; every frame counts once.

    Equation:
        mse = mean over frames of sum over pixels and channels of (p - t)^2           of the prediction as it is
        mae = mean over frames of sum over pixels and channels of |p - t|             likewise
        q = p clipped to 0..1
        psnr = mean over frames of -10 log10(mean over pixels and channels of (q - t)^2)     inf where q = t
        ssim, ssim2 = mean over frames and channels of the structural similarity of q and t, data range 1 and 2

    Sums per frame are what the field prints as mse and mae of video prediction; divided by H * W * C they are those per
    pixel. `ssim2` compares with published numbers, which come of a library that took 2 for the range of floats.

    Args:
        names: metrics that `compute` returns, the first being the headline.
        frames: F_out, frames ahead.
        grid: (rows, columns) of a frame.

    Shape: prediction [B, F, L, C], of which the last F_out frames are scored; target [B, F_out, L, C].

    Raises:
        ValueError: an unknown name, or frames too small for structural similarity.

    Source: OpenSTL (Tan et al. 2023, arXiv 2306.11249).
    """

    def __init__(self, names: Sequence[VideoMetricName], frames: int, grid: tuple[int, int]) -> None:
        refuse_unknown(names, VIDEO_METRIC_NAMES)
        self.names, self.frames, self.grid = tuple(names), frames, grid
        self._similar = [name for name in DATA_RANGES if name in self.names]
        if self._similar and not large_enough(grid):
            raise ValueError(f"frames of {grid[0]} x {grid[1]} are smaller than the {WINDOW} x {WINDOW} of ssim")
        self._count = 0
        self._sums = {name: torch.zeros(frames, dtype=torch.float64) for name in VIDEO_METRIC_NAMES}

    @torch.no_grad()
    def update(self, prediction: Tensor, target: Tensor, observed: Tensor | None = None) -> None:
        """Add one batch; frames before the last F_out of the prediction do not count."""
        expected = (len(target), self.frames, self.grid[0] * self.grid[1], target.shape[-1])
        prediction = prediction[:, -self.frames :]
        if prediction.shape != expected or target.shape != expected:
            message = f"expected frames {list(expected)}, got {list(prediction.shape)} and {list(target.shape)}"
            raise ValueError(message)
        if observed is not None:
            raise ValueError("every pixel of a video counts")
        if not len(target):
            return
        p, t = (frames.detach().to("cpu", torch.float64) for frames in (prediction, target))
        error = p - t
        self._count += len(t)
        self._sums["mse"] += error.square().sum((0, 2, 3))
        self._sums["mae"] += error.abs().sum((0, 2, 3))
        p = p.clamp(0.0, 1.0)
        if "psnr" in self.names:
            self._sums["psnr"] += (-10.0 * (p - t).square().mean((2, 3)).log10()).sum(0)
        if self._similar:
            planes = [frames.movedim(-1, 2).reshape(-1, *self.grid) for frames in (p, t)]
            found = ssim(planes[0], planes[1], [DATA_RANGES[name] for name in self._similar])
            each = found.reshape(len(self._similar), *t.shape[:2], t.shape[-1]).mean(-1).sum(1)
            for name, values in zip(self._similar, each, strict=True):
                self._sums[name] += values

    def merge(self, other: VideoMetrics) -> None:
        """Add what `other` has seen, as if its batches had been given to this one."""
        if (other.names, other.frames, other.grid) != (self.names, self.frames, self.grid):
            raise ValueError("only metrics of the same names and frames can be merged")
        self._count += other._count
        for name, sums in self._sums.items():
            sums += other._sums[name]

    def compute(self) -> dict[str, float]:
        """Metric name -> value, in the order of `names`; nan before the first frame."""
        if not self._count:
            return dict.fromkeys(self.names, math.nan)
        return {name: float(self._sums[name].sum()) / (self._count * self.frames) for name in self.names}

    def per_frame(self) -> dict[str, list[float]]:
        """Metric name -> its mean at each of the F_out frames ahead."""
        if not self._count:
            return {name: [math.nan] * self.frames for name in self.names}
        return {name: (self._sums[name] / self._count).tolist() for name in self.names}


def large_enough(grid: tuple[int, int]) -> bool:
    """Whether structural similarity is defined on such frames."""
    return min(grid) >= WINDOW
