"""A bar for bytes on their way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn


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
