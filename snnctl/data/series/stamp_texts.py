"""Stamps from text: the readings that there are, and which of them fits all cells of a column."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from snnctl.data.series.stamps import DAY, NONE, SECOND, Micros, NotStampsError, Stamps, clock_words

_HALF = r"(?:\s*(?P<half>[AaPp])\.?[Mm]\b\.?)?"
_TIME = rf"(?P<hour>\d{{1,2}}):(?P<minute>\d{{2}})(?::(?P<second>\d{{2}})(?:[.,](?P<fraction>\d{{1,9}}))?)?{_HALF}"
_CLOCK = rf"(?:(?:T|,?\s+){_TIME})?"
_ZONE = r"\s*(?P<zone>Z|[+-]\d{2}(?::?\d{2})?|[A-Z]{3,4})?"
_YEAR, _MONTH, _DAY = r"(?P<year>\d{4})", r"(?P<month>\d{1,2})", r"(?P<day>\d{1,2})"
_SHORT = r"(?P<short>\d{2})"  # 69 to 99 are of the last century, as POSIX has it
_NAME = r"(?P<name>[A-Za-z]{3,9})\.?"
_READINGS = {
    order: tuple(re.compile(pattern) for pattern in patterns)
    for order, patterns in {
        "year_first": (
            rf"{_YEAR}(?:([-/.]){_MONTH}(?:\2{_DAY}{_CLOCK})?)?{_ZONE}",
            rf"{_YEAR}(?P<month>\d{{2}})(?P<day>\d{{2}}){_CLOCK}{_ZONE}",
            rf"{_YEAR}[- ]?M(?P<month>\d{{2}})",
            rf"{_YEAR}[- ]?[QqTt](?P<quarter>[1-4])",
            r"[QqTt](?P<quarter>[1-4])[-/ ]?(?P<year>\d{4})",
            rf"{_YEAR}-?[WwS](?P<week>\d{{2}})(?:-?(?P<weekday>[1-7]))?",
            rf"{_SHORT}([-/.]){_MONTH}\2{_DAY}{_CLOCK}",
            rf"{_YEAR}年{_MONTH}月(?:{_DAY}日)?\s*(?:{_TIME})?",
        ),
        "day_first": (rf"{_DAY}([-/.]){_MONTH}\2(?:{_YEAR}|{_SHORT}){_CLOCK}{_ZONE}",),
        "month_first": (rf"{_MONTH}([-/]){_DAY}\2(?:{_YEAR}|{_SHORT}){_CLOCK}{_ZONE}",),
        "month_by_name": (
            rf"{_NAME}\s+{_DAY}\s+{_TIME}\s+{_YEAR}",
            rf"{_NAME}[-/ ]{_SHORT}",
            rf"{_DAY}[-/ .]+{_NAME}[-/ .,]+{_YEAR}{_CLOCK}{_ZONE}",
            rf"{_NAME}[-/ .]+{_DAY},?[-/ ]+{_YEAR}{_CLOCK}{_ZONE}",
            rf"{_YEAR}[-/ ]{_NAME}(?:[-/ ]{_DAY}{_CLOCK})?{_ZONE}",
            rf"{_NAME}[-/ ]+{_YEAR}",
        ),
    }.items()
}
_OF_DAY = re.compile(_TIME)
_PASSED = re.compile(r"(?:(?P<hours>\d+):)?(?P<minutes>\d{1,2}):(?P<seconds>\d{2})(?:[.,](?P<fraction>\d{1,6}))?")
# What stands around a stamp: the day of the week, the name of a zone whose offset is there, the end of a range.
_AROUND = re.compile(r"^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*\.?,?\s+|\[[\w/+-]+\]$|\s+-\s+\S.*$")
_ZONES = {  # minutes ahead of UTC, of names that mean one offset alone
    "UTC": 0, "GMT": 0, "WET": 0, "WEST": 60, "CET": 60, "CEST": 120, "EET": 120, "EEST": 180, "EST": -300, "EDT": -240,
    "CDT": -300, "MDT": -360, "PST": -480, "PDT": -420, "JST": 540, "KST": 540, "AEST": 600, "AEDT": 660, "NZST": 720,
    "NZDT": 780,
}  # fmt: skip
_PLAIN = re.compile(r"(?:\d{4}-\d\d-\d\d[ T]\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?\n)+")
_MONTHS = {
    name: i + 1
    for i, name in enumerate(["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"])
}


def of_texts(cells: Iterable[str], format: str | None = None) -> Stamps:
    """Stamps from text.

    Args:
        cells: [N]; "" where there is none.
        format: as `datetime.strptime` takes it, one of `ORDERS`, or None: whatever fits all cells alike.

    Raises:
        NotStampsError: some cell is no stamp by the reading that fits the others, or several readings fit.
    """
    codes, texts = _distinct(cells)
    if format is None and all(texts) and _PLAIN.fullmatch("\n".join(texts) + "\n"):
        try:
            plain = np.array(texts, dtype="M8[us]").astype(np.int64)[codes]
            return Stamps(plain, read_as="year first")
        except ValueError:  # 2016-02-31: which row it is, is found below
            pass
    return _assembled(_read(texts, codes, format), codes)


def _assembled(found: _Found, codes: npt.NDArray[np.int64]) -> Stamps:
    local = np.array(found.local, dtype=np.int64)[codes]
    offsets = {offset for offset, micros in zip(found.offsets, found.local, strict=True) if micros != NONE}
    words = found.order.replace("_", " ")
    if offsets == {None} or not offsets:
        return Stamps(local, read_as=words)
    if None in offsets:
        lacking = next(i for i, offset in enumerate(found.offsets) if offset is None and found.local[i] != NONE)
        raise NotStampsError("some stamps have a time zone and some have none", int(np.argmax(codes == lacking)))
    offset = np.array([each or 0 for each in found.offsets], dtype=np.int64)[codes]
    return Stamps(local, offset, clock_words(offset), words)


@dataclass(frozen=True)
class _Found:
    order: str
    local: list[int]
    offsets: list[int | None]


def _distinct(cells: Iterable[str]) -> tuple[npt.NDArray[np.int64], list[str]]:
    """Each cell's place among the distinct ones, and those: dates repeat, and text is slow to read."""
    places: dict[str, int] = {}
    codes = np.fromiter((places.setdefault(cell, len(places)) for cell in cells), dtype=np.int64)
    return codes, [_AROUND.sub("", text.strip()) for text in places]


