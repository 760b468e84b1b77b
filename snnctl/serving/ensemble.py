"""Several trained forecasters of the same task as one: the mean of what they say, and how far they are apart."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from snnctl.core.diagnostic import Diagnostic, DiagnosticError
from snnctl.data.series.fitted import FittedSeries
from snnctl.data.series.series import Floats
from snnctl.data.series.table import Table
from snnctl.report.saving import Tell
from snnctl.serving.forecaster import Forecast, Forecaster
from snnctl.serving.frames import frame_of, table_of
from snnctl.serving.rows import Rows
from snnctl.serving.windows import Asked

if TYPE_CHECKING:
    import pandas as pd


class Ensemble:
    """The mean of several runs, of the same recipe with other seeds as a rule, in the data's own units.

    Bands of an ensemble are as wide as those of its runs in the mean, since errors of the mean on validation are not
    kept. The mean errs no more than its runs do in the mean, so such bands hold their level more often rather than
    less: a rule of thumb, no promise.

    Args:
        members: at least two, of the same columns, series, step and horizon.
        names: of the runs, for messages.

    Raises:
        DiagnosticError: U523, they differ, or are fewer than two.
    """

    def __init__(self, members: Sequence[Forecaster], names: Sequence[str]) -> None:
        if len(members) < 2:
            raise DiagnosticError(Diagnostic("U523", "an ensemble is of at least two runs"))
        self.members, self.names = tuple(members), tuple(names)
        for member, name in zip(self.members[1:], self.names[1:], strict=True):
            found = _difference(self.members[0].fitted, member.fitted)
            if found is not None:
                what, first, other = found
                raise self._differ(name, f"{what}: {first} in `{self.names[0]}`, {other} in `{name}`")

    @property
    def fitted(self) -> FittedSeries:
        """What the first run remembers of its data."""
        return self.members[0].fitted

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns that are forecast."""
        return self.members[0].columns

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
        """As `Forecaster.predict`: `snnctl` is the mean of the runs.

        Returns:
            The columns of `Forecaster.predict`, and `snnctl-spread`: the standard deviation between the runs (n - 1).

        Raises:
            DiagnosticError: as `Forecaster.predict`; U523, the runs do not forecast from the same rows.
        """
        given = None if frame is None else table_of(frame, self.fitted)
        ahead = None if known is None else table_of(known, self.fitted)
        return frame_of(self.forecast(given, Asked(horizon, last, every, levels=tuple(levels)), ahead))

    def forecast(
        self, given: Path | Table | None, asked: Asked, known: Path | Table | None = None, tell: Tell | None = None
    ) -> Forecast:
        """As `Forecaster.forecast`; each run reads the rows and makes them ready in its own way.

        Raises:
            DiagnosticError: as `predict`.
        """
        size = min(one.batch_size for one in self.members)
        found = [
            one.forecast(given, asked, known, tell if number == 0 else None, size)
            for number, one in enumerate(self.members)
        ]
        first = found[0]
        for name, other in zip(self.names[1:], found[1:], strict=True):
            mine, own = (one.rows.stamps[one.ends] for one in (first, other))
            if not np.array_equal(mine, own) or first.names != other.names:
                message = f"they forecast from other rows: {len(mine):,} windows in `{self.names[0]}`, {len(own):,} in "
                raise self._differ(name, f"{message}`{name}`" if len(mine) != len(own) else "the last rows they see")
        halves = None
        if first.halves is not None:
            halves = np.mean([one.halves for one in found if one.halves is not None], axis=0)

        def runs() -> Iterator[tuple[Rows, Floats]]:
            for batches in zip(*(one.batches() for one in found), strict=True):
                yield batches[0][0], np.stack([values for _, values in batches])

        def batches() -> Iterator[tuple[Rows, Floats]]:
            for ends, each in runs():
                yield ends, each.mean(axis=0)

        return replace(first, batches=batches, halves=halves, runs=runs)

    def _differ(self, name: str, message: str) -> DiagnosticError:
        return DiagnosticError(Diagnostic("U523", f"the runs cannot be averaged: {message}", file=name))


def _difference(first: FittedSeries, other: FittedSeries) -> tuple[str, str, str] | None:
    """What differs first, and what it is in each; None where nothing does that matters."""
    aspects: dict[str, Callable[[FittedSeries], object]] = {
        "columns": lambda one: ", ".join(one.columns),
        "past covariates": lambda one: ", ".join(one.past) or "none",
        "known covariates": lambda one: ", ".join(one.known) or "none",
        "columns of the time": lambda one: ", ".join(one.time) or "none",
        "columns that tell series apart": lambda one: ", ".join(one.id) or "none",
        "series": lambda one: f"{len(one.parts)} ({', '.join(one.parts[:3])}, ...)" if one.parts else "one",
        "step from row to row": lambda one: "not known" if one.step is None else str(one.step),
        "horizon": lambda one: one.horizon,
    }
    for what, of in aspects.items():
        mine, own = of(first), of(other)
        if mine != own or (what == "series" and first.parts != other.parts):
            return what, str(mine), str(own)
    return None
