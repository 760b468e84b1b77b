"""One way into every file format: what stands in a file, and the whole of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from snnctl.data.problems import data_error
from snnctl.data.series.readers import arrays, hdf5
from snnctl.data.series.readers import csv as text
from snnctl.data.series.series import ReadOptions, Series, SeriesHead

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
