"""The `timeseries` data component: one series, from a name or a file, for forecasting."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from annotated_types import Ge, MinLen

from snnctl.core.catalog import DATA, SCALERS
from snnctl.core.registry import Slot, SourcePath
from snnctl.data.base import DataSource
from snnctl.data.cache import Progress
from snnctl.data.cuts import SPLIT_NAMES
from snnctl.data.prepare import Prepared
from snnctl.data.problems import data_error
from snnctl.data.series.dataset import ForecastData, SeriesProbe, SeriesTensors
from snnctl.data.series.known import KNOWN
from snnctl.data.series.missing import check_finite, check_observed, fill, mark_missing
from snnctl.data.series.prepare import prepare
from snnctl.data.series.readers.dates import CALENDAR_FEATURES, calendar_features
from snnctl.data.series.scaling import Scaler
from snnctl.data.series.series import ReadOptions
from snnctl.data.series.sources import KEYED, head_source, read_source, suffix_of
from snnctl.data.series.window_norm import WindowNorm
from snnctl.data.series.windows import DEFAULT_SPLIT, SplitPlan, SplitSpec, plan_splits


@DATA.register("timeseries")
class TimeSeries(DataSource):
    """A series cut into windows of the past and the values that follow them.

    Files: CSV or other text tables (delimiter, header and an ISO 8601 date column are recognised; .gz too),
    NumPy (.npy, .npz), Parquet, HDF5 (plain, or as pandas writes it with format="fixed").

    Missing values are empty cells or NaN. Those in targets are never scored. Those in inputs are filled
    without looking past the end of the window: `interpolate` draws a line between observed neighbours if both
    lie before the window's end, and repeats the last observed value otherwise. Before a column's first
    observed value stands that value if the window holds it, else the column's mean over the train rows.

    Args:
        source: a known name (co2, etth1, ...) or a path (./my.csv).
        window: rows of the past in an input.
        horizon: rows to forecast.
        split: train, val and test, as shares that sum to 1 or as numbers of rows; `by: windows` is the
            published protocol of SeqSNN, in which neighbouring splits share rows.
        scaler: how values are scaled; fitted on the train rows.
        window_norm: what is removed from each window and put back on the forecast.
        missing: interpolate, hold (repeat the last value), zero_is_missing (zeros count as missing, then
            interpolate), or refuse.
        calendar: append minute, hour, weekday, day of month and day of year to the inputs.
        columns: names of the channels to use; null = all.
        season: rows in one season, for the seasonal baseline; null = what is known of a named series.
        key: which array of an HDF5 or NPZ file; null = the only one.
        header: whether the first line of a text file names the columns; null = look and decide.

    Shape:
        inputs [B, window, C + calendar features], targets [B, horizon, C].

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
        split: SplitSpec = DEFAULT_SPLIT,
        scaler: Annotated[str | Scaler, Slot("scaler")] = "standard",
        window_norm: Literal["none", "last", "mean", "mean_std"] = "none",
        missing: Literal["interpolate", "hold", "zero_is_missing", "refuse"] = "interpolate",
        calendar: bool = False,
        columns: Annotated[list[str], MinLen(1)] | None = None,
        season: Annotated[int, Ge(1)] | None = None,
        key: str | None = None,
        header: bool | None = None,
    ) -> None:
        self.source, self.window, self.horizon = source, window, horizon
        self.split_spec = SplitSpec.of(split)
        self.scaler: Scaler = SCALERS.get(scaler)() if isinstance(scaler, str) else scaler
        self.window_norm = window_norm
        self.missing = missing
        self.calendar = calendar
        self.season = KNOWN[source].season if season is None and source in KNOWN else season
        self._options = ReadOptions(None if columns is None else tuple(columns), key, header)

    @staticmethod
    def rules(knobs: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """Cross-knob problems of a recipe."""
        suffix, known = suffix_of(knobs["source"]), knobs["source"] in KNOWN
        if knobs["key"] is not None and (known or suffix not in KEYED):
            yield "key", "`key` chooses an array in an HDF5 or NPZ file; this source has none"
        if knobs["header"] is not None and (known or suffix in (*KEYED, ".npy", ".parquet", ".pq")):
            yield "header", "`header` is about text files; this source is none"
        columns = knobs["columns"] or []
        if len(set(columns)) < len(columns):
            yield "columns", "`columns` names a column twice"

    def prepare(self, progress: Progress | None = None, brought: Path | None = None) -> tuple[Prepared, ...]:
        """A named series in the cache; files are read where they lie."""
        return (prepare(self.source, brought, progress=progress),) if self.source in KNOWN else ()

    def probe(self) -> SeriesProbe:
        """Rows, columns and window counts, without reading the values."""
        head = head_source(self.source, self._options)
        if self.calendar and not head.date_column:
            raise self._no_dates()
        plan = self._plan(head.rows)
        return SeriesProbe(
            **self._shape(head.rows, head.columns, plan),
            windows={name: plan[name].windows for name in SPLIT_NAMES},
            has_dates=head.date_column != "",
            ignored=head.ignored,
            format=head.format,
        )

    def load(self) -> ForecastData:
        """The series, checked, scaled and filled."""
        series = read_source(self.source, self._options)
        if self.calendar and series.times is None:
            raise self._no_dates()
        plan = self._plan(len(series.values))
        marked = mark_missing(series, self.missing)
        train = marked[: plan.train.last_row]
        check_observed(train, series.columns, "the train split", series.origin)
        scaler = self.scaler.fit(marked, plan.train.last_row)
        with np.errstate(over="ignore"):
            scaled = scaler.apply(marked)
        check_finite(scaled, series, " after scaling")
        filled = fill(scaled, np.nanmean(scaled[: plan.train.last_row], axis=0))
        calendar = calendar_features(series.times) if self.calendar and series.times is not None else None
        return ForecastData(
            **self._shape(len(marked), series.columns, plan),
            series=series,
            marked=marked,
            tensors=SeriesTensors.of(filled, calendar, interpolate=self.missing != "hold"),
            scaler=scaler,
            plan=plan,
            window_norm=WindowNorm(self.window_norm, len(series.columns)),
        )

    def _plan(self, rows: int) -> SplitPlan:
        file = "" if self.source in KNOWN else self.source
        return plan_splits(self.split_spec, rows, self.window, self.horizon, file)

    def _shape(self, rows: int, columns: tuple[str, ...], plan: SplitPlan) -> dict[str, Any]:
        """The fields of `ForecastShape`."""
        shared = "neighbouring splits share rows (cut by windows)" if plan.shares_rows else ""
        return {
            "rows": rows,
            "columns": columns,
            "calendar_features": CALENDAR_FEATURES if self.calendar else 0,
            "window": self.window,
            "horizon": self.horizon,
            "season": self.season,
            "leaks": tuple(reason for reason in (self.scaler.leak, shared) if reason),
        }

    def _no_dates(self) -> Exception:
        return data_error(
            "D208",
            file="" if self.source in KNOWN else self.source,
            path="data.calendar",
            help="add a `date` column (2016-07-01 or 2016-07-01 00:00:00), or set `data.calendar` to false",
        )
