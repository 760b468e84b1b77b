"""Getting sets of spike recordings ready: named ones from a folder, local ones when they are first used."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from snnctl.data.cache import Progress, Source, key_of
from snnctl.data.events.known import KNOWN, KnownSpikes
from snnctl.data.events.readers.files import SUFFIXES as FILES
from snnctl.data.events.readers.files import files_source
from snnctl.data.events.readers.fsdd import FILE, write_fsdd
from snnctl.data.events.readers.hdf5 import SUFFIXES, hdf5_source
from snnctl.data.events.store import FRONT_END, PIPELINE, STORE, Block, SpikeManifest, named_key, write_spikes
from snnctl.data.events.times import Clock
from snnctl.data.folders import local_path, stamp
from snnctl.data.prepare import Prepared, brought, reported
from snnctl.data.problems import data_error


def prepare(name: str, source: Path | None = None, *, progress: Progress | None = None) -> Prepared:
    """Make a named set ready; returns at once when a sound copy is in the cache.

    Args:
        name: one of `KNOWN`.
        source: the folder of its files.

    Raises:
        DiagnosticError: D101 no source, D107 not the expected set, or what reading it finds.
    """
    known, key = KNOWN[name], named_key(name)
    found = STORE.sound(key, verify=True)
    if found is None:
        if source is None:
            raise _not_here(known)
        found = write_spikes(key, _read(known, brought(source), progress), progress)
    return reported(STORE.path(key), found, known, name)


def named_spikes(name: str) -> SpikeManifest:
    """A named set that lies in the cache; raises D101."""
    found = STORE.sound(named_key(name))
    if found is None:
        raise _not_here(KNOWN[name])
    return found


def local_spikes(
    text: str, size: tuple[int, int] | None, clock: Clock, progress: Progress | None = None
) -> SpikeManifest:
    """A set at a local path: HDF5 in the layout of SHD, or a folder of recordings; taken in if it was not before.

    Raises:
        DiagnosticError: D101 there is nothing, or what reading it finds.
    """
    path = local_path(text, tuple(KNOWN))
    if path.is_file() and path.suffix.lower() not in SUFFIXES:
        help = f"a file .h5 in the layout of SHD, or a folder CLASS/x with recordings {', '.join(FILES)}"
        raise data_error("D105", f"`{path.name}` is not of a kind that is read", file=path, help=f"it reads {help}")
    clocked = (clock,) if clock != Clock() else ()
    key = key_of(text, PIPELINE, str(path.resolve()), stamp(path), size, *clocked)
    found = STORE.sound(key)
    if found is None:
        read = hdf5_source(path, clock) if _holds_hdf5(path) else files_source(path, size, clock)
        found = write_spikes(key, read, progress)
    return found


def _read(known: KnownSpikes, source: Path, progress: Progress | None) -> Source[Block]:
    """The genuine set at `source`; sound is turned into spikes in the cache first."""
    folder = source
    if known.name == "fsdd" and not _holds_hdf5(source):
        folder = STORE.path("made") / named_key(known.name)
        clips, expected = write_fsdd(source, folder, FRONT_END, progress)["recordings"], sum(known.parts.values())
        if clips != expected:
            message = f"it has {clips:,} recordings; a genuine `{known.name}` has {expected:,}"
            raise data_error("D107", message, file=source, path="")
        folder = folder / FILE
    read = hdf5_source(folder)
    counts = {part.name: part.count for part in read.parts}
    if counts != known.parts or len(read.classes) != known.classes:
        has, wants = (
            ", ".join(f"{part} {count:,}" for part, count in parts.items()) for parts in (counts, known.parts)
        )
        has, wants = f"it has {has} in {len(read.classes)} classes", f"{wants} in {known.classes}"
        raise known.not_genuine(has, wants, source)
    return replace(read, licence=known.licence)


def _holds_hdf5(path: Path) -> bool:
    if path.is_file():
        return True
    # A folder of packed files goes to the reader of HDF5 as well: it says that they want unpacking.
    return any(file.name.lower().endswith((*SUFFIXES, ".h5.zip", ".h5.gz")) for file in path.iterdir())


def _not_here(known: KnownSpikes) -> Exception:
    return known.absent(f"the recordings `{known.name}` are not prepared", f"it wants {known.brought}; {known.note}")
