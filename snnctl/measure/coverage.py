"""How often bands held what came, as streaming sums: whole, and by the earlier and the later half of each series."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from snnctl.measure.bands import Bands, Numbers


def later_half(parts: Numbers) -> npt.NDArray[np.bool_]:
    """[n] whether a window is in the later half of those of its series.

    Args:
        parts: [n] which series each is of, ascending.
    """
    counts = np.bincount(parts)
    place = np.arange(len(parts)) - (np.cumsum(counts) - counts)[parts]
    later: npt.NDArray[np.bool_] = place >= (counts[parts] + 1) // 2
    return later


class Coverage:
    """Counts over the windows of a split, in any order.

    Args:
        bands: half-widths in scaled units.
        levels: of which to count; those that are not kept are left out.
        parts: [n] which series each window of the split is of, ascending.
        columns: names of the targets.
        scale: [C] of the scaler, or [S, C]; None where it is not known, and nothing is told in own units.
    """

    def __init__(
        self, bands: Bands, levels: Sequence[int], parts: Numbers, columns: Sequence[str], scale: Any = None
    ) -> None:
        self.bands, self.columns = bands, tuple(columns)
        self.levels = tuple(level for level in levels if level in bands.levels)
        self._parts = np.zeros_like(parts) if bands.apart is None else parts
        self._series, self._later = parts, later_half(parts).astype(np.int64)
        self._scale = None if scale is None else np.abs(np.asarray(scale, np.float64))
        halves, cells = 2, len(self.columns)
        self._within = np.zeros((len(self.levels), halves))
        self._count = np.zeros(halves)
        self._width = np.zeros((len(self.levels), cells))
        self._own_width = np.zeros((len(self.levels), cells))
        self._cells = np.zeros(cells)

    def update(self, indices: Tensor, prediction: Tensor, target: Tensor, observed: Tensor | None = None) -> None:
        """Add a batch.

        Args:
            indices: [B] windows of the split.
            prediction, target: [B, H, C] in scaled units.
            observed: [B, H, C]; None = all.
        """
        which = indices.numpy()
        y, said = (each.detach().to("cpu", torch.float64).numpy() for each in (target, prediction))
        there = np.ones(y.shape, bool) if observed is None else observed.cpu().numpy().astype(bool)
        error = np.where(there, np.abs(y - said), np.inf)
        later = self._later[which]
        self._count += np.bincount(later, there.sum(axis=(1, 2)), minlength=2)
        self._cells += there.sum(axis=(0, 1))
        for number, level in enumerate(self.levels):
            half = self.bands.of(level)[self._parts[which]].astype(np.float64)
            inside = ((error <= half) & there).sum(axis=(1, 2))
            self._within[number] += np.bincount(later, inside, minlength=2)
            width = np.where(there, 2 * half, 0.0)
            self._width[number] += width.sum(axis=(0, 1))
            if self._scale is not None:
                scale = self._scale if self._scale.ndim == 1 else self._scale[self._series[which]][:, None]
                self._own_width[number] += (width * scale).sum(axis=(0, 1))

    def levels_to_json(self) -> dict[str, dict[str, Any]]:
        """`{"80": {coverage, first_half, second_half, width, width_units: {column: width}}}`.

        Shares of the observed values, 0 to 1; `width` is the mean from the lower to the upper bound in scaled units,
        `width_units` in the data's own. All are null where errors were too few for bands of that level.
        """
        return {str(level): self._level(number, level) for number, level in enumerate(self.levels)}

    def _level(self, number: int, level: int) -> dict[str, Any]:
        given = bool(np.isfinite(self.bands.of(level)).all())
        first, second = (_share(self._within[number, half], self._count[half], given) for half in (0, 1))
        own: Mapping[str, float | None] | None = None
        if self._scale is not None:
            widths = zip(self.columns, self._own_width[number], self._cells, strict=True)
            own = {name: _share(total, count, given) for name, total, count in widths}
        return {
            "coverage": _share(self._within[number].sum(), self._count.sum(), given),
            "first_half": first,
            "second_half": second,
            "width": _share(self._width[number].sum(), self._cells.sum(), given),
            "width_units": own,
        }


def _share(total: float, count: float, given: bool) -> float | None:
    return float(total / count) if given and count else None
