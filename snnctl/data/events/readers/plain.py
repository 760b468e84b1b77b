"""Recordings without a header: N-MNIST's bytes, and arrays in .npz and .npy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from snnctl.data.events.readers.recording import MOST_EVENTS, Recording, clocked, refuse_many, whole
from snnctl.data.numpy_files import open_npy, open_npz
from snnctl.data.problems import data_error

N_MNIST_SIZE = (34, 34)
_N_MNIST_RESETS = 240  # y of a row that marks an overflow of the clock, not an event
_ES_IMAGENET_SIZE = (256, 256)
_MOST_BYTES = 32 * MOST_EVENTS  # of one array: 8 of each number, four of them where events are its records
_UNITS, _PIXELS, _SIGNS = ("t", "unit"), ("t", "x", "y", "p"), ("pos", "neg")


def read_n_mnist(path: Path) -> Recording:
    """The events of an N-MNIST or N-Caltech101 file: five bytes each, x, y, then polarity (1 bit) and time (23 bits).

    Raises:
        DiagnosticError: D224, its length is no multiple of five, or it is empty.

    Source: Orchard et al. 2015, "Converting static image datasets to spiking neuromorphic datasets using saccades".
    """
    size = path.stat().st_size
    if not size or size % 5:
        raise data_error("D224", f"`{path.name}` has {size:,} bytes: no events of five bytes each", file=path)
    refuse_many(size // 5, path)
    rows = np.fromfile(path, np.uint8).reshape(-1, 5).astype(np.int64)
    x, y = rows[:, 0], rows[:, 1]
    t = ((rows[:, 2] & 0x7F) << 16) | (rows[:, 3] << 8) | rows[:, 4]
    resets = y == _N_MNIST_RESETS
    t = t + np.cumsum(resets) * (1 << 13)
    return Recording(t, x, y, rows[:, 2] >> 7, tick="us").where(~resets)


def read_npz_recording(path: Path) -> Recording:
    """Arrays `t` and `unit`; `t`, `x`, `y`, `p`, or one array of such records (N-ImageNet); or `pos` and `neg`, rows of
    y, x, t (ES-ImageNet).

    Raises:
        DiagnosticError: D104 it cannot be read, D232 it is cut short, D252 it holds too much, D224 it holds others.
    """
    arrays = open_npz(path, most=_MOST_BYTES)
    names = set(arrays)
    for wanted in (_UNITS, _PIXELS, _SIGNS):
        if set(wanted) <= names:
            return _signed(arrays, path) if wanted is _SIGNS else _columns(arrays.several(wanted), path)
    if len(names) == 1 and "frames" not in names:
        (table,) = arrays.values()
        if _has_fields(table):
            return _columns([table[name] for name in _PIXELS], path)
    if "frames" in names:
        help = "`event_frames` reads frames; `event_spikes` needs the events"
        raise data_error("D224", f"`{path.name}` holds frames, not a recording", file=path, help=help)
    message = f"`{path.name}` has {', '.join(sorted(names))}, neither t and unit, nor t, x, y and p, nor pos and neg"
    raise data_error("D224", message, file=path)


def read_npy_recording(path: Path) -> Recording:
    """A table of rows x, y, p, t, as DVS128 Gesture is passed on, or t, x, y, p; or records with these names.

    Which of the two it is, the polarities tell: two values alone, in the last column and not in the third.

    Raises:
        DiagnosticError: D104 it cannot be read, D232 it is cut short, D224 it is another array.
    """
    table = open_npy(path, mapped=True)
    if _has_fields(table):
        return _columns([np.asarray(table[name]) for name in _PIXELS], path)
    if table.ndim != 2 or table.shape[1] != 4 or table.dtype.names:
        message = f"`{path.name}` is {table.dtype} {list(table.shape)}, not rows of x, y, p, t"
        raise data_error("D224", message, file=path)
    first = _two_signs(table[:, 3]) and not _two_signs(table[:, 2])
    return _columns([np.asarray(table[:, column]) for column in ((0, 1, 2, 3) if first else (3, 0, 1, 2))], path)


def _two_signs(column: Any) -> bool:
    """Whether numbers are polarities: 0 and 1, or -1 and 1."""
    return bool(np.isin(column, (0, 1)).all() or np.isin(column, (-1, 1)).all())


def _has_fields(table: Any) -> bool:
    return table.ndim == 1 and set(_PIXELS) <= set(table.dtype.names or ())


def _columns(columns: Sequence[Any], path: Path) -> Recording:
    """t and unit, or t, x, y and p."""
    if len({column.shape for column in columns}) > 1 or columns[0].ndim != 1:
        said = ", ".join(str(list(column.shape)) for column in columns)
        raise data_error("D224", f"`{path.name}` has times and columns of different shapes: {said}", file=path)
    refuse_many(len(columns[0]), path)
    t, grain = clocked(columns[0], path)
    if len(columns) == 2:
        return Recording(t, unit=whole(columns[1], path), grain=grain)
    x, y, p = (whole(column, path) for column in columns[1:])
    return Recording(t, x, y, (p > 0).astype(np.int64), grain=grain)


def _signed(arrays: Mapping[str, Any], path: Path) -> Recording:
    """ES-ImageNet: what became brighter and what darker, rows of y, x and the number of the step (or of t, x, y)."""
    both = [arrays["pos"], arrays["neg"]]
    if any(rows.ndim != 2 or rows.shape[1] not in (3, 4) for rows in both):
        said = " and ".join(str(list(rows.shape)) for rows in both)
        raise data_error("D224", f"`{path.name}` has pos and neg of {said}, not rows of y, x, t", file=path)
    refuse_many(sum(map(len, both)), path)
    # As published the time stands last. Who writes t, x, y is known by a first column that alone runs on.
    first, last = (all((np.diff(rows[:, column].astype(np.float64)) >= 0).all() for rows in both) for column in (0, 2))
    order = (0, 1, 2) if first and not last else (2, 1, 0)
    t, x, y = (np.concatenate([rows[:, column] for rows in both]) for column in order)
    times, grain = clocked(t, path)
    p = np.repeat(np.array([1, 0], np.int64), [len(rows) for rows in both])
    return Recording(times, whole(x, path), whole(y, path), p, size=_ES_IMAGENET_SIZE, grain=grain)
