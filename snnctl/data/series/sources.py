"""From what a recipe writes in `data.source` to a table: a built-in name, a prepared name, or a file of any format."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from snnctl.core.diagnostic import did_you_mean
from snnctl.data.problems import data_error
from snnctl.data.series.arranging import Arrangement, series_of
from snnctl.data.series.axis import AS_THEY_ARE, DEFAULT_ROWS
from snnctl.data.series.known import KNOWN
from snnctl.data.series.readers import arrays, hdf5
from snnctl.data.series.readers import csv as text
from snnctl.data.series.readers.numerals import is_number
from snnctl.data.series.series import ReadOptions, Series
from snnctl.data.series.stamp_texts import of_texts
from snnctl.data.series.store import load_prepared
from snnctl.data.series.table import Table
from snnctl.data.walk import place_of

Reader = Callable[[Path, ReadOptions], Table]
_BUILTIN = Path(__file__).parent / "builtin_files"
PLAIN, ARRANGED = ReadOptions(), Arrangement()

READERS: dict[str, Reader] = {
    **dict.fromkeys((".csv", ".txt", ".tsv", ".dat"), text.read),
    **dict.fromkeys((".csv.gz", ".txt.gz", ".tsv.gz", ".dat.gz"), text.read),
    **dict.fromkeys((".npy", ".npz"), arrays.read_numpy),
    **dict.fromkeys((".parquet", ".pq"), arrays.read_parquet),
    **dict.fromkeys((".h5", ".hdf5", ".hdf"), hdf5.read),
}
KEYED = (".npz", ".h5", ".hdf5", ".hdf")


def suffix_of(name: str) -> str:
    """`.csv`, or `.csv.gz` for a gzipped file; lower case."""
    suffixes = [suffix.lower() for suffix in Path(name).suffixes]
    return "".join(suffixes[-2:]) if suffixes[-1:] == [".gz"] else "".join(suffixes[-1:])


def read_table(path: Path, options: ReadOptions) -> Table:
    """The table in a file.

    Raises:
        DiagnosticError: D1xx or D2xx.
    """
    try:
        size = path.stat().st_size
    except FileNotFoundError as error:
        raise data_error("D101", f"no file `{path}`", file=path) from error
    except (OSError, ValueError) as error:
        raise data_error("D104", f"cannot be read: {error}", file=path) from error
    if path.is_dir():
        raise data_error("D104", "is a folder, not a file", file=path)
    if size == 0:
        raise data_error("D102", "the file is empty", file=path)
    suffix = suffix_of(path.name)
    if suffix not in READERS:
        message = f"unknown format `{suffix}`" if suffix else "the file name has no suffix that tells its format"
        raise data_error("D105", message, file=path, help=f"known: {', '.join(READERS)}")
    table = READERS[suffix](path, options)
    marks = [float(mark) for mark in options.missing_marks if is_number(mark)]
    if marks and (gone := np.isin(table.numbers, marks)).any():
        table = replace(table, numbers=np.where(gone, np.nan, table.numbers))
    return table


def read_file(path: Path, options: ReadOptions = PLAIN, how: Arrangement = ARRANGED) -> Series:
    """The series in a file.

    Raises:
        DiagnosticError: D1xx or D2xx.
    """
    return series_of(read_table(path, options), how)


def read_source(source: str, options: ReadOptions, how: Arrangement) -> Series:
    """The series of a source.

    The rows of a named one are taken as its makers published them, where the recipe does not say otherwise.

    Raises:
        DiagnosticError: D1xx or D2xx.
    """
    if source not in KNOWN:
        return read_file(_file(source), options, how)
    rows = AS_THEY_ARE if how.rows == DEFAULT_ROWS else how.rows
    how = replace(how, rows=rows, wanted=replace(how.wanted, trusted=True))
    return series_of(read_builtin(source) if KNOWN[source].builtin else load_prepared(source), how)


def builtin_path(name: str) -> Path:
    """The CSV of a built-in series."""
    return _BUILTIN / f"{name}.csv"


def read_builtin(name: str) -> Table:
    """A series that ships with snnctl: a date column, then values, empty where missing.

    Read without pandas, so that a check of a recipe stays fast.
    """
    path = builtin_path(name)
    with path.open(encoding="utf-8", newline="") as stream:
        header, *rows = csv.reader(stream)
    values = np.array([[float(cell or "nan") for cell in row[1:]] for row in rows])
    stamps = {header[0]: of_texts([row[0] for row in rows])}
    return Table(tuple(header), tuple(header[1:]), values, stamps=stamps, format="builtin", origin=str(path))


def _file(source: str) -> Path:
    if (path := place_of(source)) is not None:
        return path
    stem = Path(source).name.split(".")[0].lower()
    if stem in KNOWN:
        near = f"for the named series, write `source: {stem}` and run: {KNOWN[stem].command}"
        if KNOWN[stem].builtin:
            near = f"for the series that ships with snnctl, write `source: {stem}`"
    else:
        near = f"{did_you_mean(source, KNOWN)}  known names: {', '.join(KNOWN)}".strip()
    raise data_error("D101", f"no file `{source}`", file=source, help=near)
