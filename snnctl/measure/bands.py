"""What a run keeps of its validation errors: half-widths of bands for every level, small also where series are many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from snnctl.measure.conformal import LEVELS, enough, half_widths

Kept = npt.NDArray[np.float32]
Flags = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.int64]

MOST_KEPT = 2**22  # half-widths: 16 MiB
COMMON = (50, 60, 68, 70, 75, 80, 85, 90, 95, 98, 99)
FEW_HORIZONS = 20  # below so many independent ones bands are rough


@dataclass(frozen=True, eq=False)
class Bands:
    """Half-widths in scaled units, from windows that the network was not fitted on.

    Args:
        levels: percent, ascending.
        shared: [levels, H, C] from the errors of all series together; +inf where they are too few for a level.
        apart: [levels, S, H, C] those of each series; where its own errors are too few, the shared ones stand in. None
            where there is one series, or so many that all have the shared ones.
        own: [levels, S] where those of `apart` are from a series' own errors; empty where there is no `apart`.
        series: S.
        windows: how many there were.
        used: how many of them, evenly spread, gave errors.
        horizons: stretches of the length of a horizon that their targets cover, in all series: so many errors of the
            last step are about independent, if the series are.
        fewest: the same of the series that has fewest.
    """

    levels: tuple[int, ...]
    shared: Kept
    apart: Kept | None
    own: Flags
    series: int
    windows: int
    used: int
    horizons: int
    fewest: int

    def of(self, level: int) -> Kept:
        """[S, H, C] of one level, or [1, H, C] where all series share them.

        Raises:
            ValueError: it is not kept.
        """
        number = self.levels.index(level)
        return self.shared[number][None] if self.apart is None else self.apart[number]

    def independent(self, level: int) -> int:
        """How many independent horizons the bands of a level stand on, of the series that has fewest."""
        return self.fewest if self.own[self.levels.index(level)].any() else self.horizons

    def own_share(self, level: int) -> float:
        """Which share of the series has bands of a level from its own errors alone."""
        return 1.0 if self.series == 1 else float(self.own[self.levels.index(level)].sum()) / self.series

    @property
    def most(self) -> int:
        """The highest level that has bands at every step, column and series; 0 where none has."""
        return max((level for level in self.levels if np.isfinite(self.of(level)).all()), default=0)


def independent_horizons(starts: Numbers, horizon: int) -> int:
    """How many horizons the targets of windows cover, at least 1: windows that overlap tell the same again.

    Args:
        starts: [n] first rows of the windows, ascending, n at least 1.
    """
    rows = int(np.minimum(np.diff(starts), horizon).sum()) + horizon
    return max(1, round(rows / horizon))


def spread_out(count: int, most: int) -> Numbers:
    """Which of `count` windows are looked at where no more than `most` can be: evenly spread."""
    if count <= most:
        return np.arange(count)
    return np.linspace(0, count - 1, most).round().astype(np.int64)


def bands_of(
    errors: npt.NDArray[np.floating],
    parts: Numbers,
    series: int,
    starts: Numbers,
    *,
    windows: int | None = None,
    most: int = MOST_KEPT,
) -> Bands:
    """Half-widths of all whole levels; of `COMMON` ones, then pooled over series, where that would be too much to keep.

    A series has bands of its own at levels for which it has `enough` windows.

    Args:
        errors: [n, H, C] scaled, NaN where nothing was observed.
        parts: [n] which series each window is of.
        series: S, how many there are.
        starts: [n] first rows of the windows, ascending, those of the series one after the other.
        windows: how many there were, where `errors` are of some of them.
        most: half-widths to keep.
    """
    cells = errors.shape[1] * errors.shape[2]
    fits = len(LEVELS) * series * cells <= most
    levels = tuple(LEVELS) if fits else COMMON
    shared, apart = half_widths(errors, levels), None
    own = np.zeros((len(levels), series if series > 1 else 0), bool)
    if series > 1 and len(levels) * series * cells <= most:
        counts = np.bincount(parts, minlength=series)
        own = np.array([counts >= enough(level) for level in levels])
        apart = np.repeat(shared[:, None], series, axis=1).astype(np.float32)
        for number in np.flatnonzero(own.any(axis=0)):
            alone = half_widths(errors[parts == number], levels)
            # Where holes leave a cell with too few of its own, what is shared stands in.
            apart[:, number] = np.where(own[:, number, None, None] & np.isfinite(alone), alone, shared)
    horizons = [independent_horizons(starts[parts == number], errors.shape[1]) for number in np.unique(parts)]
    counted = (series, windows or len(errors), len(errors), sum(horizons), min(horizons))
    return Bands(levels, shared.astype(np.float32), apart, own, *counted)


def check_levels(levels: Sequence[int]) -> tuple[int, ...]:
    """Ascending, each once.

    Raises:
        ValueError: there is none, or one that is no whole percentage from 1 to 99.
    """
    if not levels:
        raise ValueError("no level is named")
    for level in levels:
        if isinstance(level, bool) or level not in LEVELS:
            raise ValueError(f"a level is a whole percentage from 1 to 99, got {level}")
    return tuple(sorted({int(level) for level in levels}))
