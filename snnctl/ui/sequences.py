"""Predicted videos on a terminal: errors from frame to frame, and single sequences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.markup import escape

from snnctl.ui.report import show_files
from snnctl.ui.tables import table
from snnctl.ui.words import figure

_MOST_COLUMNS = 10


def show_sequences(console: Console, document: Mapping[str, Any]) -> None:
    """The first metric at each frame ahead beside the reference predictions, and the sequences."""
    curves = document["per_frame"]
    metric = next(iter(next(iter(curves.values()))))
    seen, ahead = document["frames_in"], document["frames_out"]
    step = -(-ahead // _MOST_COLUMNS)
    frames = range(0, ahead, step)
    console.print(f"\n[bold]{escape(metric)} at each frame ahead[/]")
    shown = table("frame", *[f">{seen + 1 + frame}" for frame in frames])
    for who, values in curves.items():
        shown.add_row(f"[key]{escape(who)}[/]", *[figure(values[metric][frame]) for frame in frames])
    console.print(shown)
    if document["examples"]:
        names = [key for key in document["examples"][0] if key not in ("index", "spikes")]
        console.print("\n[bold]single sequences[/]")
        shown = table("sequence", *[f">{name}" for name in names], ">spikes")
        for item in document["examples"]:
            cells = [figure(item[name]) for name in names]
            shown.add_row(f"[key]{item['index']}[/]", *cells, f"{item['spikes']:,}")
        console.print(shown)
    show_files(console, document)
