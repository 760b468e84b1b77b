"""Recordings of event cameras: N-MNIST's files, and events kept as arrays."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from snnctl.data.arrays import Whole, open_npy, open_npz
from snnctl.data.problems import data_error

N_MNIST_SIZE = (34, 34)
_N_MNIST_RESETS = 240  # y of a row that marks an overflow of the clock, not an event


@dataclass(frozen=True)
class Events:
    """One recording, in the order of time.

    Args:
        t: microseconds, or whatever the recording counts in.
        x, y: column and row of the pixel.
        p: 1 where it became brighter, else 0.
    """

    t: Whole
    x: Whole
    y: Whole
    p: Whole

    def __len__(self) -> int:
        return len(self.t)


def read_n_mnist(path: Path) -> Events:
    """The events of an N-MNIST or N-Caltech101 file: five bytes each, x, y, then polarity (1 bit) and time (23 bits).

    Raises:
        DiagnosticError: D224, its length is no multiple of five, or it is empty.

    Source: Orchard et al. 2015, "Converting static image datasets to spiking neuromorphic datasets using saccades".
    """
    raw = np.fromfile(path, np.uint8)
    if not len(raw) or len(raw) % 5:
        raise data_error("D224", f"`{path.name}` has {len(raw):,} bytes: no events of five bytes each", file=path)
    rows = raw.reshape(-1, 5).astype(np.int64)
    x, y = rows[:, 0], rows[:, 1]
    t = ((rows[:, 2] & 0x7F) << 16) | (rows[:, 3] << 8) | rows[:, 4]
    resets = y == _N_MNIST_RESETS
    t = t + np.cumsum(resets) * (1 << 13)
    return Events(*(column[~resets] for column in (t, x, y, rows[:, 2] >> 7)))


def read_columns(path: Path) -> Events:
    """Events kept as arrays: an .npy with columns x, y, p, t (DVS128 Gesture), or an .npz with t, x, y and p.

    Raises:
        DiagnosticError: D104 or D224, it cannot be read or holds something else.
    """
    if path.suffix == ".npz":
        arrays = open_npz(path)
        if not {"t", "x", "y", "p"} <= set(arrays):
            raise data_error("D224", f"`{path.name}` has {', '.join(arrays)}, not t, x, y and p", file=path)
        columns = [np.asarray(arrays[name]) for name in "xypt"]
    else:
        table = open_npy(path)
        if table.ndim != 2 or table.shape[1] != 4:
            raise data_error("D224", f"`{path.name}` is {list(table.shape)}, not rows of x, y, p, t", file=path)
        columns = list(table.T)
    x, y, p, t = (column.astype(np.int64) for column in columns)
    return Events(t, x, y, (p > 0).astype(np.int64))


def refuse_outside(x: Any, y: Any, size: tuple[int, int], name: str, file: Path | str) -> None:
    """Every event lies on the sensor.

    Args:
        size: (rows, columns) of the sensor.

    Raises:
        DiagnosticError: D224, one does not.
    """
    rows, columns = size
    if len(x) and (x.max() >= columns or y.max() >= rows or min(x.min(), y.min()) < 0):
        message = f"`{name}` has an event at ({x.max()}, {y.max()}), outside {rows} x {columns} pixels"
        raise data_error("D224", message, file=file, path="data.size", help="set `data.size` to that of the sensor")
