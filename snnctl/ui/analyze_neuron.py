"""Gradients against lag on a terminal: a table of neurons, what follows from it, the files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.markup import escape

from snnctl.ui.console import show_sentences, table
from snnctl.ui.report import show_files
from snnctl.ui.words import figure


def show_lags(console: Console, document: Mapping[str, Any]) -> None:
    """Everything that fits."""
    setting, lags = document["setting"], document["lags"]
    seeds = ", ".join(map(str, setting["seeds"]))
    size = f"{setting['channels']} channels, {setting['size']} x {setting['size']}, T={setting['steps']}"
    console.print(f"[bold]gradient against lag[/]  {size}, batch {setting['batch']}, seeds {seeds}\n", soft_wrap=True)
    steps = list(document["neurons"][0]["largest_membrane"])
    head = table("neuron", ">rate", *(f">max |u| t={t}" for t in steps))
    for one in document["neurons"]:
        membranes = [figure(one["largest_membrane"][t]["mean"], 3) for t in steps]
        head.add_row(escape(one["name"]), figure(one["rate"]["mean"], 3), *membranes)
    console.print(head)
    console.print()
    shown = table("mean / median of |dU/dU|", *(f">lag {lag}" for lag in lags))
    for one in document["neurons"]:
        cells = [f"{_short(one, 'mean', lag)} / {_short(one, 'median', lag)}" for lag in lags]
        shown.add_row(escape(one["name"]), *cells)
    console.print(shown)
    console.print()
    seen = table("seen by a loss on spikes", *(f">lag {lag}" for lag in lags))
    for one in document["neurons"]:
        seen.add_row(escape(one["name"]), *(_short(one, "effective", lag) for lag in lags))
    console.print(seen)
    console.print(
        "[dim]dU[T-1] / dU[T-1-lag], over all neurons, means over seeds; seen by a loss: times the surrogate's "
        "derivative at the last membrane[/]\n",
        soft_wrap=True,
    )
    show_sentences(console, document["sentences"], document["notes"])
    show_files(console, document)


def _short(one: Mapping[str, Any], which: str, lag: int) -> str:
    return figure(one[which][str(lag)]["mean"], 2)
