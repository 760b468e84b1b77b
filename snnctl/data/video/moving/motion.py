"""How digits move over a canvas: straight on, and back from its edges."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from snnctl.data.arrays import Whole
from snnctl.data.pictures import Pixels

Numbers = npt.NDArray[np.float64]

STEP = 0.1  # of the span, per frame


@dataclass(frozen=True)
class MotionRule:
    """Constants of sequences of moving digits.

    Args:
        canvas: (rows, columns).
        digits: in each sequence.
        frames: of a sequence.
    """

    canvas: tuple[int, int]
    digits: int
    frames: int

    def draw(self, seeds: list[int], images: Pixels) -> Pixels:
        """One sequence for each seed: uint8 [N, frames, rows, columns]; a pure function.

        For each digit in turn x, y and the direction are drawn, then the image, all evenly.

        Args:
            seeds: of the sequences.
            images: [M, h, w] that digits are drawn from, smaller than the canvas.
        """
        drawn = np.stack([np.random.default_rng(seed).random((self.digits, 4)) for seed in seeds])
        which = (drawn[..., 3] * len(images)).astype(np.int64)
        x, y = paths(drawn[..., 0], drawn[..., 1], 2 * np.pi * drawn[..., 2], self.frames)
        span = [side - own for side, own in zip(self.canvas, images.shape[1:], strict=True)]
        top, left = (span[0] * y).astype(np.int64), (span[1] * x).astype(np.int64)
        return overlaid(self.canvas, images, which, top, left)


def paths(x: Numbers, y: Numbers, direction: Numbers, frames: int) -> tuple[Numbers, Numbers]:
    """Places [..., frames] in 0..1 of points that start at x, y and go on in `direction`, radians.

    A step comes before the first frame. At 0 and 1 a point stops, and the velocity along that axis changes its sign.

    Source: Srivastava et al. 2015, "Unsupervised learning of video representations using LSTMs", arXiv 1502.04681.
    """
    place = np.stack((x, y))
    velocity = np.stack((np.cos(direction), np.sin(direction)))
    found = np.empty((*place.shape, frames))
    for frame in range(frames):
        place = place + STEP * velocity
        outside = (place <= 0.0) | (place >= 1.0)
        place = np.clip(place, 0.0, 1.0)
        velocity = np.where(outside, -velocity, velocity)
        found[..., frame] = place
    return found[0], found[1]


def overlaid(canvas: tuple[int, int], images: Pixels, which: Whole, top: Whole, left: Whole) -> Pixels:
    """Digits on black; where they overlap, each pixel has the brightest of them.

    Args:
        images: [M, h, w].
        which: [N, digits] indices of images.
        top, left: [N, digits, frames] of their upper left corners.

    Shape: uint8 [N, frames, *canvas].
    """
    count, digits, frames = top.shape
    made = np.zeros((count * frames, *canvas), np.uint8)
    windows = sliding_window_view(made, images.shape[1:], axis=(1, 2), writeable=True)
    every = np.arange(count * frames)
    for digit in range(digits):
        places = every, top[:, digit].ravel(), left[:, digit].ravel()
        shown = np.repeat(images[which[:, digit]], frames, axis=0)
        windows[places] = np.maximum(windows[places], shown)
    return made.reshape(count, frames, *canvas)
