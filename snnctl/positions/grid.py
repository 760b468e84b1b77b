"""Positions on an image: how the L positions of a signal lie in rows and columns."""

from __future__ import annotations

from collections.abc import Sequence

from snnctl.core.shapes import ShapeError, SignalSpec


def check_grid(grid: Sequence[int] | None, signal: SignalSpec) -> tuple[int, int] | None:
    """`grid` as (rows, columns), or None for a sequence.

    Raises:
        ShapeError: it does not have two sizes, or their product is not the signal's length.
    """
    if grid is None:
        return None
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
