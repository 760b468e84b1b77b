"""Getting videos ready: named ones fetched or brought, local ones when they are first used."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np

from snnctl.core.diagnostic import choices, did_you_mean
from snnctl.data.cache import cache_dir
from snnctl.data.download import download
from snnctl.data.images.readers.arrays import open_npz
from snnctl.data.images.readers.detect import stamp
from snnctl.data.problems import data_error
from snnctl.data.sets import key_of
from snnctl.data.video.clips import VideoSet
from snnctl.data.video.known import KNOWN_VIDEO_NAMES, KNOWN_VIDEOS, KnownVideos
from snnctl.data.video.readers.arrays import Layout, array_part, map_npy, npy_set, npy_source, npz_source
from snnctl.data.video.readers.folders import KTH_SIZE, FrameShape, folder_source, is_kth, kth_source
from snnctl.data.video.readers.taxi import is_taxi, taxi_source
from snnctl.data.video.source import VideoSource
from snnctl.data.video.store import Progress, VideoManifest, open_videos, sound_videos, write_videos

PIPELINE = 1  # raised when reading changes, so that older copies are not taken for its results
MOVING_MNIST = (20, 64, 64)
PLAIN = FrameShape()


def known_key(name: str, shape: FrameShape = PLAIN) -> str:
    """The folder of a named set."""
    shape = FrameShape(shape.size or KTH_SIZE, shape.channels or 1) if name == "kth" else PLAIN
    return key_of(name, PIPELINE, name, shape)


def known_videos(name: str, shape: FrameShape = PLAIN) -> VideoSet:
    """A named set that lies in the cache.

    Raises:
        DiagnosticError: D101, it does not.
    """
    found = sound_videos(known_key(name, shape))
    if found is None:
        raise _not_here(KNOWN_VIDEOS[name])
    return open_videos(found)


def prepare_videos(
    name: str,
    shape: FrameShape = PLAIN,
    *,
    source: Path | None = None,
    cache: Path | None = None,
    progress: Progress | None = None,
) -> VideoManifest:
    """Make a named set ready; returns at once when a sound copy is in the cache.

    Args:
        shape: that frames of kth are brought to.
        source: where its file or folder lies; None = fetch it, if its address is known.

    Raises:
        DiagnosticError: D101 unknown name or no source, D107 not the expected set, D108 no download, or what reading it
            finds.
    """
    if name not in KNOWN_VIDEOS:
        raise data_error("D101", f"unknown set of videos `{name}`", help=choices(name, KNOWN_VIDEO_NAMES))
    known, key = KNOWN_VIDEOS[name], known_key(name, shape)
    found = sound_videos(key, cache, verify=True)
    if found is not None:
        return found
    fetched = None
    if source is None:
        if not known.url:
            raise _not_here(known)
        by_hand = f"fetch it by other means and run: {known.command} --from FILE"
        part = download(known.url, (cache or cache_dir()) / "downloads", progress=progress, help=by_hand)
        source = fetched = part.with_name(known.url.rsplit("/", 1)[1])
        os.replace(part, fetched)
    elif not source.exists():
        raise data_error("D101", f"nothing is at `{source}`", file=source, path="")
    read = _read_known(known, source, shape)
    written = write_videos(key, replace(read, licence=known.licence), cache=cache, progress=progress)
    if fetched is not None:
        fetched.unlink()
    return written


def local_videos(path: Path, layout: Layout | None, shape: FrameShape, progress: Progress | None = None) -> VideoSet:
    """Videos at a local path: bytes in a .npy file are mapped where they lie, all else is taken into the cache.

    Raises:
        DiagnosticError: D105 a file of no known kind, or what its reader finds.
    """
    suffix = path.suffix.lower()
    if path.is_file() and suffix not in (".npy", ".npz"):
        help = "it reads .npy, .npz, KTH's tree, and folders of numbered pictures"
        raise data_error("D105", f"`{path.name}` is not of a kind that is read", file=path, help=help)
    if suffix == ".npy" and path.is_file():
        mapped = npy_set(path, layout)
        if mapped is not None:
            return mapped
    key = key_of(str(path), PIPELINE, str(path.resolve()), stamp(path), layout, shape)
    found = sound_videos(key)
    if found is None:
        found = write_videos(key, _read(path, layout, shape), progress=progress)
    return open_videos(found)


def local_path(text: str) -> Path:
    """The path, if something is there.

    Raises:
        DiagnosticError: D101, there is nothing.
    """
    path = Path(text).expanduser() if "\0" not in text else Path()
    if text and path.exists():
        return path
    help = f"{did_you_mean(text, KNOWN_VIDEO_NAMES)}  known names: {', '.join(KNOWN_VIDEO_NAMES)}".strip()
    raise data_error("D101", f"nothing is at `{text}`", file=text, help=help)


def moving_mnist_source(path: Path) -> VideoSource:
    """The file of test sequences, uint8 [20, N, 64, 64]: time is its first axis.

    Raises:
        DiagnosticError: D230 other axes, D231 another type, D232 cut short, D104 it cannot be read.
    """
    array = map_npy(path)
    if array.ndim != 4 or (array.shape[0], *array.shape[2:]) != MOVING_MNIST:
        message = f"`{path.name}` holds {list(array.shape)}, not [20, N, 64, 64]: time, sequence, rows, columns"
        raise data_error("D230", message, file=path, help="time is the first axis of Moving MNIST's file")
    if array.dtype != np.uint8:
        raise data_error("D231", f"`{path.name}` holds {array.dtype}, not uint8", file=path)
    return VideoSource((array_part("test", array, "tnhw", path),), str(path), "moving_mnist")


def _read(path: Path, layout: Layout | None, shape: FrameShape) -> VideoSource:
    if path.is_file():
        if path.suffix.lower() == ".npy":
            return npy_source(path, layout)
        arrays = open_npz(path)
        return taxi_source(path, arrays) if is_taxi(arrays) else npz_source(path, arrays, layout)
    return kth_source(path, shape) if is_kth(path) else folder_source(path, shape)


def _read_known(known: KnownVideos, source: Path, shape: FrameShape) -> VideoSource:
    if known.name == "kth":
        if not is_kth(source):
            raise data_error("D107", f"no folder ACTION/personNN_ACTION_... is in `{source}`", file=source, path="")
        return kth_source(source, shape)
    file = source if source.is_file() else source / ("dataset.npz" if known.name == "taxibj" else known.brought)
    if not file.is_file():
        raise data_error("D101", f"no file `{file}`", file=file, path="", help=f"it wants {known.brought}")
    read = taxi_source(file, open_npz(file)) if known.name == "taxibj" else moving_mnist_source(file)
    if read.lengths not in (None, known.frames):
        message = f"its samples have {read.lengths[0]} and {read.lengths[1]} frames; genuine ones have 4 and 4"
        raise data_error("D107", message, file=file, path="")
    for part in read.parts:
        clips = dict(known.clips).get(part.name)
        length = sum(known.frames)
        if clips is not None and part.count != clips * length:
            message = f"it has {part.count // length:,} sequences; a genuine `{known.name}` has {clips:,}"
            help = "to use it all the same, give its path as `data.source`"
            raise data_error("D107", message, file=file, path="", help=help)
    return read


def _not_here(known: KnownVideos) -> Exception:
    what = known.note if known.url else f"it wants {known.brought}; {known.note}"
    return data_error("D101", f"the videos `{known.name}` are not prepared", help=f"run: {known.command}  ({what})")
