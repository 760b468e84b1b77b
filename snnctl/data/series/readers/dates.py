"""Dates as they stand in files: ISO 8601 only, because 01/02/2016 means two different days."""

from __future__ import annotations

import re
from collections.abc import Iterable

import numpy as np

from snnctl.data.series.series import Floats, Times

DATE_NAMES = frozenset({"date", "datetime", "date_time", "time", "timestamp", "ds", "year"})
CALENDAR_FEATURES = 5

_ISO = re.compile(r"(\d{4})(?:[-/](\d{1,2})[-/](\d{1,2})(?:[ T](\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?)?Z?)?")


def iso_date(text: str) -> str | None:
    """`2016-07-01T00:00:00.000` for an ISO 8601 date, date with time, or year; None for anything else."""
    found = _ISO.fullmatch(text.strip())
    if found is None:
        return None
    year, month, day, hour, minute, second, fraction = found.groups()
    date = f"{year}-{int(month or 1):02d}-{int(day or 1):02d}"
    clock = f"{int(hour or 0):02d}:{minute or '00'}:{second or '00'}.{(fraction or '').ljust(3, '0')[:3]}"
    return f"{date}T{clock}"


def parse_dates(cells: Iterable[str]) -> Times | None:
    """[N] datetime64[ms], or None unless every cell is a date."""
    texts = [iso_date(cell) for cell in cells]
    if any(text is None for text in texts):
        return None
    try:
        return np.array(texts, dtype="datetime64[ms]")
    except ValueError:  # 2016-02-31
        return None


def calendar_features(times: Times) -> Floats:
    """Five features in [-0.5, 0.5]: minute of hour, hour, weekday (Monday first), day of month, day of year.

    Shape:
        times [N] -> [N, 5].

    Source:
        microsoft/SeqSNN's time features, after GluonTS.
    """
    days = times.astype("datetime64[D]")
    minutes = (times.astype("datetime64[m]") - days).astype(np.int64)
    since_1970 = days.astype(np.int64)
    columns = (
        (minutes % 60) / 59,
        (minutes // 60) / 23,
        (since_1970 + 3) % 7 / 6,  # 1970-01-01 was a Thursday
        (days - days.astype("datetime64[M]")).astype(np.int64) / 30,
        (days - days.astype("datetime64[Y]")).astype(np.int64) / 365,
    )
    return np.stack(columns, axis=1) - 0.5
