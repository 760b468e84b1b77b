"""Spike times into bins: two ways of cutting time, channels pooled, counts or binary."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np

Bins = Literal["equal", "published"]
Pool = Literal["sum", "subsample"]


@dataclass(frozen=True)
class Binning:
    """How recordings become [T, C].

    Args:
        steps: T.
        max_time: seconds; spikes at or after it are left out.
        bins: `equal`: T bins of max_time / T; `published`: the edges linspace(0, max_time, T) cut bins 1..T-1, and
            bin 0 stays empty.
        units: channels of the source.
        channels: C, <= units.
        pool: `sum`: unit u goes to channel floor(u C / units); `subsample`: every (units / C)-th unit alone is kept.
        levels: highest count of a bin, larger ones are cut to it; 1 = binary.
    """

    steps: int
    max_time: float
    bins: Bins
    units: int
    channels: int
    pool: Pool
    levels: int

    @property
    def bin_ms(self) -> float:
        """What a bin truly lasts, milliseconds."""
        return 1000 * self.max_time / (self.steps if self.bins == "equal" else self.steps - 1)

    @cached_property
    def edges(self) -> Any:
        """Where bins begin, and the end of the last; seconds, float64."""
        return np.linspace(0.0, self.max_time, self.steps + (self.bins == "equal"))

    def place(self, times: Any) -> Any:
        """The bin of each time (float64, 0 <= time < max_time), int64: as numpy's `digitize` against `edges`."""
        edges = self.edges
        found = (times * ((len(edges) - 1) / self.max_time)).astype(np.int64)
        np.minimum(found, len(edges) - 2, out=found)
        found += times >= edges[found + 1]  # what rounding put a bin too low or too high
        found -= times < edges[found]
        return found + (self.bins == "published")

    @cached_property
    def channel_of(self) -> Any:
        """[units] the channel of each unit, -1 where it is left out."""
        unit = np.arange(self.units)
        found = unit * self.channels // self.units
        if self.pool == "subsample":
            found[unit % (self.units // self.channels) != 0] = -1
        return found

    @cached_property
    def half_table(self) -> Any:
        """[2^16] the bin of every float16 by its bits, -1 where it is left out: as `place`, at a tenth of its price."""
        with np.errstate(invalid="ignore"):
            times = np.arange(1 << 16, dtype=np.uint16).view(np.float16).astype(np.float64)
            kept = (times >= 0) & (times < self.max_time)
        found = np.full(1 << 16, -1, np.int64)
        found[kept] = self.place(times[kept])
        return found

    def add(self, row: Any, times: Any, units: Any) -> None:
        """Count the spikes of one recording into `row`, float32 zeros [T * C].

        Spikes before 0, from `max_time` on, or of a unit that is not kept are left out.

        Args:
            times: [S] seconds, of any floating type; float16 are looked up in a table.
            units: [S] whole numbers.
        """
        if not len(units):
            return
        if units.min() < 0 or units.max() >= self.units:
            inside = (units >= 0) & (units < self.units)
            times, units = times[inside], units[inside]
        channel = self.channel_of[units]
        if times.dtype == np.float16:
            bins = self.half_table[times.view(np.uint16)]
            kept = bins >= 0
        else:
            times = times.astype(np.float64, copy=False)
            kept = (times >= 0) & (times < self.max_time)
            bins = None
        kept &= channel >= 0
        if not kept.all():
            times, channel, bins = times[kept], channel[kept], None if bins is None else bins[kept]
        place = (self.place(times) if bins is None else bins) * self.channels
        place += channel
        np.add.at(row, place, np.float32(1))
        if len(place) > self.levels:
            row[place] = np.minimum(row[place], self.levels)
