"""New rows as a network sees them, with room behind each series for the rows that are to be forecast."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from snnctl.data.series.anew import marked
from snnctl.data.series.calendar import calendar_features
from snnctl.data.series.dataset import SeriesTensors
from snnctl.data.series.fitted import FittedSeries
from snnctl.data.series.missing import Filled, check_finite, fill_parts
from snnctl.data.series.scaling import scaled_by
from snnctl.data.series.series import Floats, Part, Series
from snnctl.data.series.steps import Step

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class ReadyRows:
    """Rows of all series one behind the other, each with `ahead` rows behind it; N of them in all.

    Args:
        parts: the series; rows are counted with those behind.
        numbers: [S] which row of the scaler is that of each.
        tensors: what windows are gathered from.
        observed: [N, C] the targets in the data's own units; NaN where none was observed, and ahead.
        stamps: [N] microseconds since 1970 on the clock of the file, or the numbers of the rows of each series from 0.
        dated: which of the two.
        ahead: rows behind each series.
        reach: [S] over how many of them the known covariates are known; `ahead` where there are none.
        lacking: known covariates, in words, where `reach` ends.
    """

    parts: tuple[Part, ...]
    numbers: Rows
    tensors: SeriesTensors
    observed: Floats
    stamps: Rows
    dated: bool
    ahead: int
    reach: Rows
    lacking: str

    def part_of(self, rows: Rows) -> Rows:
        """Which series rows belong to."""
        return np.searchsorted([part.first for part in self.parts], rows, side="right") - 1


def make_ready(series: Series, fitted: FittedSeries, ahead: int, known: Series | None) -> tuple[ReadyRows, Floats]:
    """Scale, fill and lengthen.

    Args:
        series: as `snnctl.data.series.anew` reads it.
        ahead: rows to make room for.
        known: the known covariates as they will be, or None.

    Returns:
        The rows, and the targets [n, C] of the series as it came, NaN where none was observed.

    Raises:
        DiagnosticError: D205, D206, D207 as in training.
    """
    pieces = series.pieces
    values = marked(series, fitted)
    numbers = [fitted.number_of(part.name) for part in pieces]
    inputs = scaled_by(fitted.scaler, values, pieces, numbers)
    if series.past is not None and fitted.past_scaler is not None:
        inputs = np.concatenate((inputs, scaled_by(fitted.past_scaler, series.past, pieces, numbers)), axis=1)
    check_finite(inputs[:, : fitted.channels], series, " after scaling")
    filled = fill_parts(inputs, _rows_of(fitted.fallback, numbers), pieces)
    # The last row of each stands in the room behind it: what is gathered there is replaced or never shown.
    gather = np.concatenate([np.append(np.arange(p.first, p.last), np.full(ahead, p.last - 1)) for p in pieces])
    moved = np.repeat(np.arange(len(pieces)) * ahead, [part.rows for part in pieces])[:, None]
    last = np.where(filled.last_observed < 0, -1, filled.last_observed + moved)
    filled = Filled(filled.held[gather], filled.linear[gather], last[gather], filled.observed[gather])
    parts = tuple(_moved(part, number * ahead) for number, part in enumerate(pieces))
    behind = np.concatenate([np.arange(part.last, part.last + ahead) for part in parts])
    stamps, dated = _stamps(series, fitted.step, ahead)
    calendar = None
    if fitted.calendar_features and series.times is not None:
        times = stamps.astype("M8[us]").astype("M8[ms]") if dated else series.times[gather]
        calendar = calendar_features(times)
    covariates, reach, lacking = None, np.full(len(parts), ahead), ""
    if series.known is not None and fitted.known_scaler is not None and fitted.known_fallback is not None:
        scaled = scaled_by(fitted.known_scaler, series.known, pieces, numbers)
        covariates = fill_parts(scaled, _rows_of(fitted.known_fallback, numbers), pieces).linear[gather]
        reach, lacking = _put_ahead(covariates, known, fitted, parts, numbers, stamps if dated else None, ahead)
    tensors = SeriesTensors.of(filled, fitted.channels, covariates, calendar, interpolate=fitted.missing != "hold")
    observed = values[gather]
    observed[behind] = np.nan
    return ReadyRows(parts, np.array(numbers), tensors, observed, stamps, dated, ahead, reach, lacking), values


def _rows_of(fallback: Floats, numbers: list[int]) -> Floats:
    return fallback if fallback.ndim == 1 else fallback[numbers]


def _moved(part: Part, by: int) -> Part:
    return Part(part.name, part.first + by, part.last + by, tuple(start + by for start in part.starts))


def _stamps(series: Series, step: Step | None, ahead: int) -> tuple[Rows, bool]:
    """The stamps of rows and of those ahead, and whether they are dates."""
    found = []
    for part in series.pieces:
        if series.times is None or step is None:
            found.append(np.arange(part.rows + ahead))
        else:
            own = series.times[part.first : part.last].astype("M8[us]").astype(np.int64)
            found.append(np.append(own, following(own, step, ahead)))
    return np.concatenate(found), series.times is not None and step is not None


def following(stamps: Rows, step: Step, count: int) -> Rows:
    """Stamps of the `count` rows after the last of `stamps`, the first of which begins the series."""
    further = np.arange(1, count + 1)
    if step.kind == "time":
        return stamps[-1] + further * step.count
    # Months and business days are counted from the first row, as the rows themselves are.
    return step.between(int(stamps[0]), int(step.places(stamps)[0][-1]) + further)


def _put_ahead(
    covariates: Floats,
    known: Series | None,
    fitted: FittedSeries,
    parts: tuple[Part, ...],
    numbers: list[int],
    stamps: Rows | None,
    ahead: int,
) -> tuple[Rows, str]:
    """Fill `covariates` in the rows ahead as far as they are known; how far that is, and what lacks there first."""
    assert fitted.known_scaler is not None
    reach, lacking = np.zeros(len(parts), np.int64), ""
    there = {} if known is None else {part.name: part for part in known.pieces}
    for number, part in enumerate(parts):
        own = there.get(part.name)
        found = np.full((ahead, len(fitted.known)), np.nan)
        wanted = None if stamps is None else stamps[part.last : part.last + ahead]
        if own is not None and known is not None:
            values = known.values[own.first : own.last]
            if wanted is None:
                found[: len(values)] = values[:ahead]
            elif known.times is not None:
                times = known.times[own.first : own.last].astype("M8[us]").astype(np.int64)
                place = np.minimum(np.searchsorted(times, wanted), len(times) - 1)
                hit = times[place] == wanted
                found[hit] = values[place[hit]]
        gone = np.isnan(found)
        short = gone.any(axis=1)
        reach[number] = int(np.argmax(short)) if short.any() else ahead
        if short.any() and not lacking:
            row = int(reach[number])
            names = ", ".join(f"`{fitted.known[i]}`" for i in np.flatnonzero(gone[row]))
            when = f"row {row + 1} ahead" if wanted is None else f"{words(int(wanted[row]))}"
            lacking = f"{names} at {when}" + (f" of series `{part.name}`" if part.name else "")
            lacking += f" and {int(short.sum()) - 1} more rows" if short.sum() > 1 else ""
        with np.errstate(over="ignore"):
            scaled = fitted.known_scaler.of(numbers[number]).apply(found[: reach[number]])
        covariates[part.last : part.last + reach[number]] = scaled
    return reach, lacking


def words(stamp: int, *, day: bool = False) -> str:
    """A stamp in words, ISO 8601 with a blank; `day` leaves the time of day out."""
    found = np.datetime64(stamp, "us")
    return str(found.astype("M8[D]" if day else "M8[s]" if stamp % 1_000_000 == 0 else "M8[us]")).replace("T", " ")
