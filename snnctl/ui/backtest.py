"""A backtest on a terminal: every model's errors, how bands cover, what was left out, where the files are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.markup import escape

from snnctl.ui.console import show_sentences, table
from snnctl.ui.report import show_files
from snnctl.ui.words import figure, percent

_MOST_SERIES = 12
_NETWORK = "snnctl"


def show_backtest(console: Console, document: Mapping[str, Any]) -> None:
    """Tables, sentences, files."""
    steps = f"{document['horizon']} step" + "s" * (document["horizon"] > 1)
    apart = f"{document['step_size']} row" + "s" * (document["step_size"] > 1)
    console.print(
        f"[bold]backtest[/] {escape(document['name'])}: {document['windows']:,} windows, {apart} apart, {steps} ahead; "
        f"cutoffs {escape(document['first_cutoff'])} to {escape(document['last_cutoff'])}",
        soft_wrap=True,
    )
    console.print(f"[dim]{escape(document['how'])}[/]", soft_wrap=True)
    _models(console, document)
    _series(console, document)
    season = document["season"]
    words = [f"mae, rmse, winkler_score in scaled units; season of MASE: {season}" + " (none)" * (season == 1)]
    left_out = [f"{name} is left out: {reason}" for name, reason in document["omitted"].items()]
    show_sentences(console, [], [*words, *document["notes"], *left_out])
    console.print(f"[key]forecasts[/] {escape(document['forecasts'])}", soft_wrap=True)
    show_files(console, document)


def _models(console: Console, document: Mapping[str, Any]) -> None:
    names = ["mae", "rmse", "mase", "smape", *(["scaled_crps"] if document["levels"] else [])]
    bands = [f"coverage {level} % (halves)" for level in document["levels"]]
    shown = table("model", *(f">{name}" for name in names), *(f">{name}" for name in bands))
    for model, values in document["metrics"].items():
        first, second = document["halves"][model]
        cells = [figure(values[name]) for name in names]
        for level in document["levels"]:
            key = f"coverage-{level}"
            halves = f"({percent(first[key], 1)}, {percent(second[key], 1)})"
            cells.append(f"{percent(values[key], 1)} [dim]{halves}[/]" if values[key] == values[key] else "-")
        style = "bold" if model == _NETWORK else ""
        shown.add_row(f"[key]{escape(model)}[/]", *cells, style=style)
    console.print(shown)


def _series(console: Console, document: Mapping[str, Any]) -> None:
    """The network's errors in the data's own units, beside the best of the others."""
    shown = table("series", ">mae, own units", ">rmse, own units", ">mase", "best of the others", ">its mae")
    for unique_id, models in list(document["by_series"].items())[:_MOST_SERIES]:
        own = models[_NETWORK]
        others = {
            name: values["mae_units"]
            for name, values in models.items()
            if name != _NETWORK and values["mae_units"] == values["mae_units"]
        }
        best = min(others, key=lambda name: others[name]) if others else ""
        numbers = (figure(own["mae_units"]), figure(own["rmse_units"]), figure(own["mase"]))
        shown.add_row(escape(unique_id), *numbers, escape(best or "-"), figure(others.get(best)))
    console.print(shown)
    more = len(document["by_series"]) - _MOST_SERIES
    if more > 0:
        console.print(f"[dim]and {more:,} more series in by_series.csv[/]")


def show_interrupted(console: Console, document: Mapping[str, Any]) -> None:
    """How far it came."""
    done, of = document["refits_done"], document["refits"]
    console.print(f"interrupted: {done} of {of} trainings are done and kept in {escape(document['out'])}/refits")
    console.print("[dim]the same command goes on[/]")
