"""Getting sets of spike recordings ready: named ones from a folder, local ones when they are first used."""

from __future__ import annotations

from dataclasses import astuple, replace
from pathlib import Path

from snnctl.core.diagnostic import choices
from snnctl.data.events.known import KNOWN_SPIKE_NAMES, KNOWN_SPIKES, KnownSpikes
from snnctl.data.events.readers.cochlea import FrontEnd
from snnctl.data.events.readers.files import Size, files_source
from snnctl.data.events.readers.fsdd import FILE, write_fsdd
from snnctl.data.events.readers.hdf5 import SUFFIXES, hdf5_source
from snnctl.data.events.source import SpikeSource
from snnctl.data.events.store import Progress, SpikeManifest, sound_spikes, spikes_folder, write_spikes
from snnctl.data.folders import local_path, stamp
from snnctl.data.problems import data_error
from snnctl.data.sets import key_of

PIPELINE = 1  # raised when reading changes, so that older copies are not taken for its results
_FRONT_END = FrontEnd()


def known_key(name: str) -> str:
    """The folder of a named set."""
    return key_of(name, PIPELINE, name, *(astuple(_FRONT_END) if name == "fsdd" else ()))


def known_spikes(name: str) -> SpikeManifest:
    """A named set that lies in the cache.

    Raises:
        DiagnosticError: D101, it does not.
    """
    found = sound_spikes(known_key(name))
    if found is None:
        raise _not_here(KNOWN_SPIKES[name])
    return found


def prepare_spikes(
    name: str, source: Path | None = None, *, cache: Path | None = None, progress: Progress | None = None
) -> SpikeManifest:
    """Make a named set ready; returns at once when a sound copy is in the cache.

    Args:
        source: the folder of its files.

    Raises:
        DiagnosticError: D101 unknown name or no source, D107 not the expected set, or what reading it finds.
    """
    if name not in KNOWN_SPIKES:
        raise data_error("D101", f"unknown set of spikes `{name}`", help=choices(name, KNOWN_SPIKE_NAMES))
    known, key = KNOWN_SPIKES[name], known_key(name)
    found = sound_spikes(key, cache, verify=True)
    if found is not None:
        return found
    if source is None:
        raise _not_here(known)
    if not source.exists():
        raise data_error("D101", f"nothing is at `{source}`", file=source, path="")
    folder = source
    if name == "fsdd" and not _holds_hdf5(source):
        folder = spikes_folder(cache) / "made" / key
        _check_sound(known, write_fsdd(source, folder, _FRONT_END, progress)["recordings"], source)
        folder = folder / FILE
    read = hdf5_source(folder)
    _check(known, read, source)
    return write_spikes(key, replace(read, licence=known.licence), cache=cache, progress=progress)


def local_spikes(text: str, size: Size | None, progress: Progress | None = None) -> SpikeManifest:
    """A set at a local path: HDF5 in the layout of SHD, or a folder of recordings; taken in if it was not before.

    Raises:
        DiagnosticError: D101 there is nothing, or what reading it finds.
    """
    path = local_path(text, KNOWN_SPIKE_NAMES)
    if path.is_file() and path.suffix.lower() not in SUFFIXES:
        help = "a file .h5 in the layout of SHD, or a folder CLASS/x.npz"
        raise data_error("D105", f"`{path.name}` is not of a kind that is read", file=path, help=f"it reads {help}")
    key = key_of(text, PIPELINE, str(path.resolve()), stamp(path), size)
    found = sound_spikes(key)
    if found is not None:
        return found
    return write_spikes(key, hdf5_source(path) if _holds_hdf5(path) else files_source(path, size), progress=progress)


def _holds_hdf5(path: Path) -> bool:
    if path.is_file():
        return True
    # A folder of packed files goes to the reader of HDF5 as well: it says that they want unpacking.
    return any(file.name.lower().endswith((*SUFFIXES, ".h5.zip", ".h5.gz")) for file in path.iterdir())


def _not_here(known: KnownSpikes) -> Exception:
    help = f"run: {known.command}  (it wants {known.files}; {known.note})"
    return data_error("D101", f"the recordings `{known.name}` are not prepared", help=help)


def _check_sound(known: KnownSpikes, clips: int, source: Path) -> None:
    expected = sum(known.parts.values())
    if clips != expected:
        message = f"it has {clips:,} recordings; a genuine `{known.name}` has {expected:,}"
        raise data_error("D107", message, file=source, path="")


def _check(known: KnownSpikes, found: SpikeSource, source: Path) -> None:
    counts = {part.name: part.count for part in found.parts}
    if counts != known.parts or len(found.classes) != known.classes:
        has, wants = (
            ", ".join(f"{part} {count:,}" for part, count in parts.items()) for parts in (counts, known.parts)
        )
        own = f"{has} in {len(found.classes)} classes"
        message = f"it has {own}; a genuine `{known.name}` has {wants} in {known.classes}"
        help = "to use it all the same, give its path as `data.source`"
        raise data_error("D107", message, file=source, path="", help=help)
