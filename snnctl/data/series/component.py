"""The `timeseries` data component: series, from a name or a file, for forecasting."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
from annotated_types import Ge, MinLen

from snnctl.core.catalog import DATA, SCALERS
from snnctl.core.diagnostic import Diagnostic
from snnctl.core.registry import Slot, SourcePath
from snnctl.data.base import DataSource
from snnctl.data.cache import Progress
from snnctl.data.cuts import SPLIT_NAMES
from snnctl.data.prepare import Prepared
from snnctl.data.problems import data_error
from snnctl.data.series.arranging import Arrangement
from snnctl.data.series.axis import DEFAULT_ROWS, Rows
from snnctl.data.series.calendar import CALENDAR_FEATURES, calendar_features
from snnctl.data.series.dataset import ForecastData, SeriesProbe, SeriesTensors
from snnctl.data.series.fitted import FittedSeries, ranges, reading_of
from snnctl.data.series.known import KNOWN
from snnctl.data.series.missing import check_finite, check_observed, fill_parts, mark_missing
from snnctl.data.series.oddities import check_scored, oddities, too_short
from snnctl.data.series.prepare import prepare
from snnctl.data.series.roles import Wanted
from snnctl.data.series.scaling import FittedScaler, Scaler, scaled_by
from snnctl.data.series.series import Floats, ReadOptions, Series
from snnctl.data.series.sources import KEYED, read_source, suffix_of
from snnctl.data.series.stamps import EPOCHS, ORDERS, SERIAL
from snnctl.data.series.steps import Step
from snnctl.data.series.window_norm import WindowNorm
from snnctl.data.series.windows import DEFAULT_SPLIT, SplitSpec, WindowPlan, plan_windows

Names = Annotated[list[str], MinLen(1)]


@DATA.register("timeseries")
class TimeSeries(DataSource):
    """A series cut into windows of the past and the values that follow them.

    Files: CSV or other text tables (delimiter, header, dates, decimal commas and comments are recognised; .gz too),
    NumPy (.npy, .npz), Parquet, HDF5 (plain, or as pandas writes it with format="fixed").

    Missing values are empty cells or NaN. Those in targets are never scored. Those in inputs are filled
    without looking past the end of the window: `interpolate` draws a line between observed neighbours if both
    lie before the window's end, and repeats the last observed value otherwise. Before a column's first
    observed value stands that value if the window holds it, else the column's mean over the train rows.

    A table's columns have roles: one is the time (found where it is clear: ISO 8601 with or without offset, day-first
    forms, seconds since 1970, date and time in two columns, year, month, day, ...), `id` tells series apart that stand
    one below the other, `targets` are forecast, `past` and `known` are covariates that the network sees and that are
    never scored. What is not named is left out, and `snnctl data info` says why. Rows are put in the order of time.

    Args:
        source: a known name (co2, etth1, ...) or a path (./my.csv).
        window: rows of the past in an input.
        horizon: rows to forecast.
        targets: names of the columns to forecast; null = every numeric column that is not time, identity or a counter.
        past: names of covariates that are known up to now: input channels.
        known: names of covariates that are known ahead (prices, plans, weather forecasts): seen over the horizon, too.
        id: the column that tells series apart, or several; windows never cross series.
        time: the column of the stamp, or those (Date and Time); null = it is looked for, none = rows as they come.
        format: of the stamps where several readings fit: day_first, month_first, a pattern (%d.%m.%Y %H:%M), or s, ms,
            us, ns since 1970, or spreadsheet (its day numbers).
        step: from one row to the next (1h, 15min, 1 day, 1 month, business day); null = it is found.
        rows: what is done about rows out of order, repeated stamps and holes.
        split: train, val and test, as shares that sum to 1 or as numbers of rows, by time within every series;
            `by: windows` is the published protocol of SeqSNN, in which neighbouring splits share rows.
        scaler: how values are scaled; fitted on the train rows.
        scaler_by: of a panel, whether each series has a scaler of its own, or all share one.
        window_norm: what is removed from each window and put back on the forecast.
        missing: interpolate, hold (repeat the last value), zero_is_missing (zeros count as missing, then
            interpolate), or refuse.
        missing_marks: what else stands for a missing value (-999, "bad"); empty cells, NA, NaN, ?, - always do.
        calendar: append minute, hour, weekday, day of month and day of year to the inputs.
        columns: the former name of `targets`.
        season: rows in one season, for the seasonal baseline; null = what is known of a named series.
        key: which array of an HDF5 or NPZ file; null = the only one.
        header: whether the first line of a text file names the columns; null = look and decide.
        encoding: of a text file (utf-8, latin-1, cp1252, ...).
        decimal: the decimal mark of a text file; null = look and decide.

    Shape:
        inputs [B, window, C + covariates + calendar features], targets [B, horizon, C]. Known covariates are there in
        their own rows, and as they will be `horizon` rows later.

    Raises:
        DiagnosticError: from `probe` and `load`; see `snnctl.data.problems`.
    """

    gives: ClassVar[Literal["series"]] = "series"

    def __init__(
        self,
        *,
        source: Annotated[str, SourcePath(known=tuple(KNOWN))],
        window: Annotated[int, Ge(1)],
        horizon: Annotated[int, Ge(1)],
        targets: Names | None = None,
        past: Names | None = None,
        known: Names | None = None,
        id: str | Names | None = None,
        time: str | Names | None = None,
        format: str | None = None,
        step: str | None = None,
        rows: Rows = DEFAULT_ROWS,
        split: SplitSpec = DEFAULT_SPLIT,
        scaler: Annotated[str | Scaler, Slot("scaler")] = "standard",
        scaler_by: Literal["series", "all"] = "series",
        window_norm: Literal["none", "last", "mean", "mean_std"] = "none",
        missing: Literal["interpolate", "hold", "zero_is_missing", "refuse"] = "interpolate",
        missing_marks: list[str | float] | None = None,
        calendar: bool = False,
        columns: Names | None = None,
        season: Annotated[int, Ge(1)] | None = None,
        key: str | None = None,
        header: bool | None = None,
        encoding: str = "utf-8",
        decimal: Literal[".", ","] | None = None,
    ) -> None:
        self.source, self.window, self.horizon = source, window, horizon
        self.split_spec = SplitSpec.of(split)
        self.scaler: Scaler = SCALERS.get(scaler)() if isinstance(scaler, str) else scaler
        self.scaler_by = scaler_by
        self.window_norm = window_norm
        self.missing = missing
        self.calendar = calendar
        self.season = KNOWN[source].season if season is None and source in KNOWN else season
        wanted = Wanted(
            None if time == "none" else _names(time),
            format,
            _names(id),
            _names(targets or columns) or None,
            _names(past),
            _names(known),
            "data.columns" if columns and not targets else "data.targets",
        )
        used = {*(wanted.time or ()), *wanted.id, *(wanted.targets or ()), *wanted.past, *wanted.known}
        marks = tuple(mark if isinstance(mark, str) else f"{mark:.15g}" for mark in missing_marks or ())
        only = frozenset(used) if wanted.targets else None
        self._options = ReadOptions(key, header, marks, encoding, decimal, wanted.id, only)
        self._how = Arrangement(wanted, Rows.of(rows), None if step is None else Step.of(step))

    @staticmethod
    def rules(knobs: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """Cross-knob problems of a recipe."""
        suffix, known = suffix_of(knobs["source"]), knobs["source"] in KNOWN
        binary = (*KEYED, ".npy", ".parquet", ".pq")
        if knobs.get("key") is not None and (known or suffix not in KEYED):
            yield "key", "`key` chooses an array in an HDF5 or NPZ file; this source has none"
        for knob in ("header", "decimal"):
            if knobs.get(knob) is not None and (known or suffix in binary):
                yield knob, f"`{knob}` is about text files; this source is none"
        if knobs.get("encoding", "utf-8") != "utf-8" and (known or suffix in binary):
            yield "encoding", "`encoding` is about text files; this source is none"
        if knobs.get("columns") and knobs.get("targets"):
            yield "columns", "`columns` is the former name of `targets`; name the columns to forecast there alone"
        taken: dict[str, str] = {}
        for knob in ("columns", "targets", "past", "known", "id", "time"):
            for name in _names(knobs.get(knob)):
                if name in taken and taken[name] == knob:
                    yield knob, f"`{knob}` names a column twice"
                elif name in taken and {knob, taken[name]} != {"columns", "targets"}:
                    yield knob, f"`{name}` stands in `{taken[name]}` and in `{knob}`"
                taken[name] = knob
        step, format = knobs.get("step"), knobs.get("format")
        if step is not None:
            try:
                Step.of(step)
            except ValueError as error:
                yield "step", str(error)
        if format is not None and format not in (*EPOCHS, *ORDERS, SERIAL) and "%" not in format:
            words = ", ".join((*ORDERS, *EPOCHS, SERIAL))
            yield "format", f"`{format}` is no format: {words}, or a pattern such as %d.%m.%Y"

    def prepare(self, progress: Progress | None = None, brought: Path | None = None) -> tuple[Prepared, ...]:
        """A named series in the cache; files are read where they lie."""
        return (prepare(self.source, brought, progress=progress),) if self.source in KNOWN else ()

    def probe(self) -> SeriesProbe:
        """Rows, columns, window counts, and what is odd about them."""
        read = self._read()
        return SeriesProbe(
            **self._shape(read),
            windows={name: len(read.plan.starts[name]) for name in SPLIT_NAMES},
            has_dates=read.series.times is not None,
            ignored=tuple(read.series.left_out),
            format=read.series.format,
        )

    def load(self) -> ForecastData:
        """The series, checked, scaled and filled."""
        read = self._read()
        series, plan, train = read.series, read.plan, read.plan.rows("train")
        apart = self.scaler_by == "series" and len(plan.parts) > 1
        scaler = self._fit(read.marked, read, apart)
        inputs = scaled_by(scaler, read.marked, series.pieces)
        check_finite(inputs, series, " after scaling")
        past_scaler = known_scaler = known_fallback = known = None
        if series.past is not None:
            past_scaler = self._fit_each(series.past, read)
            inputs = np.concatenate((inputs, scaled_by(past_scaler, series.past, series.pieces)), axis=1)
        if series.known is not None:
            known_scaler = self._fit_each(series.known, read)
            scaled = scaled_by(known_scaler, series.known, series.pieces)
            known_fallback = _fallback(scaled, train, read, apart)
            known = fill_parts(scaled, known_fallback, plan.parts).linear
        fallback = _fallback(inputs, train, read, apart)
        filled = fill_parts(inputs, fallback, plan.parts)
        calendar = calendar_features(series.times) if self.calendar and series.times is not None else None
        window_norm = WindowNorm(self.window_norm, len(series.columns))
        low, high = ranges(series, read.marked, plan, apart=apart)
        fitted = FittedSeries(
            **self._shape(read),
            source=self.source,
            parts=tuple(part.name for part in plan.parts) if self._how.wanted.id else (),
            id=self._how.wanted.id,
            time=series.time,
            format=reading_of(series.read_as, self._how.wanted.format),
            step=series.step,
            clock=series.facts.get("time", {}).get("clock", ""),
            rules=self._how.rows,
            options=self._options,
            missing=self.missing,
            window_norm=window_norm,
            scaler=scaler,
            past_scaler=past_scaler,
            known_scaler=known_scaler,
            fallback=fallback,
            known_fallback=known_fallback,
            low=low,
            high=high,
        )
        interpolate = self.missing != "hold"
        return ForecastData(
            **self._shape(read),
            series=series,
            marked=read.marked,
            tensors=SeriesTensors.of(filled, len(series.columns), known, calendar, interpolate=interpolate),
            scaler=scaler,
            plan=plan,
            window_norm=window_norm,
            fitted=fitted,
        )

    def _read(self) -> _Read:
        """The series, arranged and cut, with what is odd about it."""
        file = "" if self.source in KNOWN else self.source
        series = read_source(self.source, self._options, self._how)
        if series.known is not None:
            series = series.observed()  # rows that are known further ahead are for forecasts, and nothing to score
        plan = plan_windows(self.split_spec, series.pieces, self.window, self.horizon, file)
        warnings = list(series.warnings)
        if plan.too_short:
            warnings.append(too_short(plan.too_short, len(series.parts), series.origin))
            series = series.without(plan.too_short)
            plan = plan_windows(self.split_spec, series.pieces, self.window, self.horizon, file)
        if self.calendar and series.times is None:
            raise self._no_dates()
        marked = mark_missing(series, self.missing)
        train = plan.rows("train")
        check_observed(marked[train], series.columns, "the train split", series.origin)
        for values, names in ((series.past, series.past_names), (series.known, series.known_names)):
            if values is not None:
                check_finite(values, replace(series, columns=names), "")
                check_observed(values[train], names, "the train split", series.origin)
        for name in ("val", "test"):
            check_scored(marked, plan.targets(name, self.window, self.horizon), name, series.origin)
        warnings += oddities(series, marked, train)
        return _Read(series, marked, plan, tuple(warnings))

    def _fit(self, values: Floats, read: _Read, apart: bool) -> FittedScaler:
        """One scaler, or one row of it for each series."""
        if not apart:
            return self.scaler.fit(values, read.plan.rows("train"))
        found = []
        for part, cut in zip(read.plan.parts, read.plan.cuts, strict=True):
            own = values[part.first : part.last]
            check_observed(
                own[: cut.train.last_row],
                read.series.columns,
                f"the train split of series `{part.name}`",
                read.series.origin,
            )
            found.append(self.scaler.fit(own, cut.train.last_row))
        return FittedScaler(found[0].kind, np.stack([f.shift for f in found]), np.stack([f.scale for f in found]))

    def _fit_each(self, values: Floats, read: _Read) -> FittedScaler:
        """The same kind of scaler for every covariate alone, as units differ; of a panel one for all series."""
        found = [self.scaler.fit(values[:, [i]], read.plan.rows("train")) for i in range(values.shape[1])]
        return FittedScaler(
            found[0].kind, np.concatenate([f.shift for f in found]), np.concatenate([f.scale for f in found])
        )

    def _shape(self, read: _Read) -> dict[str, Any]:
        """The fields of `ForecastShape`."""
        shared = "neighbouring splits share rows (cut by windows)" if read.plan.shares_rows else ""
        return {
            "rows": len(read.marked),
            "columns": read.series.columns,
            "past": read.series.past_names,
            "known": read.series.known_names,
            "calendar_features": CALENDAR_FEATURES if self.calendar else 0,
            "window": self.window,
            "horizon": self.horizon,
            "season": self.season,
            "leaks": tuple(reason for reason in (self.scaler.leak, shared) if reason),
            "warnings": read.warnings,
        }

    def _no_dates(self) -> Exception:
        return data_error(
            "D208",
            file="" if self.source in KNOWN else self.source,
            path="data.calendar",
            help="name it in `data.time`, with its `data.format`, or set `data.calendar` to false",
        )


@dataclass(frozen=True)
class _Read:
    """A series with its windows; `marked` are its targets with NaN at every missing cell."""

    series: Series
    marked: Floats
    plan: WindowPlan
    warnings: tuple[Diagnostic, ...]


def _names(value: str | Sequence[str] | None) -> tuple[str, ...]:
    return () if value is None else (value,) if isinstance(value, str) else tuple(value)


def _fallback(scaled: Floats, train: npt.NDArray[np.int64], read: _Read, apart: bool) -> Floats:
    """Means over train: what stands before the first observed value."""
    if not apart:
        return np.nanmean(scaled[train], axis=0)
    whole = np.nanmean(scaled[train], axis=0)
    found = []
    for part, cut in zip(read.plan.parts, read.plan.cuts, strict=True):
        own = scaled[part.first : part.first + cut.train.last_row]
        counts = (~np.isnan(own)).sum(axis=0)
        found.append(np.where(counts > 0, np.nansum(own, axis=0) / np.maximum(counts, 1), whole))
    return np.stack(found)
