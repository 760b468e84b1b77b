"""Decoded images on disk: one uint8 array per part, memory-mapped, with a manifest that tells where they came from."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.format import open_memmap

from snnctl.core.diagnostic import DiagnosticError
from snnctl.data.cache import StoredFile, cache_dir, sha256_file
from snnctl.data.images.source import Part, Source
from snnctl.data.problems import data_error

SCHEMA = 1
MANIFEST = "manifest.json"
Progress = Callable[[int, int | None], None]  # bytes of pixels decoded, and in all


@dataclass(frozen=True)
class ImageManifest:
    """What a decoded set is.

    Args:
        key: name of its folder.
        origin: the file, folder, name or id it was made from.
        format: of the origin.
        shape: of an item: [H, W, C], or [T, H, W, C] for event frames.
        classes: names.
        parts: part -> items.
        files: of the folder, by name.
        licence: as the source states it.
        created: UTC, ISO 8601.
    """

    key: str
    origin: str
    format: str
    shape: list[int]
    classes: list[str]
    parts: dict[str, int]
    files: dict[str, StoredFile]
    licence: str
    created: str
    schema: int = SCHEMA

    @property
    def bytes(self) -> int:
        """On disk."""
        return sum(stored.bytes for stored in self.files.values())


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
    return (cache or cache_dir()) / "images"


def key_of(name: str, *settings: object) -> str:
    """The folder of a set: its name, and what its content depends on as a digest."""
    digest = hashlib.sha256(repr(settings).encode()).hexdigest()[:12]
    stem = "".join(letter if letter.isalnum() or letter in "-_" else "-" for letter in Path(name).name)[:40]
    return f"{stem or 'images'}-{digest}"


def read_image_manifest(key: str, cache: Path | None = None) -> ImageManifest | None:
    """The manifest of a decoded set; None when there is none, or one that another version wrote."""
    try:
        document = json.loads((images_folder(cache) / key / MANIFEST).read_text(encoding="utf-8"))
        files = {name: StoredFile(**entry) for name, entry in document.pop("files").items()}
        found = ImageManifest(**document, files=files)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return found if found.schema == SCHEMA and found.key == key else None


def sound_manifest(key: str, cache: Path | None = None, *, verify: bool = False) -> ImageManifest | None:
    """The manifest of a set whose files are all there in their sizes (and checksums, with `verify`), else None."""
    manifest, folder = read_image_manifest(key, cache), images_folder(cache) / key
    if manifest is None:
        return None
    for name, stored in manifest.files.items():
        path = folder / name
        if not path.is_file() or path.stat().st_size != stored.bytes:
            return None
        if verify and sha256_file(path) != stored.sha256:
            return None
    return manifest


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
    root = images_folder(cache)
    try:
        root.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=".decode-", dir=root))
    except OSError as error:
        help = "set XDG_CACHE_HOME to a folder that can be written"
        raise data_error("D104", f"the cache cannot be written: {error}", file=root, path="", help=help) from error
    try:
        ready = scratch / key
        ready.mkdir()
        manifest = _decode(key, source, ready, progress)
        text = json.dumps(asdict(manifest), indent=1, sort_keys=True) + "\n"
        (ready / MANIFEST).write_text(text, encoding="utf-8")
        if (root / key).exists():
            os.replace(root / key, scratch / "old")
        try:
            os.replace(ready, root / key)
        except OSError:
            if sound_manifest(key, cache) is None:  # else another process was faster; its copy serves as well
                raise
    except OSError as error:
        raise data_error("D104", f"the cache cannot be written: {error}", file=root, path="") from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return manifest


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
        files={path.name: StoredFile(path.stat().st_size, sha256_file(path)) for path in sorted(folder.iterdir())},
        licence=source.licence,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _other_shape(
    source: Source, part: Part, number: int, shape: tuple[int, ...], first: tuple[int, ...]
) -> DiagnosticError:
    message = f"item {number} of {part.name} is {_by(shape)}, the first one {_by(first)}"
    help = "set `data.size: [rows, columns]` (and `data.channels`) to bring all pictures to one shape"
    return data_error("D221", message, file=source.origin, path="data.size", help=help)


def _by(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))
