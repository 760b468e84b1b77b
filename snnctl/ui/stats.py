"""The spikes of a run on a terminal: a table with bars and a strip of steps per layer, totals, health, files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from rich.console import Console
from rich.markup import escape

from snnctl.ui.console import show_sentences, table
from snnctl.ui.diagnostics import show_verdicts
from snnctl.ui.report import show_files
from snnctl.ui.words import bar, figure

_BAR = 12
_STRIP = 16
_SHADES = " ▁▂▃▄▅▆▇█"


def show_stats(console: Console, document: Mapping[str, Any]) -> None:
    """Everything that fits."""
    split = f"{document['samples']:,} of {document['samples_of']:,} samples of the {document['split']} split"
    console.print(f"[bold]{escape(document['name'])}[/]  {split if document['layers'] else ''}", soft_wrap=True)
    if document["layers"]:
        _layers(console, document)
        _circuits(console, document["layers"])
        _totals(console, document["totals"], document["classes"])
    show_sentences(console, (), document["notes"])
    show_verdicts(console, document["health"])
    if "tau" in document:
        _taus(console, document["tau"])
    if document["files"]:
        show_files(console, document)


def show_tau_of_several(console: Console, document: Mapping[str, Any]) -> None:
    """Time constants pooled over runs, then run by run."""
    found = document["tau"]
    console.print(f"[bold]{escape(document['name'])}[/]  {len(found['runs'])} runs", soft_wrap=True)
    _taus(console, found)
    show_files(console, document)


def _layers(console: Console, document: Mapping[str, Any]) -> None:
    shown = table("layer", ">channels", ">rate", "", "by step", ">silent", ">of elements", ">saturated")
    for layer in document["layers"]:
        elements = layer["elements"]
        shown.add_row(
            escape(layer["name"]),
            str(layer["channels"]),
            figure(layer["rate"], 3),
            bar(layer["rate"] / layer["levels"], _BAR),
            f"[spike]{strip(layer['rate_by_step'])}[/]",
            _percent(layer["silent_share"], "bad"),
            "-" if elements is None else _percent(elements["silent_share"], "dim"),
            _percent(layer["saturated_share"], "bad"),
        )
    totals = document["totals"]
    silent, saturated = (_percent(totals[name], "bad") for name in ("silent_share", "saturated_share"))
    shown.add_row("[bold]all[/]", "", figure(totals["mean_rate"], 3), "", "", silent, "", saturated)
    console.print(shown)
    console.print(
        "[dim]rate: spikes per neuron and step; by step: each layer on its own scale from 0; "
        "silent, saturated: share of channels; of elements: each place and channel by itself[/]",
        soft_wrap=True,
    )


def _circuits(console: Console, layers: Sequence[Mapping[str, Any]]) -> None:
    """Of layers with autaptic circuits: how far membranes go, and the mean factors."""
    found = [layer for layer in layers if layer["circuits"]]
    if not found:
        return
    console.print()
    names = ("largest_membrane", "mean_beta", "mean_gamma")
    rows = ((escape(layer["name"]), *(figure(layer["circuits"][name]) for name in names)) for layer in found)
    console.print(table("autaptic circuits", ">max |u|", ">mean beta", ">mean gamma", rows=rows))


def strip(values: Sequence[float]) -> str:
    """Values over time as characters, at most 16 of them, scaled to the highest; longer ones are averaged."""
    count = min(len(values), _STRIP)
    edges = [round(i * len(values) / count) for i in range(count + 1)] if count else []
    means = [sum(values[a:b]) / (b - a) for a, b in pairwise(edges)]
    most = max(means, default=0.0)
    return "".join(_SHADES[round(8 * mean / most) if most else 0] for mean in means)


def _percent(value: float | None, style: str) -> str:
    if value is None or value != value:
        return "-"
    return f"[{style}]{value:.0%}[/]" if value >= 0.005 else f"{value:.0%}"


def _totals(console: Console, totals: Mapping[str, Any], sizes: Sequence[int] | None) -> None:
    spikes = totals["spikes_per_sample"]
    if spikes:
        sd = f" ± {figure(spikes['sd'], 3)}" if spikes["samples"] > 1 else ""
        console.print(f"\n{spikes['mean']:,.0f}{sd} spikes per sample, from {spikes['min']:,} to {spikes['max']:,}")
    if totals["spikes_by_class"] and sizes:
        shown = table("class", ">samples", ">spikes per sample", "")
        most = max((v for v in totals["spikes_by_class"] if v is not None and v == v), default=0.0)
        for k, (count, mean) in enumerate(zip(sizes, totals["spikes_by_class"], strict=True)):
            bar = "▇" * round(_BAR * mean / most) if mean is not None and mean == mean and most else ""
            shown.add_row(str(k), f"{count:,}", figure(mean), f"[spike]{bar}[/]")
        console.print(shown)


def _taus(console: Console, found: Mapping[str, Any]) -> None:
    """Stages with their spread and drift, medians of each run, the test."""
    unit, scale = found["unit"], found["dt_ms"] or 1.0
    console.print(f"\n[bold]time constants[/] ({unit})", soft_wrap=True)
    columns = (">neurons", ">median", ">15 %", ">85 %", ">min", ">max", ">before training", ">drift", ">at bounds")
    shown = table("stage", *columns)
    for stage in found["stages"]:
        steps, before, drift = stage["steps"], stage["initial_median_steps"], stage["drift_steps"]
        bounds = [stage["at_low_share"], stage["at_high_share"]]
        shown.add_row(
            f"{stage['number']} {escape(stage['name'])}",
            f"{stage['neurons']:,}",
            *(figure(steps[name] * scale) for name in ("median", "q15", "q85", "min", "max")),
            figure(None if before is None else before * scale),
            "-" if drift is None else f"{drift * scale:+.3g}",
            "-" if None in bounds else f"{sum(bounds):.0%}",
        )
    console.print(shown)
    runs = found["runs"]
    if len(runs) > 1:
        console.print()
        by_run = table(
            "median by run", *(f">stage {stage['number']}" for stage in found["stages"]), ">rank correlation"
        )
        for run in runs:
            medians = (figure(stage["steps"]["median"] * scale) for stage in run["stages"])
            by_run.add_row(f"seed {run['seed']}", *medians, _correlation(run["spearman"]))
        console.print(by_run)
    test = found["test"]
    if test is None:
        console.print("one stage: no order to test")
        return
    how = "exact" if test["exact"] else f"{test['draws']:,} draws"
    few = "  [dim]preliminary: fewer than 10 runs[/]" if found["preliminary"] else ""
    console.print(
        f"{found['hypothesis']}: mean rank correlation {_correlation(test['statistic'])}, strictly in "
        f"{found['rising']} of {len(runs)} runs, p = {test['p']:.2g} "
        f"({how}, one-sided, labels permuted within runs){few}",
        soft_wrap=True,
    )


def _correlation(value: float | None) -> str:
    return "-" if value is None else f"{value:+.3f}"
