"""Single predictions on a terminal: items and confusion of a classifier, videos with their errors frame by frame."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.markup import escape

from snnctl.ui.console import table
from snnctl.ui.report import show_files
from snnctl.ui.words import figure, percent

_MOST_COLUMNS = 5
_MOST_LETTERS = 160
_MOST_FRAMES = 10


def show_predictions(console: Console, document: Mapping[str, Any]) -> None:
    """Of a classifier the classes, their confusion if it is small, and items; of videos errors and sequences."""
    if "per_frame" in document:
        _sequences(console, document)
    else:
        names = document["classes"]
        console.print("\n[bold]by class[/]")
        _classes(console, document, names)
        if document["examples"]:
            console.print("\n[bold]single items[/], wrong ones first")
            _examples(console, document, names)
    show_files(console, document)


def _classes(console: Console, document: Mapping[str, Any], names: list[str]) -> None:
    small = len(names) <= _MOST_COLUMNS
    more = [f">→ {name}" for name in names] if small else ["mostly taken for"]
    shown = table("class", ">items", ">recall", ">precision", ">F1", *more)
    for k, (name, line) in enumerate(zip(names, document["confusion"], strict=True)):
        figures = [percent(document["per_class"][key][k], 1) for key in ("recall", "precision", "f1")]
        cells = []
        for other, count in enumerate(line if small else []):
            style = "good" if other == k else "bad" if count else "dim"
            cells.append(f"[{style}]{count:,}[/]")
        if not small:
            count, other = max((count, other) for other, count in enumerate(line) if other != k)
            cells.append(f"{escape(names[other])} ({count:,})" if count else "")
        shown.add_row(f"[key]{escape(name)}[/]", f"{sum(line):,}", *figures, *cells)
    console.print(shown)


def _examples(console: Console, document: Mapping[str, Any], names: list[str]) -> None:
    texts = any(item["text"] is not None for item in document["examples"])
    shown = table("", "class", "predicted", ">confidence", ">spikes", "text" if texts else ">index")
    for item in document["examples"]:
        mark = "[good]✓[/]" if item["right"] else "[bad]✗[/]"
        last = str(item["index"])
        if texts:
            text = " ".join((item["text"] or "").split())
            last = escape(text if len(text) <= _MOST_LETTERS else text[: _MOST_LETTERS - 1] + "…")
        shown.add_row(
            mark,
            escape(names[item["target"]]),
            escape(names[item["predicted"]]),
            f"{item['confidence']:.1%}",
            f"{item['spikes']:,}",
            last,
        )
    console.print(shown)


def _sequences(console: Console, document: Mapping[str, Any]) -> None:
    """The first metric at each frame ahead beside the reference predictions, and the sequences."""
    curves = document["per_frame"]
    metric = next(iter(next(iter(curves.values()))))
    seen, ahead = document["frames_in"], document["frames_out"]
    step = -(-ahead // _MOST_FRAMES)
    frames = range(0, ahead, step)
    console.print(f"\n[bold]{escape(metric)} at each frame ahead[/]")
    rows = ((f"[key]{escape(who)}[/]", *(figure(of[metric][frame]) for frame in frames)) for who, of in curves.items())
    console.print(table("frame", *[f">{seen + 1 + frame}" for frame in frames], rows=rows))
    if document["examples"]:
        names = [key for key in document["examples"][0] if key not in ("index", "spikes")]
        console.print("\n[bold]single sequences[/]")
        items = (
            (f"[key]{item['index']}[/]", *(figure(item[name]) for name in names), f"{item['spikes']:,}")
            for item in document["examples"]
        )
        console.print(table("sequence", *[f">{name}" for name in names], ">spikes", rows=items))
