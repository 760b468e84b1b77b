"""New rows for a trained forecaster: read as those of training were, and refused or warned of where they differ."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from snnctl.core.diagnostic import Diagnostic, DiagnosticError
from snnctl.data.problems import data_error
from snnctl.data.series.arranging import series_of
from snnctl.data.series.fitted import FittedSeries
from snnctl.data.series.missing import check_finite, mark_missing
from snnctl.data.series.roles import assign, codes_of
from snnctl.data.series.series import Floats, Series
from snnctl.data.series.sources import read_source, read_table
from snnctl.data.series.stamps import DAY, NO_ZONE, NONE, Micros
from snnctl.data.series.steps import SLACK, Step, find_step
from snnctl.data.series.table import Table

_SHOWN = 5
# Further beyond the range of training than so many times its width, a value is of other units, or of another world.
_BEYOND = 1.0


def read_new(given: Path | Table, fitted: FittedSeries) -> Series:
    """The series that new rows hold, one after the other as in training.

    Args:
        given: a file of any form that training takes, or the table that it would hold.

    Raises:
        DiagnosticError: D290 columns are missing, D291 another step, D292 too few rows for a window, D293 series that
            training did not know; as `read_table` and `series_of`.
    """
    names = fitted.names
    table = given if isinstance(given, Table) else read_table(given, fitted.reading(names))
    _check_columns(table, (*fitted.time, *fitted.id, *names))
    how = fitted.wanted(fitted.columns, fitted.past, fitted.known)
    _check_step(table, fitted)
    series = series_of(table, how)
    strangers = _strangers(series, fitted)
    if strangers and (fitted.apart or len(fitted.parts) == 1):
        raise _unknown(strangers, table.origin)
    if strangers:
        message = f"{_counted(strangers)} not in training, and scaled as all are"
        warning = Diagnostic("D293", message, severity="warning", file=table.origin)
        series = replace(series, warnings=(*series.warnings, warning))
    return _enough(_of_that_clock(series, fitted), fitted)


def read_on(fitted: FittedSeries) -> Series:
    """The series of training, as its source holds it now.

    Series that training did not see, since they were too short or came later, are left out, and it is said.

    Raises:
        DiagnosticError: D101, it has gone; as `read_new`.
    """
    how = fitted.wanted(fitted.columns, fitted.past, fitted.known)
    series = read_source(fitted.source, fitted.reading(fitted.names), how)
    strangers = _strangers(series, fitted)
    if strangers and len(strangers) == len(series.parts):
        raise _unknown(strangers, series.origin)
    if strangers:
        message = f"{_counted(strangers)} not in training (too short then, or new), and left out"
        warning = Diagnostic("D293", message, severity="warning", file=series.origin)
        series = replace(series.without(strangers), warnings=(*series.warnings, warning))
    return _enough(series, fitted)


def read_known(given: Path | Table, fitted: FittedSeries) -> Series:
    """Known covariates alone, as `--known` brings them; they may begin and end anywhere.

    Raises:
        DiagnosticError: D290 columns are missing; as `read_table` and `series_of`.
    """
    names = fitted.known
    table = given if isinstance(given, Table) else read_table(given, fitted.reading(names))
    _check_columns(table, (*fitted.time, *fitted.id, *names))
    return series_of(table, fitted.wanted(names, (), ()))


def marked(series: Series, fitted: FittedSeries) -> Floats:
    """The targets [N, C] with NaN at every missing cell.

    Raises:
        DiagnosticError: D205, D206, D207 as in training.
    """
    for values, names in ((series.past, series.past_names), (series.known, series.known_names)):
        if values is not None:
            check_finite(values, replace(series, columns=names), "")
    return mark_missing(series, fitted.missing)


def far_outside(series: Series, values: Floats, fitted: FittedSeries) -> list[Diagnostic]:
    """D294: columns whose values lie further outside the range of training than that is wide.

    Args:
        values: [N, C] the targets; NaN where none was observed.
    """
    whole = np.concatenate([each for each in (values, series.past, series.known) if each is not None], axis=1)
    told: dict[str, str] = {}
    counts: dict[str, int] = {}
    for part in series.pieces:
        number = fitted.number_of(part.name)
        low, high = (each[number] if fitted.apart else each for each in (fitted.low, fitted.high))
        width = np.where(high > low, high - low, np.maximum(np.abs(high), 1.0))
        own = whole[part.first : part.last]
        outside = (own < low - _BEYOND * width) | (own > high + _BEYOND * width)
        for i in np.flatnonzero(outside.any(axis=0)).tolist():
            name = fitted.names[i]
            held = own[:, i][~np.isnan(own[:, i])]
            where = f" of series `{part.name}`" if part.name else ""
            counts[name] = counts.get(name, 0) + int(outside[:, i].sum())
            told.setdefault(
                name,
                f"`{name}`{where} is {held.min():g} to {held.max():g}; in training it was {low[i]:g} to {high[i]:g}",
            )
    if not told:
        return []
    texts = [f"{text} ({counts[name]:,} values far outside)" for name, text in list(told.items())[:_SHOWN]]
    more = f"; and {len(told) - _SHOWN} more columns" if len(told) > _SHOWN else ""
    help = "check units and decimal marks; if it is so, the forecast is a guess: train on such values"
    return [Diagnostic("D294", "; ".join(texts) + more, severity="warning", file=series.origin, help=help)]


def ends_missing(series: Series, values: Floats, fitted: FittedSeries) -> list[Diagnostic]:
    """D297: series whose last rows lack values, so that a forecast goes on from what stands in for them.

    Args:
        values: [N, C] the targets; NaN where none was observed.
    """
    told = []
    for part in series.pieces:
        gone = np.isnan(values[part.first : part.last])
        for i in np.flatnonzero(gone[-1]).tolist():
            rows = int(np.argmin(np.append(gone[::-1, i], False)))
            where = f" of series `{part.name}`" if part.name else ""
            told.append(f"`{fitted.columns[i]}`{where} lacks its last {rows:,} value{'s' * (rows > 1)}")
    if not told:
        return []
    more = f"; and {len(told) - _SHOWN} more" if len(told) > _SHOWN else ""
    message = f"{'; '.join(told[:_SHOWN])}{more}: the forecast goes on from what stands in for them"
    help = "leave those rows out, and forecast from the last one that was observed"
    return [Diagnostic("D297", message, severity="warning", file=series.origin, help=help)]


def _check_columns(table: Table, names: Iterable[str]) -> None:
    lacking = [name for name in names if name not in table.names]
    if not lacking:
        return
    noun = "column" if len(lacking) == 1 else "columns"
    shown = ", ".join(f"`{name}`" for name in lacking[:_SHOWN]) + (", ..." if len(lacking) > _SHOWN else "")
    there = ", ".join(table.names[:20]) + (", ..." if len(table.names) > 20 else "")
    help = f"call them as in training; there are: {there}"
    raise data_error("D290", f"{noun} {shown} of training not there", file=table.origin, path="", help=help)


def _check_step(table: Table, fitted: FittedSeries) -> None:
    """D291 where rows do not follow each other as in training: neither a hole nor a clock that is a little off."""
    step = fitted.step
    if step is None or fitted.rules.missing == "keep" or not fitted.time:
        return
    roles = assign(table, fitted.wanted(fitted.columns, fitted.past, fitted.known).wanted)
    if roles.stamps is None or (roles.stamps.local == NONE).any():
        return
    coarse = step.kind != "time" or step.count % DAY == 0
    instants = roles.stamps.local if coarse else roles.stamps.instants
    codes, parts = codes_of(table, roles.id) if roles.id else (np.zeros(table.rows, np.int64), [""])
    ends = np.cumsum(np.bincount(codes, minlength=len(parts)))[:-1]
    for name, rows in zip(parts, np.split(np.argsort(codes, kind="stable"), ends), strict=True):
        own = np.unique(instants[rows])
        if len(own) > 1 and not _fits(own, step):
            found = find_step(own)
            has = f"a step of {found}" if found is not None else "no one step"
            inside = f" of series `{name}`" if name else ""
            message = f"rows{inside} have {has}; the network was trained at a step of {step}"
            help = f"bring them onto a step of {step} (resample)"
            raise data_error("D291", message, file=table.origin, path="", help=help)


def _fits(instants: Micros, step: Step) -> bool:
    places, off = step.places(instants)
    gaps = np.diff(places)
    return bool((off[1:] <= SLACK).mean() > 0.5 and (gaps >= 1).mean() > 0.5 and np.median(gaps) < 2)


def _of_that_clock(series: Series, fitted: FittedSeries) -> Series:
    """With D296 where stamps have a time zone and those of training had none, or the other way round."""
    clock = series.facts.get("time", {}).get("clock", "")
    if not fitted.time or (clock == NO_ZONE) == (fitted.clock == NO_ZONE):
        return series
    message = f"the clock of the stamps is {clock}; in training it was {fitted.clock}"
    help = "if that is another clock, hours of the day are shifted: bring the stamps onto the one of training"
    warning = Diagnostic("D296", message, severity="warning", file=series.origin, help=help)
    return replace(series, warnings=(*series.warnings, warning))


def _strangers(series: Series, fitted: FittedSeries) -> list[str]:
    known = {*fitted.parts}
    return [part.name for part in series.parts if part.name not in known] if known else []


def _unknown(names: Sequence[str], origin: str) -> DiagnosticError:
    message = f"{_counted(names)} not in training, so there is no scaler for {'it' if len(names) == 1 else 'them'}"
    help = "leave their rows out, or train with `data.scaler_by: all`"
    return data_error("D293", message, file=origin, path="", help=help)


def _enough(series: Series, fitted: FittedSeries) -> Series:
    """Without series that hold no window, of which it is told; D292 where none does."""
    short = [part for part in series.pieces if _unbroken(part.starts, part.last) < fitted.window]
    if len(short) == len(series.pieces):
        most = max(_unbroken(part.starts, part.last) for part in short)
        message = f"{most} rows without a break; a window takes {fitted.window}"
        help = f"give the {fitted.window} last rows at least"
        raise data_error("D292", message, file=series.origin, path="", help=help)
    if not short:
        return series
    names = [part.name for part in short]
    message = f"{_counted(names)} shorter than a window of {fitted.window} rows, and left out"
    warning = Diagnostic("D292", message, severity="warning", file=series.origin)
    return replace(series.without(names), warnings=(*series.warnings, warning))


def _unbroken(starts: Sequence[int], last: int) -> int:
    """How many rows at the end no hole cuts."""
    return last - starts[-1]


def _counted(names: Sequence[str]) -> str:
    shown = ", ".join(f"`{name}`" for name in names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
    return f"series {shown} is" if len(names) == 1 else f"{len(names)} series ({shown}) are"
