"""The two consoles, their colours, and the house style of tables, bars, notes and sentences."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table
from rich.theme import Theme

_THEME = Theme({"good": "green", "bad": "red", "dim": "dim", "key": "cyan", "spike": "magenta"})
_PLAIN_WIDTH = 120  # without a terminal nothing is cut to 80 columns


def make_console(*, stderr: bool) -> Console:
    """For results, or on stderr for people."""
    width = None if (sys.stderr if stderr else sys.stdout).isatty() else _PLAIN_WIDTH
    return Console(stderr=stderr, theme=_THEME, highlight=False, width=width, soft_wrap=False)


def table(*columns: str, rows: Iterable[Iterable[str]] = ()) -> Table:
    """The house style: no lines but one under the head; columns that begin with > are aligned to the right."""
    made = Table(box=None, pad_edge=False, header_style="bold", show_header=any(columns))
    for column in columns:
        right = column.startswith(">")
        made.add_column(column.lstrip(">"), justify="right" if right else "left", overflow="fold")
    for row in rows:
        made.add_row(*row)
    return made


def progress(console: Console, *texts: str, **options: Any) -> Progress:
    """What goes on, a bar and texts behind it; it vanishes at the end."""
    columns = (TextColumn("[bold]{task.description}"), BarColumn(bar_width=24), *map(TextColumn, texts))
    return Progress(*columns, console=console, transient=True, **options)


def write_line(text: str) -> None:
    """A line on stderr at once, where no terminal is that a bar could be drawn on."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def show_sentences(console: Console, sentences: Iterable[str], notes: Iterable[str] = ()) -> None:
    """What follows from figures, a line each, and notes without which they mislead."""
    for sentence in sentences:
        console.print(escape(sentence), soft_wrap=True)
    for note in notes:
        console.print(f"[dim]note:[/] {escape(note)}", soft_wrap=True)
