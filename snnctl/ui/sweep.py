"""A sweep on a terminal: what would run, and what has come of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.markup import escape

from snnctl.ui.console import table
from snnctl.ui.diagnostics import show_data_warnings
from snnctl.ui.report import show_files
from snnctl.ui.words import duration, figure, spread

_SHOWN = 30  # points; the document holds all
_SKIP = "skip_alone"  # stands among the baselines of a run, and is the network's own


def show_plan(console: Console, document: Mapping[str, Any]) -> None:
    """Points with what each would take, alone on this machine."""
    points = (
        (escape(row["name"]), f"{row['parameters']:,}", str(row["epochs"]), duration(row["seconds"]))
        for row in document["points"]
    )
    console.print(table("point", ">parameters", ">epochs", ">training", rows=points))
    runs = f"{document['runs']} run{'s' * (document['runs'] != 1)}"
    console.print(
        f"{runs}, {duration(document['seconds'])} of training one after the other on all threads; nothing was written",
        soft_wrap=True,
    )


def show_sweep(console: Console, document: Mapping[str, Any], again: str) -> None:
    """Points, best on validation first; what went wrong; where everything lies."""
    watched, headline = document["watched"], document["headline"] or ""
    columns = [key for point in document["points"][:1] for key in point["changes"]] * (document["kind"] == "search")
    shown = table("point", *columns, ">seeds", f">{watched}", f">{headline}", ">rate", ">parameters", ">training")
    for point in document["points"][:_SHOWN]:
        best = point["name"] == document["best"]
        shown.add_row(
            f"[good]{escape(point['name'])}[/]" if best else escape(point["name"]),
            *(escape(str(point["changes"].get(key, ""))) for key in columns),
            str(len(point["runs"])) if point["status"] == "done" else point["status"].replace("_", " "),
            *(spread(point["metrics"].get(name)) for name in (watched, headline)),
            figure(point["mean_rate"], 3) if point["mean_rate"] is not None else "",
            f"{point['parameters']:,}" if point["parameters"] else "",
            duration(point["training_seconds"]) if point["training_seconds"] is not None else "",
        )
    for name, scores in document["baselines"].items():
        value = scores.get(headline.partition("/")[2])
        if value is not None:
            title = "[dim]the best one's linear skip alone[/]" if name == _SKIP else f"[dim]baseline[/] {escape(name)}"
            shown.add_row(title, *[""] * (len(columns) + 2), figure(value), "", "", "")
    console.print(shown)
    if len(document["points"]) > _SHOWN:
        console.print(f"[dim]and {len(document['points']) - _SHOWN} more in sweep.json[/]")
    if len(document["points"]) > 1:
        console.print(f"[dim]ranked by {watched}; a point picked by its test metric would be chosen on test[/]")
    if document["refused"]:
        console.print(f"[dim]{document['refused']} suggestions were no valid recipe, and cost nothing[/]")
    show_data_warnings(console, document["data_warnings"])
    if document["status"] == "interrupted":
        console.print(
            f"interrupted; what ran is saved, and the same command goes on:\n  {escape(again)}", soft_wrap=True
        )
    if "compare" in document:
        show_files(console, document["compare"])
    console.print(f"sweep: {escape(document['out'])}", soft_wrap=True)
