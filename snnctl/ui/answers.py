"""What `predict` found of items: the first classes, or clips with frames ahead, and where all of them are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.markup import escape

from snnctl.ui.console import table
from snnctl.ui.words import figure

_MOST = 12
_DIGITS = 4
_CLASSES = 8  # whose counts are told
_NUMBERS = ("step", "spikes")


def show_answers(console: Console, document: Mapping[str, Any]) -> None:
    """A short table, then files."""
    rows, items = document["predictions"], document["items"]
    console.print(f"[bold]predictions[/]: {items:,} item" + "s" * (items != 1) + _said(document))
    names = list(rows[0]) if rows else []
    probabilities = [name for name in names if name.endswith("probability")]
    shown = table(*(f">{name}" if name in (*_NUMBERS, *probabilities) else name for name in names))
    for row in rows[:_MOST]:
        shown.add_row(*(_cell(name, row[name]) for name in names))
    console.print(shown)
    if document["rows"] > _MOST:
        console.print(f"[dim]and {document['rows'] - _MOST:,} more rows[/]")
    for how in document["how_it_is_read"]:
        console.print(f"[dim]read: {escape(how)}[/]")
    for name in ("output", "plot"):
        if document[name] is not None:
            console.print(f"[key]{name}[/] {escape(document[name])}", soft_wrap=True)
    if document["output"] is None:
        ending = "npz" if "frames_out" in document else "csv"
        console.print(f"[dim]--output FILE.{ending} writes all of them[/]")


def _said(document: Mapping[str, Any]) -> str:
    if "frames_out" in document:
        return f", {document['frames_in']} frames seen, {document['frames_out']} ahead"
    counts = sorted(document["predicted"].items(), key=lambda one: -one[1])[:_CLASSES]
    return ": " + ", ".join(f"{escape(name)} {count:,}" for name, count in counts if count)


def _cell(name: str, value: Any) -> str:
    if name.endswith("probability"):
        return figure(value, _DIGITS)
    return f"{value:,}" if name in _NUMBERS else escape(str(value))
