"""A backtest in numbers: the document, long rows as forecasting libraries read them, tables of errors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from snnctl.backtest.measures import DEFINITIONS, in_units, names
from snnctl.backtest.study import NETWORK, Found
from snnctl.data.series.series import Floats
from snnctl.report.page import Cell, Table
from snnctl.report.tables import csv_text
from snnctl.serving.files import rows_of

_BATCH = 512  # windows that are made into rows at once
# Rows that the document holds; all are in the file.
_SHOWN = 5


def long_rows(found: Found) -> Iterator[dict[str, Any]]:
    """`unique_id, ds, cutoff, y`, a column for each model and two for each band; a row a step, column and window."""
    values: dict[str, Floats] = {"y": found.y, **found.forecasts}
    for name, bands in found.bands.items():
        for level, (low, high) in bands.items():
            values |= {f"{name}-lo-{level}": low, f"{name}-hi-{level}": high}
    for first in range(0, len(found.ends), _BATCH):
        part = slice(first, first + _BATCH)
        table = found.labels(part)
        yield {**table, **{name: each[part].transpose(0, 2, 1).ravel() for name, each in values.items()}}


def document(found: Found) -> dict[str, Any]:
    """As `--json` prints it.

    Returns:
        What was forecast (`windows`, `step_size`, `first_cutoff`, ...); `definitions` of the measures; `metrics`:
        `{model: {measure: value}}` over all windows, with `halves` by the first and second half of the cutoffs,
        `by_step` (lists over the horizon), `by_column` and `by_series` (`{unique_id: {model: ...}}`) with values in the
        data's own units (`mae_units`, ...); `omitted` models and why; `forecast`, the first rows of the file.
    """
    scales, sums = found.scales, found.sums
    everything = slice(None)
    ids = found.names
    return {
        **found.head,
        "levels": list(found.levels),
        "season": found.season,
        "definitions": {name: text for name, text in DEFINITIONS.items() if found.levels or name in _WITHOUT_BANDS},
        "models": list(sums),
        "metrics": {name: one.overall(scales) for name, one in sums.items()},
        "halves": {name: one.by_half(scales) for name, one in sums.items()},
        "by_step": {name: one.by_step(scales) for name, one in sums.items()},
        "by_column": {
            column: {name: one.of(scales, everything, slice(at, at + 1)) for name, one in sums.items()}
            for at, column in enumerate(found.fitted.columns)
        },
        "by_series": {
            unique_id: {name: one.of(scales, slice(part, part + 1), slice(at, at + 1)) for name, one in sums.items()}
            for part, columns in enumerate(ids)
            for at, unique_id in enumerate(columns)
            if (found.parts == part).any()
        },
        "omitted": dict(found.omitted),
        "chosen": dict(found.chosen),
        "forecast": first_rows(found),
    }


_WITHOUT_BANDS = ("mae", "rmse", "mase", "smape")


def first_rows(found: Found) -> list[dict[str, Any]]:
    """A few rows, to see what they are like."""
    table = next(long_rows(found))
    return list(rows_of({name: values[:_SHOWN] for name, values in table.items()}))


def tables(found: Found, made: Mapping[str, Any]) -> dict[str, str | bytes]:
    """File name -> CSV text: errors by step, by series and column, by cutoff."""
    measures = names(found.levels)
    units = in_units(found.levels)
    steps = (
        [name, step + 1, *(values[measure][step] for measure in measures)]
        for name, values in made["by_step"].items()
        for step in range(found.fitted.horizon)
    )
    series = (
        [unique_id, name, *(values[measure] for measure in (*measures, *units))]
        for unique_id, models in made["by_series"].items()
        for name, values in models.items()
    )
    return {
        "by_step.csv": csv_text(["model", "step", *measures], steps),
        "by_series.csv": csv_text(["unique_id", "model", *measures, *units], series),
        "by_cutoff.csv": csv_text(["model", "cutoff", *measures], _by_cutoff(found, measures)),
    }


def _by_cutoff(found: Found, measures: list[str]) -> Iterator[list[Any]]:
    stamps = stamp_texts(found, np.unique(found.cutoffs))
    for name, one in found.sums.items():
        values = one.by_cutoff(found.cutoffs, found.parts, found.scales)
        for number, stamp in enumerate(stamps):
            yield [name, stamp, *(values[measure][number] for measure in measures)]


def stamp_texts(found: Found, stamps: Any) -> list[str]:
    """Stamps as the file has them."""
    return [str(one) for one in found.dates(stamps)]


def metrics_table(found: Found, made: Mapping[str, Any]) -> Table:
    """A row per model, the network first."""
    measures = names(found.levels)
    rows: list[list[Cell]] = [
        [name, *(values[measure] for measure in measures)] for name, values in made["metrics"].items()
    ]
    return Table(("model", *measures), rows)


def series_table(found: Found, made: Mapping[str, Any], most: int = 40) -> Table:
    """A row per series and column: the network in both units, and the best of the others."""
    rows: list[list[Cell]] = []
    for unique_id, models in list(made["by_series"].items())[:most]:
        own = models[NETWORK]
        others = {
            name: values["mae"] for name, values in models.items() if name != NETWORK and values["mae"] == values["mae"]
        }
        best = min(others, key=lambda name: others[name]) if others else "–"
        rows.append([unique_id, own["mae"], own["mae_units"], own["rmse_units"], own["mase"], best, others.get(best)])
    head = ("series", "mae", "mae, own units", "rmse, own units", "mase", "best of the others", "its mae")
    return Table(head, rows)


def halves_table(found: Found, made: Mapping[str, Any]) -> Table | None:
    """Coverage whole, and by half of the cutoffs; None where there are no bands."""
    if not found.levels:
        return None
    rows: list[list[Cell]] = []
    for name, (first, second) in made["halves"].items():
        for level in found.levels:
            key = f"coverage-{level}"
            whole = made["metrics"][name][key]
            rows.append([f"{name}, {level} %", whole, first[key], second[key]])
    return Table(("band", "coverage", "first half", "second half"), rows)
