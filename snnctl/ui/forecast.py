"""What `predict` found: the first rows, and where all of them are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.markup import escape

from snnctl.ui.console import table
from snnctl.ui.words import figure

_MOST = 12
_DIGITS = 6


def show_forecast(console: Console, document: Mapping[str, Any]) -> None:
    """A short table, then files."""
    rows, several = document["forecast"], document["windows"] > document["series"]
    windows = f"{document['windows']:,} windows, " if several else ""
    parts = f"{document['series']:,} series, " if document["series"] > 1 else ""
    columns = f"{len(document['columns'])} columns, " if len(document["columns"]) > 1 else ""
    steps = f"{document['horizon']} step" + "s" * (document["horizon"] > 1)
    console.print(f"[bold]forecast[/]: {windows}{parts}{columns}{steps} ahead, in the data's units")
    if isinstance(document["run"], list):
        console.print(f"[dim]the mean of {len(document['run'])} runs; snnctl-spread is their standard deviation[/]")
    names = [name for name in ("unique_id", "ds", "cutoff") if rows and name in rows[0]]
    numbers = [name for name in (rows[0] if rows else {}) if name == "snnctl" or name.startswith("snnctl-")]
    shown = table(*names, *(f">{name}" for name in numbers))
    for row in rows[:_MOST]:
        cells = [escape(str(row[name])) if name == "unique_id" else str(row[name]).replace("T", " ") for name in names]
        shown.add_row(*cells, *(figure(row[name], _DIGITS) for name in numbers))
    console.print(shown)
    if document["rows"] > _MOST:
        console.print(f"[dim]and {document['rows'] - _MOST:,} more rows[/]")
    if document["levels"]:
        console.print("[dim]bands are of single steps: a whole path lies within them less often[/]")
    for name in ("output", "plot"):
        if document[name] is not None:
            console.print(f"[key]{name}[/] {escape(document[name])}", soft_wrap=True)
    if document["output"] is None:
        console.print("[dim]--output FILE.csv writes all rows[/]")
