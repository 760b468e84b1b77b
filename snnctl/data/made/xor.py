"""The multi-time-scale XOR: a slow bit at the start, fast bits after it, and their XOR at every step."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Bits = npt.NDArray[np.bool_]
_BLOCK = 1024  # items drawn at once


@dataclass(frozen=True)
class XorRule:
    """The constants of the task.

    Args:
        channels: C, even; the first half carries the slow bit, the second half the fast ones.
        slow: steps of the slow bit, from step 0.
        windows: fast bits.
        silent, coding: steps of a window without and with its bit, in this order.
        low, high: probability of a spike per channel and step where the bit is 0 or 1.
        noise: probability of a spike anywhere, OR-ed with the signal.
    """

    channels: int
    slow: int
    windows: int
    silent: int
    coding: int
    low: float
    high: float
    noise: float

    @property
    def window(self) -> int:
        """Steps of one window."""
        return self.silent + self.coding

    @property
    def steps(self) -> int:
        """T."""
        return self.slow + self.windows * self.window

    @cached_property
    def scored(self) -> Bits:
        """[T], the coding steps: those at which the answer can be known."""
        step = np.arange(self.steps) - self.slow
        found: Bits = (step >= 0) & (step % self.window >= self.silent)
        return found

    def targets(self, slow: Bits, fast: Bits) -> npt.NDArray[np.int64]:
        """[N, T] from the slow bits [N] and the fast bits [N, windows]: 0 at first, then the XOR all through a window.

        The silent steps of a window bear its answer, too, before anything can be known of it.
        """
        found = np.zeros((len(slow), self.steps), np.int64)
        found[:, self.slow :] = (slow[:, None] ^ fast).repeat(self.window, axis=1)
        return found

    def draw(self, items: int, seed: int) -> tuple[npt.NDArray[np.bool_], Bits, Bits]:
        """Spikes [N, T, C], slow bits [N] and fast bits [N, windows]: a pure function of its arguments."""
        random = np.random.default_rng(seed)
        slow = random.random(items) < 0.5
        fast = random.random((items, self.windows)) < 0.5
        spikes = np.empty((items, self.steps, self.channels), np.bool_)
        half = self.channels // 2
        for first in range(0, items, _BLOCK):
            rows = slice(first, min(first + _BLOCK, items))
            rate = np.zeros((rows.stop - first, self.steps, 2), np.float32)
            rate[:, : self.slow, 0] = np.where(slow[rows, None], self.high, self.low)
            rate[:, self.slow :, 1] = np.where(fast[rows], self.high, self.low).repeat(self.window, axis=1)
            rate[:, self.slow :, 1] *= self.scored[self.slow :]
            shape = (*rate.shape[:2], self.channels)
            signal = random.random(shape, np.float32) < rate.repeat((half, self.channels - half), axis=2)
            spikes[rows] = signal | (random.random(shape, np.float32) < self.noise)
        return spikes, slow, fast

    def threshold(self, trials: int) -> float:
        """How many spikes in so many draws speak for a 1 as much as for a 0."""
        low, high = (1 - (1 - rate) * (1 - self.noise) for rate in (self.low, self.high))
        against = math.log((1 - low) / (1 - high))
        return trials * against / (against + math.log(high / low))

    def decode(self, spikes: Tensor) -> Tensor:
        """Scores [B, T, 2] of spikes [B, T, C], as good as they can be: counts since a bit began, against thresholds.

        It knows when bits begin and looks at nothing later than the step itself.
        """
        half = self.channels // 2
        slow = spikes[:, : self.slow, :half].sum((1, 2)) > self.threshold(self.slow * half)
        counts = spikes[:, self.slow :, half:].sum(2).unflatten(1, (self.windows, self.window))[:, :, self.silent :]
        trials = torch.arange(1, self.coding + 1, device=spikes.device) * (self.channels - half)
        unit = self.threshold(1)
        fast = counts.cumsum(2) > trials * unit
        answer = torch.zeros(spikes.shape[:2], dtype=torch.bool, device=spikes.device)
        answer[:, torch.from_numpy(self.scored).to(spikes.device)] = (fast ^ slow[:, None, None]).flatten(1)
        return torch.stack((~answer, answer), 2).to(torch.float32)
