"""From what a recipe writes in `data.source` to a series: a built-in name, a prepared name, or a file."""

from __future__ import annotations

from pathlib import Path

from snnctl.core.diagnostic import did_you_mean
from snnctl.data.problems import data_error
from snnctl.data.series.builtin import read_builtin
from snnctl.data.series.known import KNOWN, KNOWN_NAMES
from snnctl.data.series.readers.files import head_file, read_file
from snnctl.data.series.selection import ReadOptions
from snnctl.data.series.series import Series, SeriesHead
from snnctl.data.series.store import head_prepared, load_prepared


def head_source(source: str, options: ReadOptions) -> SeriesHead:
    """Rows and columns of a source, without parsing it.

    Raises:
        DiagnosticError: D1xx or D2xx.
    """
    if source not in KNOWN:
        return head_file(_file(source), options)
    if not KNOWN[source].builtin:
        return head_prepared(source, options)
    series = read_builtin(source, options.columns)
    return SeriesHead(len(series.values), series.columns, "date", format="builtin")


def read_source(source: str, options: ReadOptions) -> Series:
    """The series of a source.

    Raises:
        DiagnosticError: D1xx or D2xx.
    """
    if source not in KNOWN:
        return read_file(_file(source), options)
    if KNOWN[source].builtin:
        return read_builtin(source, options.columns)
    return load_prepared(source, columns=options.columns)


def _file(source: str) -> Path:
    path = Path(source).expanduser() if "\0" not in source else Path()
    if source and path.exists():
        return path
    stem = path.name.split(".")[0].lower()
    if stem in KNOWN:
        near = f"for the named series, write `source: {stem}` and run: {KNOWN[stem].command}"
        if KNOWN[stem].builtin:
            near = f"for the series that ships with snnctl, write `source: {stem}`"
    else:
        near = f"{did_you_mean(source, KNOWN_NAMES)}  known names: {', '.join(KNOWN_NAMES)}".strip()
    raise data_error("D101", f"no file `{source}`", file=source, help=near)