def _read(texts: list[str], codes: npt.NDArray[np.int64], format: str | None) -> _Found:
    if format is not None and "%" in format:
        return _strictly(texts, codes, format)
    orders = (format,) if format in _READINGS else tuple(_READINGS)
    tried = {order: _by_order(texts, order) for order in orders}
    whole = [found for found in tried.values() if isinstance(found, _Found)]
    if not whole:
        # The reading that fails last is the one that was meant.
        order, failed = max(tried.items(), key=lambda item: item[1])  # type: ignore[arg-type, return-value]
        message = f"`{texts[failed]}` is no stamp" + (f", read {order.replace('_', ' ')}" if failed else "")  # type: ignore[index]
        raise NotStampsError(message, int(np.argmax(codes == failed)))
    if any(found.local != whole[0].local for found in whole[1:]):
        example = next(i for i, pair in enumerate(zip(*(f.local for f in whole), strict=True)) if len(set(pair)) > 1)
        readings = " or ".join(f"{_day(found.local[example])} ({found.order.replace('_', ' ')})" for found in whole)
        raise NotStampsError(f"`{texts[example]}` is {readings}", ambiguous=True)
    return whole[0]


def _day(micros: int) -> str:
    return str(np.datetime64(micros, "us").astype("M8[D]"))


def _by_order(texts: list[str], order: str) -> _Found | int:
    """All texts by one reading, or the place of the first that does not fit."""
    local: list[int] = []
    offsets: list[int | None] = []
    for place, text in enumerate(texts):
        if not text:
            local.append(NONE)
            offsets.append(None)
            continue
        found = next((match for pattern in _READINGS[order] if (match := pattern.fullmatch(text))), None)
        micros = None if found is None else _micros(found.groupdict())
        if micros is None or found is None:
            return place
        local.append(micros)
        offsets.append(_offset(found.groupdict().get("zone")))
    return _Found(order, local, offsets)


