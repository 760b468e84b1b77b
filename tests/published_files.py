"""Tiny files in the layouts in which the published sets are passed on; the values are made up."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def pandas_fixed(path: Path, key: str, labels: Array, start: str, values: Array, unit: str = "datetime64") -> Path:
    """What `DataFrame.to_hdf(path, key=key)` leaves: attributes and all, rows every five minutes from `start`."""
    step = np.timedelta64(5, "m")
    times = np.datetime64(start, "ns") + np.arange(len(values)) * step
    with h5py.File(path, "w") as file:
        file.attrs["PYTABLES_FORMAT_VERSION"] = np.bytes_("2.1")
        group = file.create_group(key)
        for name, value in {"pandas_type": "frame", "pandas_version": "0.15.2", "encoding": "UTF-8"}.items():
            group.attrs[name] = np.bytes_(value)
        group.attrs["ndim"], group.attrs["nblocks"] = 2, 1
        kind = "string" if labels.dtype.kind == "S" else "integer"
        for name in ("axis0", "block0_items"):
            group[name] = labels
            group[name].attrs["kind"] = np.bytes_(kind)
        group["axis1"] = times.astype(f"datetime64[{'ns' if unit == 'datetime64' else 'us'}]").astype(np.int64)
        group["axis1"].attrs["kind"] = np.bytes_(unit)
        group["block0_values"] = values.astype(np.float64)
    return path


def speeds(rows: int, columns: int, seed: int = 0) -> Array:
    """Miles per hour with about one zero in ten: a sensor that said nothing."""
    random = np.random.default_rng(seed)
    values = random.uniform(20.0, 70.0, (rows, columns)).round(3)
    values[random.random((rows, columns)) < 0.1] = 0.0
    values[0] = 60.0  # every sensor has said something
    return values


def metr_la(folder: Path, rows: int = 400, columns: int = 4) -> Path:
    """Key `df`, ids as text."""
    labels = np.array([b"773869", b"767541", b"767542", b"717447", b"717446"])[:columns]
    return pandas_fixed(folder / "metr-la.h5", "df", labels, "2012-03-01", speeds(rows, columns))


def pems_bay(folder: Path, rows: int = 400, columns: int = 3) -> Path:
    """Key `speed`, ids as whole numbers."""
    labels = np.array([400001, 400017, 400030, 400040])[:columns]
    return pandas_fixed(folder / "pems-bay.h5", "speed", labels, "2017-01-01", speeds(rows, columns, 1))


def lstnet(path: Path, values: Array, form: str) -> Path:
    """Comma text without header or dates, gzipped where the name says so."""
    text = "".join(",".join(form % value for value in row) + "\n" for row in values).encode()
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)
    return path


def solar(folder: Path, rows: int = 1000) -> Path:
    """Megawatts with two decimals; nights are zeros that were measured."""
    day = np.maximum(0.0, np.sin(np.arange(rows) * 2 * np.pi / 144))[:, None]
    return lstnet(folder / "solar_AL.txt", day * np.array([[5.0, 11.5, 0.75]]), "%.2f")


def electricity(folder: Path, rows: int = 1000) -> Path:
    """Whole kilowatt-hours; the first row could be taken for sensor ids."""
    hour = np.arange(rows)[:, None]
    values = np.array([[14, 69, 234, 1088]]) + (hour * np.array([[3, 7, 11, 13]])) % 24
    return lstnet(folder / "electricity.txt", values, "%d")


def exchange_rate(folder: Path, rows: int = 300) -> Path:
    """Eight daily rates with six decimals, gzipped."""
    random = np.random.default_rng(2)
    walk = 0.7 + 0.001 * random.normal(size=(rows, 8)).cumsum(0)
    return lstnet(folder / "exchange_rate.txt.gz", walk, "%.6f")


def ett(folder: Path, name: str = "ETTm1.csv", rows: int = 300, minutes: int = 15) -> Path:
    """A date column and seven variables."""
    times = np.datetime64("2016-07-01T00:00:00") + np.arange(rows) * np.timedelta64(minutes, "m")
    values = np.random.default_rng(3).normal(5.0, 2.0, (rows, 7))
    lines = ["date,HUFL,HULL,MUFL,MULL,LUFL,LULL,OT"]
    lines += [
        f"{str(t).replace('T', ' ')},{','.join(map(repr, map(float, v)))}" for t, v in zip(times, values, strict=True)
    ]
    path = folder / name
    path.write_text("\n".join(lines) + "\n")
    return path
