"""Rolling conformal intervals: bands that follow the errors of the windows that have been resolved."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from snnctl.measure.conformal import Widths, rank


def rolling_half_widths(
    errors: npt.NDArray[np.floating], cutoffs: npt.NDArray[np.int64], levels: Sequence[int], last: int
) -> Widths:
    """Half-widths of each window of one series from the errors that were known at its cutoff, and no others.

    For step h, the error of a window is known once its h-th row has come: at cutoff i those of windows with
    `cutoff + h <= i`. Where errors drift with time, these bands follow, and those of `half_widths` do not. A warm-up
    before the first window of interest is the caller's: windows of the validation split may stand in front.

    Args:
        errors: [n, H, C] in the order of `cutoffs`, NaN where nothing was observed; signs do not matter.
        cutoffs: [n] the last row that each window sees, ascending, in rows.
        levels: percent each, 1 to 99.
        last: N, how many of the newest resolved windows count, at least 1.

    Returns:
        [n, levels, H, C]: +inf where so few errors were known that no band of that level can be given.

    Raises:
        ValueError: a level or `last` out of range, or cutoffs that do not ascend.
    """
    windows, horizon, columns = errors.shape
    if last < 1:
        raise ValueError(f"at least the last window must count, got {last}")
    if len(cutoffs) != windows or (np.diff(cutoffs) <= 0).any():
        raise ValueError("cutoffs must ascend, one a window")
    found = np.full((windows, len(levels), horizon, columns), np.inf)
    sizes = np.abs(np.asarray(errors, np.float64))
    ranks = [[rank(count, level) for level in levels] for count in range(min(last, windows) + 1)]
    for step in range(horizon):
        known = np.searchsorted(cutoffs, cutoffs - (step + 1), side="right").tolist()
        for column in range(columns):
            found[:, :, step, column] = _rolled(sizes[:, step, column].tolist(), known, ranks, last)
    return found


def _rolled(sizes: list[float], known: list[int], ranks: list[list[int]], last: int) -> list[list[float]]:
    """Of each window the order statistics of those that were known; a sorted list is kept while windows go by."""
    ordered: list[float] = []
    first = behind = 0
    rows = []
    for end in known:
        for size in sizes[behind:end]:
            if size == size:
                insort(ordered, size)
        behind = end
        for size in sizes[first : max(first, end - last)]:
            if size == size:
                del ordered[bisect_left(ordered, size)]
        first = max(first, end - last)
        count = len(ordered)
        rows.append([ordered[each - 1] if each <= count else np.inf for each in ranks[count]])
    return rows
