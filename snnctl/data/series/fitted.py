"""What a trained forecaster has to remember of its data, so that new rows reach it as those of training did."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from snnctl.data.series.arranging import Arrangement
from snnctl.data.series.axis import Rows
from snnctl.data.series.calendar import CALENDAR_FEATURES
from snnctl.data.series.dataset import ForecastShape
from snnctl.data.series.missing import Missing
from snnctl.data.series.roles import Wanted
from snnctl.data.series.scaling import FittedScaler
from snnctl.data.series.series import Floats, ReadOptions, Series
from snnctl.data.series.steps import Step
from snnctl.data.series.window_norm import WindowNorm
from snnctl.data.series.windows import WindowPlan

SCHEMA = 1
_EPOCHS = {"seconds": "s", "milliseconds": "ms", "microseconds": "us", "nanoseconds": "ns"}


@dataclass(frozen=True, kw_only=True, eq=False)
class FittedSeries(ForecastShape):
    """How a series was read, scaled, filled and cut; see `ForecastShape` for the rest.

    Args:
        source: what was read for training.
        parts: names of the series of a panel, in the order of the scaler's rows; empty where it is one series.
        id, time: columns that tell series apart, and that stamps stand in; empty where there are none.
        format: of the stamps, as training settled it; None = any.
        step: from one row to the next; None where that is not known.
        clock: which one the stamps are of, in words.
        rules: what is done about rows that do not follow each other.
        options: how a file is read.
        missing: what an input shows in place of a missing value.
        window_norm: taken off each window and put back on the forecast.
        scaler: of the targets, with a row for each series where those are scaled apart.
        past_scaler, known_scaler: of the covariates; None where there are none.
        fallback: [C + P] scaled, or [S, C + P]: what stands before a column's first observed value.
        known_fallback: the same of known covariates, [K] or [S, K]; None where there are none.
        low, high: [C + P + K] in the data's own units, or [S, C + P + K]: the range of the train rows.
    """

    source: str
    parts: tuple[str, ...]
    id: tuple[str, ...]
    time: tuple[str, ...]
    format: str | None
    step: Step | None
    clock: str
    rules: Rows
    options: ReadOptions
    missing: Missing
    window_norm: WindowNorm
    scaler: FittedScaler
    past_scaler: FittedScaler | None
    known_scaler: FittedScaler | None
    fallback: Floats
    known_fallback: Floats | None
    low: Floats
    high: Floats

    @property
    def apart(self) -> bool:
        """Whether each series has a scaler of its own."""
        return self.scaler.shift.ndim == 2

    @property
    def names(self) -> tuple[str, ...]:
        """Of all columns that are read as values: targets, past and known covariates."""
        return self.columns + self.past + self.known

    def wanted(self, targets: tuple[str, ...], past: tuple[str, ...], known: tuple[str, ...]) -> Arrangement:
        """How a table of these columns is arranged as that of training was."""
        wanted = Wanted(self.time or None, self.format, self.id, targets, past, known)
        return Arrangement(wanted, self.rules, self.step)

    def reading(self, names: tuple[str, ...]) -> ReadOptions:
        """How a file is read of which these columns are used."""
        return ReadOptions(**{**_options(self.options), "only": frozenset({*names, *self.id, *self.time})})

    def number_of(self, name: str) -> int:
        """Which row of the scaler is that of a series."""
        return self._numbers[name] if self.apart else 0

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {name: number for number, name in enumerate(self.parts)}

    def to_json(self) -> dict[str, Any]:
        """Plain values, from which `of_json` makes the same again."""
        return {
            "schema": SCHEMA,
            "kind": "forecasting",
            "source": self.source,
            "columns": list(self.columns),
            "past": list(self.past),
            "known": list(self.known),
            "time": list(self.time),
            "id": list(self.id),
            "series": list(self.parts),
            "format": self.format,
            "step": None if self.step is None else asdict(self.step),
            "clock": self.clock,
            "rows": asdict(self.rules),
            "read": _plain_options(self.options),
            "window": self.window,
            "horizon": self.horizon,
            "season": self.season,
            "calendar": self.calendar_features > 0,
            "missing": self.missing,
            "window_norm": self.window_norm.kind,
            "trained_on_rows": self.rows,
            "scaler": _scaler(self.scaler),
            "past_scaler": _scaler(self.past_scaler),
            "known_scaler": _scaler(self.known_scaler),
            "fallback": self.fallback.tolist(),
            "known_fallback": None if self.known_fallback is None else self.known_fallback.tolist(),
            "range": {"low": self.low.tolist(), "high": self.high.tolist()},
        }

    @classmethod
    def of_json(cls, values: Mapping[str, Any]) -> FittedSeries:
        """From what `to_json` gave.

        Raises:
            KeyError, TypeError, ValueError: it is something else, or of another schema.
        """
        if values["schema"] != SCHEMA or values["kind"] != "forecasting":
            raise ValueError(f"schema {values['schema']} of {values['kind']}; this is {SCHEMA} of forecasting")
        columns = tuple(values["columns"])
        only = values["read"]["only"]
        found = cls(
            rows=int(values["trained_on_rows"]),
            columns=columns,
            past=tuple(values["past"]),
            known=tuple(values["known"]),
            calendar_features=CALENDAR_FEATURES if values["calendar"] else 0,
            window=int(values["window"]),
            horizon=int(values["horizon"]),
            season=values["season"],
            source=values["source"],
            parts=tuple(values["series"]),
            id=tuple(values["id"]),
            time=tuple(values["time"]),
            format=values["format"],
            step=None if values["step"] is None else Step(**values["step"]),
            clock=values["clock"],
            rules=Rows(**values["rows"]),
            options=ReadOptions(
                **{
                    **values["read"],
                    "missing_marks": tuple(values["read"]["missing_marks"]),
                    "only": None if only is None else frozenset(only),
                }
            ),
            missing=values["missing"],
            window_norm=WindowNorm(values["window_norm"], len(columns)),
            scaler=FittedScaler(**_arrays(values["scaler"])),
            past_scaler=_of_scaler(values["past_scaler"]),
            known_scaler=_of_scaler(values["known_scaler"]),
            fallback=_floats(values["fallback"]),
            known_fallback=None if values["known_fallback"] is None else _floats(values["known_fallback"]),
            low=_floats(values["range"]["low"]),
            high=_floats(values["range"]["high"]),
        )
        found._check()
        return found

    def _check(self) -> None:
        """ValueError where arrays do not fit the columns, or what is to be text is none."""
        texts = (
            self.source,
            self.clock,
            "" if self.format is None else self.format,
            *self.names,
            *self.id,
            *self.time,
            *self.parts,
        )
        if not all(isinstance(text, str) for text in texts):
            raise ValueError("names, source, format or clock are no text")
        if self.calendar_features and not self.time:
            raise ValueError("a calendar without a time")
        rows = (len(self.parts),) if self.apart else ()
        sizes = {
            "scaler": (self.scaler.shift, self.channels),
            "scale": (self.scaler.scale, self.channels),
            "fallback": (self.fallback, self.channels + len(self.past)),
            "known_fallback": (
                np.zeros((*rows, 0)) if self.known_fallback is None else self.known_fallback,
                len(self.known),
            ),
            "low": (self.low, len(self.names)),
            "high": (self.high, len(self.names)),
        }
        for scaler, names in ((self.past_scaler, self.past), (self.known_scaler, self.known)):
            if (scaler is None) != (not names):
                raise ValueError("covariates without a scaler, or a scaler without covariates")
            # One for all series: covariates say the same everywhere, prices and holidays.
            if scaler is not None and scaler.shift.shape != (len(names),):
                raise ValueError(f"the scaler of {', '.join(names)} is of shape {list(scaler.shift.shape)}")
        for name, (array, columns) in sizes.items():
            if array.shape != (*rows, columns):
                raise ValueError(f"{name} is of shape {list(array.shape)}, not {[*rows, columns]}")


def reading_of(read_as: str, format: str | None) -> str | None:
    """The format under which stamps that were read so once are read so again, also where fewer of them are given.

    `03/04/2020` alone may be of March or of April: a table that settled it for training settles it for new rows.
    """
    if format is not None:
        return format
    for words, order in (("day first", "day_first"), ("month first", "month_first")):
        if read_as.startswith(words):
            return order
    unit = read_as.removesuffix(" since 1970")
    return _EPOCHS.get(unit) if unit != read_as else None


def ranges(series: Series, marked: Floats, plan: WindowPlan, *, apart: bool) -> tuple[Floats, Floats]:
    """The lowest and the highest value of each column in the train rows, [C + P + K], or a row for each series.

    Args:
        marked: [N, C] the targets; NaN where none was observed.
    """
    whole = np.concatenate([each for each in (marked, series.past, series.known) if each is not None], axis=1)
    if not apart:
        train = whole[plan.rows("train")]
        return np.fmin.reduce(train), np.fmax.reduce(train)
    own: list[npt.NDArray[np.float64]] = [
        whole[part.first + cut.train.first_row : part.first + cut.train.last_row]
        for part, cut in zip(plan.parts, plan.cuts, strict=True)
    ]
    return np.stack([np.fmin.reduce(each) for each in own]), np.stack([np.fmax.reduce(each) for each in own])


def _options(options: ReadOptions) -> dict[str, Any]:
    return {name: getattr(options, name) for name in options.__dataclass_fields__}


def _plain_options(options: ReadOptions) -> dict[str, Any]:
    only = None if options.only is None else sorted(options.only)
    return {**_options(options), "missing_marks": list(options.missing_marks), "only": only}


def _scaler(scaler: FittedScaler | None) -> dict[str, Any] | None:
    if scaler is None:
        return None
    return {"kind": scaler.kind, "shift": scaler.shift.tolist(), "scale": scaler.scale.tolist()}


def _of_scaler(values: Mapping[str, Any] | None) -> FittedScaler | None:
    return None if values is None else FittedScaler(**_arrays(values))


def _arrays(scaler: Mapping[str, Any]) -> dict[str, Any]:
    return {"kind": scaler["kind"], "shift": _floats(scaler["shift"]), "scale": _floats(scaler["scale"])}


def _floats(values: Any) -> Floats:
    return np.array(values, dtype=np.float64)
