"""What a stream did, in a few lines, once it has ended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.markup import escape

from snnctl.ui.words import figure

_DIGITS = 3


def show_stream(console: Console, document: Mapping[str, Any]) -> None:
    """Rows and answers, and how long those took."""
    refused = f", {document['refused']:,} refused" if document["refused"] else ""
    inserted = f", {document['inserted']:,} put in for missing ones" if document["inserted"] else ""
    warmed = f", after {document['warmed_up_by']:,} to begin with" if document["warmed_up_by"] else ""
    rows = f"{document['rows']:,} rows{refused}{inserted}{warmed}; {document['answers']:,} answers"
    console.print(f"[bold]stream {'stopped' if document['stopped'] else 'ended'}[/]: {rows}", highlight=False)
    took = document["milliseconds"]
    if took is not None:
        middle, slow = (figure(took[name], _DIGITS) for name in ("p50", "p99"))
        speed = figure(document["rows_per_second"], _DIGITS)
        console.print(f"a row to its answer: p50 {middle} ms, p99 {slow} ms; {speed} rows/s", highlight=False)
    how = "the network was carried from row to row"
    if not document["carried"]:
        how = f"the network was called on whole windows: {document['why_whole']}"
    console.print(f"[dim]{escape(how)}[/]", highlight=False)
