"""Videos in the cache: the frames of each part in one array, memory-mapped, with a manifest of where they are from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.format import open_memmap

from snnctl.core.diagnostic import DiagnosticError
from snnctl.data.cache import KeyedManifest, Progress, Store, key_of, sha256_of
from snnctl.data.decoding import Span
from snnctl.data.numpy_files import open_npy
from snnctl.data.pictures import spelled
from snnctl.data.problems import data_error
from snnctl.data.tones import Tones
from snnctl.data.video.clips import Clips, Customs, VideoSet, VideoSource
from snnctl.data.video.readers.folders import KTH_SIZE, FrameShape


@dataclass(frozen=True, kw_only=True)
class VideoManifest(Customs, KeyedManifest):
    """What a set in the cache is.

    Args:
        key, origin, format, files, licence, created, schema: see `KeyedManifest`.
        shape: [H, W, C] of a frame.
        clips, frames: part -> how many.
        by, from_end, shared, lengths: see `Customs`.
    """

    shape: list[int]
    clips: dict[str, int]
    frames: dict[str, int]


PIPELINE = 1  # raised when reading changes, so that older copies are not taken for its results
PLAIN, AS_THEY_ARE = FrameShape(), Tones()


def named_key(name: str, shape: FrameShape = PLAIN, tones: Tones = AS_THEY_ARE) -> str:
    """The folder of a named set."""
    shape = FrameShape(shape.size or KTH_SIZE, shape.channels or 1) if name == "kth" else PLAIN
    return key_of(name, PIPELINE, name, shape, *tones.settings)


STORE = Store("videos", VideoManifest, named_key)


def open_videos(manifest: VideoManifest) -> VideoSet:
    """The clips of a set.

    Raises:
        DiagnosticError: D109, they cannot be read.
    """
    folder = STORE.path(manifest.key)
    try:
        parts = {
            part: Clips.of_table(open_npy(folder / f"{part}.frames.npy", mapped=True), open_npy(folder / _table(part)))
            for part in manifest.clips
        }
    except (DiagnosticError, ValueError, IndexError) as error:
        raise data_error("D109", f"the videos `{manifest.key}` are damaged: {error}", file=folder) from error
    digest = sha256_of(manifest.checksums(), ())
    customs = manifest.customs()
    if customs["lengths"]:
        customs["lengths"] = tuple(customs["lengths"])
    told = (manifest.origin, manifest.format, manifest.licence, digest, manifest.bytes)
    return VideoSet(parts, *told, folder=folder, findings=manifest.found, **customs)


def write_videos(key: str, source: VideoSource, progress: Progress | None = None) -> VideoManifest:
    """Take in every clip of `source`; raises D104, D221."""
    return STORE.write(key, lambda folder: _take_in(key, source, folder, progress))


def _take_in(key: str, source: VideoSource, folder: Path, progress: Progress | None) -> VideoManifest:
    total, done = sum(part.count for part in source.parts), 0
    shape: tuple[int, ...] = ()
    clips = {}
    span = Span()
    for part in source.parts:
        table: list[tuple[int, int, int]] = []
        frames: Any = None
        at = 0
        for run in part.items():
            shape = shape or run.frames.shape[1:]
            if run.frames.shape[1:] != shape:
                own = spelled(run.frames.shape[1:])
                message = f"a clip of {part.name} has frames of {own}, the first one of {spelled(shape)}"
                raise data_error("D221", message, file=source.origin, path="data.size")
            if frames is None:
                frames = open_memmap(folder / f"{part.name}.frames.npy", "w+", run.frames.dtype, (part.count, *shape))
            frames[at : at + len(run.frames)] = run.frames
            at += len(run.frames)
            if run.frames.dtype == np.uint8:
                span.add(run.frames)
            table.append((len(run.frames), run.group, run.stride))
            if progress is not None and len(table) % 64 == 0:
                progress((done + at) * frames[0].nbytes, total * frames[0].nbytes)
        if frames is None:
            raise data_error("D230", f"the part `{part.name}` holds nothing", file=source.origin)
        frames.flush()
        np.save(folder / _table(part.name), np.array(table, np.int64))
        clips[part.name] = len(table)
        done += part.count
    told = source.told(key)
    if told["found"]:
        told["found"] |= {"levels": span.levels}
    return VideoManifest(
        **told,
        shape=list(shape),
        clips=clips,
        frames={part.name: part.count for part in source.parts},
        **source.customs(),
    )


def _table(part: str) -> str:
    return f"{part}.clips.npy"
