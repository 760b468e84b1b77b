"""A histogram of whole numbers whose range is not known beforehand, in constant memory."""

from __future__ import annotations

import math

import torch
from torch import Tensor

# Up to here every whole number is exact in float32.
_EXACT_FLOAT32 = 2**24
BINS = 1024


def exact_type(most: int) -> torch.dtype:
    """The narrower float type in which a sum of whole numbers up to `most` is exact."""
    return torch.float32 if most <= _EXACT_FLOAT32 else torch.float64


class Tally:
    """Counts whole numbers >= 0 in 1024 bins of one width, which doubles as often as needed for the largest to fit.

    Mean, standard deviation and range are exact; what is counted does not depend on the order.
    """

    def __init__(self) -> None:
        self.width = 1
        self.counts = torch.zeros(BINS, dtype=torch.int64)
        self.count = self._total = self._squares = 0
        self.least: int | None = None
        self.most: int | None = None

    def add(self, values: Tensor) -> None:
        """Count `values`, int64 [N]."""
        if not len(values):
            return
        least, most = int(values.min()), int(values.max())
        while most >= BINS * self.width:
            merged = self.counts.unflatten(0, (BINS // 2, 2)).sum(1)
            self.counts = torch.cat((merged, torch.zeros_like(merged)))
            self.width *= 2
        self.counts += torch.bincount(values // self.width, minlength=BINS)
        self.count += len(values)
        self._total += int(values.sum())
        self._squares += sum(value * value for value in values.tolist())  # Python's, which do not overflow
        self.least = least if self.least is None else min(least, self.least)
        self.most = most if self.most is None else max(most, self.most)

    @property
    def mean(self) -> float:
        """nan when nothing was counted."""
        return self._total / self.count if self.count else math.nan

    @property
    def sd(self) -> float:
        """Standard deviation of the sample (n - 1); nan below two values."""
        if self.count < 2:
            return math.nan
        return math.sqrt((self._squares - self._total**2 / self.count) / (self.count - 1))

    @property
    def used(self) -> tuple[int, int]:
        """The first bin that is not empty, and the one behind the last."""
        filled = self.counts.nonzero().flatten().tolist()
        return (filled[0], filled[-1] + 1) if filled else (0, 0)

    def to_json(self) -> dict[str, object]:
        """Count, mean, sd, range, and the bins from the first to the last that is not empty."""
        first, end = self.used
        return {
            "samples": self.count,
            "mean": self.mean,
            "sd": self.sd,
            "min": self.least,
            "max": self.most,
            "bins_from": first * self.width,
            "bin_width": self.width,
            "counts": self.counts[first:end].tolist(),
        }
