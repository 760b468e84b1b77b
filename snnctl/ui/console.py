"""The two consoles, their colours, and the house style of tables, notes and sentences."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.theme import Theme

THEME = Theme({"good": "green", "bad": "red", "dim": "dim", "key": "cyan", "spike": "magenta"})
_PLAIN_WIDTH = 120  # without a terminal nothing is cut to 80 columns


def _console(to_stderr: bool) -> Console:
    stream = sys.stderr if to_stderr else sys.stdout
    width = None if stream.isatty() else _PLAIN_WIDTH
    return Console(stderr=to_stderr, theme=THEME, highlight=False, width=width, soft_wrap=False)


def stdout_console() -> Console:
    """For results."""
    return _console(False)


def stderr_console() -> Console:
    """For people."""
    return _console(True)


def table(*columns: str) -> Table:
    """The house style: no lines but one under the head."""
    made = Table(
        box=None,
        pad_edge=False,
        header_style="bold",
        show_header=any(columns),
    )
    for column in columns:
        right = column.startswith(">")
        made.add_column(column.lstrip(">"), justify="right" if right else "left", overflow="fold")
    return made


def show_sentences(console: Console, sentences: Iterable[str], notes: Iterable[str] = ()) -> None:
    """What follows from figures, a line each, and notes without which they mislead."""
    for sentence in sentences:
        console.print(escape(sentence), soft_wrap=True)
    for note in notes:
        console.print(f"[dim]note:[/] {escape(note)}", soft_wrap=True)
