"""Missing values: which cells were never observed, and what an input window shows in their place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from snnctl.data.problems import data_error
from snnctl.data.series.series import Floats, Part, Series

Missing = Literal["interpolate", "hold", "zero_is_missing", "refuse"]
Mask = npt.NDArray[np.bool_]

# Above this a float32 is infinite.
LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class Filled:
    """A series without holes. No fill ever looks past the end of the window that shows it.

    Args:
        held: [N, C], the last observed value; before the first one, `fallback` of the column.
        linear: [N, C], linear between the observed neighbours; equal to `held` after the last one.
        last_observed: [N, C], the last observed row at or before each row; -1 when there is none. A window
            whose last row is r may show `linear` up to `last_observed[r]`, and `held[r]` after it.
        observed: [N, C], False where a value was missing.
    """

    held: Floats
    linear: Floats
    last_observed: npt.NDArray[np.int64]
    observed: Mask


def mark_missing(series: Series, missing: Missing) -> Floats:
    """The values [N, C] with NaN at every missing cell.

    Raises:
        DiagnosticError: D205 infinite value, D206 a column without a value, D207 missing values refused.
    """
    values = series.values
    if missing == "zero_is_missing":
        values = np.where(values == 0.0, np.nan, values)
    gone = np.isnan(values)
    check_finite(values, series, "")
    check_observed(values, series.columns, "the series", series.origin)
    if missing == "refuse" and gone.any():
        row, column = first_cell(gone)
        where = f"row {row + 1} of the data, column `{series.columns[column]}`"
        message = f"{int(gone.sum())} missing values; the first in {where}"
        raise data_error(
            "D207",
            message,
            file=series.origin,
            path="data.missing",
            help="set `data.missing` to interpolate or hold, or complete the data",
        )
    return values


def check_finite(values: Floats, series: Series, when: str) -> None:
    """Refuse infinite values and those beyond float32; `when` ends the message (" after scaling").

    Raises:
        DiagnosticError: D205, naming the first.
    """
    infinite = np.abs(values) > LARGEST  # False for NaN
    if infinite.any():
        row, column = first_cell(infinite)
        where = f"row {row + 1} of the data, column `{series.columns[column]}`"
        message = f"{int(infinite.sum())} infinite or beyond float32 values{when}; the first in {where}"
        help = "replace them, or leave them empty"
        raise data_error("D205", message, file=series.origin, help=help)


def check_observed(values: Floats, columns: tuple[str, ...], where: str, origin: str) -> None:
    """Refuse columns that hold no observed value.

    Raises:
        DiagnosticError: D206, naming the columns.
    """
    empty = np.isnan(values).all(axis=0)
    if empty.any():
        names = [columns[i] for i in np.flatnonzero(empty)]
        shown = ", ".join(f"`{name}`" for name in names[:5]) + (", ..." if len(names) > 5 else "")
        noun = "column" if len(names) == 1 else "columns"
        message = f"{noun} {shown} of {where} hold{'s' if len(names) == 1 else ''} no value"
        raise data_error("D206", message, file=origin, help="name the columns to forecast in `data.targets`")


def first_cell(mask: Mask) -> tuple[int, int]:
    """Row and column of the first True in time order."""
    row = int(np.argmax(mask.any(axis=1)))
    return row, int(np.argmax(mask[row]))


def fill_parts(values: Floats, fallback: Floats, parts: Sequence[Part]) -> Filled:
    """As `fill`, each series of a panel for itself; `fallback` [C] or [S, C]. Rows of no part stay as they are."""
    if len(parts) == 1 and parts[0].rows == len(values):
        return fill(values, fallback.reshape(-1, values.shape[1])[0])
    held, linear = values.copy(), values.copy()
    last = np.full(values.shape, -1, np.int64)
    for number, part in enumerate(parts):
        own = slice(part.first, part.last)
        found = fill(values[own], fallback if fallback.ndim == 1 else fallback[number])
        held[own], linear[own] = found.held, found.linear
        last[own] = np.where(found.last_observed < 0, -1, found.last_observed + part.first)
    return Filled(held, linear, last, ~np.isnan(values))


def fill(values: Floats, fallback: Floats) -> Filled:
    """Fill `values` [N, C] (NaN = missing); `fallback` [C] stands before the first observed value."""
    observed = ~np.isnan(values)
    count = len(values)
    index = np.broadcast_to(np.arange(count)[:, None], values.shape)
    before = np.maximum.accumulate(np.where(observed, index, -1), axis=0)
    after = np.minimum.accumulate(np.where(observed, index, count)[::-1], axis=0)[::-1]
    left = np.take_along_axis(values, np.maximum(before, 0), axis=0)
    right = np.take_along_axis(values, np.minimum(after, count - 1), axis=0)
    held = np.where(before < 0, fallback, left)
    weight = (index - before) / np.maximum(after - before, 1)
    linear = np.where(before < 0, right, left + (right - left) * weight)
    linear = np.where(after == count, held, linear)
    return Filled(held, linear, before, observed)
