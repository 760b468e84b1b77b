"""Recordings of event cameras as frames: kept as arrays, or counted from events."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np

from snnctl.data.arrays import Item, npy_source, npz_source, to_items
from snnctl.data.cache import Source
from snnctl.data.events.readers.files import recordings, recordings_below, same_sensor, sensor_of
from snnctl.data.events.readers.recording import Recording, Size, refuse_outside
from snnctl.data.events.times import Clock, Tally
from snnctl.data.folders import labelled_source, sort_out
from snnctl.data.numpy_files import open_npz
from snnctl.data.pictures import Pixels
from snnctl.data.problems import data_error

Cut = Literal["number", "time"]
ANY_SIZE = (128, 128)  # where neither recipe nor file says it
_MOST_CELLS = 1 << 28  # of the frames of one recording


def frames_source(path: Path, frames: int | None, size: Size | None, cut: Cut, clock: Clock) -> Source[Item]:
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
    return counted_source(path, frames, size, cut, clock)


def kept_source(folder: Path) -> Source[Item]:
    """`[part/]CLASS/x.npz` with an array `frames` [T, C, H, W] each: how spikingjelly keeps integrated frames."""

    def read(items: list[tuple[str, int]]) -> Iterator[Item]:
        for name, label in items:
            arrays = open_npz(folder / name)
            if "frames" not in arrays:
                raise data_error("D222", f"`{name}` has no array `frames`", file=folder / name)
            yield to_items(arrays["frames"][None], folder / name, frames=True)[0], label

    files = [path.relative_to(folder).as_posix() for path in folder.rglob("*.npz")]
    return labelled_source(sort_out(files, folder, (".npz",), "recordings"), folder, "frames", read)


def counted_source(folder: Path, frames: int, size: Size | None, cut: Cut, clock: Clock) -> Source[Item]:
    """Recordings in folders, see `recordings_below`, each counted into `frames` frames.

    Raises:
        DiagnosticError: D105 nothing but a format that is not read, D222 no recordings or no classes, D224 a recording
            without pixels.
    """
    tally = Tally(clock)

    def read(items: list[tuple[str, int]]) -> Iterator[Item]:
        for path, recording, label in recordings(folder, items):
            if recording.unit is not None:
                help = "units are no pixels: read them with `event_spikes`"
                raise data_error("D224", f"`{path.name}` has units, not x, y and p", file=path, help=help)
            sensor = sensor_of(recording, path, size) or ANY_SIZE
            same_sensor(tally, sensor, path)
            found = to_frames(recording, frames, sensor, cut, str(path))
            tally.add(recording.t, clock.tick(recording.t, recording.tick), path.suffix.lower(), recording.grain)
            if cut == "time":
                each = found.sum((1, 2, 3), dtype=np.int64)
                tally.fullest.append(float(each.max() / max(each.sum(), 1)))
            yield found, label

    return labelled_source(recordings_below(folder), folder, "events", read, tally.facts)


def to_frames(events: Recording, frames: int, size: Size, cut: Cut, name: str = "") -> Pixels:
    """Events counted per pixel and polarity: uint8 [T, H, W, 2], counts above 255 stay 255.

    Args:
        events: in the order of time.
        frames: T.
        size: (rows, columns) of the sensor.
        cut: `number`: every frame gets the same number of events, the last one the rest too; `time`: every frame
            lasts equally long.

    Raises:
        DiagnosticError: D224, no events, or one outside the sensor; D252, more frames than memory has room for.

    Source: the two ways of spikingjelly's `integrate_events_to_fixed_frames_number`.
    """
    if not len(events):
        raise data_error("D224", f"`{name}` holds no events", file=name)
    rows, columns = size
    if frames * rows * columns * 2 > _MOST_CELLS:
        message = f"{frames} frames of {rows} x {columns} pixels are more than is held at once"
        raise data_error("D252", message, file=name, path="data.frames", help="ask for fewer frames")
    refuse_outside(events, size, name, name)
    if cut == "number":
        frame = np.minimum(np.arange(len(events)) // max(len(events) // frames, 1), frames - 1)
    elif events.t.dtype.kind == "f":
        since = events.t - events.t.min()
        frame = np.minimum((since * (frames / (since.max() or 1.0))).astype(np.int64), frames - 1)
    else:
        since = events.t - events.t.min()
        coarser = max(int(since.max()) * frames >> 62, 0) + 1  # what is counted in stays within 64 bits
        since = since // coarser
        frame = np.minimum(since * frames // max(int(since.max()), 1), frames - 1)
    place = ((frame * rows + events.y) * columns + events.x) * 2 + events.p
    counts = np.bincount(place, minlength=frames * rows * columns * 2)
    return np.minimum(counts, 255).astype(np.uint8).reshape(frames, rows, columns, 2)
