"""Where a row of a stream stands in time: how many steps after the one before, and when the steps ahead of it are."""

from __future__ import annotations

import numpy as np

from snnctl.data.series.fitted import FittedSeries
from snnctl.data.series.one_row import refused
from snnctl.data.series.stamps import DAY, SECOND, Stamps
from snnctl.data.series.steps import SLACK, Step
from snnctl.serving.rows import Rows, following, words

# A hole of more rows than so many is a clock that jumped, not a sensor that was silent.
LONGEST_HOLE = 1_000_000


class StreamClock:
    """The stamps of one series as its rows arrive.

    Args:
        fitted: what training remembers of its data.
    """

    def __init__(self, fitted: FittedSeries) -> None:
        self._rules, self._horizon = fitted.rules, fitted.horizon
        inserts = fitted.rules.missing == "insert"
        self._no_holes = fitted.rules.missing == "refuse" or (inserts and fitted.missing == "refuse")
        self._step: Step | None = fitted.step if fitted.time else None
        self._timed = bool(fitted.time)
        self._first = self._last = self._last_instant = 0
        self.rows = 0

    @property
    def dated(self) -> bool:
        """Whether forecasts are of times; else of numbers of rows."""
        return self._step is not None

    def gap(self, stamps: Stamps | None) -> int:
        """How many rows lie between the row before and one with this stamp.

        Raises:
            DiagnosticError: D320, the stamp repeats, is of an earlier time, or not where the step expects it.
        """
        if stamps is None or not self.rows:
            return 0
        local, instant = int(stamps.local[0]), int(stamps.instants[0])
        if instant <= self._last_instant:
            kept = self._rules.repeated if instant == self._last_instant else self._rules.order
            if kept == "keep":
                return 0
            again = instant == self._last_instant
            reason = f"{words(local)} {'came before' if again else 'is earlier than the row before'}"
            help = "the answer to the row before is out: one row a stamp, in the order of time"
            raise refused(reason, help)
        step = self._step
        if step is None or self._rules.missing == "keep":
            return 0
        coarse = step.kind != "time" or step.count % DAY == 0
        last, now = (self._last, local) if coarse else (self._last_instant, instant)
        known = [last, now] if step.kind == "time" else [self._first, last, now]
        places, off = step.places(np.array(known))
        ahead = int(places[-1] - places[-2])
        if off[-1] > SLACK or ahead < 1:
            reason = f"{words(local)} is not where a step of {step} expects a row after {words(self._last)}"
            raise refused(reason, f"bring rows onto a step of {step} (resample)")
        if ahead - 1 > LONGEST_HOLE or (ahead > 1 and self._no_holes):
            reason = f"{ahead - 1:,} rows are missing between {words(self._last)} and {words(local)}"
            raise refused(reason, "begin another stream after it; `data.rows.missing` of the recipe says what holes do")
        return ahead - 1

    def between(self, count: int) -> Rows:
        """Stamps of the first `count` rows that are missing after the row before."""
        assert self._step is not None, "`gap` gives none"
        return following(np.array([self._first, self._last]), self._step, count)

    def take(self, stamps: Stamps | None, inserted: int) -> int | None:
        """Take note of a row behind `inserted` missing ones; its stamp on the clock of the file, None without one."""
        local = None if stamps is None else int(stamps.local[0])
        if stamps is not None and local is not None:
            self._first = local if not self.rows else self._first
            self._last, self._last_instant = local, int(stamps.instants[0])
        self.rows += 1 + inserted
        return local

    def ahead(self) -> list[str] | list[int]:
        """When the row before is of, and the steps of the horizon after it: ISO 8601, or numbers of rows from 0."""
        if self._step is None:
            return list(range(self.rows - 1, self.rows + self._horizon))
        further = following(np.array([self._first, self._last]), self._step, self._horizon)
        stamps = np.concatenate(([self._last], further))
        fitting = (unit for unit, micros in (("D", DAY), ("s", SECOND)) if not self._off(stamps, micros))
        found: list[str] = stamps.astype("M8[us]").astype(f"M8[{next(fitting, 'us')}]").astype(str).tolist()
        return found

    def _off(self, stamps: Rows, micros: int) -> bool:
        """Whether stamps of this series need a finer unit, so that all of its answers are written alike."""
        step = self._step
        rough = step is not None and step.kind == "time" and step.count % micros != 0
        return rough or self._first % micros != 0 or bool((stamps % micros).any())
