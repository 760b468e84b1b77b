"""Reading NumPy arrays (.npy, .npz) and Parquet tables. Nothing is ever unpickled."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from snnctl.core.diagnostic import choices
from snnctl.data.bounds import refuse_more_than_memory
from snnctl.data.numpy_files import Arrays, Head, npy_head, open_npy, open_npz
from snnctl.data.problems import data_error, unreadable
from snnctl.data.series.readers.dates import DATE_NAMES, parse_dates
from snnctl.data.series.series import ReadOptions, Series, SeriesHead, Times, distinct, numbered, select


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


def numpy_head(path: Path, options: ReadOptions) -> SeriesHead:
    """Shape of a `.npy` or `.npz` array, from its header."""
    kind = path.suffix.lower().removeprefix(".")
    shape, dtype = npy_head(path) if kind == "npy" else _chosen(path, options)[1]
    rows, columns = check_matrix(shape, dtype, path)
    return SeriesHead(rows, numbered(columns), format=kind).taking(options.columns, path)


def read_numpy(path: Path, options: ReadOptions) -> Series:
    """A `.npy` or `.npz` array as a series with columns c0, c1, ..."""
    numpy_head(path, options)
    if path.suffix.lower() == ".npy":
        array = open_npy(path)
    else:
        arrays, _, key = _chosen(path, options)
        array = arrays[key]
    values = array.astype(np.float64).reshape(len(array), -1)
    return Series(values, numbered(values.shape[1]), None, str(path)).taking(options.columns)


def _chosen(path: Path, options: ReadOptions) -> tuple[Arrays, Head, str]:
    """The arrays of an .npz, and header and name of the one that is meant."""
    arrays = open_npz(path)
    key = next(iter(arrays)) if options.key is None and len(arrays) == 1 else options.key
    if key is None or key not in arrays:
        raise wrong_key(path, key, list(arrays))
    return arrays, arrays.head(key), key


def parquet_head(path: Path, options: ReadOptions) -> SeriesHead:
    """Columns and rows of a Parquet table, from its footer."""
    with _parquet(path) as file:
        date, channels, chosen = _parquet_columns(path, file.schema_arrow, file.metadata.num_rows, options)
        columns = tuple(channels[i] for i in chosen)
        return SeriesHead(file.metadata.num_rows, columns, date, format="parquet")


def read_parquet(path: Path, options: ReadOptions) -> Series:
    """A Parquet table as a series; its timestamp column, if any, as dates."""
    import pyarrow as pa

    with _parquet(path) as file:
        rows = file.metadata.num_rows
        date, channels, chosen = _parquet_columns(path, file.schema_arrow, rows, options)
        names = [channels[i] for i in chosen]
        refuse_more_than_memory(8 * rows * len(names), "the table", path)
        table = file.read(columns=[*names, date] if date else names)
        if len(table) != rows:
            raise ValueError(f"{len(table):,} rows where its footer says {rows:,}")
        columns = [table.column(name).cast(pa.float64(), safe=False).to_numpy() for name in names]
        times = _parquet_times(table.column(date)) if date else None
    return Series(np.stack(columns, axis=1), tuple(distinct(names)), times, str(path))


@contextmanager
def _parquet(path: Path) -> Iterator[Any]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            yield file
    except (pa.ArrowException, OSError, ValueError, KeyError, MemoryError) as error:  # names and texts may be no UTF-8
        raise unreadable(path, path.suffix.removeprefix("."), error) from error


def _parquet_columns(path: Path, schema: Any, rows: int, options: ReadOptions) -> tuple[str, list[str], list[int]]:
    """The date column ("" = none), the channels, and the positions of the chosen ones."""
    from pyarrow import types

    date, channels, others = "", [], {}
    for field in schema:
        dated = types.is_temporal(field.type) or (
            field.name.lower() in DATE_NAMES and (types.is_string(field.type) or types.is_large_string(field.type))
        )
        numeric = types.is_integer(field.type) or types.is_floating(field.type) or types.is_decimal(field.type)
        if dated and not date:
            date = field.name
        else:
            channels.append(field.name)
            if not numeric:
                others[field.name] = field.type
    if len(others) == len(channels):
        raise data_error("D203", file=path)
    if rows <= 0:
        raise data_error("D102", "the table has no rows", file=path)
    chosen = select(channels, options.columns, path)
    for i in chosen:
        if channels[i] in others:
            message = f"column `{channels[i]}` holds {others[channels[i]]}, not numbers"
            raise data_error("D202", message, file=path, help="name the columns to use in `data.columns`")
    return date, channels, chosen


def _parquet_times(column: Any) -> Times | None:
    import pyarrow as pa

    if column.null_count:
        return None
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        return parse_dates(column.to_pylist())
    try:
        return column.cast(pa.timestamp("ms"), safe=False).to_numpy().astype("datetime64[ms]")
    except pa.ArrowException:  # a time of day without a date
        return None
