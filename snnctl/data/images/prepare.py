"""Getting image sets ready: named ones through torchvision or from a folder, of a hub, and at the path of a recipe."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from snnctl.data.arrays import Item
from snnctl.data.cache import Progress, Source, cache_dir, key_of
from snnctl.data.decoding import Decoder
from snnctl.data.folders import local_path, stamp
from snnctl.data.images.known import KNOWN, KnownImages
from snnctl.data.images.readers.libraries import hub_source, torchvision_source
from snnctl.data.images.readers.local import image_source
from snnctl.data.images.store import AS_THEY_ARE, PIPELINE, PLAIN, STORE, ImageManifest, named_key, write_images
from snnctl.data.pictures import Shape
from snnctl.data.prepare import Prepared, brought, reported
from snnctl.data.problems import data_error
from snnctl.data.tones import Tones


def prepare(name: str, source: Path | None = None, *, progress: Progress | None = None) -> Prepared:
    """Make a named set ready, see `take_in`."""
    found = take_in(name, source, progress=progress)
    return reported(STORE.path(found.key), found, KNOWN[name], name)


def take_in(
    name: str, source: Path | None = None, shape: Shape = PLAIN, *, progress: Progress | None = None
) -> ImageManifest:
    """A named set, decoded into the cache unless a sound copy lies there.

    Args:
        name: one of `KNOWN`.
        source: where its files lie, in any layout that is read; None = fetch it through torchvision.

    Raises:
        DiagnosticError: D101 no source, D107 not the expected set, D108 no download.
    """
    known, key = KNOWN[name], named_key(name, shape)
    found = STORE.sound(key, verify=True)
    if found is not None:
        return found
    if source is not None:
        read = _from_folder(known, brought(source), shape)
    elif not known.torchvision:
        raise known.absent(f"no address is known for `{name}`: its files must be brought", known.note)
    else:
        read = torchvision_source(known, cache_dir() / "torchvision", download=True)
    _check(known, read, str(source or name))
    return write_images(key, replace(read, licence=known.licence), progress)


def take_in_hub(
    hub: str,
    shape: Shape,
    label: str | None = None,
    progress: Progress | None = None,
    tones: Tones = AS_THEY_ARE,
) -> ImageManifest:
    """A set of a hub, decoded into the cache unless a sound copy lies there.

    Raises:
        DiagnosticError: D108 it cannot be had, or it holds no labelled pictures.
    """
    key = named_key(f"hub:{hub}", shape, label, tones)
    read = Decoder(shape, tones)
    return STORE.sound(key, verify=True) or write_images(key, hub_source(hub, read, label=label), progress)


def named_images(name: str, hub: str | None, shape: Shape, label: str | None, tones: Tones) -> ImageManifest:
    """A named set, or one of a hub, that lies in the cache; raises D101."""
    found = STORE.sound(named_key(name if hub is None else f"hub:{hub}", shape, label, tones))
    if found is not None:
        return found
    if hub is not None:
        help = f"run: snnctl data prep RECIPE  (fetches `{hub}` with `datasets`)"
        raise data_error("D101", f"the image set `{hub}` is not prepared", path="data.hub", help=help)
    raise KNOWN[name].absent(f"the image set `{name}` is not prepared", KNOWN[name].note)


def local_images(
    text: str, settings: tuple[object, ...], read: Callable[[Path], Source[Item]], progress: Progress | None = None
) -> ImageManifest:
    """The set at the local path that a recipe names, decoded if it was not before.

    Args:
        settings: what the decoded set depends on, besides the files.
        read: what reads the path.

    Raises:
        DiagnosticError: D101 there is nothing, or what reading it finds.
    """
    known = KNOWN.get(Path(text).name.split(".")[0].lower())
    help = f"for the named set, write `source: {known.name}` and run: {known.command}" if known is not None else ""
    path = local_path(text, tuple(KNOWN), help)
    key = key_of(text, PIPELINE, str(path.resolve()), stamp(path), *settings)
    return STORE.sound(key) or write_images(key, read(path), progress)


def _from_folder(known: KnownImages, source: Path, shape: Shape) -> Source[Item]:
    """Through torchvision where its layout is there, else as any other path."""
    layout = {"CIFAR10": "cifar-10-batches-py", "CIFAR100": "cifar-100-python"}.get(known.torchvision)
    if known.torchvision and (source / (layout or f"{known.torchvision}/raw")).is_dir():
        return torchvision_source(known, source)
    return image_source(source, Decoder(shape, AS_THEY_ARE))


def _check(known: KnownImages, found: Source[Item], source: str) -> None:
    counts = {part.name: part.count for part in found.parts}
    final = counts.get("test", counts.get("val"))
    for what, seen, expected in (
        ("classes", len(found.classes), known.classes),
        ("train items", counts.get("train"), known.train),
        ("test items", final, known.test),
    ):
        if seen != expected:
            raise known.not_genuine(f"it has {seen or 'no'} {what}", f"{expected:,}", source)
