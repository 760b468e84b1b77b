"""The two consoles, their colours, and the house style of tables, bars, notes and sentences."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn
from rich.segment import Segment
from rich.table import Table
from rich.theme import Theme

_THEME = Theme({"good": "green", "bad": "red", "dim": "dim", "key": "cyan", "spike": "magenta"})
_PLAIN_WIDTH = 120  # without a terminal nothing is cut to 80 columns


# Names and labels come from files of others: what would steer the terminal, or turn the order of letters round, is
# shown in a sign of its own, of the same width.
_STEERING = {code: chr(0x2400 + code) for code in range(0x20) if chr(code) not in "\n\t"} | {0x7F: "\u2421"}
_STEERING |= dict.fromkeys((*range(0x80, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A)), "\ufffd")


class _Shown(Console):
    """A console that sends no control characters but its own."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            if segment.control is None and not segment.text.isprintable():
                segment = Segment(segment.text.translate(_STEERING), segment.style)
            yield segment


def make_console(*, stderr: bool) -> Console:
    """For results, or on stderr for people."""
    width = None if (sys.stderr if stderr else sys.stdout).isatty() else _PLAIN_WIDTH
    return _Shown(stderr=stderr, theme=_THEME, highlight=False, width=width, soft_wrap=False)


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
