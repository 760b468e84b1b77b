"""Decoded images on disk: one uint8 array per part, memory-mapped, with a manifest that tells where they came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.format import open_memmap

from snnctl.core.diagnostic import DiagnosticError
from snnctl.data.arrays import Item
from snnctl.data.cache import KeyedManifest, Progress, Source, Store, key_of
from snnctl.data.decoding import Span
from snnctl.data.numpy_files import open_npy
from snnctl.data.pictures import Shape, spelled
from snnctl.data.problems import data_error
from snnctl.data.tones import Tones


@dataclass(frozen=True, kw_only=True)
class ImageManifest(KeyedManifest):
    """What a decoded set is.

    Args:
        key, origin, format, files, licence, found, created, schema: see `KeyedManifest`.
        shape: of an item: [H, W, C], or [T, H, W, C] for event frames.
        classes: names.
        parts: part -> items.
    """

    shape: list[int]
    classes: list[str]
    parts: dict[str, int]

    def facts(self) -> Mapping[str, Any]:
        """For `snnctl data prep`."""
        items, shape = sum(self.parts.values()), spelled(self.shape)
        return {"items": items, "parts": self.parts, "shape": shape, "classes": len(self.classes)}

    def words(self) -> str:
        """The same in one line."""
        return "{items:,} images of {shape} in {classes} classes".format(**self.facts())


PIPELINE = 1  # raised when decoding changes, so that older copies are not taken for its results
PLAIN, AS_THEY_ARE = Shape(), Tones()


def named_key(name: str, shape: Shape = PLAIN, label: str | None = None, tones: Tones = AS_THEY_ARE) -> str:
    """The folder of a set that is known by its name or its id in a hub."""
    return key_of(name, PIPELINE, name, shape, label, *tones.settings)


STORE = Store("images", ImageManifest, named_key)


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


def open_images(manifest: ImageManifest) -> ImageStore:
    """The arrays of a set.

    Raises:
        DiagnosticError: D109, they cannot be read.
    """
    folder = STORE.path(manifest.key)
    try:
        images = {part: open_npy(folder / f"{part}.images.npy", mapped=True) for part in manifest.parts}
        labels = {part: open_npy(folder / f"{part}.labels.npy") for part in manifest.parts}
    except DiagnosticError as error:
        said = error.diagnostics[0].message
        raise data_error("D109", f"the decoded set `{manifest.key}` is damaged: {said}", file=folder) from error
    return ImageStore(manifest, images, labels)


def write_images(key: str, source: Source[Item], progress: Progress | None = None) -> ImageManifest:
    """Decode every item of `source` into the cache; raises D221, D104."""
    return STORE.write(key, lambda folder: _decode(key, source, folder, progress))


def _decode(key: str, source: Source[Item], folder: Path, progress: Progress | None) -> ImageManifest:
    total, done = sum(part.count for part in source.parts), 0
    shape: tuple[int, ...] = ()
    span = Span()
    for part in source.parts:
        if not part.count:
            raise data_error("D222", f"the part `{part.name}` holds nothing", file=source.origin)
        for number, (pixels, label) in enumerate(part.items()):
            if number == 0:
                shape = shape or pixels.shape
                images = open_memmap(folder / f"{part.name}.images.npy", "w+", np.uint8, (part.count, *shape))
                labels = np.empty(part.count, np.int64)
            if pixels.shape != shape:
                message = f"item {number} of {part.name} is {spelled(pixels.shape)}, the first one {spelled(shape)}"
                help = "set `data.size: [rows, columns]` (and `data.channels`) to bring all pictures to one shape"
                raise data_error("D221", message, file=source.origin, path="data.size", help=help)
            images[number], labels[number] = pixels, label
            span.add(pixels)
            done += 1
            if progress is not None and done % 256 == 0:
                progress(done * pixels.nbytes, total * pixels.nbytes)
        images.flush()
        del images
        np.save(folder / f"{part.name}.labels.npy", labels)
    told = source.told(key)
    told["found"] |= {"levels": span.levels}
    return ImageManifest(
        **told,
        shape=list(shape),
        classes=list(source.classes),
        parts={part.name: part.count for part in source.parts},
    )
