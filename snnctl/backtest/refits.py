"""Trainings before the origins that they forecast: recipes cut at cutoffs, each in a folder of its own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from snnctl.backtest.origins import Origins
from snnctl.core.diagnostic import Diagnostic, DiagnosticError
from snnctl.data.series.dataset import ForecastData
from snnctl.serving.rows import ReadyRows, Rows


@dataclass(frozen=True)
class Refit:
    """One training.

    Args:
        name: of its folder.
        cutoff: the last row that it may see, counted from the first of each series.
        pool: windows of `Origins.pool` that it forecasts.
        sets: what makes a recipe of it, as `--set` takes it.
    """

    name: str
    cutoff: int
    pool: Rows
    sets: tuple[str, ...]


def refits(rows: ReadyRows, data: ForecastData, chosen: Origins, every: int) -> list[Refit]:
    """Trainings on all rows up to a cutoff, train to validation as in the recipe.

    Args:
        data: of the recipe, cut as it says.
        every: before every so many cutoffs; 0 = before the first alone.

    Raises:
        DiagnosticError: U574, the recipe's cut does not allow for it.
    """
    _refuse(rows, data)
    window, horizon = data.window, data.horizon
    firsts = np.array([part.first for part in rows.parts], np.int64)
    cutoffs = np.unique(chosen.ends - firsts[rows.part_of(chosen.ends)])
    begins = cutoffs[:: every or len(cutoffs)]
    pooled = chosen.pool - firsts[rows.part_of(chosen.pool)]
    # Windows before the first cutoff are forecast by what was trained there: they are its validation.
    number = np.maximum(np.searchsorted(begins, pooled, side="right") - 1, 0)
    found = []
    for at, cutoff in enumerate(begins.tolist()):
        last = int(cutoffs[cutoffs < begins[at + 1]][-1]) if at + 1 < len(begins) else int(cutoffs[-1])
        train, val = _shares(data, cutoff + 1)
        if train < window + horizon or val < horizon:
            message = f"the {cutoff + 1:,} rows up to the first cutoffs are too few to train and validate on"
            help = "ask for fewer origins (--n-windows), or a shorter `data.window` or `data.horizon`"
            raise DiagnosticError(Diagnostic("U574", message, help=help))
        split = f"data.split={{train: {train}, val: {val}, test: {last - cutoff + horizon}, by: rows}}"
        own = chosen.pool[number == at]
        if not at:  # nor do errors on what it was trained on tell how wide bands must be
            own = own[own - firsts[rows.part_of(own)] + 1 >= train]
        name = f"cutoff-{cutoff + 1:07d}"
        found.append(Refit(name, cutoff, own, (split, "task.baselines=[]")))
    return found


def _shares(data: ForecastData, rows: int) -> tuple[int, int]:
    """So many rows as train and val, in the proportion of the recipe's own."""
    cut = data.plan.cuts[0]
    train = cut.train.last_row - cut.train.first_row
    both = cut.val.last_row - cut.train.first_row
    own = rows * train // both
    return own, rows - own


def _refuse(rows: ReadyRows, data: ForecastData) -> None:
    reason = ""
    lengths = {part.last - part.first for part in rows.parts}
    if data.plan.shares_rows:
        reason = "the recipe cuts by windows, so that splits share rows and no cutoff divides them"
    elif data.leaks:
        reason = f"what it is trained on looks beyond any cutoff: {'; '.join(data.leaks)}"
    elif len(lengths) > 1:
        reason = f"series differ in length ({min(lengths):,} to {max(lengths):,} rows), and no one cut fits all of them"
    if reason:
        help = "backtest a trained run (snnctl backtest RUN), or change the recipe's data"
        raise DiagnosticError(Diagnostic("U574", reason, help=help))


def how_trained(count: int, every: int) -> str:
    """A sentence on `count` trainings, before every so many cutoffs; 0 = before the first alone."""
    if not every:
        return "The recipe was trained once, on the rows up to the first cutoff."
    before = "each cutoff" if every == 1 else f"every {every} cutoffs"
    return f"The recipe was trained anew before {before}, on all rows up to there: {count} trainings."
