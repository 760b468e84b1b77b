"""How long answers take, over any number of them in constant memory."""

from __future__ import annotations

import numpy as np

_SMALLEST, _PER_DECADE, _DECADES = 1e-7, 200, 11


class Latency:
    """A histogram of seconds; bins are 1.2 % wide, from 0.1 microseconds to some hours."""

    def __init__(self) -> None:
        self._counts = np.zeros(_PER_DECADE * _DECADES, np.int64)
        self.count, self.total = 0, 0.0

    def add(self, seconds: float) -> None:
        """Take note of one."""
        place = int(np.log10(max(seconds, _SMALLEST) / _SMALLEST) * _PER_DECADE)
        self._counts[min(place, len(self._counts) - 1)] += 1
        self.count += 1
        self.total += seconds

    def quantile(self, share: float) -> float | None:
        """Seconds within which so many answers were given, 0 < share <= 1; None where there are none."""
        if not self.count:
            return None
        place = int(np.searchsorted(np.cumsum(self._counts), share * self.count))
        return float(_SMALLEST * 10 ** ((place + 0.5) / _PER_DECADE))
