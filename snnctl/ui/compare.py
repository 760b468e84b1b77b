"""A comparison on a terminal: groups with the baselines below them, paired differences, files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from rich.console import Console
from rich.markup import escape

from snnctl.core.better import ENERGY, better_direction
from snnctl.ui.console import show_sentences, table
from snnctl.ui.report import show_files
from snnctl.ui.words import duration, figure, joules


def show_comparison(console: Console, document: Mapping[str, Any]) -> None:
    """A table of groups and one of differences for each metric."""
    if any(group["label"] != group["name"] for group in document["groups"]):
        titles = ", ".join(key.removesuffix(".type") for key in document["keys"])
        usual = f"; unless named {document['unless_named']}" if document["unless_named"] else ""
        console.print(f"groups differ in {escape(titles + usual)}", soft_wrap=True)
    for metric in document["metrics"]:
        _groups(console, document, metric)
        _pairs(console, document, metric)
    show_sentences(console, (), document["notes"])
    show_files(console, document)


def _groups(console: Console, document: Mapping[str, Any], metric: str) -> None:
    console.print(f"[bold]{escape(metric)}[/]", soft_wrap=True)
    columns = (">seeds", ">mean ± sd", ">median", ">min", ">max", ">rate", ">parameters", ">training")
    shown = table("group", *columns)
    best = _best(document, metric)
    for group in document["groups"]:
        spread = group["metrics"].get(metric)
        name = escape(group["label"]) + (" [dim](reference)[/]" * _is_reference(document, group))
        facts = (figure(group["mean_rate"], 3), f"{group['parameters']:,}", duration(group["training_seconds"]))
        shown.add_row(name, *_cells(metric, spread, good=bool(spread) and spread["mean"] == best), *facts)
        skip = (group["skip_alone"] or {}).get(metric)
        if skip:
            shown.add_row("[dim]  its linear skip alone[/]", *_cells(metric, skip))
    for name, scores in document["baselines"].items():
        if metric in scores:
            shown.add_row(f"[dim]baseline[/] {escape(name)}", *_cells(metric, scores[metric]))
    console.print(shown)


def _is_reference(document: Mapping[str, Any], group: Mapping[str, Any]) -> bool:
    return len(document["groups"]) > 1 and group["name"] in document["references"]


def _best(document: Mapping[str, Any], metric: str) -> float | None:
    """The best mean of the groups, where there are several and it is known which way is better."""
    means = [group["metrics"][metric]["mean"] for group in document["groups"] if metric in group["metrics"]]
    direction = better_direction(metric)
    if len(means) < 2 or direction is None:
        return None
    return float(min(means) if direction == "min" else max(means))


def _cells(metric: str, spread: Mapping[str, Any] | None, *, good: bool = False) -> list[str]:
    if not spread:
        return ["0", "-", "-", "-", "-"]
    number = _number_of(metric)
    mean = number(spread["mean"]) + (f" ± {number(spread['sd'], 2)}" if spread["sd"] else "")
    return [
        str(spread["n"]),
        f"[good]{mean}[/]" if good else mean,
        *(number(spread[name]) for name in ("median", "min", "max")),
    ]


def _number_of(metric: str) -> Callable[..., str]:
    return joules if metric.startswith(f"{ENERGY}/") else figure


def _signed(metric: str) -> Callable[[float], str]:
    if metric.startswith(f"{ENERGY}/"):
        return lambda value: "+" * (value >= 0) + joules(value, 3)
    return lambda value: f"{value:+.3g}"


def _pairs(console: Console, document: Mapping[str, Any], metric: str) -> None:
    pairs = [pair for pair in document["pairs"] if pair["metric"] == metric]
    if not pairs:
        return
    several = "each with its own group of " if len(document["references"]) > 1 else "with "
    console.print(f"\npaired seed by seed, {several}[bold]{escape(document['against'])}[/]", soft_wrap=True)
    labels = {group["name"]: group["label"] for group in document["groups"]}
    shown = table("group", ">pairs", ">difference", "95 % interval", ">better", ">sign p", "")
    for pair in pairs:
        number = _signed(metric)
        interval = "-" if pair["ci95"] is None else " to ".join(map(number, pair["ci95"]))
        ties = f" ({pair['ties']} equal)" if pair["ties"] else ""
        shown.add_row(
            escape(labels[pair["group"]]),
            str(pair["pairs"]),
            number(pair["mean"]),
            interval,
            "-" if pair["better"] is None else f"{pair['better']}{ties}",
            figure(pair["sign_p"], 2),
            "[dim]preliminary[/]" if pair["preliminary"] else "",
        )
    console.print(shown)
    console.print()
