"""What commands share on a terminal: the progress of long work and of downloads, and where files lie."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn


@contextmanager
def follow(console: Console, *, shown: bool) -> Iterator[Callable[[str, float], None]]:
    """A callback `(text, share done)`: a bar on a terminal, elsewhere one line per kind of work."""
    if not shown:
        yield lambda *_: None
    elif console.is_terminal:
        columns = (BarColumn(bar_width=24), TextColumn("{task.percentage:>3.0f}%"), TextColumn("{task.description}"))
        with Progress(*columns, console=console, transient=True) as progress:
            bar = progress.add_task("", total=1.0)
            yield lambda text, done: progress.update(bar, description=escape(text), completed=done)
    else:
        said: set[str] = set()

        def line(text: str, done: float) -> None:
            kind = text.split()[0]
            if kind not in said and done < 1:
                said.add(kind)
                console.print(escape(text.split(":")[0] if kind != "figure" else "drawing"), soft_wrap=True)

        yield line


@contextmanager
def transfer(console: Console, name: str, *, shown: bool) -> Iterator[Callable[[int, int | None], None] | None]:
    """A callback (bytes done, bytes in all or None) that draws a bar, or None where nothing shall be drawn."""
    if not shown or not console.is_terminal:
        yield None
        return
    columns = (TextColumn("[bold]{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        bar = progress.add_task(name, total=None)
        yield lambda done, total: progress.update(bar, completed=done, total=total)


def show_files(console: Console, document: Mapping[str, Any]) -> None:
    """How many files of which kind there are, and the page.

    Args:
        document: with `files`, `out` and `page`, as `snnctl.report.saving.write` returns it.
    """
    kinds: dict[str, int] = {}
    for name in document["files"]:
        suffix = Path(name).suffix.lstrip(".")
        kinds[suffix] = kinds.get(suffix, 0) + 1
    counted = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
    console.print(f"\n{len(document['files'])} files in {escape(document['out'])} ({counted})", soft_wrap=True)
    page = Path(document["page"])
    console.print(f"page: {escape(str(page))}   [dim]self-contained, works offline[/]", soft_wrap=True)
    console.print(f"open it: {escape(page.resolve().as_uri())}", soft_wrap=True)
