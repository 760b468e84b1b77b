"""A trained forecaster: new rows in, forecasts in the data's own units out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from snnctl.core.diagnostic import Diagnostic, DiagnosticError, as_warnings
from snnctl.data.base import Batch
from snnctl.data.series.anew import ends_missing, far_outside, read_known, read_new, read_on
from snnctl.data.series.fitted import FittedSeries
from snnctl.data.series.series import Floats, Series
from snnctl.data.series.stamps import DAY, SECOND
from snnctl.data.series.table import Table
from snnctl.engine.runtime import Runtime
from snnctl.measure.bands import Bands
from snnctl.recipe import Recipe
from snnctl.report.saving import Tell
from snnctl.serving.bands import check_bands, own_halves, refuse_beyond
from snnctl.serving.frames import frame_of, table_of
from snnctl.serving.left_out import LEFT_OUT
from snnctl.serving.rows import ReadyRows, Rows, make_ready
from snnctl.serving.windows import Asked, choose

if TYPE_CHECKING:
    import pandas as pd

    from snnctl.engine.experiment import Network
    from snnctl.serving.stream.stream import Stream

# So often a forecast may go on from itself.
MOST_ROUNDS = 100
SPREAD = "snnctl-spread"
Warn = Callable[[Sequence[Diagnostic]], None]


@dataclass(frozen=True)
class Forecast:
    """What is forecast, batch by batch: nothing but the rows that came is held at once.

    Args:
        rows: they, and those ahead.
        ends: [n] the last row that each window sees.
        steps: ahead, of each.
        several: whether windows tell their cutoff.
        columns: names of the targets.
        batches: gives the windows `ends` and their forecasts [B, steps, C] in the data's own units, in order.
        levels: of bands, in percent.
        halves: [levels, S, steps, C] their half-widths in the data's own units, for each of the series of `rows`.
        runs: where several runs are averaged, gives `ends` and what each of them says, [R, B, steps, C].
    """

    rows: ReadyRows
    ends: Rows
    steps: int
    several: bool
    columns: tuple[str, ...]
    batches: Callable[[], Iterator[tuple[Rows, Floats]]]
    levels: tuple[int, ...] = ()
    halves: Floats | None = None
    runs: Callable[[], Iterator[tuple[Rows, Floats]]] | None = None

    @property
    def names(self) -> list[list[str]]:
        """`unique_id` of each series and column."""
        if len(self.rows.parts) == 1 and not self.rows.parts[0].name:
            return [list(self.columns)]
        if len(self.columns) == 1:
            return [[part.name] for part in self.rows.parts]
        return [[f"{part.name}/{column}" for column in self.columns] for part in self.rows.parts]

    def tables(self, see: Callable[[Rows, Floats], None] | None = None) -> Iterator[dict[str, Any]]:
        """Long form, a row a step, column and window.

        unique_id, ds, cutoff where there are several windows, snnctl, then snnctl-lo-80, snnctl-hi-80 and so on for the
        bands, which are of single steps, and snnctl-spread where several runs are averaged.

        Args:
            see: given the windows and forecasts of each table.
        """
        for ends, values, spread in self._answers():
            if see is not None:
                see(ends, values)
            found = {"snnctl": values, **self.bounds(ends, values), **spread}
            yield {**self.labels(ends), **{name: each.transpose(0, 2, 1).ravel() for name, each in found.items()}}

    def _answers(self) -> Iterator[tuple[Rows, Floats, dict[str, Floats]]]:
        if self.runs is None:
            for ends, values in self.batches():
                yield ends, values, {}
        else:
            for ends, each in self.runs():
                yield ends, each.mean(axis=0), {SPREAD: each.std(axis=0, ddof=1)}

    def bounds(self, ends: Rows, values: Floats) -> dict[str, Floats]:
        """Lower and upper bounds [B, steps, C] of all levels, under the names of their columns."""
        found: dict[str, Floats] = {}
        if self.halves is not None:
            parts = self.rows.part_of(ends)
            for level, half in zip(self.levels, self.halves, strict=True):
                found[f"snnctl-lo-{level}"] = values - half[parts]
                found[f"snnctl-hi-{level}"] = values + half[parts]
        return found

    def labels(self, ends: Rows) -> dict[str, Any]:
        """`unique_id`, `ds`, and `cutoff` where there are several, of windows: a row a step, column and window."""
        shape = (len(ends), len(self.columns), self.steps)
        ids = np.array(self.names, dtype=object)[self.rows.part_of(ends)]
        stamps = self.rows.stamps[ends[:, None] + np.arange(1, self.steps + 1)]
        found = {
            "unique_id": np.broadcast_to(ids[:, :, None], shape).ravel(),
            "ds": self.dates(np.broadcast_to(stamps[:, None, :], shape).ravel()),
        }
        if self.several:
            cutoffs = self.rows.stamps[ends]
            found["cutoff"] = self.dates(np.broadcast_to(cutoffs[:, None, None], shape).ravel())
        return found

    def dates(self, stamps: Rows) -> Any:
        """Stamps as they are written: of dates at the coarsest unit that tells all of them."""
        return stamps.astype("M8[us]").astype(f"M8[{self._unit}]") if self._unit else stamps

    @cached_property
    def _unit(self) -> str:
        """The coarsest that tells all stamps, so that all batches are written alike; "" for numbers of rows."""
        if not self.rows.dated:
            return ""
        fitting = (unit for unit, micros in (("D", DAY), ("s", SECOND)) if not (self.rows.stamps % micros).any())
        return next(fitting, "us")


class Forecaster:
    """A trained forecaster.

    Args:
        recipe: as it was trained.
        fitted: what it remembers of its data.
        task, network: with the weights, ready to predict.
        runtime: where it runs.
        facts: which weights they are.
        warn: told of what is odd in new rows.
        bands: gives the bands of its validation errors when they are first asked for.
    """

    def __init__(
        self,
        recipe: Recipe,
        fitted: FittedSeries,
        task: Any,
        network: Network,
        runtime: Runtime,
        facts: dict[str, Any],
        warn: Warn = as_warnings,
        bands: Callable[[], Bands] | None = None,
    ) -> None:
        self.recipe, self.fitted, self.task, self.facts = recipe, fitted, task, facts
        self.network = network.eval()
        self._runtime, self.warn, self.bands = runtime, warn, bands

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns that are forecast."""
        return self.fitted.columns

    @property
    def batch_size(self) -> int:
        """Windows that the network is given at once."""
        return self.recipe.train.eval_batch_size or 4 * self.recipe.train.batch_size

    def predict(
        self,
        frame: pd.DataFrame | None = None,
        *,
        known: pd.DataFrame | None = None,
        horizon: int | None = None,
        last: int | None = None,
        every: bool = False,
        levels: Sequence[int] = (),
    ) -> pd.DataFrame:
        """What follows, in the data's own units.

        Args:
            frame: rows with the columns of training, `window` of them or more; None = those of the training file.
            known: known covariates over the rows ahead.
            horizon: steps ahead; None = as trained. Beyond that, the forecast goes on from itself.
            last: forecast from each of the last so many rows.
            every: forecast from every row that has a window behind it.
            levels: of bands, in whole percent: `[80, 95]`. They are split-conformal, from the errors on validation, and
                of single steps: a whole path lies within them less often.

        Returns:
            `unique_id` (the column; of a panel the series, or series/column), `ds` (the stamp; the number of the row
            from 0 where there are no dates), `snnctl` (the forecast), one row a step; with `last` and `every` also
            `cutoff`, the last stamp seen; `snnctl-lo-80`, `snnctl-hi-80` and so on, the bounds of each level.

        Raises:
            DiagnosticError: D290 to D295, the rows do not fit; U501 the training data has gone; U503 the horizon cannot
                be lengthened; U504 a level that is none; U520, U521 there can be no bands.
        """
        given = None if frame is None else table_of(frame, self.fitted)
        ahead = None if known is None else table_of(known, self.fitted)
        return frame_of(self.forecast(given, Asked(horizon, last, every, levels=tuple(levels)), ahead))

    def stream(self, *, whole: bool = False) -> Stream:
        """Takes rows one by one and says what follows each.

        Args:
            whole: call the network on the whole window for each row, also where its state can be carried on.

        Raises:
            DiagnosticError: U560, the network sees covariates ahead of a row, which no row brings.
        """
        from snnctl.serving.stream.stream import Stream

        return Stream(self, whole=whole)

    def forecast(
        self,
        given: Path | Table | None,
        asked: Asked,
        known: Path | Table | None = None,
        tell: Tell | None = None,
        size: int | None = None,
    ) -> Forecast:
        """Read rows and choose windows; the network runs when the batches are taken.

        Args:
            given: new rows; None = the training data, as it is now.
            known: known covariates over the rows ahead.
            tell: told how far it is, as a share.
            size: windows in a batch; None = as in training.

        Raises:
            DiagnosticError: as `predict`.
        """
        fitted = self.fitted
        steps = asked.horizon or fitted.horizon
        rounds = -(-steps // fitted.horizon)
        if known is not None and not fitted.known:
            message = "covariates that are known ahead are given, and the network sees none"
            help = "leave --known out; rows of the past come with --input"
            raise DiagnosticError(Diagnostic("U504", message, help=help))
        self._refuse_rolling(rounds)
        bands = self._bands_of(asked.levels, steps)
        series = self.read(given)
        ahead = None if known is None else read_known(known, fitted)
        rows, observed = make_ready(series, fitted, rounds * fitted.horizon, ahead)
        said = [one for one in series.warnings if given is not None or one.code in ("D292", "D293")]
        self.warn([*said, *far_outside(series, observed, fitted), *ends_missing(series, observed, fitted)])
        reaches = rounds * fitted.horizon if fitted.known else steps
        ends, dropped = choose(rows, asked, fitted.window, reaches)
        if dropped:
            message = f"{dropped:,} windows are left out: not known ahead: {rows.lacking}"
            help = "bring them with --known FILE"
            self.warn([Diagnostic("D295", message, severity="warning", help=help)])
        if rounds > 1:
            beyond = f"steps {fitted.horizon + 1} to {steps} go on from the network's own forecasts"
            message = f"{beyond}: it was trained for {fitted.horizon}"
            self.warn([Diagnostic("U502", message, severity="warning")])

        def batches() -> Iterator[tuple[Rows, Floats]]:
            return self._batches(rows, ends, steps, rounds, tell, size)

        halves = None if bands is None else own_halves(bands, asked.levels, rows, fitted)[:, :, :steps]
        return Forecast(rows, ends, steps, asked.several, fitted.columns, batches, asked.levels, halves)

    def keep_bands(self) -> None:
        """Read the bands now, where the run will not be there when they are first asked for; none where it has none."""
        try:
            kept = self.bands() if self.bands is not None else None
        except DiagnosticError:
            kept = None
        self.bands = None if kept is None else lambda: kept

    def _bands_of(self, levels: tuple[int, ...], steps: int) -> Bands | None:
        """Those that are asked for, once they are known to be there."""
        if not levels:
            return None
        refuse_beyond(steps, self.fitted.horizon)
        if self.bands is None:
            raise DiagnosticError(Diagnostic("U520"))
        bands = self.bands()
        self.warn(check_bands(bands, levels))
        return bands

    def at(self, rows: ReadyRows, ends: Rows, tell: Tell | None = None) -> Iterator[tuple[Rows, Floats]]:
        """Forecasts [B, horizon, C] in the data's own units of windows of rows that are ready, with their last rows."""
        return self._batches(rows, ends, self.fitted.horizon, 1, tell)

    def read(self, given: Path | Table | None) -> Series:
        """New rows as those of training were read; None = the training data, as it is now.

        Raises:
            DiagnosticError: D290 to D293, the rows do not fit; U501 the training data has gone.
        """
        if given is not None:
            return read_new(given, self.fitted)
        try:
            return read_on(self.fitted)
        except DiagnosticError as error:
            if error.diagnostics[0].code != "D101":
                raise
            message = f"the training data `{self.fitted.source}` is not there (any more)"
            if self.fitted.source.startswith(LEFT_OUT):
                message = "a bundle holds no data"
            help = "bring rows with --input FILE; the run needs no training data for that"
            raise DiagnosticError(Diagnostic("U501", message, help=help)) from None

    def _refuse_rolling(self, rounds: int) -> None:
        """U503 where a window beyond the horizon would show what nobody knows."""
        fitted = self.fitted
        unknown = ""
        if fitted.past:
            unknown = f"past covariates ({', '.join(fitted.past)}) are not known there"
        elif fitted.calendar_features and fitted.step is None:
            unknown = "the rows have no one step, so the calendar is not known there"
        if not unknown and rounds > MOST_ROUNDS:
            unknown = f"{MOST_ROUNDS} times over nothing is left of what was observed"
        if rounds > 1 and unknown:
            message = f"beyond the trained {fitted.horizon} steps {unknown}"
            help = "ask for fewer steps, or train with a longer `data.horizon`"
            raise DiagnosticError(Diagnostic("U503", message, help=help))

    def _batches(
        self, rows: ReadyRows, ends: Rows, steps: int, rounds: int, tell: Tell | None, size: int | None = None
    ) -> Iterator[tuple[Rows, Floats]]:
        size = size or self.batch_size
        for first in range(0, len(ends), size):
            chosen = ends[first : first + size]
            scaled = self._predict(rows, torch.from_numpy(chosen), rounds)[:, :steps]
            scaler = self.fitted.scaler.of(rows.numbers[rows.part_of(chosen)])
            values = scaler.inverse(scaled.double()).numpy()
            if tell is not None:
                tell("forecasting", min(1.0, (first + size) / len(ends)))
            yield chosen, values

    def forward(self, network: Callable[[torch.Tensor], torch.Tensor], batch: Batch) -> torch.Tensor:
        """Scaled forecasts [B, horizon, C] of windows, on the CPU, from `network` or what stands for it."""
        with self._runtime.forward_pass():
            prediction: torch.Tensor = self.task.predict(network, batch.to(self._runtime.device))
        return prediction.float().cpu()

    @torch.no_grad()
    def _predict(self, rows: ReadyRows, ends: torch.Tensor, rounds: int) -> torch.Tensor:
        """Scaled forecasts [B, rounds x horizon, C]."""
        window, horizon, channels = self.fitted.window, self.fitted.horizon, self.fitted.channels
        seen = ends[:, None] + torch.arange(1 - window, 1)
        inputs, found = rows.tensors.inputs(seen, horizon), []
        for _ in range(rounds):
            found.append(self.forward(self.network, Batch(inputs, inputs[:, :0])))
            if len(found) < rounds:
                own = torch.cat((inputs[..., :channels], found[-1]), dim=1)[:, -window:]
                seen = seen + horizon
                inputs = torch.cat((own, *rows.tensors.beside(seen, horizon)), dim=-1)
        return torch.cat(found, dim=1)
