"""Stamps of time as they stand in files: recognised where they are clear, never guessed where two readings fit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from snnctl.data.series.series import Floats, Times

Micros = npt.NDArray[np.int64]
NONE = int(np.iinfo(np.int64).min)  # no stamp: what numpy calls NaT
NO_ZONE = "the file's own, without a time zone"
SECOND = 1_000_000
HOUR, DAY = 3600 * SECOND, 86400 * SECOND
EPOCHS = ("s", "ms", "us", "ns")
SERIAL = "spreadsheet"  # days since 1899-12-30
ORDERS = ("year_first", "day_first", "month_first")
_BOUNDS = {
    "year": (1000, 2999),
    "quarter": (1, 4),
    "month": (1, 12),
    "week": (1, 53),
    "yearday": (1, 366),
    "day": (1, 31),
    "hour": (0, 24),
    "minute": (0, 59),
    "second": (0, 60),
}
_WRITTEN = ((14, "YmdHMS"), (12, "YmdHM"), (10, "YmdH"), (8, "Ymd"), (7, "Yj"), (6, "Ym"), (4, "Y"))
_SECONDS = (1e8, 4.2e9)  # of 1973 and 2103: between them numbers are taken for seconds since 1970


@dataclass(frozen=True)
class Stamps:
    """When rows are of.

    Args:
        local: [N] microseconds since 1970 on the clock of the file, int64; `NONE` where there is no stamp.
        offset: [N] microseconds by which that clock is ahead of UTC; None where the file does not say.
        clock: which clock it is, in words.
        read_as: how it was understood ("day first", "seconds since 1970", ...).
        dated: False where it begins anywhere, as seconds of a recording do.
    """

    local: Micros
    offset: Micros | None = None
    clock: str = NO_ZONE
    read_as: str = ""
    dated: bool = True

    @property
    def instants(self) -> Micros:
        """[N] microseconds in which every hour is an hour, also where clocks are put back."""
        if self.offset is None:
            return self.local
        return np.where(self.local == NONE, NONE, self.local - self.offset)

    @property
    def times(self) -> Times | None:
        """[N] datetime64[ms] on the clock of the file; None where it has no dates."""
        return self.local.astype("M8[us]").astype("M8[ms]") if self.dated else None

    def at(self, rows: Any) -> Stamps:
        """Those of `rows`, an index of one axis."""
        offset = None if self.offset is None else self.offset[rows]
        return Stamps(self.local[rows], offset, self.clock, self.read_as, self.dated)


class NotStampsError(ValueError):
    """Cells that are no stamps.

    Args:
        message: why, in a few words.
        row: the first such cell; -1 where it is none alone.
        ambiguous: whether more than one reading fits.
    """

    def __init__(self, message: str, row: int = -1, *, ambiguous: bool = False) -> None:
        super().__init__(message)
        self.row, self.ambiguous = row, ambiguous


def clock_words(offset: Micros, zone: str = "") -> str:
    """Which clock offsets [N] of microseconds ahead of UTC are of."""
    low, high = int(offset.min()), int(offset.max())
    named = f"{zone} " if zone and zone not in ("UTC", "Z") else ""
    if low == high == 0:
        return f"{named}UTC" if not named else f"{zone} (UTC)"
    span = _ahead(low) if low == high else f"{_ahead(low)} to {_ahead(high)}"
    return f"{named}({span})" if named else f"the file's own, {span}"


def _ahead(micros: int) -> str:
    minutes = abs(micros) // (60 * SECOND)
    return f"UTC{'-' if micros < 0 else '+'}{minutes // 60:02d}:{minutes % 60:02d}"


def joined(days: Stamps, clocks: Micros) -> Stamps:
    """Dates and times of day that stand in two columns."""
    gone = (days.local == NONE) | (clocks == NONE)
    local = np.where(gone, NONE, days.local + np.where(gone, 0, clocks))
    return Stamps(local, days.offset, days.clock, f"{days.read_as}, with the time beside it")


def of_numbers(values: Floats, format: str | None = None) -> Stamps:
    """Stamps from numbers: seconds, ms, µs or ns since 1970, 20200131, 2020013123, 202001 or 2020.

    Args:
        values: [N]; NaN where there is none.
        format: one of `EPOCHS`, or `SERIAL`; None = what fits all values.

    Raises:
        NotStampsError: the numbers are none of these.
    """
    seen = values[~np.isnan(values)]
    if not len(seen):
        raise NotStampsError("there is no stamp in it")
    if format in EPOCHS:
        return _since_1970(values, format)
    if format == SERIAL:
        gone = np.isnan(values)
        since = np.datetime64("1899-12-30", "us").astype(np.int64)
        # Fractions of days are not exact in what spreadsheets keep: to the nearest millisecond.
        micros = np.round(np.where(gone, 0.0, values) * (DAY // 1000)).astype(np.int64) * 1000 + since
        return Stamps(np.where(gone, NONE, micros), read_as="days of a spreadsheet")
    if format is not None:
        raise NotStampsError(f"`{format}` reads text, and these are numbers")
    whole = bool((seen == np.floor(seen)).all())
    for digits, pattern in _WRITTEN:
        if whole and seen.min() >= 10 ** (digits - 1) and seen.max() < 10**digits:
            stamps = _digits(values, digits)
            if stamps is not None:
                return Stamps(stamps, read_as=pattern)
    for unit in EPOCHS:
        low, high = (bound * 1000 ** EPOCHS.index(unit) for bound in _SECONDS)
        if seen.min() >= low and seen.max() < high:
            return _since_1970(values, unit)
    raise NotStampsError("the numbers are no dates and no time since 1970")


def _since_1970(values: Floats, unit: str) -> Stamps:
    gone = np.isnan(values)
    scale = SECOND / 1000.0 ** EPOCHS.index(unit)
    with np.errstate(invalid="ignore", over="ignore"):
        micros = np.round(np.where(gone, 0.0, values) * scale)
    if (np.abs(micros) > 2**62).any():
        raise NotStampsError(f"not all are {unit} since 1970: some are too large")
    local = np.where(gone, NONE, micros.astype(np.int64))
    words = {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}[unit]
    return Stamps(local, np.zeros(len(local), np.int64), "UTC", f"{words} since 1970")


def _digits(values: Floats, digits: int) -> Micros | None:
    """Numbers whose digits are year, month, day, hour, minute, second, or year and day of the year."""
    gone = np.isnan(values)
    whole = np.where(gone, 0.0, values).astype(np.int64)
    parts = {"year": whole // 10 ** (digits - 4)}
    if digits == 7:
        parts["yearday"] = whole % 1000
    else:
        names = ("month", "day", "hour", "minute", "second")[: (digits - 4) // 2]
        parts |= {name: whole // 10 ** (digits - 6 - 2 * at) % 100 for at, name in enumerate(names)}
    try:
        return of_parts({name: np.where(gone, np.nan, part) for name, part in parts.items()}).local
    except NotStampsError:
        return None


def of_parts(parts: Mapping[str, Floats]) -> Stamps:
    """Stamps from numbers in several columns.

    Args:
        parts: year, then quarter, ISO week, yearday, or month, day, hour, minute, second: [N] each; NaN = none.

    Raises:
        NotStampsError: there is no such day or time.
    """
    gone = np.any([np.isnan(part) for part in parts.values()], axis=0)
    whole: dict[str, Micros] = {}
    for name, part in parts.items():
        low, high = _BOUNDS[name]
        filled = np.where(gone, low, part)
        wrong = (filled < low) | (filled > high) | ((filled != np.floor(filled)) & (name != "second"))
        if wrong.any():
            row = int(np.argmax(wrong))
            raise NotStampsError(f"`{filled[row]:g}` is no {name}", row)
        whole[name] = filled.astype(np.int64)
    none = np.zeros(len(gone), np.int64)
    if "week" in whole:
        return Stamps(_weeks(whole["year"], whole["week"], gone), read_as="year, week")
    month = 3 * whole["quarter"] - 2 if "quarter" in whole else whole.get("month", none + 1)
    months = ((whole["year"] - 1970) * 12 + month - 1).astype("M8[M]")
    if "yearday" in whole:
        whole["day"] = whole["yearday"]
    days = months.astype("M8[D]") + (whole.get("day", none + 1) - 1).astype("m8[D]")
    span = "M8[Y]" if "yearday" in whole else "M8[M]"
    over = days.astype(span) != months.astype(span)
    if over.any():
        row = int(np.argmax(over))
        raise NotStampsError(f"{months[row]} has no day {int(whole['day'][row])}", row)
    seconds = whole.get("hour", none) * 3600 + whole.get("minute", none) * 60
    micros = days.astype("M8[us]").astype(np.int64) + seconds * SECOND
    if "second" in parts:
        micros = micros + np.round(np.where(gone, 0.0, parts["second"]) * SECOND).astype(np.int64)
    return Stamps(np.where(gone, NONE, micros), read_as=", ".join(parts))


def _weeks(year: Micros, week: Micros, gone: npt.NDArray[np.bool_]) -> Micros:
    """Mondays of weeks as ISO 8601 counts them: the first is that of 4 January."""
    fourth = (year - 1970).astype("M8[Y]").astype("M8[D]").astype(np.int64) + 3
    days = fourth - (fourth + 3) % 7 + 7 * (week - 1)
    return np.where(gone, NONE, days * DAY)


def of_datetimes(utc: Times, local: Times | None = None, zone: str = "") -> Stamps:
    """Stamps that a file types as such.

    Args:
        utc: [N] datetime64 of any unit; on the file's clock where there is no `local`.
        local: [N] the same on the file's clock, where it names a time zone.
        zone: its name.
    """
    instants = utc.astype("M8[us]").astype(np.int64)
    if local is None:
        return Stamps(instants, read_as="typed as dates")
    own = local.astype("M8[us]").astype(np.int64)
    offset = np.where(instants == NONE, 0, own - instants)
    return Stamps(own, offset, clock_words(offset, zone), "typed as dates")


def elapsed(values: Floats) -> Stamps:
    """A time without dates, of any unit: whole seconds stand for units."""
    gone = np.isnan(values)
    micros = np.round(np.where(gone, 0.0, values) * SECOND)
    if (np.abs(micros) > 2**62).any():
        raise NotStampsError("some are too large for a time")
    return Stamps(
        np.where(gone, NONE, micros.astype(np.int64)), clock="none", read_as="time that has passed", dated=False
    )


def calendar_of(stamps: Stamps) -> dict[str, Callable[[], Micros]]:
    """What columns beside the stamps may repeat of them, by name: [N] whole numbers."""
    days = stamps.local.astype("M8[us]").astype("M8[D]")
    months = days.astype("M8[M]")
    seconds = stamps.local // SECOND
    return {
        "year": lambda: days.astype("M8[Y]").astype(np.int64) + 1970,
        "month": lambda: months.astype(np.int64) % 12 + 1,
        "day": lambda: (days - months).astype(np.int64) + 1,
        "hour": lambda: seconds // 3600 % 24,
        "minute": lambda: seconds // 60 % 60,
        "weekday": lambda: (days.astype(np.int64) + 3) % 7,
    }
