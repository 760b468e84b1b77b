"""A backtest as a whole: every model's forecasts at every origin, what came, bands, and the sums of all errors."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from snnctl.backtest import references
from snnctl.backtest.bands import half_widths
from snnctl.backtest.measures import Scales, Sums, naive_error
from snnctl.backtest.origins import Origins
from snnctl.backtest.statistical import Method, ask
from snnctl.core.diagnostic import Diagnostic, DiagnosticError
from snnctl.data.series.dataset import ForecastData
from snnctl.data.series.fitted import FittedSeries
from snnctl.data.series.series import Floats
from snnctl.report.saving import Tell
from snnctl.serving.forecaster import Forecast, Forecaster
from snnctl.serving.rows import ReadyRows, Rows

NETWORK = "snnctl"
# Forecasts (windows x steps x columns) that are held of one model at once: 256 MB.
MOST_CELLS = 2**25


@dataclass(frozen=True)
class Fit:
    """A trained network, and what it forecasts.

    Args:
        model: with its weights.
        rows: ready for it.
        data: what it was trained on; None where that is not there.
        pool: windows, by their last row.
    """

    model: Forecaster
    rows: ReadyRows
    data: ForecastData | None
    pool: Rows


@dataclass(frozen=True)
class Asking:
    """What is asked of a backtest, besides windows.

    Args:
        levels: of the bands, in percent.
        season: rows in one season; 1 = there is none.
        baselines: their names.
        methods: statistical ones.
        limit: seconds that each of these may take.
        seed: of the baselines.
    """

    levels: tuple[int, ...]
    season: int
    baselines: tuple[str, ...]
    methods: tuple[Method, ...] = ()
    limit: float = 600.0
    seed: int = 0


@dataclass(frozen=True)
class Found:
    """What came out.

    Args:
        head: facts for the document: what was forecast by what.
        rows: of all series, with `forecast` for their names and stamps.
        ends: [n] the last row that each origin sees.
        y: [n, H, C] what came, in the data's own units; NaN where nothing was observed.
        forecasts: model -> [n, H, C], the network first.
        bands: model -> level -> lower and upper ends, [n, H, C] each.
        sums: model -> its errors added up.
        scales: what they are divided by.
        omitted: model -> why it was left out.
        chosen: baseline -> what was chosen on validation, in words.
        levels, season: as asked.
        fitted: columns, window, horizon and more.
    """

    head: Mapping[str, Any]
    rows: ReadyRows
    ends: Rows
    y: Floats
    forecasts: Mapping[str, Floats]
    bands: Mapping[str, Mapping[int, tuple[Floats, Floats]]]
    sums: Mapping[str, Sums]
    scales: Scales
    omitted: Mapping[str, str]
    chosen: Mapping[str, str]
    levels: tuple[int, ...]
    season: int
    fitted: FittedSeries

    @property
    def parts(self) -> Rows:
        """[n] which series each window is of."""
        return self.rows.part_of(self.ends)

    @property
    def cutoffs(self) -> Rows:
        """[n] the last stamp that each window sees."""
        return self.rows.stamps[self.ends]

    @property
    def names(self) -> list[list[str]]:
        """`unique_id` of each series and column."""
        return self._forecast.names

    def labels(self, part: slice) -> dict[str, Any]:
        """`unique_id, ds, cutoff` of some windows, a row a step, column and window."""
        return self._forecast.labels(self.ends[part])

    def dates(self, stamps: Rows) -> Any:
        """Stamps as they are written."""
        return self._forecast.dates(stamps)

    @cached_property
    def _forecast(self) -> Forecast:
        """As `snnctl predict` has it, which knows names and stamps."""
        return Forecast(self.rows, self.ends, self.fitted.horizon, True, self.fitted.columns, lambda: iter(()))


def collect(
    head: Mapping[str, Any], fits: Iterable[Fit], pools: Sequence[Rows], chosen: Origins, asking: Asking, tell: Tell
) -> Found:
    """Forecast, hold against what came, and add up.

    Args:
        head: facts for the document.
        fits: trained networks in the order of time, opened one after the other; the first says what units are.
        pools: the windows of each.

    Raises:
        DiagnosticError: U576, that is more than memory should hold.
    """
    pool = np.sort(np.concatenate(pools))
    chosen = replace(chosen, pool=pool)
    told: dict[str, Floats] = {}
    omitted: dict[str, str] = {}
    notes: dict[str, str] = {}
    first: Fit | None = None
    for number, fit in enumerate(fits):
        if first is None:
            first = fit
            _refuse_size(len(pool), fit.model.fitted)
        _forecast(fit, number, len(pools), pool, asking, told, omitted, notes, tell)
    assert first is not None
    rows, fitted = first.rows, first.model.fitted
    came = _came(rows, pool, fitted.horizon)
    for name in omitted:
        told.pop(name, None)
    at = chosen.at
    ends, y = chosen.ends, came[at]
    forecasts = {name: values[at] for name, values in told.items()}
    bands: dict[str, dict[int, tuple[Floats, Floats]]] = {}
    for number, (name, values) in enumerate(told.items()):
        tell(f"bands: {name}", 0.75 + 0.1 * number / len(told))
        wide = half_widths(came - values, rows, chosen, asking.levels)
        wide = {level: np.where(np.isfinite(each), each, np.nan) for level, each in wide.items()}
        bands[name] = {level: (forecasts[name] - each, forecasts[name] + each) for level, each in wide.items()}
    del told, came
    for number, method in enumerate(asking.methods):
        tell_each = _within(tell, 0.85 + 0.1 * number / len(asking.methods), 0.1 / len(asking.methods))
        said = ask(method, rows, ends, fitted.horizon, asking.levels, asking.limit, tell_each)
        if isinstance(said, str):
            omitted[method.name] = said
        else:
            forecasts[method.name], bands[method.name] = said.mean, said.bands
    scales = _scales(rows, first, asking.season)
    half = _half(rows.stamps[ends])
    sums = {
        name: Sums(y, values, bands[name], rows.part_of(ends), half, len(rows.parts))
        for name, values in forecasts.items()
    }
    return Found(
        head, rows, ends, y, forecasts, bands, sums, scales, omitted, notes, asking.levels, asking.season, fitted
    )


def _forecast(
    fit: Fit,
    number: int,
    total: int,
    pool: Rows,
    asking: Asking,
    told: dict[str, Floats],
    omitted: dict[str, str],
    notes: dict[str, str],
    tell: Tell,
) -> None:
    """Put what one network and the baselines beside it say of its windows into `told`: model -> [m, H, C]."""
    fitted, rows, share = fit.model.fitted, fit.rows, 0.75 / total
    shape = (len(pool), fitted.horizon, fitted.channels)

    def put(name: str, batches: Iterator[tuple[Rows, Floats]]) -> None:
        values = told.setdefault(name, np.full(shape, np.nan))
        for ends, found in batches:
            values[np.searchsorted(pool, ends)] = found

    put(NETWORK, fit.model.at(rows, fit.pool, _within(tell, share * number, share / 2)))
    size = fit.model.task.held_at_once(512)
    data = None if fit.data is None else replace(fit.data, season=asking.season if asking.season > 1 else None)
    own = replace(fitted, season=asking.season if asking.season > 1 else None)
    telling = _within(tell, share * (number + 0.5), share / 2)
    ready, failed = references.fit(asking.baselines, data, own, size, asking.seed, telling)
    omitted |= failed
    for name, baseline in ready.items():
        if baseline.chosen:
            notes[name] = baseline.chosen if total == 1 else f"{baseline.chosen} in the last of {total} trainings"
        put(name, references.predict(baseline, rows, fitted, fit.pool, size))


def _within(tell: Tell, begin: float, share: float) -> Callable[[str, float], None]:
    return lambda text, done: tell(text, begin + share * done)


def _came(rows: ReadyRows, ends: Rows, horizon: int) -> Floats:
    found: Floats = rows.observed[ends[:, None] + np.arange(1, horizon + 1)]
    return found


def _refuse_size(windows: int, fitted: FittedSeries) -> None:
    cells = windows * fitted.horizon * fitted.channels
    if cells > MOST_CELLS:
        message = f"{windows:,} windows of {fitted.horizon} steps and {fitted.channels} columns are {cells:,} forecasts"
        raise DiagnosticError(Diagnostic("U576", f"{message} of each model; {MOST_CELLS:,} are held"))


def _half(cutoffs: Rows) -> Rows:
    """0 for the first half of the different cutoffs, 1 for the others."""
    different, at = np.unique(cutoffs, return_inverse=True)
    found: Rows = (at >= (len(different) + 1) // 2).astype(np.int64)
    return found


def _scales(rows: ReadyRows, fit: Fit, season: int) -> Scales:
    """Of the first training: its scaler, and the naive error of the rows that it was trained on."""
    fitted, data = fit.model.fitted, fit.data
    shape = (len(rows.parts), fitted.channels)
    scale = np.broadcast_to(fitted.scaler.of(rows.numbers).scale, shape)
    naive = np.full(shape, np.nan)
    if data is not None:
        cuts = {part.name: (part, cut) for part, cut in zip(data.plan.parts, data.plan.cuts, strict=True)}
        for number, part in enumerate(rows.parts):
            if part.name in cuts:
                own, cut = cuts[part.name]
                train = data.marked[own.first + cut.train.first_row : own.first + cut.train.last_row]
                naive[number] = naive_error(train, season)
    return Scales(np.array(scale), naive)
