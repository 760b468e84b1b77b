"""Features of the calendar."""

from __future__ import annotations

import numpy as np

from snnctl.data.series.series import Floats, Times

CALENDAR_FEATURES = 5


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
