"""Numbers as words and marks for people."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from snnctl.core.energy_units import unit_of


def duration(seconds: float | None) -> str:
    """`3 s`, `2 min 05 s`, `1 h 12 min`, `7 d`; `-` where it is not known."""
    if seconds is None or not math.isfinite(seconds):
        return "-"
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    if whole < 2 * 86400:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    hours = whole % 86400 // 3600
    return f"{whole // 86400} d" + (f" {hours} h" if hours else "")


def size(count: float) -> str:
    """Bytes as `3.4 MB`."""
    for unit in ("B", "kB", "MB", "GB"):
        if abs(count) < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def figure(value: float | None, digits: int = 4) -> str:
    """A measured number with `digits` significant digits; `-` for none or NaN."""
    if value is None or not math.isfinite(value):
        return "-"
    return f"{value:.{digits}g}"


def spread(values: Mapping[str, Any] | None) -> str:
    """`0.52 ± 0.03` of `{mean, sd}`; `-` where there is no mean."""
    if not values or values["mean"] is None:
        return "-"
    return figure(values["mean"]) + (f" ± {figure(values['sd'], 2)}" if values["sd"] else "")


def percent(value: float | None, digits: int = 0) -> str:
    """A share as `12%`; `-` for none or NaN."""
    return "-" if value is None or value != value else f"{value:.{digits}%}"


def bar(share: float, width: int) -> str:
    """A share of `width` characters, in the colour of spikes; one character at least of what is not nothing."""
    return f"[spike]{'▇' * max(1 if share > 0 else 0, round(share * width))}[/]"


def rate(per_second: float) -> str:
    """`1,234`, `12`, `3.4`, `0.05`: whole numbers from 10 on, else two significant digits."""
    if not math.isfinite(per_second):
        return "-"
    return f"{per_second:,.0f}" if per_second >= 10 else f"{per_second:.2g}"


def joules(value: float | None, digits: int = 4) -> str:
    """`1.234 µJ`."""
    if value is None or value != value:
        return "-"
    size, unit = unit_of(value)
    whole = abs(value / size) >= 10**digits  # three figures before the point, where fewer were asked for
    return f"{value / size:.0f} {unit}" if whole else f"{value / size:.{digits}g} {unit}"
