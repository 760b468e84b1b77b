"""Errors of forecasts as sums, exact in any grouping (step, column, series, time); the one table of definitions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from snnctl.data.series.series import Floats

Rows = npt.NDArray[np.int64]
Bands = Mapping[int, tuple[Floats, Floats]]

# y is what came, p the forecast, [lo, hi] the band of a level; all in the data's own units.
DEFINITIONS = {
    "mae": "mean |y - p|, in units of the scaler fitted before the first cutoff; `mae_units` in the data's own",
    "rmse": "root of the mean of (y - p)^2, in the same two units",
    "mase": "mean |y - p| over mean |y_t - y_(t - season)| of the training rows, of each series and column; then their "
    "mean",
    "smape": "mean |y - p| / (|y| + |p|), from 0 to 1; 0 where both are 0",
    "scaled_crps": "2 x summed mean pinball loss over summed |y|, at the lower and upper quantiles of all levels, of "
    "each series and column; then their mean",
    "coverage": "the share of y with lo <= y <= hi",
    "winkler_score": "mean of hi - lo, plus 2 / (1 - level) times the distance of y from a band that does not hold it; "
    "in the same two units",
}
_HALVES = 2


def names(levels: Sequence[int]) -> list[str]:
    """Of all measures, those of bands once for each level."""
    of_bands = [f"{name}-{level}" for name in ("coverage", "winkler_score") for level in levels]
    return ["mae", "rmse", "mase", "smape", *(["scaled_crps"] if levels else []), *of_bands]


def in_units(levels: Sequence[int]) -> list[str]:
    """Of those that have a unit, in the data's own."""
    return ["mae_units", "rmse_units", *(f"winkler_score-{level}_units" for level in levels)]


@dataclass(frozen=True)
class Scales:
    """What errors are divided by; S series of C columns.

    Args:
        scale: [S, C] how much of the data's own units a scaled unit is.
        naive: [S, C] mean |y_t - y_(t - season)| over the training rows; NaN where that is not known, or 0.
    """

    scale: Floats
    naive: Floats


class Sums:
    """What one model's errors add up to: by half of the windows, series, step and column; and window by window.

    Args:
        y, p: [n, H, C] what came (NaN: not observed), and what was forecast (NaN: nothing).
        bands: level in percent -> [n, H, C] each; NaN where there was none.
        part: [n] which series.
        half: [n] 0 for the first half of the cutoffs, 1 for the second.
        parts: S.
    """

    def __init__(self, y: Floats, p: Floats, bands: Bands, part: Rows, half: Rows, parts: int) -> None:
        _, H, C = y.shape
        self.levels = tuple(sorted(bands))
        self.by_cell: dict[str, Floats] = {}
        self.by_window: dict[str, Floats] = {}
        known = ~(np.isnan(y) | np.isnan(p))
        error = np.where(known, y - p, 0.0)
        size = np.abs(y) + np.abs(p)
        quantities = {
            "count": known.astype(np.float64),
            "absolute": np.abs(error),
            "squared": error**2,
            "symmetric": np.divide(np.abs(error), size, out=np.zeros_like(error), where=known & (size > 0)),
        }
        if bands:
            quantities |= _of_bands(y, bands, known)
        at = half * parts + part
        for name, values in quantities.items():
            cells = np.zeros((_HALVES * parts, H, C))
            np.add.at(cells, at, values)
            self.by_cell[name] = cells.reshape(_HALVES, parts, H, C)
            self.by_window[name] = values.sum(axis=1)

    def overall(self, scales: Scales) -> dict[str, float]:
        """All windows, series, columns and steps."""
        return _plain(self._measures(lambda values: values.sum(axis=(0, 2)), scales))

    def by_half(self, scales: Scales) -> list[dict[str, float]]:
        """The first half of the cutoffs, and the second."""
        return [
            _plain(self._measures(lambda values, half=half: values[half].sum(axis=1), scales))
            for half in range(_HALVES)
        ]

    def by_step(self, scales: Scales) -> dict[str, list[float]]:
        """[H] of each measure."""
        found = self._measures(lambda values: values.sum(axis=0).transpose(1, 0, 2), scales)
        return {name: np.asarray(values).tolist() for name, values in found.items()}

    def of(self, scales: Scales, series: slice, column: slice) -> dict[str, float]:
        """Some series and columns, also in the data's own units: the mean of those errors is one of like things."""
        own = Scales(scales.scale[series, column], scales.naive[series, column])
        plain = Scales(np.ones_like(own.scale), own.naive)

        def chosen(values: Floats) -> Floats:
            return np.asarray(values.sum(axis=(0, 2))[series, column])

        units = _plain(self._measures(chosen, plain))
        return {**_plain(self._measures(chosen, own)), **{name: units[name[:-6]] for name in in_units(self.levels)}}

    def by_cutoff(self, cutoffs: Rows, part: Rows, scales: Scales) -> dict[str, list[float]]:
        """[K] of each measure, for the K different cutoffs in their order.

        Args:
            cutoffs: [n] of the windows.
            part: [n] their series.
        """
        different, at = np.unique(cutoffs, return_inverse=True)
        S, C = scales.scale.shape

        def grouped(name: str) -> Floats:
            found = np.zeros((len(different) * S, C))
            np.add.at(found, at * S + part, self.by_window[name])
            return found.reshape(len(different), S, C)

        found = self._of_sums({name: grouped(name) for name in self.by_window}, scales)
        return {name: np.asarray(values).tolist() for name, values in found.items()}

    def _measures(self, reduce: object, scales: Scales) -> dict[str, Floats]:
        assert callable(reduce)
        return self._of_sums({name: reduce(values) for name, values in self.by_cell.items()}, scales)

    def _of_sums(self, sums: Mapping[str, Floats], scales: Scales) -> dict[str, Floats]:
        """From sums [..., S, C]; NaN where nothing was counted."""
        count = sums["count"]
        total = count.sum(axis=(-2, -1))
        with np.errstate(invalid="ignore", divide="ignore"):
            found = {
                "mae": (sums["absolute"] / scales.scale).sum(axis=(-2, -1)) / total,
                "rmse": np.sqrt((sums["squared"] / scales.scale**2).sum(axis=(-2, -1)) / total),
                "mase": _mean(sums["absolute"] / count / scales.naive),
                "smape": sums["symmetric"].sum(axis=(-2, -1)) / total,
            }
            if self.levels:
                found["scaled_crps"] = _mean(2 * sums["pinball"] / sums["size"])
            for level in self.levels:
                banded = sums[f"banded-{level}"].sum(axis=(-2, -1))
                found[f"coverage-{level}"] = sums[f"covered-{level}"].sum(axis=(-2, -1)) / banded
            for level in self.levels:
                banded = sums[f"banded-{level}"].sum(axis=(-2, -1))
                found[f"winkler_score-{level}"] = (sums[f"winkler-{level}"] / scales.scale).sum(axis=(-2, -1)) / banded
        return found


