"""Sets in the cache: a folder of files and a manifest of them, which appears whole, by one rename, or not at all."""

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
from typing import TypeVar

from snnctl.data.problems import data_error
from snnctl.data.series.store import StoredFile, cache_dir, sha256_file

MANIFEST = "manifest.json"


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What every set tells of itself.

    Args:
        key: name of its folder.
        origin: the file, folder, name or id it was made from.
        format: of the origin.
        files: of the folder, by name.
        licence: as the source states it.
        created: UTC, ISO 8601.
        schema: of the manifest; sets of another one are made anew.
    """

    key: str
    origin: str
    format: str
    files: dict[str, StoredFile]
    licence: str
    created: str
    schema: int

    @property
    def bytes(self) -> int:
        """On disk."""
        return sum(stored.bytes for stored in self.files.values())


M = TypeVar("M", bound=Manifest)


def sets_folder(kind: str, cache: Path | None = None) -> Path:
    """Where sets of this kind lie."""
    return (cache or cache_dir()) / kind


def key_of(name: str, *settings: object) -> str:
    """The folder of a set: its name, and what its content depends on as a digest."""
    digest = hashlib.sha256(repr(settings).encode()).hexdigest()[:12]
    stem = "".join(letter if letter.isalnum() or letter in "-_" else "-" for letter in Path(name).name)[:40]
    return f"{stem or 'set'}-{digest}"


def files_in(folder: Path) -> dict[str, StoredFile]:
    """Size and checksum of every file there is, for a manifest."""
    return {path.name: StoredFile(path.stat().st_size, sha256_file(path)) for path in sorted(folder.iterdir())}


def now() -> str:
    """The time for a manifest."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def sound_set(folder: Path, kind: type[M], schema: int, *, verify: bool = False) -> M | None:
    """The manifest in `folder` if all its files are there in their sizes (and checksums, with `verify`), else None.

    None as well for a manifest of another key or schema.
    """
    try:
        document = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        files = {name: StoredFile(**entry) for name, entry in document.pop("files").items()}
        found = kind(**document, files=files)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    if found.schema != schema or found.key != folder.name:
        return None
    for name, stored in found.files.items():
        path = folder / name
        if not path.is_file() or path.stat().st_size != stored.bytes:
            return None
        if verify and sha256_file(path) != stored.sha256:
            return None
    return found


def write_set(folder: Path, fill: Callable[[Path], M], is_sound: Callable[[], bool]) -> M:
    """Make the set that is to lie in `folder`.

    Args:
        folder: its parent is made if need be; a set that lies there already is replaced.
        fill: writes all files into the folder that it is given, and returns the manifest.
        is_sound: whether a usable set lies in `folder` now.

    Raises:
        DiagnosticError: D104, the cache cannot be written; or what `fill` raises.
    """
    root = folder.parent
    try:
        root.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=".take-in-", dir=root))
    except OSError as error:
        help = "set XDG_CACHE_HOME to a folder that can be written"
        raise data_error("D104", f"the cache cannot be written: {error}", file=root, path="", help=help) from error
    try:
        ready = scratch / folder.name
        ready.mkdir()
        manifest = fill(ready)
        text = json.dumps(asdict(manifest), indent=1, sort_keys=True) + "\n"
        (ready / MANIFEST).write_text(text, encoding="utf-8")
        if folder.exists():
            os.replace(folder, scratch / "old")
        try:
            os.replace(ready, folder)
        except OSError:
            if not is_sound():  # else another process was faster; its copy serves as well
                raise
    except OSError as error:
        raise data_error("D104", f"the cache cannot be written: {error}", file=root, path="") from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return manifest
