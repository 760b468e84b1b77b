"""How far apart rows are: found from stamps, or as a recipe writes it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

import numpy as np

from snnctl.data.series.stamps import DAY, HOUR, SECOND, Micros

_UNITS = {
    **dict.fromkeys(("us", "µs", "microsecond", "microseconds"), 1),
    **dict.fromkeys(("ms", "millisecond", "milliseconds"), 1000),
    **dict.fromkeys(("s", "sec", "second", "seconds"), SECOND),
    **dict.fromkeys(("min", "minute", "minutes", "t"), 60 * SECOND),
    **dict.fromkeys(("h", "hour", "hours"), HOUR),
    **dict.fromkeys(("d", "day", "days"), DAY),
    **dict.fromkeys(("w", "week", "weeks"), 7 * DAY),
}
_MONTHS = {
    **dict.fromkeys(("m", "month", "months", "ms_start"), 1),
    **dict.fromkeys(("q", "quarter", "quarters"), 3),
    **dict.fromkeys(("y", "year", "years"), 12),
}
_BUSINESS = ("b", "bd", "business day", "business days", "weekday", "weekdays")
_WORDS = (
    (7 * DAY, "week"),
    (DAY, "day"),
    (HOUR, "hour"),
    (60 * SECOND, "minute"),
    (SECOND, "s"),
    (1000, "ms"),
    (1, "µs"),
)

# How far a stamp may lie off its place, in steps: clocks of sensors are not exact.
SLACK = 0.25
# The share of differences that have to be whole steps, or else the rows have no step.
_SHARE = 0.95


@dataclass(frozen=True)
class Step:
    """The time from one row to the next.

    Args:
        kind: "time" (so many microseconds), "months", or "business" (Monday to Friday).
        count: how many of them, > 0.
    """

    kind: Literal["time", "months", "business"]
    count: int = 1

    @classmethod
    def of(cls, text: str) -> Step:
        """From `1h`, `15 min`, `2 days`, `1 month`, `business day`.

        Raises:
            ValueError: it is none of these.
        """
        if text.strip().lower() in _BUSINESS:
            return cls("business")
        match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)?\s*([A-Za-zµ ]+?)\s*", text)
        unit = match[2] if match else ""
        count = float(match[1] or 1) if match else 0.0
        months = _MONTHS.get(unit.lower() if unit != "M" else "m")
        if months and count == int(count) > 0:
            return cls("months", int(count) * months)
        micros = count * _UNITS.get(unit.lower(), 0)
        if micros < 1:
            raise ValueError(f"`{text}` is no step of time; write 1h, 15min, 30s, 1 day, 1 month or business day")
        return cls("time", round(micros))

    def __str__(self) -> str:
        if self.kind == "business":
            return "1 business day"
        if self.kind == "months":
            for size, name in ((12, "year"), (3, "quarter"), (1, "month")):
                if self.count % size == 0:
                    return _counted(self.count // size, name)
        size, name = next((size, name) for size, name in _WORDS if self.count % size == 0)
        return _counted(self.count // size, name)

    @property
    def seconds(self) -> float:
        """About how long it lasts."""
        return {"time": self.count / SECOND, "months": self.count * 30.4375 * 86400.0, "business": 86400.0}[self.kind]

    def places(self, instants: Micros) -> tuple[Micros, np.ndarray]:
        """How many steps each instant [N] is after the first, and how far it lies off that place, in steps."""
        if self.kind == "business":
            days = instants.astype("M8[us]").astype("M8[D]")
            place = np.busday_count(days[0], days)
            on = np.is_busday(days) & (instants % DAY == instants[0] % DAY)
            return place.astype(np.int64), np.where(on, 0.0, 0.5)
        if self.kind == "months":
            days = instants.astype("M8[us]").astype("M8[D]")
            months = days.astype("M8[M]")
            place = (months - months[0]).astype(np.int64)
            of_month = (days - months).astype(np.int64)
            last = (days + 1).astype("M8[M]") != months
            # Month ends count as one place, whatever their number, and so do the last and first working days.
            on = (of_month == of_month[0]) | (last & last[0]) | (of_month.min() >= 25) | (of_month.max() <= 4)
            return place // self.count, np.where(on & (place % self.count == 0), 0.0, 0.5)
        # Row by row, so that a clock that runs a little fast does not drift away from its places.
        steps = np.diff(instants) / self.count
        whole = np.round(steps)
        return np.concatenate(([0], np.cumsum(whole))).astype(np.int64), np.concatenate(([0.0], np.abs(steps - whole)))

    def between(self, first: int, places: Micros) -> Micros:
        """Instants of `places`, counted from the row at `first`."""
        if self.kind == "time":
            return first + places * self.count
        start = np.datetime64(first, "us")
        day = start.astype("M8[D]")
        rest = first - int(day.astype("M8[us]").astype(np.int64))
        if self.kind == "business":
            days = np.busday_offset(day, places, roll="forward")
        else:
            months = day.astype("M8[M]") + places * self.count
            last = (months + 1).astype("M8[D]") - 1
            at_end = (day + 1).astype("M8[M]") != day.astype("M8[M]")
            wanted = months.astype("M8[D]") + (day - day.astype("M8[M]"))
            days = last if at_end else np.minimum(wanted, last)
        return days.astype("M8[us]").astype(np.int64) + rest


def _counted(count: int, name: str) -> str:
    return f"{count} {name}" + ("s" if count > 1 and name not in ("s", "ms", "µs") else "")


def find_step(instants: Micros) -> Step | None:
    """The step of instants [N] that rise; None where there is none.

    Months, quarters and years are steps, and so are business days where no row is of a weekend. Else it is the
    commonest difference, if nearly all others are a whole number of it.
    """
    gaps = np.diff(instants)
    if not len(gaps):
        return None
    for step in (_months(instants), _business(instants, gaps)):
        if step is not None:
            return step
    found, counts = np.unique(gaps, return_counts=True)
    usual = int(found[np.argmax(counts)]) if counts.max() * 2 > len(gaps) else int(np.median(gaps))
    step = Step("time", usual)
    off = step.places(instants)[1]
    fits = np.mean(off[1:] <= SLACK)
    # Gaps far longer than the step round to something near a whole number by chance: only the short ones tell.
    short = gaps < 1.5 * usual
    return step if fits >= _SHARE and short.mean() >= 0.5 and np.mean(off[1:][short] <= SLACK) >= _SHARE else None


def _months(instants: Micros) -> Step | None:
    days = instants.astype("M8[us]").astype("M8[D]")
    months = days.astype("M8[M]")
    apart = np.diff(months.astype(np.int64))
    if not len(apart) or apart.min() < 1 or (instants % DAY != instants[0] % DAY).any():
        return None
    count = int(np.gcd.reduce(apart))
    for size in (count, *(each for each in (12, 3, 1) if each < count)):
        step = Step("months", size)
        if not step.places(instants)[1].any() and (apart == size).mean() >= 0.5:
            return step
    return None


def _business(instants: Micros, gaps: Micros) -> Step | None:
    days = instants.astype("M8[us]").astype("M8[D]")
    if len(instants) < 10 or (gaps < DAY).any() or (instants % DAY != instants[0] % DAY).any():
        return None
    weekday = (days.astype(np.int64) + 3) % 7
    daily = (gaps == DAY).mean() >= 0.5
    return Step("business") if daily and weekday.max() < 5 else None
