"""Statistical methods of a well-kept library, fitted on the history up to each cutoff: what many would take instead."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from snnctl.core.diagnostic import Diagnostic, DiagnosticError, did_you_mean
from snnctl.data.series.series import Floats
from snnctl.report.saving import Tell
from snnctl.serving.rows import ReadyRows, Rows

# Of statsforecast, all made with a `season_length`.
METHODS = (
    "AutoARIMA",
    "AutoCES",
    "AutoETS",
    "AutoTheta",
    "DynamicOptimizedTheta",
    "MSTL",
    "SeasonalNaive",
)
_SEASONAL = ("MSTL", "SeasonalNaive")
_TRIED = 3  # origins after which it is foreseen how long all take; the first one compiles


@dataclass(frozen=True)
class Method:
    """One method, ready to be fitted.

    Args:
        name: as the library calls it.
        forecast: (history [n], steps, levels) -> `{mean, lo-80, hi-80, ...}`, each [steps].
    """

    name: str
    forecast: Callable[[Floats, int, list[int]], dict[str, Any]]


@dataclass(frozen=True)
class Told:
    """What a method says of all origins: `mean` [n, H, C], and of each level the band [n, H, C]; all NaN-free."""

    mean: Floats
    bands: dict[int, tuple[Floats, Floats]]


def methods(names: Sequence[str], season: int) -> list[Method]:
    """The methods of these names, before hours are spent on anything.

    Args:
        season: rows in one season; 1 = there is none.

    Raises:
        DiagnosticError: U573 there is no such method, or it needs a season; U572 the library is not installed.
    """
    for name in names:
        if name not in METHODS:
            help = f"{did_you_mean(name, METHODS)}  known: {', '.join(METHODS)}".strip()
            raise DiagnosticError(Diagnostic("U573", f"--against knows no method `{name}`", help=help))
        if name in _SEASONAL and season < 2:
            help = "give --season, or `data.season` in the recipe"
            raise DiagnosticError(Diagnostic("U573", f"{name} needs a season of at least 2 rows", help=help))
    if not names:
        return []
    try:
        from statsforecast import models
    except ImportError:
        facts, help = {"names": ", ".join(names)}, "pip install 'snnctl[statistical]'"
        raise DiagnosticError(Diagnostic("U572", facts=facts, help=help)) from None

    def of(name: str) -> Method:
        def forecast(history: Floats, steps: int, levels: list[int]) -> dict[str, Any]:
            made = getattr(models, name)(season_length=season)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of optimisers on single histories, hundreds of times over
                found: dict[str, Any] = made.forecast(y=history, h=steps, level=levels or None)
            return found

        return Method(name, forecast)

    return [of(name) for name in dict.fromkeys(names)]


def ask(
    method: Method, rows: ReadyRows, ends: Rows, horizon: int, levels: Sequence[int], limit: float, tell: Tell
) -> Told | str:
    """Fit a method on all that lies before each cutoff, series by series and column by column, and forecast.

    A value that is missing is the one before it: nothing of what follows a cutoff is seen.

    Args:
        ends: [n] the last row that each origin sees.
        limit: seconds; as soon as it is foreseen that all origins take longer, the method is left out.
        tell: told how far it is, as a share.

    Returns:
        What it says, or why it is left out.
    """
    columns = rows.observed.shape[1]
    shape = (len(ends), horizon, columns)
    mean = np.full(shape, np.nan)
    bands = {level: (np.full(shape, np.nan), np.full(shape, np.nan)) for level in levels}
    parts, begun = rows.part_of(ends), time.perf_counter()
    for number, (end, part) in enumerate(zip(ends.tolist(), parts.tolist(), strict=True)):
        history = rows.observed[rows.parts[part].first : end + 1]
        for column in range(columns):
            own = _held(history[:, column])
            if len(own) < 2:
                return f"nothing is observed before the cutoff of origin {number + 1}"
            try:
                found = method.forecast(own, horizon, list(levels))
            except Exception as error:  # of the library, whatever it is: the other models are not to suffer
                what = f"{type(error).__name__}: {' '.join(str(error).split())[:160]}"
                return f"it failed at origin {number + 1} of {len(ends)}: {what}"
            mean[number, :, column] = found["mean"]
            for level, (low, high) in bands.items():
                if f"lo-{level}" in found:
                    low[number, :, column], high[number, :, column] = found[f"lo-{level}"], found[f"hi-{level}"]
        if not number:
            begun_after_first = time.perf_counter()
        done = number + 1
        tell(f"{method.name}: origin {done:,} of {len(ends):,}", done / len(ends))
        spent = time.perf_counter() - begun
        if done >= _TRIED:
            each = (time.perf_counter() - begun_after_first) / (done - 1)
            foreseen = spent + each * (len(ends) - done)
            if foreseen > limit:
                return (
                    f"{len(ends):,} origins would take about {foreseen / 60:.1f} min, more than the {limit / 60:g} "
                    "allowed: raise --against-minutes, or ask for fewer with --n-windows and --step-size"
                )
    return Told(mean, bands)


def _held(values: Floats) -> Floats:
    """Missing values as the last observed one; what lies before the first observed one is left out."""
    there = ~np.isnan(values)
    if not there.any():
        return values[:0]
    last = np.maximum.accumulate(np.where(there, np.arange(len(values)), -1))
    return np.ascontiguousarray(values[last[last >= 0]])
