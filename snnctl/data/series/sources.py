"""From what a recipe writes in `data.source` to a series: a built-in name, a prepared name, or a file of any format."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np

from snnctl.core.diagnostic import did_you_mean
from snnctl.data.problems import data_error
from snnctl.data.series.known import KNOWN
from snnctl.data.series.readers import arrays, hdf5
from snnctl.data.series.readers import csv as text
from snnctl.data.series.readers.dates import parse_dates
from snnctl.data.series.series import ReadOptions, Series, SeriesHead
from snnctl.data.series.store import head_prepared, load_prepared

_Reader = tuple[Callable[[Path, ReadOptions], SeriesHead], Callable[[Path, ReadOptions], Series]]

_TEXT: _Reader = (text.head, text.read)
_NUMPY: _Reader = (arrays.numpy_head, arrays.read_numpy)
_PARQUET: _Reader = (arrays.parquet_head, arrays.read_parquet)
_HDF5: _Reader = (hdf5.head, hdf5.read)

READERS: dict[str, _Reader] = {
    **dict.fromkeys((".csv", ".txt", ".tsv", ".dat"), _TEXT),
    **dict.fromkeys((".csv.gz", ".txt.gz", ".tsv.gz", ".dat.gz"), _TEXT),
    **dict.fromkeys((".npy", ".npz"), _NUMPY),
    **dict.fromkeys((".parquet", ".pq"), _PARQUET),
    **dict.fromkeys((".h5", ".hdf5", ".hdf"), _HDF5),
}
KEYED = (".npz", ".h5", ".hdf5", ".hdf")


def suffix_of(name: str) -> str:
    """`.csv`, or `.csv.gz` for a gzipped file; lower case."""
    suffixes = [suffix.lower() for suffix in Path(name).suffixes]
    return "".join(suffixes[-2:]) if suffixes[-1:] == [".gz"] else "".join(suffixes[-1:])


def head_file(path: Path, options: ReadOptions) -> SeriesHead:
    """Rows and columns of a file, without parsing it.

    Raises:
        DiagnosticError: D1xx or D2xx.
    """
    return _reader(path)[0](path, options)


def read_file(path: Path, options: ReadOptions) -> Series:
    """The series in a file.

    Raises:
        DiagnosticError: D1xx or D2xx.
    """
    return _reader(path)[1](path, options)


def _reader(path: Path) -> _Reader:
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
    return READERS[suffix]


_BUILTIN = Path(__file__).parent / "builtin_files"


def head_source(source: str, options: ReadOptions) -> SeriesHead:
    """Rows and columns of a source, without parsing it; raises as `head_file`."""
    if source not in KNOWN:
        return head_file(_file(source), options)
    if not KNOWN[source].builtin:
        return head_prepared(source, options)
    series = read_builtin(source, options.columns)
    return SeriesHead(len(series.values), series.columns, "date", format="builtin")


def read_source(source: str, options: ReadOptions) -> Series:
    """The series of a source; raises as `read_file`."""
    if source not in KNOWN:
        return read_file(_file(source), options)
    if KNOWN[source].builtin:
        return read_builtin(source, options.columns)
    return load_prepared(source, options.columns)


def builtin_path(name: str) -> Path:
    """The CSV of a built-in series."""
    return _BUILTIN / f"{name}.csv"


def read_builtin(name: str, columns: tuple[str, ...] | None = None) -> Series:
    """A series that ships with snnctl: a date column, then values, empty where missing.

    Read without pandas, so that a check of a recipe stays fast.

    Raises:
        DiagnosticError: D204, `columns` names one that is not there.
    """
    path = builtin_path(name)
    with path.open(encoding="utf-8", newline="") as stream:
        header, *rows = csv.reader(stream)
    values = np.array([[float(cell or "nan") for cell in row[1:]] for row in rows])
    return Series(values, tuple(header[1:]), parse_dates(row[0] for row in rows), str(path)).taking(columns)


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
        near = f"{did_you_mean(source, KNOWN)}  known names: {', '.join(KNOWN)}".strip()
    raise data_error("D101", f"no file `{source}`", file=source, help=near)
