"""Reading HDF5: a plain [N, C] dataset, or a table that pandas wrote with `format="fixed"`.

The pandas layout (`<key>/axis0, axis1, block0_items, block0_values`) is read with h5py alone, so PyTables is
not needed and pickled labels, which that layout allows, are never unpickled.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from snnctl.data.hdf5_files import child_at, walk
from snnctl.data.problems import data_error, unreadable
from snnctl.data.series.readers.arrays import check_matrix, wrong_key
from snnctl.data.series.series import Floats, ReadOptions, distinct, numbered
from snnctl.data.series.stamps import Stamps, of_datetimes
from snnctl.data.series.table import Table

_INDEX = "axis1"
_BAD_FILE = (OSError, KeyError, RuntimeError, ValueError, TypeError, AttributeError, OverflowError, MemoryError)


def read(path: Path, options: ReadOptions) -> Table:
    """The whole table; its stamps are called `axis1`, as pandas has it."""
    with _outlined(path, options) as (node, _, names, has_times):
        values = _pandas_values(path, node, names) if _is_pandas(node) else _plain_values(node)
        stamps = {_INDEX: _times(_part(path, node, _INDEX))} if has_times else {}
    return Table((*stamps, *names), names, values, stamps=stamps, format="hdf5", origin=str(path))


@contextmanager
def _outlined(path: Path, options: ReadOptions) -> Iterator[tuple[Any, int, tuple[str, ...], bool]]:
    """What `data.key` names in a file, its rows, column names and whether there are dates."""
    import h5py

    try:
        with h5py.File(path, "r") as file:
            node = _node(path, file, options)
            yield node, *_outline(path, node)
    except _BAD_FILE as error:
        raise unreadable(path, "HDF5", error) from error


def _is_pandas(node: Any) -> bool:
    return hasattr(node, "keys") and {"axis0", "axis1", "block0_values"} <= set(node)


def _node(path: Path, file: Any, options: ReadOptions) -> Any:
    """The dataset or pandas group that `data.key` names, or the only one in the file."""
    if options.key is None:
        found = {key: node for key, node in walk(file, path, _is_pandas) if _is_series(node)}
        if len(found) != 1:
            raise wrong_key(path, None, list(found))
        return next(iter(found.values()))
    key = options.key.strip("/")
    node = child_at(file, key, path)
    if hasattr(node, "keys") and "table" in node:
        help = 'write it again with `to_hdf(..., format="fixed")`, or as Parquet'
        message = f"`{key}` is a pandas table in the queryable layout, which is not read"
        raise data_error("D105", message, file=path, path="data.key", help=help)
    if not _is_series(node):
        keys = [key for key, node in walk(file, path, _is_pandas) if _is_series(node)]
        raise wrong_key(path, options.key, keys)
    return node


def _is_series(node: Any) -> bool:
    """Whether it looks like one: a pandas group, or an array of numbers (names are none) of one or two axes."""
    import h5py

    if not hasattr(node, "dtype"):
        return _is_pandas(node)
    named = h5py.check_enum_dtype(node.dtype) is not None
    return len(node.shape or ()) in (1, 2) and node.dtype.kind in "fiu" and not named


def _part(path: Path, group: Any, name: str, axes: int = 1) -> Any:
    """A dataset of a pandas group; raises D105."""
    node = child_at(group, name, path)
    if not hasattr(node, "dtype") or len(node.shape or ()) != axes:
        message = f"`{group.name.strip('/')}` is no table as pandas writes it: `{name}` is missing or has other axes"
        raise data_error("D105", message, file=path, help="write the table again as Parquet")
    return node


def _outline(path: Path, node: Any) -> tuple[int, tuple[str, ...], bool]:
    """Rows, column names and whether there are dates."""
    if not _is_pandas(node):
        rows, columns = check_matrix(node.shape, node.dtype, path, f"`{node.name.strip('/')}`")
        return rows, numbered(columns), False
    axis0, axis1 = _part(path, node, "axis0"), _part(path, node, "axis1")
    rows, columns = axis1.shape[0], axis0.shape[0]
    if rows == 0 or columns == 0:
        raise data_error("D102", "the table is empty", file=path)
    labels = _labels(axis0)
    names = numbered(columns) if labels is None else tuple(distinct(labels))
    return rows, names, _unit(axis1) != ""


def _labels(axis: Any) -> list[str] | None:
    """Column labels as text; None where they are pickled objects."""
    cells = axis[()]
    if cells.dtype.kind == "S":
        return [cell.decode("utf-8", errors="replace") for cell in cells]
    return [str(cell) for cell in cells] if cells.dtype.kind in "iuf" else None


def _plain_values(node: Any) -> Floats:
    values = node[()].astype(np.float64)
    return values.reshape(len(values), -1)


def _pandas_values(path: Path, node: Any, names: tuple[str, ...]) -> Floats:
    """Put the blocks (one per dtype, stored [N, columns of the block]) back into the order of axis0."""
    rows = len(_part(path, node, "axis1"))
    order = _labels(_part(path, node, "axis0"))
    place = {label: i for i, label in enumerate(order or ())}
    blocks = sorted(name.removesuffix("_values") for name in node if name.endswith("_values"))
    values, filled = np.full((rows, len(names)), np.nan), 0
    for block in blocks:
        data, items = _part(path, node, f"{block}_values", 2), _part(path, node, f"{block}_items")
        check_matrix(data.shape, data.dtype, path, f"`{data.name.strip('/')}`")
        if data.shape != (rows, len(items)):
            message = f"`{block}_values` is {list(data.shape)} for {rows:,} rows and {len(items):,} columns"
            raise data_error("D209", message, file=path, help="the file is damaged: write it again")
        labels = _labels(items)
        filled += len(items)
        if labels is not None and len(place) == len(names):
            values[:, [place[label] for label in labels]] = data[()]
        elif len(blocks) == 1 and len(items) == len(names):
            values[:] = data[()]
        else:
            message = "columns of several types without plain, distinct labels cannot be told apart"
            raise data_error("D105", message, file=path, help="write the table again as Parquet")
    if filled != len(names):
        message = f"the table names {len(names):,} columns and holds {filled:,}"
        raise data_error("D209", message, file=path, help="the file is damaged: write it again")
    return values


def _unit(axis: Any) -> str:
    """`ns`, `us`, ... when the row labels are dates; "" otherwise."""
    kind = axis.attrs.get("kind", b"")
    text = kind.decode() if isinstance(kind, bytes) else str(kind)
    if not text.startswith("datetime64"):
        return ""
    return text.removeprefix("datetime64").strip("[]") or "ns"


def _times(axis: Any) -> Stamps:
    """On the clock of the time zone that pandas wrote beside the labels, if it did so as text."""
    if axis.dtype.kind not in "iu":
        raise ValueError(f"`{_INDEX}` holds {axis.dtype}, not dates")
    utc = axis[()].astype(np.int64).astype(f"datetime64[{_unit(axis)}]").astype("datetime64[us]")
    zone = axis.attrs.get("tz", b"")
    zone = zone.decode(errors="replace") if isinstance(zone, bytes) else str(zone)
    if not zone:
        return of_datetimes(utc)
    import pandas as pd

    try:
        local = pd.DatetimeIndex(utc).tz_localize("UTC").tz_convert(zone).tz_localize(None)
    except (KeyError, ValueError, TypeError, OSError):  # pickled, or a zone that this machine does not know
        return Stamps(
            utc.astype(np.int64),
            np.zeros(len(utc), np.int64),
            "UTC: the file's time zone cannot be read",
            "typed as dates",
        )
    return of_datetimes(utc, local.to_numpy().astype("M8[us]"), zone)
