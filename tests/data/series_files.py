"""Small tables as people bring them, each of a kind that was once misread in silence."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np

START = dt.datetime(2020, 1, 1)
STAMP = "%Y-%m-%d %H:%M:%S"


def load(rows: int = 600) -> np.ndarray:
    """[rows], hourly, with a day in it."""
    hours = np.arange(rows)
    noise = np.random.default_rng(0).normal(size=rows)
    return np.round(50 + 10 * np.sin(2 * np.pi * hours / 24) + 0.02 * hours + noise, 3)


def stamps(
    rows: int = 600, step: dt.timedelta = dt.timedelta(hours=1), start: dt.datetime = START
) -> list[dt.datetime]:
    """Evenly spaced."""
    return [start + i * step for i in range(rows)]


def table(
    path: Path, head: Sequence[str], rows: Iterable[Sequence[object]], sep: str = ",", encoding: str = "utf-8"
) -> Path:
    """Write a text table."""
    lines = [sep.join(head), *(sep.join(str(cell) for cell in row) for row in rows)]
    path.write_text("\n".join(lines) + "\n", encoding=encoding)
    return path


def dated(
    path: Path, write: Callable[[dt.datetime], object], name: str = "date", values: np.ndarray | None = None
) -> Path:
    """A column of stamps written by `write`, and the load."""
    found = load() if values is None else values
    return table(path, [name, "load"], zip(map(write, stamps(len(found))), found, strict=True))
