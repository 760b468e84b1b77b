"""A trained forecaster on rows that come one by one: each is answered at once, as `predict --all` answers it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from snnctl.core.diagnostic import Diagnostic, DiagnosticError
from snnctl.data.base import Batch
from snnctl.data.series.arriving import ArrivingSeries
from snnctl.data.series.fitted import FittedSeries
from snnctl.data.series.missing import LARGEST
from snnctl.data.series.one_row import Row, RowReader, refused
from snnctl.data.series.series import Floats
from snnctl.data.series.stamps import NO_ZONE, Stamps
from snnctl.engine.sliding import why_not
from snnctl.serving.stream.carrying import Carrying, agree
from snnctl.serving.stream.clock import StreamClock
from snnctl.serving.stream.latency import Latency

if TYPE_CHECKING:
    from snnctl.serving.forecaster import Forecaster

# Windows under way are carried for so many series as fit into so many bytes; those that come later are run whole.
MOST_BYTES = 2**30
# Further beyond the range of training than so many times its width, a value is of other units.
_BEYOND = 1.0


@dataclass
class _One:
    """One series of the stream."""

    number: int
    rows: ArrivingSeries
    clock: StreamClock
    carrying: Carrying | None
    names: list[str] = field(default_factory=list)


class Stream:
    """Takes rows one by one and answers each; made by `Forecaster.stream`.

    Of a recurrent network all windows under way are held at once, and a row takes each of them on. Others, and those
    whose first answer comes out otherwise so, are called on the whole window. The answers are the same either way.

    Args:
        forecaster: the trained network, and what it remembers of its data.
        whole: call the network on whole windows in any case: to compare.

    Attributes:
        why_whole: why it is called on whole windows, in words; "" where it is not.
        latency: of the rows that were pushed for an answer.
        rows, answers, inserted: how many have come, were answered, and were put in for missing ones.

    Raises:
        DiagnosticError: U560, the network sees covariates ahead of a row, which no row brings.
    """

    def __init__(self, forecaster: Forecaster, *, whole: bool = False) -> None:
        self.fitted: FittedSeries = forecaster.fitted
        if self.fitted.known:
            raise DiagnosticError(Diagnostic("U560", facts={"names": ", ".join(self.fitted.known)}))
        self._forecaster = forecaster
        self._reader = RowReader(self.fitted)
        self._series: dict[str, _One] = {}
        self._told: set[str] = set()
        self._checked, self._bytes = False, 0
        self.why_whole = "asked for" if whole else self._why_whole()
        self.latency = Latency()
        self.rows = self.answers = self.inserted = 0

    def _why_whole(self) -> str:
        if self.fitted.window_norm.kind != "none":  # of each window, so each row changes in all windows under way
            return f"each window is normed by its own rows (`window_norm: {self.fitted.window_norm.kind}`)"
        return why_not(self._forecaster.network, self.fitted.window)

    @property
    def series(self) -> list[str]:
        """Those that rows came of; [""] where there is one alone."""
        return [*self._series]

    def lacking(self, series: str = "") -> int:
        """How many rows a series lacks for its first answer."""
        one = self._series.get(series)
        return self.fitted.window if one is None else one.rows.lacking

    def push(self, row: Mapping[str, Any], *, answer: bool = True) -> list[dict[str, Any]] | None:
        """Take a row, and say what follows it.

        Args:
            row: a value for each column of training, by name; text as in a file, or numbers. None, "" and NaN are
                missing values. Columns that training did not use may stand beside them.
            answer: whether an answer is wanted; without one the network does not run.

        Returns:
            What `Forecaster.predict` says with `every`: a row for each column and step ahead, `unique_id`, `ds`,
            `cutoff` and `snnctl`; stamps are ISO 8601 text. None while there are too few rows for a window.

        Raises:
            DiagnosticError: the row cannot be used, and has changed nothing: D320, D245 or D249, D293 a series that
                training did not know.
        """
        began = time.perf_counter()
        read = self._reader.read(row)
        one, new = self._one(read)
        scaled = one.rows.scaled(read.values)
        if (np.abs(scaled) > LARGEST).any():
            raise refused("a value is beyond float32 after scaling", "leave it empty where it is not known")
        gap = one.clock.gap(read.stamps)
        if new:
            self._series[read.series] = one
        self._tell_far(read, one)
        self._take(one, scaled, read.stamps, gap)
        self.rows += 1
        if not answer:
            return None
        found = self._answer(one)
        if found is not None:
            self.answers += 1
            self.latency.add(time.perf_counter() - began)
        return found

    def _one(self, row: Row) -> tuple[_One, bool]:
        """The series of a row, and whether it is new."""
        known = self._series.get(row.series)
        if known is not None:
            return known, False
        fitted = self.fitted
        if fitted.parts and row.series not in fitted.parts:
            if fitted.apart or len(fitted.parts) == 1:
                message = f"series `{row.series}` is not in training, so there is no scaler for it"
                help = "leave its rows out, or train with `data.scaler_by: all`"
                raise DiagnosticError(Diagnostic("D293", message, help=help))
            self._tell("D293", f"series `{row.series}` is not in training, and scaled as all are")
        if row.stamps is not None and (row.stamps.clock == NO_ZONE) != (fitted.clock == NO_ZONE):
            self._tell("D296", f"the clock of the stamps is {row.stamps.clock}; in training it was {fitted.clock}")
        number = fitted.number_of(row.series)
        carrying = None if self.why_whole else Carrying(self._forecaster.network, fitted.window)
        if carrying is not None and self._bytes * (len(self._series) + 1) > MOST_BYTES:
            carrying = None
            self._tell("U561", f"more than {len(self._series):,} series at once are called on whole windows: memory")
        one = _One(number, ArrivingSeries(fitted, number), StreamClock(fitted), carrying)
        one.names = self._names(row.series)
        return one, True

    def _names(self, series: str) -> list[str]:
        """`unique_id` of each column, as of `Forecast`."""
        columns = self.fitted.columns
        if not series and not self.fitted.parts:
            return [*columns]
        return [series] if len(columns) == 1 else [f"{series}/{column}" for column in columns]

    def _take(self, one: _One, scaled: Floats, stamps: Stamps | None, gap: int) -> None:
        rows = one.rows
        self.inserted += 0 if self.fitted.rules.missing == "cut" else gap
        if gap and self.fitted.rules.missing == "cut":
            rows.cut()
            gap = 0
            if one.carrying is not None:
                one.carrying.restart()
        elif gap:
            shown = min(gap, self.fitted.window)
            rows.skip(gap - shown)
            nothing = np.full(len(scaled), np.nan)
            for stamp in one.clock.between(gap)[-shown:].tolist():
                rows.push(nothing, stamp)
        changed = rows.push(scaled, one.clock.take(stamps, gap))
        if one.carrying is not None:
            one.carrying.at(rows.rows - 1, changed, rows.open_since())

    def _answer(self, one: _One) -> list[dict[str, Any]] | None:
        inputs = torch.from_numpy(one.rows.window().astype(np.float32))[None]
        if not one.rows.full:
            if one.carrying is not None:  # so that the first window does not come all at once
                self._predict(one.carrying, inputs)
            return None
        scaled = self._scaled(one, inputs)
        scaler = self.fitted.scaler.of(np.array([one.number]))
        values = scaler.inverse(scaled.double())[0].numpy()
        cutoff, *ahead = one.clock.ahead()
        return [
            {"unique_id": name, "ds": ds, "cutoff": cutoff, "snnctl": value}
            for column, name in enumerate(one.names)
            for ds, value in zip(ahead, values[:, column].tolist(), strict=True)
        ]

    def _scaled(self, one: _One, inputs: Tensor) -> Tensor:
        """Scaled forecast [1, H, C] of the window [1, L, F]."""
        if one.carrying is None:
            return self._predict(self._forecaster.network, inputs)
        found = self._predict(one.carrying, inputs)
        if not self._checked:
            # What a network says of itself is tried once on what it is given: a plug-in may be mistaken.
            self._checked, self._bytes = True, one.carrying.size()
            whole = self._predict(self._forecaster.network, inputs)
            if not agree(found, whole):
                self.why_whole = "carried from row to row, its first answer came out otherwise"
                for each in self._series.values():
                    each.carrying = None
                self._tell("U561", f"the network is called on whole windows: {self.why_whole}")
                return whole
        return found

    @torch.no_grad()
    def _predict(self, network: Any, inputs: Tensor) -> Tensor:
        return self._forecaster.forward(network, Batch(inputs, inputs[:, :0]))

    def _tell_far(self, row: Row, one: _One) -> None:
        """D294, once for each column: values that lie further outside the range of training than that is wide."""
        fitted, count = self.fitted, len(row.values)
        low, high = (each[one.number] if fitted.apart else each for each in (fitted.low, fitted.high))
        low, high = low[:count], high[:count]
        width = np.where(high > low, high - low, np.maximum(np.abs(high), 1.0))
        outside = (row.values < low - _BEYOND * width) | (row.values > high + _BEYOND * width)
        for place in np.flatnonzero(outside).tolist():
            name = self._reader.names[place]
            message = f"`{name}` is {row.values[place]:g}; in training it was {low[place]:g} to {high[place]:g}"
            self._tell("D294", message, about=name)

    def _tell(self, code: str, message: str, about: str = "") -> None:
        """Warn, of each thing once: a stream may be endless."""
        if code + about not in self._told:
            self._told.add(code + about)
            self._forecaster.warn([Diagnostic(code, message, severity="warning", file="the stream")])
