"""Positions on an image: how the L positions of a signal lie in rows and columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from annotated_types import Ge, MaxLen, MinLen

from snnctl.core.shapes import ShapeError, SignalSpec

Grid = Annotated[list[Annotated[int, Ge(1)]], MinLen(2), MaxLen(2)] | Literal["sequence"]


def check_grid(grid: Sequence[int] | str | None, signal: SignalSpec) -> tuple[int, int] | None:
    """`grid` as (rows, columns), or None for a sequence; a `grid` of None is that of the signal.

    Raises:
        ShapeError: it does not have two sizes, or their product is not the signal's length.
    """
    if grid is None or isinstance(grid, str):
        return signal.grid if grid is None else None
    if len(grid) != 2:
        raise ShapeError(f"`grid` needs two sizes, got {len(grid)}", knob="grid", help="grid: [rows, columns]")
    rows, columns = grid
    if rows * columns != signal.length:
        raise ShapeError(
            f"`grid` {rows} x {columns} does not hold the {signal.length} positions of the signal",
            knob="grid",
            help="rows times columns must be L",
        )
    return rows, columns
