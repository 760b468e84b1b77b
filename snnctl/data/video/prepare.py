"""Getting videos ready: named ones fetched or brought, local ones when they are first used."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

from snnctl.data.cache import Progress, key_of
from snnctl.data.folders import local_path, stamp
from snnctl.data.numpy_files import open_npz
from snnctl.data.prepare import Prepared, brought, fetched, reported
from snnctl.data.problems import data_error
from snnctl.data.tones import Tones
from snnctl.data.video.clips import VideoSet, VideoSource
from snnctl.data.video.known import KNOWN, KnownVideos
from snnctl.data.video.readers.arrays import (
    Layout,
    is_taxi,
    moving_mnist_source,
    npy_set,
    npy_source,
    npz_source,
    taxi_source,
)
from snnctl.data.video.readers.folders import FrameShape, folder_source, is_kth, kth_source
from snnctl.data.video.store import (
    AS_THEY_ARE,
    PIPELINE,
    PLAIN,
    STORE,
    VideoManifest,
    named_key,
    open_videos,
    write_videos,
)

DECODED = 2  # raised when decoding changes: pictures of one's own are decoded anew


def prepare(name: str, source: Path | None = None, *, progress: Progress | None = None) -> Prepared:
    """Make a named set ready, see `take_in`."""
    found = take_in(name, source, progress=progress)
    return reported(STORE.path(found.key), open_videos(found), KNOWN[name], name)


def look_into(name: str) -> VideoSet:
    """The set `name` as it lies in the cache, for `snnctl data info`."""
    return named_videos(name)


def take_in(
    name: str,
    source: Path | None = None,
    shape: FrameShape = PLAIN,
    tones: Tones = AS_THEY_ARE,
    *,
    progress: Progress | None = None,
) -> VideoManifest:
    """A named set, in the cache; returns at once when a sound copy lies there.

    Args:
        name: one of `KNOWN`.
        source: where its file or folder lies; None = fetch it, if its address is known.
        shape, tones: that frames of kth are brought to.

    Raises:
        DiagnosticError: D101 no source, D107 not the expected set, D108 no download, or what reading it finds.
    """
    known, key = KNOWN[name], named_key(name, shape, tones)
    found = STORE.sound(key, verify=True)
    if found is not None:
        return found
    if source is None and not known.url:
        raise _not_here(known)
    with fetched(known, progress) if source is None else nullcontext(brought(source)) as place:
        read = replace(_read_known(known, place, shape, tones), licence=known.licence)
        return write_videos(key, read, progress)


def named_videos(name: str, shape: FrameShape = PLAIN, tones: Tones = AS_THEY_ARE) -> VideoSet:
    """A named set that lies in the cache; raises D101."""
    found = STORE.sound(named_key(name, shape, tones))
    if found is None:
        raise _not_here(KNOWN[name])
    return open_videos(found)


def local_videos(
    text: str,
    layout: Layout | None,
    shape: FrameShape,
    progress: Progress | None = None,
    tones: Tones = AS_THEY_ARE,
) -> VideoSet:
    """Videos at a local path: bytes in a .npy file are mapped where they lie, all else is taken into the cache.

    Raises:
        DiagnosticError: D101 there is nothing, D105 a file of no known kind, or what its reader finds.
    """
    path = local_path(text, tuple(KNOWN))
    suffix = path.suffix.lower()
    if path.is_file() and suffix not in (".npy", ".npz"):
        help = "it reads .npy, .npz, KTH's tree, and folders of numbered pictures"
        raise data_error("D105", f"`{path.name}` is not of a kind that is read", file=path, help=help)
    if suffix == ".npy" and path.is_file():
        mapped = npy_set(path, layout)
        if mapped is not None:
            return mapped
    decoded = (DECODED, *tones.settings) if path.is_dir() else ()
    key = key_of(str(path), PIPELINE, str(path.resolve()), stamp(path), layout, shape, *decoded)
    return open_videos(STORE.sound(key) or write_videos(key, _read(path, layout, shape, tones), progress))


def _read(path: Path, layout: Layout | None, shape: FrameShape, tones: Tones) -> VideoSource:
    if path.is_file():
        if path.suffix.lower() == ".npy":
            return npy_source(path, layout)
        arrays = open_npz(path)
        return taxi_source(path, arrays) if is_taxi(arrays) else npz_source(path, arrays, layout)
    return (kth_source if is_kth(path) else folder_source)(path, shape, tones)


def _read_known(known: KnownVideos, source: Path, shape: FrameShape, tones: Tones) -> VideoSource:
    if known.name == "kth":
        if not is_kth(source):
            raise data_error("D107", f"no folder ACTION/personNN_ACTION_... is in `{source}`", file=source, path="")
        return kth_source(source, shape, tones)
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
            raise known.not_genuine(f"it has {part.count // length:,} sequences", f"{clips:,}", file)
    return read


def _not_here(known: KnownVideos) -> Exception:
    what = known.note if known.url else f"it wants {known.brought}; {known.note}"
    return known.absent(f"the videos `{known.name}` are not prepared", what)
