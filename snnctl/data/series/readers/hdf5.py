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

from snnctl.data.problems import data_error, unreadable
from snnctl.data.series.readers.arrays import check_matrix, wrong_key
from snnctl.data.series.series import Floats, ReadOptions, distinct, numbered
from snnctl.data.series.stamps import Stamps, of_datetimes
from snnctl.data.series.table import Table

_INDEX = "axis1"
_BAD_FILE = (OSError, KeyError, RuntimeError, ValueError, TypeError)


def read(path: Path, options: ReadOptions) -> Table:
    """The whole table; its stamps are called `axis1`, as pandas has it."""
    with _outlined(path, options) as (node, _, names, has_times):
        values = _pandas_values(path, node, names) if _is_pandas(node) else _plain_values(node)
        stamps = {_INDEX: _times(node["axis1"])} if has_times else {}
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
    return hasattr(node, "keys") and "axis0" in node and "axis1" in node and "block0_values" in node


def _node(path: Path, file: Any, options: ReadOptions) -> Any:
    """The dataset or pandas group that `data.key` names, or the only one in the file."""
    keys = _keys(file, "")
    if options.key is None:
        if len(keys) != 1:
            raise wrong_key(path, None, keys)
        return file[keys[0]]
    key = options.key.strip("/")
    if key in file and hasattr(file[key], "keys") and "table" in file[key]:
        help = 'write it again with `to_hdf(..., format="fixed")`, or as Parquet'
        message = f"`{key}` is a pandas table in the queryable layout, which is not read"
        raise data_error("D105", message, file=path, path="data.key", help=help)
    if key not in keys:
        raise wrong_key(path, options.key, keys)
    return file[key]


def _keys(group: Any, prefix: str) -> list[str]:
    """Names of everything that looks like a series: pandas groups and numeric arrays of one or two axes."""
    found: list[str] = []
    for name in group:
        node = group.get(name)
        if node is None:  # a dangling link
            continue
        if _is_pandas(node):
            found.append(prefix + name)
        elif hasattr(node, "keys"):
            if len(prefix) < 200:  # links may form a ring
                found.extend(_keys(node, f"{prefix}{name}/"))
        elif len(node.shape or ()) in (1, 2) and node.dtype.kind in "fiu":
            found.append(prefix + name)
    return found


def _outline(path: Path, node: Any) -> tuple[int, tuple[str, ...], bool]:
    """Rows, column names and whether there are dates."""
    if not _is_pandas(node):
        rows, columns = check_matrix(node.shape, node.dtype, path, f"`{node.name.strip('/')}`")
        return rows, numbered(columns), False
    rows, columns = node["axis1"].shape[0], node["axis0"].shape[0]
    if rows == 0 or columns == 0:
        raise data_error("D102", "the table is empty", file=path)
    labels = _labels(node["axis0"])
    names = numbered(columns) if labels is None else tuple(distinct(labels))
    return rows, names, _unit(node["axis1"]) != ""


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
    order = _labels(node["axis0"])
    place = {label: i for i, label in enumerate(order or ())}
    blocks = sorted(name.removesuffix("_values") for name in node if name.endswith("_values"))
    values = np.full((node["axis1"].shape[0], len(names)), np.nan)
    for block in blocks:
        data = node[f"{block}_values"]
        check_matrix(data.shape, data.dtype, path, f"`{data.name.strip('/')}`")
        labels = _labels(node[f"{block}_items"])
        if labels is not None and len(place) == len(names):
            values[:, [place[label] for label in labels]] = data[()]
        elif len(blocks) == 1:
            values[:] = data[()]
        else:
            message = "columns of several types without plain, distinct labels cannot be told apart"
            raise data_error("D105", message, file=path, help="write the table again as Parquet")
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
