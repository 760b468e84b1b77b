"""Recordings kept as files in folders named after their classes: which formats are read, and by what."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from snnctl.data.cache import Source
from snnctl.data.events.readers import gestures
from snnctl.data.events.readers.aedat import read_aedat
from snnctl.data.events.readers.plain import N_MNIST_SIZE, read_n_mnist, read_npy_recording, read_npz_recording
from snnctl.data.events.readers.prophesee import read_dat, read_raw
from snnctl.data.events.readers.recording import Recording, Size, refuse_far, refuse_outside
from snnctl.data.events.store import Block, unknown
from snnctl.data.events.times import Clock, Tally
from snnctl.data.folders import Labelled, files_below, labelled_source, sort_out
from snnctl.data.problems import data_error

READERS: dict[str, Callable[[Path], Recording]] = {
    ".npz": read_npz_recording,
    ".npy": read_npy_recording,
    ".bin": read_n_mnist,
    ".aedat": read_aedat,
    ".aedat4": read_aedat,
    ".dat": read_dat,
    ".raw": read_raw,
}
SUFFIXES = tuple(READERS)
_GESTURE_SIZE = (128, 128)
_FOREIGN = {
    ".mat": "save its events as .npz with t, x, y and p",
    ".hdf5": "of folders, HDF5 is read in the layout of SHD alone; save events as .npz with t, x, y and p",
    ".h5": "of folders, HDF5 is read in the layout of SHD alone; save events as .npz with t, x, y and p",
    ".es": "save its events as .npz with t, x, y and p",
    ".rosbag": "save its events as .npz with t, x, y and p",
    ".bag": "save its events as .npz with t, x, y and p",
    ".mp4": "that is video: see `data: video`",
}


def recordings_below(folder: Path) -> Labelled:
    """Every recording in a folder by part, with its class: off folders, off DVS128 Gesture's tables or its names.

    Raises:
        DiagnosticError: D105 nothing but a format that is not read, D222 no recordings or no classes.
    """
    files = files_below(folder)
    found = gestures.tables_of(files, folder) or gestures.named_after(files, SUFFIXES)
    if found:
        return found
    if not any(name.lower().endswith(SUFFIXES) for name in files):
        for name in sorted(files):
            help = _FOREIGN.get(Path(name).suffix.lower())
            if help:
                raise data_error("D105", f"`{name}` is a format that is not read", file=folder, help=help)
    return sort_out(files, folder, SUFFIXES, "recordings")


def read_recording(path: Path) -> Recording:
    """One file, in the order of time.

    Raises:
        DiagnosticError: D227, times lie further apart than 64 bits tell; or what its reader finds.
    """
    found = READERS[path.suffix.lower()](path)
    if found.t.dtype.kind == "i":
        refuse_far(found.t, path)
    return found.running_on().ordered()


def recordings(folder: Path, items: list[tuple[str, int]]) -> Iterator[tuple[Path, Recording, int]]:
    """Path, recording and class of each of `items`, which `recordings_below` has named."""
    for path, rows in gestures.grouped(folder, items):
        if not rows[0].cut:
            yield path, read_recording(path), rows[0].label
            continue
        whole = read_recording(path)
        for row in rows:
            yield path, row.of(whole), row.label


def sensor_of(recording: Recording, path: Path, size: Size | None) -> Size | None:
    """Rows and columns of the sensor of a recording: as told, else as its file or its format has it; None = unknown."""
    known = {".bin": N_MNIST_SIZE, ".aedat": _GESTURE_SIZE}
    return size or recording.size or known.get(path.suffix.lower())


def files_source(folder: Path, size: Size | None, clock: Clock) -> Source[Block]:
    """`[train|test/]CLASS/x.npz` with `t` and `unit`, or recordings of event cameras: see `READERS`.

    A pixel is unit ((y columns + x) 2 + p).

    Args:
        size: of the sensor; None takes what files say.
        clock: how times are read where formats do not say.

    Raises:
        DiagnosticError: D222 no recordings or no classes, or what a file holds.
    """
    tally = Tally(clock)

    def blocks(items: list[tuple[str, int]]) -> Iterator[Block]:
        for path, recording, label in recordings(folder, items):
            units = recording.unit if recording.unit is not None else _pixels(recording, path, size, tally)
            tick = clock.tick(recording.t, recording.tick)
            tally.add(recording.t, tick, path.suffix.lower(), recording.grain)
            tally.over += recording.rounds > 0
            times = clock.seconds(recording.t, tick[0]).astype(np.float32)
            length, one = np.array([len(times)], np.int64), np.array([label], np.int64)
            yield Block(times, units, length, one, np.array([gestures.user_of(path)], np.int64), unknown(1))

    return labelled_source(recordings_below(folder), folder, "files", blocks, tally.facts)


def _pixels(recording: Recording, path: Path, size: Size | None, tally: Tally) -> Any:
    sensor = sensor_of(recording, path, size)
    if sensor is None:
        help = "set `data.size: [rows, columns]` to that of the sensor"
        raise data_error("R321", "pixels need the size of the sensor", file=path, path="data.size", help=help)
    same_sensor(tally, sensor, path)
    refuse_outside(recording, sensor, path.name, path)
    return (recording.y * sensor[1] + recording.x) * 2 + recording.p


def same_sensor(tally: Tally, sensor: Size, path: Path) -> None:
    """All recordings of a set are of one size.

    Raises:
        DiagnosticError: D224, this one is not.
    """
    tally.size = tally.size or sensor
    if sensor != tally.size:
        (rows, columns), (before, beside) = sensor, tally.size
        message = f"`{path.name}` is of {rows} x {columns} pixels, recordings before it of {before} x {beside}"
        help = "set `data.size: [rows, columns]` to what holds all of them"
        raise data_error("D224", message, file=path, path="data.size", help=help)
