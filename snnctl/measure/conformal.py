"""Split-conformal intervals: how far a forecast must reach to hold what comes, from the errors of windows held out.

Half-widths are order statistics of absolute errors: they assume nothing of their distribution, only that the errors to
come are exchangeable with those seen. Each is of one step ahead: a band holds single values at its level, not paths.

Source:
    Vovk, Gammerman, Shafer: Algorithmic Learning in a Random World, 2005; Lei et al.: Distribution-free predictive
    inference for regression, JASA 2018.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Widths = npt.NDArray[np.float64]
LEVELS = range(1, 100)


def rank(count: int, level: int) -> int:
    """Which of `count` errors in ascending order, from 1, is the half-width; more than `count` where they are too few.

    The (count + 1)-th value lies within it with a chance of at least `level` percent, and where no two errors are the
    same, of at most `level` percent + 1 / (count + 1).

    Args:
        count: errors, at least 0.
        level: percent, 1 to 99.

    Returns:
        ceil((count + 1) level / 100), reckoned in whole numbers.

    Raises:
        ValueError: a level out of range.
    """
    return int(_ranks(np.array(count), level))


def enough(level: int) -> int:
    """How many errors a level needs to stand on its own: 1 / (1 - level), rounded up."""
    return -(-100 // (100 - level))


def half_widths(errors: npt.NDArray[np.floating], levels: Sequence[int]) -> Widths:
    """Half-widths per step and column.

    Args:
        errors: [n, ...] of windows held out, NaN where nothing was observed; signs do not matter. Not changed.
        levels: percent each.

    Returns:
        [levels, ...]: +inf where so few errors cannot give a band of that level.

    Raises:
        ValueError: a level out of range.
    """
    ordered = np.sort(np.abs(errors), axis=0)  # NaN last
    counts = (~np.isnan(ordered)).sum(axis=0)
    found = np.full((len(levels), *errors.shape[1:]), np.inf)
    for number, level in enumerate(levels):
        ranks = _ranks(counts, level)
        there = ranks <= counts
        chosen = np.take_along_axis(ordered, np.where(there, ranks - 1, 0)[None], axis=0)[0] if len(ordered) else 0.0
        found[number] = np.where(there, chosen, np.inf)
    return found


def _ranks(counts: npt.NDArray[np.int64], level: int) -> npt.NDArray[np.int64]:
    if level not in LEVELS:
        raise ValueError(f"a level is a whole percentage from 1 to 99, got {level}")
    found: npt.NDArray[np.int64] = -(-(counts + 1) * level // 100)
    return found