def _of_bands(y: Floats, bands: Bands, known: npt.NDArray[np.bool_]) -> dict[str, Floats]:
    """Quantities of the bands; those of all levels where all of them are there."""
    found: dict[str, Floats] = {}
    every, pinball = known.copy(), np.zeros_like(y)
    for level, (low, high) in bands.items():
        there = known & np.isfinite(low) & np.isfinite(high)
        every &= there
        below, above = (np.where(there, part, 0.0) for part in (low - y, y - high))
        miss = np.maximum(below, 0.0) + np.maximum(above, 0.0)
        alpha = 1 - level / 100
        found[f"banded-{level}"] = there.astype(np.float64)
        found[f"covered-{level}"] = (there & (miss == 0)).astype(np.float64)
        found[f"winkler-{level}"] = np.where(there, high - low, 0.0) + 2 / alpha * miss
        for quantile, short in ((alpha / 2, -below), (1 - alpha / 2, above)):  # y - q
            pinball += np.maximum(quantile * short, (quantile - 1) * short)
    found["pinball"] = np.where(every, pinball, 0.0) / (2 * len(bands))
    found["size"] = np.where(every, np.abs(y), 0.0)
    return found


def _mean(values: Floats) -> Floats:
    """Over series and columns that have a value."""
    there = np.isfinite(values)
    return np.where(there, values, 0.0).sum(axis=(-2, -1)) / there.sum(axis=(-2, -1))


def _plain(found: Mapping[str, Floats]) -> dict[str, float]:
    return {name: float(values) for name, values in found.items()}


def naive_error(values: Floats, season: int) -> Floats:
    """[C] mean |y_t - y_(t - season)| of rows [N, C]; NaN where no two are observed, or where it is 0."""
    if len(values) <= season:
        return np.full(values.shape[1], np.nan)
    gaps = np.abs(values[season:] - values[:-season])
    counts = (~np.isnan(gaps)).sum(axis=0)
    found = np.nansum(gaps, axis=0) / np.where(counts > 0, counts, np.nan)
    return np.where(found > 0, found, np.nan)
