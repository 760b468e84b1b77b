"""Reading NumPy arrays (.npy, .npz) and Parquet tables. Nothing is ever unpickled."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from snnctl.core.diagnostic import choices
from snnctl.data.bounds import refuse_more_than_memory
from snnctl.data.numpy_files import Arrays, npy_head, open_npy, open_npz
from snnctl.data.problems import data_error, unreadable
from snnctl.data.series.series import ReadOptions, distinct, numbered
from snnctl.data.series.stamps import Stamps, of_datetimes
from snnctl.data.series.table import Table


def check_matrix(shape: tuple[int, ...], dtype: Any, path: Path, name: str = "the array") -> tuple[int, int]:
    """Rows and columns of a numeric [N, C] or [N] array; raises D202, D209, D102."""
    if dtype.kind not in "fiu":
        raise data_error("D202", f"{name} holds {dtype}, not numbers", file=path)
    if len(shape) not in (1, 2):
        help = "expected [rows, columns]; save the one feature to forecast"
        raise data_error("D209", f"{name} has shape {list(shape)}, not [rows, columns]", file=path, help=help)
    rows, columns = (shape[0], 1) if len(shape) == 1 else shape
    if rows == 0 or columns == 0:
        raise data_error("D102", f"{name} has shape {list(shape)}: it is empty", file=path)
    return rows, columns


def wrong_key(path: Path, key: str | None, keys: list[str]) -> Exception:
    """D106: the file has no array `key`, or several and none was chosen."""
    if not keys:
        return data_error("D106", "the file holds no series", file=path, path="data.key")
    if key is None:
        message = f"the file holds {len(keys)} arrays; `data.key` must name one"
        return data_error("D106", message, file=path, path="data.key", help=f"keys: {', '.join(keys)}")
    message = f"no array `{key}` in the file"
    return data_error("D106", message, file=path, path="data.key", help=choices(key, keys))


def read_numpy(path: Path, options: ReadOptions) -> Table:
    """A `.npy` or `.npz` array as a table with columns c0, c1, ..."""
    kind = path.suffix.lower().removeprefix(".")
    if kind == "npy":
        check_matrix(*npy_head(path)[:2], path)
        array = open_npy(path)
    else:
        arrays = open_npz(path)
        key = _key(path, arrays, options)
        check_matrix(*arrays.head(key)[:2], path)
        array = arrays[key]
    values = array.astype(np.float64).reshape(len(array), -1)
    names = numbered(values.shape[1])
    return Table(names, names, values, format=kind, origin=str(path))


def _key(path: Path, arrays: Arrays, options: ReadOptions) -> str:
    key = next(iter(arrays)) if options.key is None and len(arrays) == 1 else options.key
    if key is None or key not in arrays:
        raise wrong_key(path, key, list(arrays))
    return key


def read_parquet(path: Path, options: ReadOptions) -> Table:
    """A Parquet table: its numbers, texts, and columns typed as dates."""
    from pyarrow import types

    with _parquet(path) as file:
        rows, fields = file.metadata.num_rows, file.schema_arrow
        columns = [field.name for field in fields if not types.is_nested(field.type)]
        refuse_more_than_memory(8 * rows * len(columns), "the table", path)
        table = file.read(columns=columns)
        if len(table) != rows:
            raise ValueError(f"{len(table):,} rows where its footer says {rows:,}")
        return of_arrow(path, table)


def of_arrow(path: Path | str, table: Any) -> Table:
    """An Arrow table; `path` is where it comes from, for messages."""
    import pyarrow as pa
    from pyarrow import types

    names = distinct(table.column_names)
    numbers: dict[str, Any] = {}
    texts: dict[str, Any] = {}
    stamps: dict[str, Stamps] = {}
    flags = set()
    for name, column in zip(names, table.columns, strict=True):
        kind = column.type
        if types.is_dictionary(kind):
            column = column.cast(kind.value_type)
            kind = column.type
        if types.is_timestamp(kind) or types.is_date(kind):
            stamps[name] = _arrow_stamps(column)
        elif types.is_boolean(kind):
            flags.add(name)
            numbers[name] = column.cast(pa.int8()).cast(pa.float64()).to_numpy()
        elif types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind):
            numbers[name] = column.cast(pa.float64(), safe=False).to_numpy()
        elif types.is_string(kind) or types.is_large_string(kind) or types.is_time(kind):
            cells = column.cast(pa.string()).to_pylist()
            texts[name] = np.array([cell or "" for cell in cells], dtype=object)
    if table.num_rows == 0:
        raise data_error("D102", "the table has no rows", file=path)
    numeric = tuple(numbers)
    if not numeric:
        raise data_error("D203", file=path)
    values = np.stack([numbers[name] for name in numeric], axis=1)
    kept = tuple(name for name in names if name in numbers or name in texts or name in stamps)
    return Table(kept, numeric, values, texts, stamps, frozenset(flags), format="parquet", origin=str(path))


def _arrow_stamps(column: Any) -> Stamps:
    """On the clock of the time zone that the column names, if it does; a day is its midnight."""
    import pyarrow as pa
    import pyarrow.compute as pc

    zone = getattr(column.type, "tz", None)
    utc = column.cast(pa.timestamp("us", tz=zone), safe=False)
    if zone is None:
        return of_datetimes(utc.to_numpy().astype("M8[us]"))
    local = pc.local_timestamp(utc)
    return of_datetimes(
        utc.cast(pa.timestamp("us")).to_numpy().astype("M8[us]"), local.to_numpy().astype("M8[us]"), zone
    )


@contextmanager
def _parquet(path: Path) -> Iterator[Any]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            yield file
    except (pa.ArrowException, OSError, ValueError, KeyError, MemoryError) as error:  # names and texts may be no UTF-8
        raise unreadable(path, path.suffix.removeprefix("."), error) from error
