"""A classifier's single predictions and its confusion on a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.markup import escape

from snnctl.ui.report import show_files
from snnctl.ui.tables import table

_MOST_COLUMNS = 5
_MOST_LETTERS = 160


def show_predictions(console: Console, document: Mapping[str, Any]) -> None:
    """Classes, their confusion if it is small, and the items."""
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
        figures = [_share(document["per_class"][key][k]) for key in ("recall", "precision", "f1")]
        cells = []
        for other, count in enumerate(line if small else []):
            style = "good" if other == k else "bad" if count else "dim"
            cells.append(f"[{style}]{count:,}[/]")
        if not small:
            count, other = max((count, other) for other, count in enumerate(line) if other != k)
            cells.append(f"{escape(names[other])} ({count:,})" if count else "")
        shown.add_row(f"[key]{escape(name)}[/]", f"{sum(line):,}", *figures, *cells)
    console.print(shown)


def _share(value: float | None) -> str:
    return "-" if value is None or value != value else f"{value:.1%}"


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
