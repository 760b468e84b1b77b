"""Decoded images on disk: one uint8 array per part, memory-mapped, with a manifest that tells where they came from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.format import open_memmap

from snnctl.core.diagnostic import DiagnosticError
from snnctl.data.images.source import Part, Source
from snnctl.data.problems import data_error
from snnctl.data.sets import KeyedManifest, Store

Progress = Callable[[int, int | None], None]  # bytes of pixels decoded, and in all


@dataclass(frozen=True, kw_only=True)
class ImageManifest(KeyedManifest):
    """What a decoded set is.

    Args:
        key, origin, format, files, licence, created, schema: see `KeyedManifest`.
        shape: of an item: [H, W, C], or [T, H, W, C] for event frames.
        classes: names.
        parts: part -> items.
    """

    shape: list[int]
    classes: list[str]
    parts: dict[str, int]


STORE = Store("images", ImageManifest)


@dataclass(frozen=True)
class ImageStore:
    """A decoded set that is ready to use.

    Args:
        manifest: what it is.
        images: part -> uint8 [N, *shape], memory-mapped.
        labels: part -> int64 [N].
    """

    manifest: ImageManifest
    images: dict[str, Any]
    labels: dict[str, Any]


def images_folder(cache: Path | None = None) -> Path:
    """Where decoded sets lie."""
    return STORE.path(cache=cache)


def sound_manifest(key: str, cache: Path | None = None, *, verify: bool = False) -> ImageManifest | None:
    """The manifest of a set whose files are all there, see `Store.sound`, else None."""
    return STORE.sound(key, cache, verify=verify)


def open_store(key: str, cache: Path | None = None) -> ImageStore:
    """The arrays of a set that `sound_manifest` has found.

    Raises:
        DiagnosticError: D109, they cannot be read.
    """
    manifest, folder = sound_manifest(key, cache), images_folder(cache) / key
    try:
        if manifest is None:
            raise ValueError("it is not there, or not whole")
        images = {part: np.load(folder / f"{part}.images.npy", mmap_mode="r") for part in manifest.parts}
        labels = {part: np.load(folder / f"{part}.labels.npy") for part in manifest.parts}
    except (OSError, ValueError, EOFError) as error:
        raise data_error("D109", f"the decoded set `{key}` is damaged: {error}", file=folder) from error
    return ImageStore(manifest, images, labels)


def write_store(
    key: str, source: Source, *, cache: Path | None = None, progress: Progress | None = None
) -> ImageManifest:
    """Decode every item of `source`; the folder appears whole, by one rename, or not at all.

    Raises:
        DiagnosticError: D221 items of different sizes, D104 the cache cannot be written, or what decoding finds.
    """
    return STORE.write(key, lambda folder: _decode(key, source, folder, progress), cache)


def _decode(key: str, source: Source, folder: Path, progress: Progress | None) -> ImageManifest:
    total, done = sum(part.count for part in source.parts), 0
    shape: tuple[int, ...] | None = None
    for part in source.parts:
        if not part.count:
            raise data_error("D222", f"the part `{part.name}` holds nothing", file=source.origin)
        for number, (pixels, label) in enumerate(part.items()):
            if number == 0:
                shape = shape or pixels.shape
                images = open_memmap(folder / f"{part.name}.images.npy", "w+", np.uint8, (part.count, *shape))
                labels = np.empty(part.count, np.int64)
            if pixels.shape != shape:
                raise _other_shape(source, part, number, pixels.shape, shape or ())
            images[number], labels[number] = pixels, label
            done += 1
            if progress is not None and done % 256 == 0:
                progress(done * pixels.nbytes, total * pixels.nbytes)
        images.flush()
        del images
        np.save(folder / f"{part.name}.labels.npy", labels)
    return ImageManifest(
        key=key,
        origin=source.origin,
        format=source.format,
        shape=list(shape or ()),
        classes=list(source.classes),
        parts={part.name: part.count for part in source.parts},
        licence=source.licence,
    )


def _other_shape(
    source: Source, part: Part, number: int, shape: tuple[int, ...], first: tuple[int, ...]
) -> DiagnosticError:
    message = f"item {number} of {part.name} is {_by(shape)}, the first one {_by(first)}"
    help = "set `data.size: [rows, columns]` (and `data.channels`) to bring all pictures to one shape"
    return data_error("D221", message, file=source.origin, path="data.size", help=help)


def _by(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))
