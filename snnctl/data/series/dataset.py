"""A series made ready for forecasting: scaled, filled and cut into windows that share one tensor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from snnctl.core.choices import SplitName
from snnctl.core.diagnostic import Diagnostic
from snnctl.core.shapes import SignalSpec, later_by, places_ahead
from snnctl.data.base import Batch, Dataset, Probe
from snnctl.data.cuts import SPLIT_NAMES
from snnctl.data.series.missing import Filled
from snnctl.data.series.scaling import FittedScaler
from snnctl.data.series.series import Floats, Part, Series, Times
from snnctl.data.series.timeline import Timeline
from snnctl.data.series.window_norm import WindowNorm
from snnctl.data.series.windows import WindowPlan

if TYPE_CHECKING:
    from snnctl.data.series.fitted import FittedSeries


@dataclass(frozen=True)
class SeriesTensors:
    """The tensors all windows are gathered from.

    `values` [N, C + P], targets and past covariates, are scaled and without holes; `observed` tells what was filled,
    None = nothing. Where they were interpolated, a window that ends in a gap shows `held` instead after
    `last_observed`, see `Filled`. `known` [N, K] are covariates that are known ahead.
    """

    values: Tensor
    targets: int
    known: Tensor | None
    calendar: Tensor | None
    observed: Tensor | None
    held: Tensor | None
    last_observed: Tensor | None

    @classmethod
    def of(
        cls, filled: Filled, targets: int, known: Floats | None, calendar: Floats | None, *, interpolate: bool
    ) -> SeriesTensors:
        """From scaled values without holes.

        Args:
            targets: C, how many of the first columns are to be forecast.
            known: [N, K] without holes, or None.
            calendar: [N, 5] features appended to the inputs, or None.
            interpolate: whether inputs show interpolated values where a window allows it.
        """
        holes = not filled.observed.all()
        return cls(
            values=_float32(filled.linear if interpolate else filled.held),
            targets=targets,
            known=None if known is None else _float32(known),
            calendar=None if calendar is None else _float32(calendar),
            observed=torch.from_numpy(filled.observed) if holes else None,
            held=_float32(filled.held) if holes and interpolate else None,
            last_observed=torch.from_numpy(filled.last_observed) if holes and interpolate else None,
        )

    def inputs(self, rows: Tensor, horizon: int) -> Tensor:
        """What a network sees of windows.

        Args:
            rows: [B, L] of each window.

        Shape:
            [B, L, C + past + calendar + known]. A known covariate is there several times: in its own row, and as it
            will be `later_by` rows later.
        """
        seen = self.values[rows]
        if self.held is not None and self.last_observed is not None:
            last = rows[:, -1:]
            seen = torch.where(rows[..., None] > self.last_observed[last], self.held[last], seen)
        beside = self.beside(rows, horizon)
        return torch.cat((seen, *beside), dim=-1) if beside else seen

    def beside(self, rows: Tensor, horizon: int) -> list[Tensor]:
        """Of `inputs`, what is known whatever the series does: calendar and known covariates."""
        found = [] if self.calendar is None else [self.calendar[rows]]
        if self.known is not None:
            found += [self.known[rows + later] for later in (0, *later_by(rows.shape[1], horizon))]
        return found


class WindowSplit:
    """The windows of one split, by index; the series itself is never copied.

    Args:
        store: the shared tensors.
        starts: [n] first input row of each window, int64.
        window, horizon: rows in and rows out.
        scale: [n, C] of the scaler of each window's series; None where all have the same.
        parts: [n] which series each is of, ascending; None = there is one.
    """

    def __init__(
        self,
        store: SeriesTensors,
        starts: Tensor,
        window: int,
        horizon: int,
        scale: Tensor | None = None,
        parts: Tensor | None = None,
    ) -> None:
        self.starts, self.scale = starts, scale
        self.parts = torch.zeros_like(starts) if parts is None else parts
        self._store, self._window, self._horizon = store, window, horizon

    def __len__(self) -> int:
        return len(self.starts)

    def batch(self, indices: Tensor) -> Batch:
        """The windows at `indices` (int64 [B]), gathered by index arithmetic.

        Shape:
            inputs as `SeriesTensors.inputs`, targets [B, horizon, C].
        """
        store, starts = self._store, self.starts[indices]
        rows = starts[:, None] + torch.arange(self._window)
        inputs = store.inputs(rows, self._horizon)
        following = rows[:, -1:] + 1 + torch.arange(self._horizon)
        observed = None if store.observed is None else store.observed[following][..., : store.targets]
        scale = None if self.scale is None else self.scale[indices]
        return Batch(inputs, store.values[following][..., : store.targets], observed, scale=scale)


@dataclass(frozen=True, kw_only=True)
class ForecastShape(Probe):
    """What is known of a series that is cut into windows, before its values are read and after.

    Args:
        rows: samples in time.
        columns: names of the target channels.
        past, known: names of covariates, known up to now and known ahead: input channels after them.
        calendar_features: input channels after those.
        window, horizon: rows in and rows out.
        season: rows in one season, or None.
        leaks, warnings: see `Probe`.
    """

    rows: int
    columns: tuple[str, ...]
    calendar_features: int
    window: int
    horizon: int
    season: int | None
    past: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    leaks: tuple[str, ...] = ()
    warnings: tuple[Diagnostic, ...] = ()

    @property
    def channels(self) -> int:
        """C, how many targets."""
        return len(self.columns)

    @property
    def extra_features(self) -> int:
        """Input channels that are not forecast: covariates and calendar."""
        copies = 1 + len(later_by(self.window, self.horizon))
        return len(self.past) + copies * len(self.known) + self.calendar_features

    @property
    def input_signal(self) -> SignalSpec:
        features, known = self.channels + self.extra_features, len(self.known)
        return SignalSpec(0, self.window, features, known=known, horizon=self.horizon if known else 0)


@dataclass(frozen=True, kw_only=True)
class SeriesProbe(ForecastShape):
    """What a recipe check has to know; see `ForecastShape` for the rest.

    Args:
        windows: how many in each split.
        has_dates: whether there are dates.
        ignored: columns of the file that are not used.
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
        scaler: fitted; with one row for each series of a panel where those are scaled apart.
        plan: which rows and windows belong to which split.
        window_norm: normalisation of each window; the model applies it, batches come without.
        fitted: what a model has to remember of it.
    """

    series: Series
    marked: Floats
    tensors: SeriesTensors
    scaler: FittedScaler
    plan: WindowPlan
    window_norm: WindowNorm
    fitted: FittedSeries

    @cached_property
    def missing_values(self) -> int:
        """Cells without a value."""
        return int(np.isnan(self.marked).sum())

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 hex over the chosen columns' values in their own units, shape and names."""
        return self.series.fingerprint()

    def split(self, name: SplitName) -> WindowSplit:
        starts = self.plan.starts[name]
        parts = self.plan.part_of(starts)
        scale = None if self.scaler.scale.ndim == 1 else torch.from_numpy(self.scaler.scale[parts])
        shape = (self.window, self.horizon)
        return WindowSplit(self.tensors, torch.from_numpy(starts), *shape, scale, torch.from_numpy(parts))

    def known_ahead(self, inputs: Tensor) -> Tensor:
        """What inputs [B, window, C_in] tell of the known covariates over the horizon, [B, horizon, K], scaled."""
        rows, copies = torch.tensor(places_ahead(self.window, self.horizon)).T
        known = len(self.known)
        first = self.channels + self.extra_features - len(later_by(self.window, self.horizon)) * known
        return inputs[:, rows[:, None], first + copies[:, None] * known + torch.arange(known)]

    def scaler_of(self, name: SplitName, indices: Tensor) -> FittedScaler:
        """The scaler of some windows of a split; its `inverse` maps values [B, H, C] back to the units of the data."""
        return self.scaler.of(self.plan.part_of(self.plan.starts[name][indices.numpy()]))

    def timeline(self) -> Timeline:
        """The columns over time, for pictures: targets, then covariates; of a panel, its first series."""
        part, cut, times = self.plan.parts[0], self.plan.cuts[0], self.series.times
        own = slice(part.first, part.last)
        values = [each[own] for each in (self.marked, self.series.past, self.series.known) if each is not None]
        return Timeline(
            np.concatenate(values, axis=1),
            self.columns + self.past + self.known,
            {name: (cut[name].first_row, cut[name].last_row) for name in SPLIT_NAMES},
            None if times is None else times[own],
            dict.fromkeys(self.past, "past") | dict.fromkeys(self.known, "known"),
        )

    def facts(self) -> dict[str, Any]:
        """Statistics are of observed values in their own units."""
        times = self.series.times
        covariates = [each for each in (self.series.past, self.series.known) if each is not None]
        names = self.columns + self.past + self.known
        return {
            "rows": self.rows,
            "columns": list(self.columns),
            "missing_values": self.missing_values,
            **self.series.facts,
            "window": self.window,
            "horizon": self.horizon,
            "splits": {
                name: {
                    "first_row": int(rows[0]),
                    "rows": len(rows),
                    "windows": len(self.plan.starts[name]),
                }
                for name in SPLIT_NAMES
                if (rows := self.plan.rows(name)) is not None
            },
            "dates": None if times is None else _date_facts(times, self.series.pieces),
            "statistics": _statistics(np.concatenate((self.marked, *covariates), axis=1), names),
            "scaler": self.scaler.kind,
            "window_norm": self.window_norm.kind,
            "season": self.season,
            "calendar_features": self.calendar_features,
        }


def _float32(values: Floats) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))


def _date_facts(times: Times, parts: Sequence[Part]) -> dict[str, Any]:
    steps = np.concatenate([np.diff(times[part.first : part.last]) for part in parts]).astype(np.int64)  # milliseconds
    usual = int(np.median(steps)) if len(steps) else 0
    return {
        "first": str(times.min().astype("datetime64[s]")),
        "last": str(times.max().astype("datetime64[s]")),
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
