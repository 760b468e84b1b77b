"""Choosing base and threshold of a CPG code so that no two positions share a row."""

from __future__ import annotations

from functools import cache

from torch import Tensor

from snnctl.core.shapes import ShapeError
from snnctl.positions.base import oscillation

# Coarse on purpose: neighbours on either grid give nearly the same code.
BASES = (2.0, 3.0, 5.0, 10.0, 20.0, 30.0, 50.0, 100.0, 200.0, 300.0, 500.0, 1000.0, 2000.0, 5000.0, 10000.0)
THRESHOLDS = (0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.0)


@cache
def distinct_code(neurons: int, rows: int, base: float | None, threshold: float | None) -> tuple[float, float]:
    """Base and threshold with which the first `rows` codes of `neurons` columns are all distinct.

    Tried are `BASES` with `THRESHOLDS`, and among those without a collision the one whose two nearest rows differ
    in the most bits is taken; then the higher threshold (fewer spikes), then the larger base. Ours: the paper's
    defaults do not avoid collisions.

    Args:
        neurons: columns of the code.
        rows: positions in use: T * L, or L.
        base, threshold: the given one stays; None is chosen.

    Raises:
        ShapeError: none of them is free of collisions.
    """
    best: tuple[int, float, float] | None = None
    for tried_base in BASES if base is None else (base,):
        membrane = oscillation(rows, neurons, tried_base)
        for tried_threshold in THRESHOLDS if threshold is None else (threshold,):
            distance = smallest_distance(membrane >= tried_threshold)
            candidate = (distance, tried_threshold, tried_base)
            if distance > 0 and (best is None or candidate > best):
                best = candidate
    if best is None:
        given = f" with base {base:g}" if base is not None else ""
        given += f" with threshold {threshold:g}" if threshold is not None else ""
        raise ShapeError(
            f"no code of {neurons} neurons{given} tells {rows} positions apart",
            knob="neurons",
            help="raise `neurons`, or let base and threshold both be chosen (null)",
        )
    return best[2], best[1]


def smallest_distance(code: Tensor) -> int:
    """Fewest bits in which two rows of the boolean `code` [rows, n] differ; n where there is one row."""
    rows, n = code.shape
    if rows < 2:
        return n
    if len(code.unique(dim=0)) < rows:  # sorts; far cheaper than comparing all pairs
        return 0
    signs = code.float() * 2 - 1
    smallest = n
    for first in range(0, rows, 2048):  # blocks bound the memory
        agreement = signs[first : first + 2048] @ signs.T  # n - 2 * distance
        agreement.diagonal(first).fill_(-n)
        smallest = min(smallest, round((n - agreement.max().item()) / 2))
    return smallest
