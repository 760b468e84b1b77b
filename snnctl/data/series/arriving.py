"""Rows that arrive one by one: the last window of a series, scaled and filled as when all of it is read at once."""

from __future__ import annotations

from typing import Any

import numpy as np

from snnctl.data.series.calendar import calendar_features
from snnctl.data.series.fitted import FittedSeries
from snnctl.data.series.series import Floats


class ArrivingSeries:
    """The last `window` rows of one series as a network sees them.

    What a row shows may change after it came: where values are interpolated, a value that was missing shows the last
    one observed until the next one comes, and then lies on the line between them.

    Args:
        fitted: what training remembers of its data.
        number: which row of the scaler is that of this series.

    Attributes:
        rows: how many have come, those that were put in for missing ones included.
        since: the row from which windows begin anew, after a hole that cuts.
    """

    def __init__(self, fitted: FittedSeries, number: int) -> None:
        self._window, self._interpolates = fitted.window, fitted.missing != "hold"
        self._scalers = [each.of(number) for each in (fitted.scaler, fitted.past_scaler) if each is not None]
        self._sizes = [fitted.channels, len(fitted.past)]
        self._calendar = fitted.calendar_features
        columns = sum(self._sizes)
        fallback = fitted.fallback if fitted.fallback.ndim == 1 else fitted.fallback[number]
        self._held = fallback.astype(np.float64).copy()
        self._before = np.full(columns, -1, np.int64)  # the last row observed, column by column
        self._shown = np.zeros((2 * fitted.window, columns + self._calendar))  # twice, so that a window is one view
        self.rows = self.since = 0

    @property
    def full(self) -> bool:
        """Whether there are enough rows for a window."""
        return self.lacking == 0

    @property
    def lacking(self) -> int:
        """How many rows are lacking for a window."""
        return max(0, self._window - (self.rows - self.since))

    def scaled(self, values: Floats) -> Floats:
        """Values [C + P] in the data's own units as the network takes them; NaN stays."""
        found, first = [], 0
        for scaler, size in zip(self._scalers, self._sizes, strict=False):
            with np.errstate(over="ignore"):
                found.append(scaler.apply(values[first : first + size]))
            first += size
        return np.concatenate(found)

    def push(self, scaled: Floats, stamp: int | None) -> int:
        """Take a row.

        Args:
            scaled: [C + P]; NaN where a value is missing.
            stamp: microseconds since 1970 on the clock of the file; None where there are no dates.

        Returns:
            The first row that now shows something else than before; its own where none does.
        """
        row, gone, changed = self.rows, np.isnan(scaled), self.rows
        ended = np.flatnonzero(~gone & (self._before < row - 1))
        if len(ended) and self._interpolates:
            changed = self._close(ended, scaled, row)
        self._held = np.where(gone, self._held, scaled)
        self._before = np.where(gone, self._before, row)
        columns = len(scaled)
        for at in (row % self._window, row % self._window + self._window):
            self._shown[at, :columns] = self._held
            if self._calendar and stamp is not None:
                self._shown[at, columns:] = _calendar_row(stamp)
        self.rows += 1
        return changed

    def _close(self, ended: Any, scaled: Floats, row: int) -> int:
        """Put what is missing before this row onto a line; the first row that it concerns."""
        first = row
        for column in ended.tolist():
            before, right = int(self._before[column]), scaled[column]
            gap = np.arange(max(before + 1, row - self._window + 1), row)
            if not len(gap):
                continue
            left = self._held[column]
            line = left + (right - left) * ((gap - before) / (row - before))
            # Before the first value there is none to draw a line from.
            line = np.full(len(gap), right) if before < 0 else line
            for at in (gap % self._window, gap % self._window + self._window):
                self._shown[at, column] = line
            first = min(first, before + 1)
        return first

    def open_since(self) -> set[int]:
        """Rows since which some column has not been observed: what they show may still change."""
        if not self._interpolates:
            return set()
        return {int(before) + 1 for before in self._before if before < self.rows - 1}

    def skip(self, rows: int) -> None:
        """Count so many rows without a value, of which no window that is asked for shows any."""
        self.rows += rows

    def cut(self) -> None:
        """Let windows begin anew with the next row."""
        self.since = self.rows

    def window(self) -> Floats:
        """[n, C + P + calendar] of the last rows, at most `window`; a view that the next row changes."""
        count = min(self.rows - self.since, self._window)
        end = (self.rows - 1) % self._window + self._window + 1
        return self._shown[end - count : end]


def _calendar_row(stamp: int) -> Floats:
    return calendar_features(np.array([stamp]).astype("M8[us]").astype("M8[ms]"))[0]
