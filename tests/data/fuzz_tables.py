"""Small sound tables of series, which `fuzz.py` damages."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
from fuzz_sample import Sample, as_bytes

_DATES = pd.date_range("2020-01-01", periods=60, freq="h")
_ROWS = np.random.default_rng(0).normal(size=(60, 3)).round(3)
_CUT = {"window": 6, "horizon": 2}
_SERIES = ("timeseries", _CUT)
_ROLES = ("timeseries", {**_CUT, "targets": ["a"], "past": ["b"], "known": ["c"]})
_PANEL = ("timeseries", {**_CUT, "id": "shop", "targets": ["a"], "known": ["c"], "scaler_by": "all"})


def _table(separator: str, *, dated: bool = True, header: bool = True) -> bytes:
    frame = pd.DataFrame(_ROWS, columns=["a", "b", "c"])
    if dated:
        frame.insert(0, "date", _DATES.strftime("%Y-%m-%d %H:%M:%S"))
    return frame.to_csv(sep=separator, index=False, header=header).encode()


def _parquet(path: Path) -> None:
    frame = pd.DataFrame(_ROWS, columns=["a", "b", "c"])
    frame.insert(0, "date", _DATES)
    frame["n"] = np.arange(60)
    frame.to_parquet(path)


def _hdf5(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset("data", data=_ROWS, chunks=(16, 3), compression="gzip")


def _pandas_hdf5(path: Path) -> None:
    with h5py.File(path, "w") as file:
        group = file.create_group("df")
        group["axis0"] = group["block0_items"] = np.array([b"a", b"b", b"c"])
        group["axis1"] = _DATES.to_numpy().astype("datetime64[ns]").astype(np.int64)
        group["axis1"].attrs["kind"] = b"datetime64"
        group["block0_values"] = _ROWS


def _day_first() -> bytes:
    """Semicolons, decimal commas, a thousands mark, days first, a comment, and marks of what is missing."""
    lines = ["# exported by hand", "Datum;a;b;c"]
    for number, (stamp, row) in enumerate(zip(_DATES, _ROWS, strict=True)):
        cells = [f"{value:.3f}".replace(".", ",") for value in row]
        cells[2] = "?" if number % 20 == 7 else f"1.{number:03},5"
        lines.append(";".join([f"{stamp:%d.%m.%Y %H:%M}", *cells]))
    return ("\r\n".join(lines) + "\r\n").encode("latin-1")


def _two_columns() -> bytes:
    """A date and a time in columns of their own, rows from the last to the first."""
    dates = pd.date_range("2020-01-01 06:00", periods=60, freq="D")
    rows = [f"{stamp:%d/%m/%Y};{stamp:%H:%M:%S};{row[0]};{row[1]}" for stamp, row in zip(dates, _ROWS, strict=True)]
    return "\n".join(["Date;Time;a;b", *reversed(rows)]).encode()


def _panel() -> Any:
    frame = pd.DataFrame(_ROWS, columns=["a", "b", "c"])
    frame.insert(0, "date", _DATES)
    shops = [frame.assign(shop=name, a=frame["a"] + shift) for shift, name in enumerate(("north", "south"))]
    return pd.concat(shops)


def _epochs() -> bytes:
    """Milliseconds since 1970 and a counter of rows."""
    frame = pd.DataFrame(_ROWS, columns=["a", "b", "c"])
    frame.insert(0, "timestamp", _DATES.to_numpy().astype("datetime64[ms]").astype(np.int64))
    return frame.to_csv().encode()


TABLES = (
    Sample("table.csv", as_bytes(_table(",")), (_SERIES,), ("etth1",)),
    Sample("plain.csv", as_bytes(_table(",", dated=False, header=False)), (_SERIES,)),
    Sample("semicolon.csv", as_bytes(_table(";").replace(b".", b",")), (_SERIES,)),
    Sample("tabs.tsv", as_bytes(_table("\t")), (_SERIES,)),
    Sample("blanks.txt", as_bytes(_table(" ", dated=False)), (_SERIES,)),
    Sample("packed.csv.gz", as_bytes(gzip.compress(_table(","), mtime=0)), (_SERIES,)),
    Sample("array.npy", lambda path: np.save(path, _ROWS), (_SERIES,)),
    Sample("array.npz", lambda path: np.savez(path, data=_ROWS), (_SERIES,)),
    Sample("deflated.npz", lambda path: np.savez_compressed(path, data=_ROWS), (_SERIES,)),
    Sample("table.parquet", _parquet, (_SERIES,)),
    Sample("plain.h5", _hdf5, (_SERIES,)),
    Sample("pandas.h5", _pandas_hdf5, (_SERIES,), ("metr-la",)),
    Sample("day_first.csv", as_bytes(_day_first()), (_ROLES,)),
    Sample("two_columns.txt", as_bytes(_two_columns()), (_SERIES,)),
    Sample("epochs.csv", as_bytes(_epochs()), (_ROLES,)),
    Sample("panel.csv", lambda path: _panel().to_csv(path, index=False), (_PANEL,)),
    Sample("panel.parquet", lambda path: _panel().to_parquet(path), (_PANEL,)),
    Sample("roles.csv", as_bytes(_table(",")), (_ROLES,)),
)
