"""Rolling bands of the windows of a backtest, series by series."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from snnctl.backtest.origins import Origins
from snnctl.data.series.series import Floats
from snnctl.serving.conformal import rolling_half_widths
from snnctl.serving.rows import ReadyRows


def half_widths(errors: Floats, rows: ReadyRows, chosen: Origins, levels: Sequence[int]) -> dict[int, Floats]:
    """Half-widths of the bands of the origins, from errors of windows of the same series that were resolved by then.

    Args:
        errors: [m, H, C] y - p of the windows of `chosen.pool`; NaN where nothing was observed.
        levels: in percent.

    Returns:
        level -> [n, H, C] of `chosen.ends`; infinite where so few errors were known that no band can be given.
    """
    _, H, C = errors.shape
    found = {level: np.full((len(chosen.ends), H, C), np.inf) for level in levels}
    pool, ends = rows.part_of(chosen.pool), rows.part_of(chosen.ends)
    for part in np.unique(ends) if levels else ():
        own = pool == part
        widths = rolling_half_widths(errors[own], chosen.pool[own], levels, chosen.history)
        at = np.searchsorted(chosen.pool[own], chosen.ends[ends == part])
        for number, level in enumerate(levels):
            found[level][ends == part] = widths[at, number]
    return found
