"""The small series that ship with snnctl, read without pandas so that a check of a recipe stays fast."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from snnctl.data.series.readers.dates import parse_dates
from snnctl.data.series.selection import select
from snnctl.data.series.series import Series

_FOLDER = Path(__file__).parent / "builtin_files"


def builtin_path(name: str) -> Path:
    """The CSV of a built-in series."""
    return _FOLDER / f"{name}.csv"


def read_builtin(name: str, columns: tuple[str, ...] | None = None) -> Series:
    """A built-in series: a date column, then values, empty where missing.

    Raises:
        DiagnosticError: D204, `columns` names one that is not there.
    """
    path = builtin_path(name)
    with path.open(encoding="utf-8", newline="") as stream:
        header, *rows = csv.reader(stream)
    chosen = select(header[1:], columns, path)
    values = np.array([[float(row[1 + i] or "nan") for i in chosen] for row in rows])
    return Series(values, tuple(header[1 + i] for i in chosen), parse_dates(row[0] for row in rows), str(path))
