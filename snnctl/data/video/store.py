"""Videos in the cache: the frames of each part in one array, memory-mapped, with a manifest of where they are from."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.lib.format import open_memmap

from snnctl.data.problems import data_error
from snnctl.data.sets import KeyedManifest, Store
from snnctl.data.video.clips import By, Clips, VideoSet
from snnctl.data.video.source import VideoPart, VideoSource

Progress = Callable[[int, int | None], None]  # bytes of pixels taken in, and in all


@dataclass(frozen=True, kw_only=True)
class VideoManifest(KeyedManifest):
    """What a set in the cache is.

    Args:
        key, origin, format, files, licence, created, schema: see `KeyedManifest`.
        shape: [H, W, C] of a frame.
        clips, frames: part -> how many.
        by, from_end, shared, lengths: see `VideoSet`.
    """

    shape: list[int]
    clips: dict[str, int]
    frames: dict[str, int]
    by: str
    from_end: bool
    shared: int
    lengths: list[int] | None


STORE = Store("videos", VideoManifest)


def videos_folder(cache: Path | None = None) -> Path:
    """Where sets of videos lie."""
    return STORE.path(cache=cache)


def sound_videos(key: str, cache: Path | None = None, *, verify: bool = False) -> VideoManifest | None:
    """The manifest of a set whose files are all there, see `Store.sound`, else None."""
    return STORE.sound(key, cache, verify=verify)


def open_videos(manifest: VideoManifest, cache: Path | None = None) -> VideoSet:
    """The clips of a set that `sound_videos` has found.

    Raises:
        DiagnosticError: D109, they cannot be read.
    """
    folder = videos_folder(cache) / manifest.key
    try:
        parts = {
            part: Clips.of_table(np.load(folder / f"{part}.frames.npy", mmap_mode="r"), np.load(folder / _table(part)))
            for part in manifest.clips
        }
    except (OSError, ValueError, EOFError) as error:
        raise data_error("D109", f"the videos `{manifest.key}` are damaged: {error}", file=folder) from error
    facts = sorted((name, stored.sha256) for name, stored in manifest.files.items())
    return VideoSet(
        parts,
        manifest.origin,
        manifest.format,
        manifest.licence,
        hashlib.sha256(repr(facts).encode()).hexdigest(),
        manifest.bytes,
        cast(By, manifest.by),
        manifest.from_end,
        manifest.shared,
        (manifest.lengths[0], manifest.lengths[1]) if manifest.lengths else None,
    )


def write_videos(
    key: str, source: VideoSource, *, cache: Path | None = None, progress: Progress | None = None
) -> VideoManifest:
    """Take in every clip of `source`; the folder appears whole, by one rename, or not at all.

    Raises:
        DiagnosticError: D104 the cache cannot be written, D221 frames of different sizes, or what reading finds.
    """
    return STORE.write(key, lambda folder: _take(key, source, folder, progress), cache)


def _take(key: str, source: VideoSource, folder: Path, progress: Progress | None) -> VideoManifest:
    total, done = sum(part.count for part in source.parts), 0
    shape: tuple[int, ...] | None = None
    clips = {}
    for part in source.parts:
        shape, clips[part.name] = _take_part(source, part, folder, shape, done, total, progress)
        done += part.count
    return VideoManifest(
        key=key,
        origin=source.origin,
        format=source.format,
        shape=list(shape or ()),
        clips=clips,
        frames={part.name: part.count for part in source.parts},
        by=source.by,
        from_end=source.from_end,
        shared=source.shared,
        lengths=list(source.lengths) if source.lengths else None,
        licence=source.licence,
    )


def _take_part(
    source: VideoSource,
    part: VideoPart,
    folder: Path,
    shape: tuple[int, ...] | None,
    done: int,
    total: int,
    progress: Progress | None,
) -> tuple[tuple[int, ...], int]:
    """The shape of a frame, and how many clips there are."""
    table: list[tuple[int, int, int]] = []
    frames: Any = None
    at = 0
    for run in part.runs():
        shape = shape or run.frames.shape[1:]
        if run.frames.shape[1:] != shape:
            sizes = [" x ".join(map(str, found)) for found in (run.frames.shape[1:], shape)]
            message = f"a clip of {part.name} has frames of {sizes[0]}, the first one of {sizes[1]}"
            raise data_error("D221", message, file=source.origin, path="data.size")
        if frames is None:
            frames = open_memmap(folder / f"{part.name}.frames.npy", "w+", run.frames.dtype, (part.count, *shape))
        frames[at : at + len(run.frames)] = run.frames
        at += len(run.frames)
        table.append((len(run.frames), run.group, run.stride))
        if progress is not None and len(table) % 64 == 0:
            progress((done + at) * frames[0].nbytes, total * frames[0].nbytes)
    if frames is None or shape is None:
        raise data_error("D230", f"the part `{part.name}` holds nothing", file=source.origin)
    frames.flush()
    np.save(folder / _table(part.name), np.array(table, np.int64))
    return shape, len(table)


def _table(part: str) -> str:
    return f"{part}.clips.npy"
