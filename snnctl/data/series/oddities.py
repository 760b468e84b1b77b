"""What is odd about values: columns that never move, marks of missing values that pass for numbers."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from snnctl.core.diagnostic import Diagnostic
from snnctl.data.problems import data_error
from snnctl.data.series.series import Floats, Series

# The share of a column's observed values that are one and the same from which it counts as nearly constant.
NEARLY = 0.99
# What instruments and archives write where there is no value.
_MARKS = {-1.0, -200.0, -32768.0, 32767.0, 65535.0}
_NINES = re.compile(r"-?9+(?:\.9+)?")
_SHOWN = 5


def too_short(names: Sequence[str], count: int, origin: str) -> Diagnostic:
    """D238: some series of a panel hold no window."""
    shown = ", ".join(f"`{name}`" for name in names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
    message = f"{len(names)} of {count} series are left out: they are too short for a window of every split ({shown})"
    help = "shorten `data.window` or `data.horizon`"
    return Diagnostic("D238", message, severity="warning", path="data.window", file=origin, help=help)


def check_scored(values: Floats, rows: npt.NDArray[np.int64], name: str, origin: str) -> None:
    """Refuse a split in which nothing can be scored.

    Args:
        values: [N, C]; NaN where none was observed.
        rows: those that the split forecasts.

    Raises:
        DiagnosticError: D239.
    """
    if np.isnan(values[rows]).all():
        message = (
            f"the {name} split holds no observed value of any target in its {len(rows)} rows: nothing could be scored"
        )
        help = "change `data.split`, or complete the data"
        raise data_error("D239", message, file=origin, path="data.split", help=help)


def oddities(series: Series, marked: Floats, train: npt.NDArray[np.int64]) -> list[Diagnostic]:
    """D243 columns that do not move in train, D237 numbers that look like marks of missing values.

    Args:
        series: with its covariates.
        marked: [N, C] its targets; NaN where none was observed.
        train: rows of train.
    """
    found: list[Diagnostic] = []
    for values, names, path in (
        (marked, series.columns, "data.targets"),
        (series.past, series.past_names, "data.past"),
        (series.known, series.known_names, "data.known"),
    ):
        if values is not None:
            found += _unmoved(values, names, train, path, series.origin)
            found += _marks(values, names, series.origin)
    return found


def _unmoved(
    values: Floats, names: Sequence[str], train: npt.NDArray[np.int64], path: str, origin: str
) -> list[Diagnostic]:
    own = values[train]
    usual = np.nanmedian(own, axis=0)
    observed = (~np.isnan(own)).sum(axis=0)
    same = (own == usual).sum(axis=0)
    told = []
    for i in np.flatnonzero(same >= NEARLY * observed).tolist():
        every = "all" if same[i] == observed[i] else f"{same[i]:,} of"
        text = f"`{names[i]}` is {usual[i]:g} in {every} {observed[i]:,} rows of train"
        later = values[int(train[-1]) + 1 :, i] if len(train) == train[-1] + 1 else np.delete(values[:, i], train)
        later = later[~np.isnan(later)]
        moves = bool(len(later)) and bool((later != usual[i]).any())
        if moves:
            text += f", and later {later.min():g} to {later.max():g}: that cannot be learnt, and may rule the error"
        told.append(text)
    if not told:
        return []
    more = f"; and {len(told) - _SHOWN} more columns" if len(told) > _SHOWN else ""
    help = (
        "leave it out: name the columns to forecast in `data.targets`"
        if path == "data.targets"
        else f"leave it out of `{path}`"
    )
    return [Diagnostic("D243", "; ".join(told[:_SHOWN]) + more, severity="warning", path=path, file=origin, help=help)]


def _marks(values: Floats, names: Sequence[str], origin: str) -> list[Diagnostic]:
    told = []
    with np.errstate(invalid="ignore"):
        for low in (True, False):
            ends = np.nanmin(values, axis=0) if low else np.nanmax(values, axis=0)
            for i in (i for i, end in enumerate(ends.tolist()) if end in _MARKS or _NINES.fullmatch(f"{end:.15g}")):
                column = values[:, i]
                rest = column[~np.isnan(column) & (column != ends[i])]
                count = int((column == ends[i]).sum())
                if count < 2 or not len(rest):
                    continue
                gap = rest.min() - ends[i] if low else ends[i] - rest.max()
                if gap > max(0.5 * (rest.max() - rest.min()), 1.0):
                    told.append((ends[i], f"`{names[i]}` is {ends[i]:g} in {count:,} rows"))
    if not told:
        return []
    marks = sorted({mark for mark, _ in told})
    shown = ", ".join(text for _, text in told[:_SHOWN]) + (", ..." if len(told) > _SHOWN else "")
    message = f"{shown}, far from all other values: that may stand for missing ones"
    help = f"then set `data.missing_marks: [{', '.join(f'{mark:g}' for mark in marks)}]`"
    return [Diagnostic("D237", message, severity="warning", path="data.missing_marks", file=origin, help=help)]
