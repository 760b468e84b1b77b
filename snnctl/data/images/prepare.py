"""Getting image sets ready that are not here yet: through torchvision, through `datasets`, or from a folder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from snnctl.core.diagnostic import choices
from snnctl.data.cache import cache_dir
from snnctl.data.images.known import KNOWN_IMAGE_NAMES, KNOWN_IMAGES, KnownImages
from snnctl.data.images.readers.decode import Shape
from snnctl.data.images.readers.detect import image_source
from snnctl.data.images.readers.libraries import hub_source, torchvision_source
from snnctl.data.images.source import Source
from snnctl.data.images.store import ImageManifest, Progress, sound_manifest, write_store
from snnctl.data.problems import data_error
from snnctl.data.sets import key_of

PIPELINE = 1  # raised when decoding changes, so that older copies are not taken for its results
PLAIN = Shape()


def known_key(name: str, shape: Shape = PLAIN, label: str | None = None) -> str:
    """The folder of a set that is known by its name or its id in a hub."""
    return key_of(name, PIPELINE, name, shape, label)


def not_prepared(name: str, hub: str | None) -> Exception:
    """D101 for a set that is not in the cache, with the command that brings it."""
    if hub is not None:
        help = f"run: snnctl data prep RECIPE  (fetches `{hub}` with `datasets`)"
        return data_error("D101", f"the image set `{hub}` is not prepared", path="data.hub", help=help)
    known = KNOWN_IMAGES[name]
    help = f"run: {known.command}" + (f"  ({known.note})" if known.note else "")
    return data_error("D101", f"the image set `{name}` is not prepared", help=help)


def prepare_known(
    name: str,
    shape: Shape = PLAIN,
    *,
    source: Path | None = None,
    cache: Path | None = None,
    progress: Progress | None = None,
) -> ImageManifest:
    """Make a named set ready; returns at once when a sound copy is in the cache.

    Args:
        source: where its files lie, in any layout that is read; None = fetch it through torchvision.

    Raises:
        DiagnosticError: D101 unknown name or no source, D107 not the expected set, D108 no download.
    """
    if name not in KNOWN_IMAGES:
        raise data_error("D101", f"unknown image set `{name}`", help=choices(name, KNOWN_IMAGE_NAMES))
    known, key = KNOWN_IMAGES[name], known_key(name, shape)
    found = sound_manifest(key, cache, verify=True)
    if found is not None:
        return found
    if source is not None:
        if not source.exists():
            raise data_error("D101", f"nothing is at `{source}`", file=source, path="")
        read = _from_folder(known, source, shape)
    elif not known.torchvision:
        message = f"no address is known for `{name}`: its files must be brought"
        raise data_error("D101", message, help=f"run: {known.command}  ({known.note})")
    else:
        read = torchvision_source(known, (cache or cache_dir()) / "torchvision", download=True)
    _check(known, read, str(source or name))
    return write_store(key, replace(read, licence=known.licence), cache=cache, progress=progress)


def prepare_hub(
    hub: str, shape: Shape, label: str | None = None, progress: Progress | None = None, cache: Path | None = None
) -> ImageManifest:
    """Make a set of a hub ready.

    Raises:
        DiagnosticError: D108 it cannot be had, or it holds no labelled pictures.
    """
    key = known_key(f"hub:{hub}", shape, label)
    found = sound_manifest(key, cache, verify=True)
    return found or write_store(key, hub_source(hub, shape, label=label), cache=cache, progress=progress)


def _from_folder(known: KnownImages, source: Path, shape: Shape) -> Source:
    """Through torchvision where its layout is there, else as any other path."""
    if known.torchvision and any((source / below).is_dir() for below in _layouts(known)):
        return torchvision_source(known, source)
    return image_source(source, shape)


def _layouts(known: KnownImages) -> tuple[str, ...]:
    return {
        "CIFAR10": ("cifar-10-batches-py",),
        "CIFAR100": ("cifar-100-python",),
    }.get(known.torchvision, (f"{known.torchvision}/raw",))


def _check(known: KnownImages, found: Source, source: str) -> None:
    counts = {part.name: part.count for part in found.parts}
    final = counts.get("test", counts.get("val"))
    for what, seen, expected in (
        ("classes", len(found.classes), known.classes),
        ("train items", counts.get("train"), known.train),
        ("test items", final, known.test),
    ):
        if seen != expected:
            message = f"it has {seen or 'no'} {what}; a genuine `{known.name}` has {expected:,}"
            help = "to use it all the same, give its path as `data.source`"
            raise data_error("D107", message, file=source, path="", help=help)
