"""The energy estimate on a terminal: totals beside the twins, where it goes, what was decided, what it means."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.markup import escape

from snnctl.ui.console import table
from snnctl.ui.report import show_files
from snnctl.ui.words import bar, figure, joules

_BAR = 24
_MOST_LAYERS = 18


def show_energy(console: Console, document: Mapping[str, Any]) -> None:
    """The whole estimate."""
    head = (
        f"[bold]{escape(document['name'])}[/]  energy per sample, mean of {document['samples']:,} of"
        f" {document['of']:,} {document['split']} samples, T={document['steps']}"
    )
    console.print(head, soft_wrap=True)
    _totals(console, document)
    name, cost = next(iter(document["costs"].items()))
    console.print(f"\n[bold]by layer[/], {escape(name)}, rule {cost['rule']}", soft_wrap=True)
    _layers(console, document, cost)
    _operations(console, document)
    if document["verdicts"]:
        console.print("\n[bold]what that means[/]")
        for verdict in document["verdicts"]:
            mark = {True: "[good]+[/]", False: "[bad]-[/]", None: " "}[verdict["wins"]]
            console.print(f"{mark} {escape(verdict['sentence'])}  [dim]{escape(verdict['source'])}[/]", soft_wrap=True)
    _policies(console, document)
    show_files(console, document)


def _totals(console: Console, document: Mapping[str, Any]) -> None:
    shown = table("costs", "rule", ">this network", ">± std. error", ">non-spiking twin", ">ratio", ">quantised twin")
    for name, cost in document["costs"].items():
        twin = cost["ann_twin_joules"]
        ratio = cost["ratio"]
        better = "good" if ratio is not None and ratio < 1 else "bad"
        lower = "" if cost["complete"] else " *"
        shown.add_row(
            f"[key]{escape(name)}[/]",
            cost["rule"],
            f"[bold]{joules(cost['snn_joules'])}[/]{lower}",
            joules(cost["snn_standard_error"], 2),
            joules(twin),
            "-" if ratio is None else f"[{better}]{ratio:.3g}[/]",
            joules(cost["quantised_twin_joules"]),
        )
    console.print(shown)
    if any(not cost["complete"] for cost in document["costs"].values()):
        console.print("[dim]* some operations have no price in this table and are left out: see below[/]")
    console.print("[dim]absolute figures of different tables are not comparable; the ratio is to the twin's[/]")
    both = document["quantised"]
    if both is not None:
        better = "good" if both["ratio"] < 1 else "bad"
        console.print(
            f"under {both['costs']}, which prices by width: spiking {joules(both['snn_joules'])}, quantised twin"
            f" ({both['bits']}-bit activations, dense) {joules(both['twin_joules'])}, ratio"
            f" [{better}]{both['ratio']:.3g}[/]",
            soft_wrap=True,
        )
    several = {name: cost["rules"] for name, cost in document["costs"].items() if len(set(cost["rules"].values())) > 3}
    if any(row["bits"] > 1 and row["source"] == "spike" for row in document["rows"]) and several:
        console.print("\n[bold]spikes of several levels, by rule[/]")
        names = list(next(iter(several.values())))
        rows = (
            (f"[key]{escape(name)}[/]", *(joules(found[rule]) for rule in names)) for name, found in several.items()
        )
        console.print(table("costs", *[f">{name}" for name in names], rows=rows))


def _layers(console: Console, document: Mapping[str, Any], cost: Mapping[str, Any]) -> None:
    layers: Mapping[str, float] = cost["layers"]
    total = sum(layers.values()) or 1.0
    ranked = sorted(layers, key=lambda name: -layers[name])[:_MOST_LAYERS]
    most = max(layers.values(), default=0.0) or 1.0
    rows = (
        (escape(layer), joules(own), f"{own / total:.1%}", bar(own / most, _BAR))
        for layer, own in layers.items()
        if layer in ranked
    )
    console.print(table("layer", ">energy", ">share", "", rows=rows))
    if len(layers) > len(ranked):
        console.print(f"[dim]and {len(layers) - len(ranked)} cheaper ones; energy.csv has all[/]")
    terms = ", ".join(f"{name} {value / total:.1%}" for name, value in cost["terms"].items())
    console.print(f"[dim]by kind: {terms}[/]", soft_wrap=True)


def _operations(console: Console, document: Mapping[str, Any]) -> None:
    found = document["operations"]
    console.print(
        f"\nper sample {figure(found['macs'])} MACs and {figure(found['acs'])} ACs (rule {found['rule']}) of"
        f" {figure(found['dense_macs'])} dense; {figure(found['neuron_updates'])} neuron updates, firing rate"
        f" {document['firing_rate']:.2%}, {document['spikes_per_synapse']:.3g} spikes per synapse",
        soft_wrap=True,
    )
    console.print(f"coverage {document['coverage']:.2%} of computed numbers", soft_wrap=True)
    for item in document["uncounted"]:
        console.print(f"  [bad]not counted[/] {item['op']} in {escape(item['layer'])}: {item['elements']:,.0f} numbers")


def _policies(console: Console, document: Mapping[str, Any]) -> None:
    console.print("\n[bold]decided[/]")
    said: set[str] = set()
    for name, cost in document["costs"].items():
        for sentence in cost["policies"]:
            if sentence not in said:
                said.add(sentence)
                mark = "" if len(document["costs"]) == 1 else f"[dim]{escape(name)}:[/] "
                console.print(f"  {mark}{escape(sentence)}", soft_wrap=True)
        left: dict[tuple[str, str], float] = {}
        for item in cost["uncharged"]:
            key = (item["what"], item["reason"])
            left[key] = left.get(key, 0.0) + item["amount"]
        for (what, reason), amount in left.items():
            console.print(f"  [dim]{escape(name)}:[/] not charged: {amount:,.0f} {escape(what)}: {escape(reason)}")
    console.print(f"  Twin: {escape(document['twin'])}.", soft_wrap=True)


def show_tables(console: Console, document: Mapping[str, Any]) -> None:
    """The shipped cost tables."""
    rows = ((f"[key]{row['name']}[/]", row["rule"], escape(row["summary"])) for row in document["tables"])
    console.print(table("costs", "rule", "what it is", rows=rows))
    console.print("\n[dim]snnctl energy --show-costs NAME prints one with its sources; edit a copy, pass its path[/]")
