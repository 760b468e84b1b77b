"""Recordings of event cameras, as events or kept as arrays, and the frames that are counted from them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from snnctl.data.arrays import Item, Whole, npy_source, npz_source, open_npy, open_npz, to_items
from snnctl.data.cache import Source
from snnctl.data.folders import Labelled, files_below, labelled_source, sort_out
from snnctl.data.pictures import Pixels
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
    """Events in an .npy with columns x, y, p, t (DVS128 Gesture), or an .npz with t, x, y and p; raises D104, D224."""
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


Cut = Literal["number", "time"]
_SUFFIXES = (".bin", ".npy", ".npz")
_GESTURE_SIZE = (128, 128)


def frames_source(path: Path, frames: int | None, size: tuple[int, int] | None, cut: Cut) -> Source[Item]:
    """Event frames at a local path: arrays of frames, or recordings whose events are counted into `frames` frames.

    Raises:
        DiagnosticError: D105 a file of no known kind, R321 recordings without `frames`, or what its reader finds.
    """
    if path.is_file():
        if path.suffix == ".npz":
            return npz_source(path, frames=True)
        if path.suffix == ".npy":
            return npy_source(path, frames=True)
        raise data_error("D105", f"`{path.name}` holds no event frames", file=path, help="it reads .npz, .npy, folders")
    first = min(path.rglob("*.npz"), default=None)
    if first is not None and "frames" in open_npz(first):
        return kept_source(path)
    if frames is None:
        message = "recordings of events have to be counted into frames"
        raise data_error("R321", message, file=path, path="data.frames", help="set `data.frames` to the T you want")
    if size is None:
        size = N_MNIST_SIZE if next(path.rglob("*.bin"), None) is not None else _GESTURE_SIZE
    return counted_source(path, frames, size, cut)


def kept_source(folder: Path) -> Source[Item]:
    """`[part/]CLASS/x.npz` with an array `frames` [T, C, H, W] each: how spikingjelly keeps integrated frames."""

    def read(items: list[tuple[str, int]]) -> Iterator[Item]:
        for name, label in items:
            arrays = open_npz(folder / name)
            if "frames" not in arrays:
                raise data_error("D222", f"`{name}` has no array `frames`", file=folder / name)
            yield to_items(arrays["frames"][None], folder / name, frames=True)[0], label

    files = [path.relative_to(folder).as_posix() for path in folder.rglob("*.npz")]
    return labelled_source(sort_out(files, folder, (".npz",)), folder, "frames", read)


def counted_source(folder: Path, frames: int, size: tuple[int, int], cut: Cut) -> Source[Item]:
    """Recordings in folders: `[Train|Test/]CLASS/x.bin` (N-MNIST) or `.../x.npz`; or DVS128 Gesture's
    `ibmGestureTrain/USER/CLASS.npy` and `ibmGestureTest/...`.

    Raises:
        DiagnosticError: D105 nothing but a format that is not read, D222 no recordings or no classes.
    """
    files = files_below(folder)
    wanted = [name for name in files if name.lower().endswith(_SUFFIXES)]
    if not wanted:
        foreign = next((name for name in files if name.lower().endswith((".aedat", ".aedat4", ".mat", ".hdf5"))), "")
        if foreign:
            help = "turn it into frames with a tool that reads it, and save .npz files with `frames` [T, C, H, W]"
            raise data_error("D105", f"`{foreign}` is a format that is not read", file=folder, help=help)
    found = _gestures(wanted) or sort_out(wanted, folder, _SUFFIXES)

    def read(items: list[tuple[str, int]]) -> Iterator[Item]:
        for name, label in items:
            path = folder / name
            events = read_n_mnist(path) if path.suffix == ".bin" else read_columns(path)
            yield to_frames(events, frames, size, cut, str(path)), label

    return labelled_source(found, folder, "events", read)


def _gestures(files: list[str]) -> Labelled:
    """The layout of DVS128 Gesture, where the file's name is the class; empty for another layout."""
    found: Labelled = {}
    for name in sorted(files):
        path = Path(name)
        part = next((part for part in ("train", "test") if f"ibmgesture{part}" in name.lower()), None)
        if part is None or path.suffix != ".npy":
            return {}
        found.setdefault(part, []).append((name, path.stem))
    return found


def to_frames(events: Events, frames: int, size: tuple[int, int], cut: Cut, name: str = "") -> Pixels:
    """Events counted per pixel and polarity: uint8 [T, H, W, 2], counts above 255 stay 255.

    Args:
        frames: T.
        size: (rows, columns) of the sensor.
        cut: `number`: every frame gets the same number of events, the last one the rest too; `time`: every frame
            lasts equally long.

    Raises:
        DiagnosticError: D224, no events, or one outside the sensor.

    Source: the two ways of spikingjelly's `integrate_events_to_fixed_frames_number`.
    """
    if not len(events):
        raise data_error("D224", f"`{name}` holds no events", file=name)
    rows, columns = size
    refuse_outside(events.x, events.y, size, name, name)
    if cut == "number":
        frame = np.minimum(np.arange(len(events)) // max(len(events) // frames, 1), frames - 1)
    else:
        since = events.t - events.t.min()
        frame = np.minimum(since * frames // max(int(since.max()), 1), frames - 1)
    place = ((frame * rows + events.y) * columns + events.x) * 2 + events.p
    counts = np.bincount(place, minlength=frames * rows * columns * 2)
    return np.minimum(counts, 255).astype(np.uint8).reshape(frames, rows, columns, 2)
