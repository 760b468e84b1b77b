"""Recordings on disk: times and units of all of them end to end, memory-mapped, with a manifest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import astuple, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from snnctl.core.diagnostic import DiagnosticError
from snnctl.data.arrays import Whole
from snnctl.data.cache import KeyedManifest, Part, Progress, Source, Store, key_of
from snnctl.data.events.readers.cochlea import FrontEnd
from snnctl.data.numpy_files import open_npz
from snnctl.data.problems import data_error

PIPELINE = 1  # raised when reading changes, so that older copies are not taken for its results
FRONT_END = FrontEnd()
UNKNOWN = -1
_COLUMNS = ("lengths", "labels", "speakers", "takes")


@dataclass(frozen=True)
class Block:
    """Some recordings, one after the other.

    Args:
        times: [S] float16 or float32, seconds.
        units: [S] whole numbers, which channel fired.
        lengths: [n] int64, spikes of each recording.
        labels: [n] int64, classes.
        speakers: [n] int64, -1 = not known.
        takes: [n] int64, which repetition it is; -1 = not known.
    """

    times: Any
    units: Any
    lengths: Whole
    labels: Whole
    speakers: Whole
    takes: Whole


def unknown(count: int) -> Whole:
    """[count] of what is not known."""
    return np.full(count, UNKNOWN, np.int64)


@dataclass(frozen=True, kw_only=True)
class SpikeManifest(KeyedManifest):
    """What a set is.

    Args:
        key, origin, format, files, licence, found, created, schema: see `KeyedManifest`.
        units: channels, the highest that fired + 1.
        seconds: time of the last spike.
        classes, speakers: names; speakers are empty where they have none.
        parts: part -> recordings.
        spikes: part -> spikes.
        times: part -> dtype of its times.
    """

    units: int
    seconds: float
    classes: list[str]
    speakers: list[str]
    parts: dict[str, int]
    spikes: dict[str, int]
    times: dict[str, str]

    def facts(self) -> Mapping[str, Any]:
        """For `snnctl data prep`."""
        items, spikes = sum(self.parts.values()), sum(self.spikes.values())
        head = {"items": items, "parts": self.parts, "spikes": spikes}
        return head | {"units": self.units, "classes": len(self.classes)}

    def words(self) -> str:
        """The same in one line."""
        words = "{items:,} recordings, {spikes:,} spikes of {units} units in {classes} classes"
        return words.format(**self.facts())


def named_key(name: str) -> str:
    """The folder of a named set."""
    return key_of(name, PIPELINE, name, *(astuple(FRONT_END) if name == "fsdd" else ()))


STORE = Store("spikes", SpikeManifest, named_key)


@dataclass(frozen=True)
class Recordings:
    """One part.

    Args:
        times: [S] seconds, float16 or float32, memory-mapped.
        units: [S] uint16 or uint32, memory-mapped.
        starts: [N + 1], where each recording begins, and the end.
        labels, speakers, takes: [N]; -1 = not known.
    """

    times: Any
    units: Any
    starts: Whole
    labels: Whole
    speakers: Whole
    takes: Whole

    def __len__(self) -> int:
        return len(self.labels)

    def each(self) -> Iterator[bytes]:
        """Times and units of one recording after the other, as bytes."""
        for first, end in pairwise(self.starts.tolist()):
            yield self.times[first:end].tobytes() + self.units[first:end].tobytes()


def open_part(manifest: SpikeManifest, part: str) -> Recordings:
    """The recordings of one part.

    Raises:
        DiagnosticError: D109, they cannot be read.
    """
    folder = STORE.path(manifest.key)
    try:
        lengths, *columns = open_npz(folder / f"{part}.npz").several(_COLUMNS)
        starts = np.concatenate(([0], np.cumsum(lengths)))
        kinds = {"times": manifest.times[part], "units": _unit_type(manifest.units)}
        flat = [_map(folder / f"{part}.{name}", kind, int(starts[-1])) for name, kind in kinds.items()]
        return Recordings(flat[0], flat[1], starts, *columns)
    except (OSError, ValueError, EOFError, KeyError, DiagnosticError) as error:
        said = error.diagnostics[0].message if isinstance(error, DiagnosticError) else error
        raise data_error("D109", f"the set `{manifest.key}` is damaged: {said}", file=folder) from error


def _map(path: Path, kind: Any, count: int) -> Any:
    # An empty file cannot be mapped: a set of silent recordings is one.
    return np.memmap(path, np.dtype(kind), "r", shape=(count,)) if count else np.empty(0, kind)


def _unit_type(units: int) -> Any:
    return np.uint16 if units <= 1 << 16 else np.uint32


def write_spikes(key: str, source: Source[Block], progress: Progress | None = None) -> SpikeManifest:
    """Take every recording of `source` into the cache; raises D104, D226, D227."""
    return STORE.write(key, lambda folder: _take_in(key, source, folder, progress))


def _take_in(key: str, source: Source[Block], folder: Path, progress: Progress | None) -> SpikeManifest:
    done, bytes_done, highest, last = 0, 0, -1, 0.0
    kinds: dict[str, str] = {}
    spikes: dict[str, int] = {}
    for part in source.parts:
        columns: dict[str, list[Whole]] = {name: [] for name in _COLUMNS}
        # Units are written wide, and narrowed once the highest of all parts is known.
        with (folder / f"{part.name}.times").open("wb") as times, (folder / f"{part.name}.wide").open("wb") as units:
            for block in part.items():
                _check(block, part, done, source.origin)
                kind = np.dtype(np.float16 if block.times.dtype == np.float16 else np.float32)
                kinds.setdefault(part.name, kind.str)
                block.times.astype(kinds[part.name]).tofile(times)
                block.units.astype(np.uint32).tofile(units)
                highest = max(highest, int(block.units.max()) if len(block.units) else -1)
                last = max(last, float(block.times.max(initial=0)))
                for name in _COLUMNS:
                    columns[name].append(getattr(block, name))
                done += len(block.lengths)
                if progress is not None:
                    bytes_done += block.times.nbytes + block.units.nbytes
                    progress(bytes_done, None)
        joined = {name: np.concatenate(found) for name, found in columns.items()}
        spikes[part.name] = int(joined["lengths"].sum())
        np.savez(folder / f"{part.name}.npz", **joined)  # type: ignore[arg-type]
    for part in source.parts:
        _narrow(folder, part.name, _unit_type(highest + 1))
    return SpikeManifest(
        **source.told(key),
        units=max(highest + 1, 1),
        seconds=round(last, 6),
        classes=list(source.classes),
        speakers=list(source.speakers),
        parts={part.name: part.count for part in source.parts},
        spikes=spikes,
        times=kinds,
    )


def _check(block: Block, part: Part[Block], done: int, origin: str) -> None:
    where = f"recordings {done} to {done + len(block.lengths) - 1} ({part.name})"
    if block.times.dtype.kind != "f" or not np.isfinite(block.times).all() or (block.times < 0).any():
        message = f"a time in {where} is negative or no number"
        raise data_error("D227", message, file=origin, help="times count from 0 on, or set `data.start: first`")
    if len(block.units) and int(block.units.min()) < 0:
        raise data_error("D226", f"a unit in {where} is negative", file=origin)
    if len(block.units) and int(block.units.max()) >= 1 << 31:
        raise data_error("D226", f"unit {int(block.units.max())} in {where} is too high", file=origin)


def _narrow(folder: Path, part: str, kind: Any) -> None:
    wide = folder / f"{part}.wide"
    with wide.open("rb") as read, (folder / f"{part}.units").open("wb") as write:
        while len(values := np.fromfile(read, np.uint32, 1 << 22)):
            values.astype(kind).tofile(write)
    wide.unlink()