def _micros(parts: Mapping[str, str | None]) -> int | None:
    """Microseconds since 1970 of the named groups of a reading; None where there is no such day or time."""
    month = parts.get("month") or "1"
    if parts.get("name"):
        named = _MONTHS.get(str(parts["name"])[:3].lower())
        if named is None:
            return None
        month = str(named)
    if parts.get("quarter"):
        month = str(3 * int(str(parts["quarter"])) - 2)
    clock = _of_day(parts)
    short = int(parts.get("short") or 0)
    year = int(parts.get("year") or (2000 if short < 69 else 1900) + short)
    try:
        if parts.get("week"):
            date = dt.date.fromisocalendar(year, int(str(parts["week"])), int(parts.get("weekday") or 1))
        else:
            date = dt.date(year, int(month), int(parts.get("day") or 1))
        day = date.toordinal()
    except ValueError:
        return None
    return None if clock is None else (day - dt.date(1970, 1, 1).toordinal()) * DAY + clock


def _of_day(parts: Mapping[str, str | None]) -> int | None:
    """Microseconds of the day."""
    hour, minute, second = (int(parts.get(name) or 0) for name in ("hour", "minute", "second"))
    if parts.get("half"):
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + 12 * (str(parts["half"]) in "pP")
    if parts.get("zone") and str(parts["zone"]).isalpha() and parts["zone"] not in ("Z", *_ZONES):
        return None
    if hour > 24 or minute > 59 or second > 60 or (hour == 24 and minute + second):
        return None
    fraction = int((parts.get("fraction") or "").ljust(6, "0")[:6])
    return (hour * 3600 + minute * 60 + second) * SECOND + fraction


def _offset(zone: str | None) -> int | None:
    if zone is None:
        return None
    if zone.isalpha():
        return _ZONES.get(zone, 0) * 60 * SECOND
    digits = zone[1:].replace(":", "").ljust(4, "0")
    minutes = int(digits[:2]) * 60 + int(digits[2:])
    return (-1 if zone[0] == "-" else 1) * minutes * 60 * SECOND


def _strictly(texts: list[str], codes: npt.NDArray[np.int64], format: str) -> _Found:
    local: list[int] = []
    offsets: list[int | None] = []
    zero = dt.datetime(1970, 1, 1)
    for place, text in enumerate(texts):
        try:
            stamp = dt.datetime.strptime(text, format) if text else None
        except (ValueError, re.error) as error:
            raise NotStampsError(f"`{text}` is no stamp by `{format}`", int(np.argmax(codes == place))) from error
        ahead = None if stamp is None else stamp.utcoffset()
        local.append(NONE if stamp is None else (stamp.replace(tzinfo=None) - zero) // dt.timedelta(microseconds=1))
        offsets.append(None if ahead is None else ahead // dt.timedelta(microseconds=1))
    return _Found(f"as {format}", local, offsets)


def of_clocks(cells: Iterable[str]) -> Micros:
    """Microseconds of the day from times such as 17:24:00 or 5:24 pm, "" = none.

    Raises:
        NotStampsError: some cell is none.
    """
    codes, texts = _distinct(cells)
    found = []
    for place, text in enumerate(texts):
        match = _OF_DAY.fullmatch(text)
        micros = _of_day(match.groupdict()) if match else None
        if text and micros is None:
            raise NotStampsError(f"`{text}` is no time of day", int(np.argmax(codes == place)))
        found.append(NONE if micros is None else micros)
    return np.array(found, dtype=np.int64)[codes]


def is_stamp(text: str) -> bool:
    """Whether a cell is a date, with or without a time, by some reading."""
    text = _AROUND.sub("", text.strip())
    return any(
        (match := pattern.fullmatch(text)) is not None and _micros(match.groupdict()) is not None
        for patterns in _READINGS.values()
        for pattern in patterns
    )


def of_passed(cells: Iterable[str]) -> Stamps:
    """A time that has passed, as 0:00:01.5 or 12:30, without dates.

    Raises:
        NotStampsError: some cell is none, or it does not rise.
    """
    found = []
    for row, cell in enumerate(cells):
        match = _PASSED.fullmatch(cell.strip())
        if match is None:
            raise NotStampsError(f"`{cell}` is no stamp", row)
        whole = int(match["hours"] or 0) * 3600 + int(match["minutes"]) * 60 + int(match["seconds"])
        found.append(whole * SECOND + int((match["fraction"] or "").ljust(6, "0")))
    local = np.array(found, dtype=np.int64)
    if (np.diff(local) <= 0).any():
        row = int(np.argmax(np.diff(local) <= 0)) + 1
        raise NotStampsError("the times of day have no date beside them, and begin anew", row)
    return Stamps(local, clock="none", read_as="time that has passed", dated=False)
