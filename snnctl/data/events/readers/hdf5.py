"""The HDF5 layout of SHD and SSC: `spikes/times`, `spikes/units`, `labels`, and who spoke below `extra`.

Read with h5py alone, block by block. `spikes/times` and `spikes/units` are arrays of arrays of any length, seconds and
channels of one recording each; times are float16 in the published files. Files of others may hold another unit, or
whole numbers. Nothing outside of the file is followed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from snnctl.data.arrays import Whole, numbered
from snnctl.data.cache import Part, Source
from snnctl.data.events.readers.recording import clocked
from snnctl.data.events.store import Block, unknown
from snnctl.data.events.times import Clock, Tally
from snnctl.data.hdf5_files import child_at
from snnctl.data.problems import data_error

SUFFIXES = (".h5", ".hdf5")
_STEP = 256  # recordings read at once
_MOST_RECORDINGS = 1 << 24
_MOST_CLASSES = 1 << 16
_LISTS = ("spikes/times", "spikes/units", "labels")
_BAD_FILE = (OSError, KeyError, RuntimeError, ValueError, TypeError, AttributeError)
_PARTS = {"train": "train", "valid": "val", "val": "val", "test": "test"}


CLOCK = Clock()


def hdf5_source(path: Path, clock: Clock = CLOCK, *, labelled: bool = True) -> Source[Block]:
    """A file, or a folder with files for train, (valid) and test, told apart by their names.

    Args:
        path: of the file or folder.
        clock: how times are read.
        labelled: whether every recording must have a class; else those of a file without `labels` are -1.

    Raises:
        DiagnosticError: D104 a file cannot be read, D225 another layout, D226 what it holds does not match.
    """
    files = _files(path)
    classes: tuple[str, ...] = ()
    speakers: tuple[str, ...] = ()
    parts, highest, tally = [], -1, Tally(clock)
    for name, file in files.items():
        with _open(file) as opened:
            count, labels = _outline(opened, file, labelled)
            keys = _names(opened, "extra/keys", file)
            speakers = speakers or _names(opened, "extra/speaker_names", file)
        if classes and keys and keys != classes:
            raise data_error("D226", f"`{file.name}` names other classes than the files before it", file=file)
        classes, highest = classes or keys, max(highest, int(labels.max(initial=-1)))
        parts.append(Part(name, count, partial(_blocks, file, tally, labelled)))
    if classes and highest >= len(classes):
        message = f"class {highest} occurs, and `extra/keys` names {len(classes)} classes"
        raise data_error("D226", message, file=path)
    classes = classes or numbered(highest)
    return Source(tuple(parts), str(path), "hdf5", classes=classes, speakers=speakers, findings=tally.facts)


def write_hdf5(
    path: Path,
    times: Sequence[Any],
    units: Sequence[Any],
    labels: Any,
    keys: Sequence[str],
    *,
    extra: Mapping[str, Any] | None = None,
) -> Path:
    """Write recordings in this layout: float16 seconds, uint16 channels, uint16 classes.

    Args:
        times, units: one array per recording.
        labels: [N] whole numbers.
        keys: names of the classes.
        extra: further arrays below `extra`, such as `speaker` [N].
    """
    import h5py

    with h5py.File(path, "w", track_order=False) as file:
        for name, values, kind in (("times", times, np.float16), ("units", units, np.uint16)):
            held = file.create_dataset(f"spikes/{name}", (len(values),), h5py.vlen_dtype(kind))
            for number, one in enumerate(values):
                held[number] = np.asarray(one, kind)
        file["labels"] = np.asarray(labels, np.uint16)
        file["extra/keys"] = np.array([key.encode() for key in keys])
        for name, values in (extra or {}).items():
            file[f"extra/{name}"] = values
    return path


def _files(path: Path) -> dict[str, Path]:
    if path.is_file():
        return {"all": path}
    found: dict[str, Path] = {}
    files = sorted(file for file in path.iterdir() if file.suffix.lower() in SUFFIXES)
    for file in files:
        part = next((part for word, part in _PARTS.items() if word in file.stem.lower()), "all")
        if part in found:
            message = f"`{found[part].name}` and `{file.name}` could both be {part}"
            raise data_error("D226", message, file=path, help="keep one set in a folder, or name a file")
        found[part] = file
    if not found:
        packed = sorted(file.name for file in path.iterdir() if file.suffix.lower() in (".zip", ".gz"))
        help = f"unpack `{packed[0]}`" if packed else "it wants files such as shd_train.h5 and shd_test.h5"
        raise data_error("D101", f"no HDF5 file is in `{path}`", file=path, help=help)
    order = ("train", "val", "test", "all")
    return {part: found[part] for part in order if part in found}


@contextmanager
def _open(path: Path) -> Iterator[Any]:
    import h5py

    try:
        with h5py.File(path, "r") as file:
            yield file
    except _BAD_FILE as error:
        text = str(error).splitlines()[0] if str(error) else type(error).__name__
        help = "it may be cut short: fetch it again"
        raise data_error("D104", f"`{path.name}` cannot be read as HDF5: {text}", file=path, help=help) from error


def _outline(file: Any, path: Path, labelled: bool = True) -> tuple[int, Whole]:
    """How many recordings there are, and their classes; -1 where they need not have one, and have none."""
    import h5py

    lists = _LISTS if labelled or "labels" in file else _LISTS[:2]
    for name in lists:
        node = child_at(file, name, path)
        if node is None or not hasattr(node, "dtype") or len(node.shape or ()) != 1:
            held = ", ".join(sorted(file)) or "nothing"
            message = f"`{path.name}` has no list `{name}`; it holds {held}"
            help = "expected: spikes/times, spikes/units, labels, extra/keys, extra/speaker"
            raise data_error("D225", message, file=path, help=help)
        kind = h5py.check_vlen_dtype(node.dtype) if name != "labels" else node.dtype
        wanted = "iuf" if name == "spikes/times" else "iu"
        if kind is None or np.dtype(kind).kind not in wanted:
            words = "arrays of any length" if name != "labels" else "whole numbers"
            raise data_error("D225", f"`{name}` of `{path.name}` holds {node.dtype}, not {words}", file=path)
    sizes = {name: file[name].shape[0] for name in lists}
    if len(set(sizes.values())) > 1:
        said = ", ".join(f"{name} {size:,}" for name, size in sizes.items())
        raise data_error("D226", f"`{path.name}` has lists of different lengths: {said}", file=path)
    count = sizes["spikes/times"]
    if not count:
        raise data_error("D102", f"`{path.name}` holds no recordings", file=path)
    bare = next((name for name in lists if not file[name].id.get_storage_size()), "")
    if bare or count > _MOST_RECORDINGS:
        message = f"`{path.name}` declares {count:,} recordings"
        message += f", and `{bare}` holds nothing" if bare else ""
        raise data_error("D252", message, file=path, help=f"at most {_MOST_RECORDINGS:,} are read of one file")
    if lists != _LISTS:
        return count, unknown(count)
    labels = file["labels"][()]
    if labels.dtype == np.uint64 and (labels >> np.uint64(63)).any():
        raise data_error("D226", f"`labels` of `{path.name}` holds {labels.max()}", file=path)
    labels = labels.astype(np.int64)
    if labels.max() >= _MOST_CLASSES:
        message = f"recording {int(labels.argmax())} of `{path.name}` has class {labels.max()}"
        raise data_error("D226", message, file=path, help="classes are numbered from 0 on")
    if (labels < 0).any():
        message = f"recording {int(labels.argmin())} of `{path.name}` has class {labels.min()}"
        raise data_error("D226", message, file=path)
    for name in ("extra/speaker", "extra/take"):
        node = child_at(file, name, path)
        if node is not None and (node.shape != labels.shape or node.dtype.kind not in "iu"):
            message = f"`{name}` of `{path.name}` is {node.dtype} {list(node.shape)} for {len(labels):,} recordings"
            raise data_error("D226", message, file=path)
    return len(labels), labels


def _names(file: Any, key: str, path: Path) -> tuple[str, ...]:
    node = child_at(file, key, path)
    if node is None:
        return ()
    if not hasattr(node, "dtype") or node.ndim != 1 or node.size > _MOST_CLASSES or node.dtype.itemsize > 1 << 12:
        raise data_error("D225", f"`{key}` of `{path.name}` is no list of names", file=path)
    cells = node[()]
    return tuple(cell.decode("utf-8", "replace") if isinstance(cell, bytes) else str(cell) for cell in cells)


def _blocks(path: Path, tally: Tally, labelled: bool = True) -> Iterator[Block]:
    with _open(path) as file:
        count, labels = _outline(file, path, labelled)
        speakers, takes = (
            file[key][()].astype(np.int64) if key in file else unknown(count) for key in ("extra/speaker", "extra/take")
        )
        for first in range(0, count, _STEP):
            rows = slice(first, min(first + _STEP, count))
            times, units = file["spikes/times"][rows], file["spikes/units"][rows]
            lengths = np.array([len(one) for one in times], np.int64)
            others = np.array([len(one) for one in units], np.int64)
            odd = np.flatnonzero(lengths != others)
            if len(odd):
                at = int(odd[0])
                message = f"recording {first + at} of `{path.name}` has {lengths[at]:,} times and {others[at]:,} units"
                raise data_error("D226", message, file=path)
            seconds = _seconds(np.concatenate(times), lengths, tally, path)
            yield Block(seconds, np.concatenate(units), lengths, labels[rows], speakers[rows], takes[rows])


def _seconds(times: Any, lengths: Whole, tally: Tally, path: Path) -> Any:
    """Times of recordings end to end in seconds: float32, or as they are where they are seconds already."""
    clock = tally.clock
    wide, grain = clocked(times, path)
    tick = clock.tick(times)
    firsts = tally.add_all(wide, lengths, tick, "HDF5", grain)
    if clock.start == "first":
        wide = wide - np.repeat(firsts, lengths)
    elif tick[0] == "s" and times.dtype.kind == "f":
        return times
    return clock.scaled(wide, tick[0]).astype(np.float32)
