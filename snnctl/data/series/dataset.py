"""A series made ready for forecasting: scaled, filled and cut into windows that share one tensor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from snnctl.core.choices import SplitName
from snnctl.core.shapes import SignalSpec
from snnctl.data.base import Batch, Dataset, Probe
from snnctl.data.cuts import SPLIT_NAMES
from snnctl.data.series.missing import Filled
from snnctl.data.series.scaling import FittedScaler
from snnctl.data.series.series import Floats, Series, Times
from snnctl.data.series.timeline import Timeline
from snnctl.data.series.window_norm import WindowNorm
from snnctl.data.series.windows import SplitPlan


@dataclass(frozen=True)
class SeriesTensors:
    """The tensors all windows are gathered from.

    `values` [N, C] are scaled and without holes; `observed` tells what was filled, None = nothing. Where they
    were interpolated, a window that ends in a gap shows `held` instead after `last_observed`, see `Filled`.
    """

    values: Tensor
    calendar: Tensor | None
    observed: Tensor | None
    held: Tensor | None
    last_observed: Tensor | None

    @classmethod
    def of(cls, filled: Filled, calendar: Floats | None, *, interpolate: bool) -> SeriesTensors:
        """From scaled values without holes.

        Args:
            calendar: [N, 5] features appended to the inputs, or None.
            interpolate: whether inputs show interpolated values where a window allows it.
        """
        holes = not filled.observed.all()
        return cls(
            values=_float32(filled.linear if interpolate else filled.held),
            calendar=None if calendar is None else _float32(calendar),
            observed=torch.from_numpy(filled.observed) if holes else None,
            held=_float32(filled.held) if holes and interpolate else None,
            last_observed=torch.from_numpy(filled.last_observed) if holes and interpolate else None,
        )


class WindowSplit:
    """The windows of one split, by index; the series itself is never copied.

    Args:
        store: the shared tensors.
        starts: [n] first input row of each window, int64.
        window, horizon: rows in and rows out.
    """

    def __init__(self, store: SeriesTensors, starts: Tensor, window: int, horizon: int) -> None:
        self.starts = starts
        self._store, self._window, self._horizon = store, window, horizon

    def __len__(self) -> int:
        return len(self.starts)

    def batch(self, indices: Tensor) -> Batch:
        """The windows at `indices` (int64 [B]), gathered by index arithmetic.

        Shape:
            inputs [B, window, C + calendar features], targets [B, horizon, C].
        """
        store, starts = self._store, self.starts[indices]
        rows = starts[:, None] + torch.arange(self._window)
        inputs = store.values[rows]
        if store.held is not None and store.last_observed is not None:
            last = rows[:, -1:]
            inputs = torch.where(rows[..., None] > store.last_observed[last], store.held[last], inputs)
        if store.calendar is not None:
            inputs = torch.cat((inputs, store.calendar[rows]), dim=-1)
        following = rows[:, -1:] + 1 + torch.arange(self._horizon)
        observed = None if store.observed is None else store.observed[following]
        return Batch(inputs, store.values[following], observed)


@dataclass(frozen=True, kw_only=True)
class ForecastShape(Probe):
    """What is known of a series that is cut into windows, before its values are read and after.

    Args:
        rows: samples in time.
        columns: names of the target channels.
        calendar_features: extra input channels after them.
        window, horizon: rows in and rows out.
        season: rows in one season, or None.
        leaks: see `Probe.leaks`.
    """

    rows: int
    columns: tuple[str, ...]
    calendar_features: int
    window: int
    horizon: int
    season: int | None
    leaks: tuple[str, ...] = ()

    @property
    def channels(self) -> int:
        """C, how many targets."""
        return len(self.columns)

    @property
    def input_signal(self) -> SignalSpec:
        return SignalSpec(steps=0, length=self.window, features=self.channels + self.calendar_features)


@dataclass(frozen=True, kw_only=True)
class SeriesProbe(ForecastShape):
    """What a recipe check can know without reading the values; see `ForecastShape` for the rest.

    Args:
        windows: how many in each split.
        has_dates: whether a date column was seen.
        ignored: columns of the file that are not used (row numbers).
        format: what it is read from ("csv", "hdf5", "cache", ...).
    """

    windows: Mapping[str, int]
    has_dates: bool
    ignored: tuple[str, ...]
    format: str


@dataclass(frozen=True, kw_only=True, eq=False)
class ForecastData(ForecastShape, Dataset):
    """A series cut into train, val and test windows; see `ForecastShape` for what a check knows, too.

    Args:
        series: as it was read and its columns chosen.
        marked: its values [N, C] with NaN at every missing cell.
        tensors: what windows are gathered from.
        scaler: fitted.
        plan: which rows and windows belong to which split.
        window_norm: normalisation of each window; the model applies it, batches come without.
    """

    series: Series
    marked: Floats
    tensors: SeriesTensors
    scaler: FittedScaler
    plan: SplitPlan
    window_norm: WindowNorm

    @cached_property
    def missing_values(self) -> int:
        """Cells without a value."""
        return int(np.isnan(self.marked).sum())

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 hex over the chosen columns' values in their own units, shape and names."""
        return self.series.fingerprint()

    def split(self, name: SplitName) -> WindowSplit:
        cut = self.plan[name]
        starts = torch.arange(cut.start, cut.start + cut.windows)
        return WindowSplit(self.tensors, starts, self.window, self.horizon)

    def timeline(self) -> Timeline:
        """The columns over time, for pictures."""
        cuts = {name: (self.plan[name].first_row, self.plan[name].last_row) for name in SPLIT_NAMES}
        return Timeline(self.marked, self.columns, cuts, self.series.times)

    def facts(self) -> dict[str, Any]:
        """Statistics are of observed values in their own units."""
        times = self.series.times
        return {
            "rows": self.rows,
            "columns": list(self.columns),
            "missing_values": self.missing_values,
            "window": self.window,
            "horizon": self.horizon,
            "splits": {
                name: {
                    "first_row": self.plan[name].first_row,
                    "rows": self.plan[name].last_row - self.plan[name].first_row,
                    "windows": self.plan[name].windows,
                }
                for name in SPLIT_NAMES
            },
            "dates": None if times is None else _date_facts(times),
            "statistics": _statistics(self.marked, self.columns),
            "scaler": self.scaler.kind,
            "window_norm": self.window_norm.kind,
            "season": self.season,
            "calendar_features": self.calendar_features,
        }


def _float32(values: Floats) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))


def _date_facts(times: Times) -> dict[str, Any]:
    steps = np.diff(times).astype(np.int64)  # milliseconds
    usual = int(np.median(steps)) if len(steps) else 0
    return {
        "first": str(times[0].astype("datetime64[s]")),
        "last": str(times[-1].astype("datetime64[s]")),
        "step_seconds": usual / 1000,
        "other_steps": int((steps != usual).sum()),
    }


def _statistics(values: Floats, columns: tuple[str, ...]) -> dict[str, dict[str, float | int]]:
    table = {
        "mean": np.nanmean(values, axis=0),
        "std": np.nanstd(values, axis=0),
        "min": np.nanmin(values, axis=0),
        "max": np.nanmax(values, axis=0),
    }
    missing = np.isnan(values).sum(axis=0)
    return {
        name: {**{key: float(row[i]) for key, row in table.items()}, "missing": int(missing[i])}
        for i, name in enumerate(columns)
    }
