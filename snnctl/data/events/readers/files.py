"""Recordings kept as one file each, in folders named after their classes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from snnctl.data.arrays import open_npz
from snnctl.data.cache import Source
from snnctl.data.events.readers.cameras import N_MNIST_SIZE, read_n_mnist, refuse_outside
from snnctl.data.events.store import Block, unknown
from snnctl.data.folders import files_below, labelled_source, sort_out
from snnctl.data.problems import data_error

Size = tuple[int, int]  # rows and columns of the sensor
SUFFIXES = (".npz", ".bin")


def files_source(folder: Path, size: Size | None) -> Source[Block]:
    """`[train|test/]CLASS/x.npz` with `t` and `unit`, or `t`, `x`, `y` and `p`; or N-MNIST's `.bin` files.

    Times that are whole numbers are microseconds, others seconds. A pixel is unit ((y columns + x) 2 + p).

    Args:
        size: of the sensor; None is 34 x 34 for `.bin` files.

    Raises:
        DiagnosticError: D222 no recordings or no classes, or what a file holds.
    """

    def blocks(items: list[tuple[str, int]]) -> Iterator[Block]:
        for name, label in items:
            times, units = read_recording(folder / name, size)
            length, one = np.array([len(times)], np.int64), np.array([label], np.int64)
            yield Block(times, units, length, one, unknown(1), unknown(1))

    return labelled_source(sort_out(files_below(folder), folder, SUFFIXES), folder, "files", blocks)


def read_recording(path: Path, size: Size | None) -> tuple[Any, Any]:
    """Times (float32 seconds, ascending) and units of one file; raises D104, D224, R321."""
    if path.suffix == ".bin":
        events = read_n_mnist(path)
        return _ordered(events.t, _pixel(events.x, events.y, events.p, size or N_MNIST_SIZE, path))
    arrays = open_npz(path)
    if {"t", "unit"} <= set(arrays):
        times, units = arrays["t"], arrays["unit"]
    elif {"t", "x", "y", "p"} <= set(arrays):
        times = arrays["t"]
        if size is None:
            help = "set `data.size: [rows, columns]` to that of the sensor"
            raise data_error("R321", "pixels need the size of the sensor", file=path, path="data.size", help=help)
        x, y, p = (_whole(arrays[name], path) for name in "xyp")
        units = _pixel(x, y, p, size, path)
    else:
        message = f"`{path.name}` has {', '.join(arrays)}, neither t and unit nor t, x, y and p"
        raise data_error("D224", message, file=path)
    if times.ndim != 1 or times.shape != units.shape:
        message = f"`{path.name}` has times {list(times.shape)} and units {list(units.shape)}"
        raise data_error("D224", message, file=path)
    if times.dtype.kind not in "iuf":
        raise data_error("D224", f"`{path.name}` has times of {times.dtype}", file=path)
    return _ordered(times, _whole(units, path))


def _whole(values: Any, path: Path) -> Any:
    if values.dtype.kind not in "iub":
        raise data_error("D224", f"`{path.name}` has {values.dtype} where whole numbers belong", file=path)
    return values.astype(np.int64)


def _pixel(x: Any, y: Any, p: Any, size: Size, path: Path) -> Any:
    refuse_outside(x, y, size, path.name, path)
    return (y * size[1] + x) * 2 + (p > 0)


def _ordered(times: Any, units: Any) -> tuple[Any, Any]:
    seconds = times / 1e6 if times.dtype.kind in "iu" else times
    order = np.argsort(seconds, kind="stable")
    return seconds[order].astype(np.float32), units[order]
