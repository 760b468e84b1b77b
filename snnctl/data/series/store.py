"""Prepared series on disk: plain arrays with a manifest that tells where they came from."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from snnctl.core.diagnostic import DiagnosticError
from snnctl.data.problems import data_error
from snnctl.data.series.known import KNOWN
from snnctl.data.series.selection import ReadOptions, select
from snnctl.data.series.series import Series, SeriesHead

SCHEMA = 1
VALUES, TIMES, COLUMNS, MANIFEST = "values.npy", "times.npy", "columns.json", "manifest.json"
_CHUNK = 1 << 20
_chosen: ContextVar[Path | None] = ContextVar("chosen", default=None)


@dataclass(frozen=True)
class StoredFile:
    """Size and checksum of one file of a prepared series."""

    bytes: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """What a prepared series is and where it came from.

    Args:
        name: the known name.
        source: URL or path it was made from.
        source_sha256: of that file.
        files: of the cache folder, by file name.
        rows, columns, missing: of the series; `missing` counts empty cells.
        licence: as the source states it.
        created: UTC, ISO 8601.
    """

    name: str
    source: str
    source_sha256: str
    files: dict[str, StoredFile]
    rows: int
    columns: int
    missing: int
    licence: str
    created: str
    schema: int = SCHEMA

    def to_json(self) -> str:
        """The file's text."""
        return json.dumps(asdict(self), indent=2, sort_keys=True) + "\n"


@contextmanager
def caching_in(folder: Path | None) -> Iterator[None]:
    """`cache_dir` is `folder` within; None leaves it as it is."""
    token = _chosen.set(_chosen.get() if folder is None else folder)
    try:
        yield
    finally:
        _chosen.reset(token)


def cache_dir() -> Path:
    """`$XDG_CACHE_HOME/snnctl`, or `~/.cache/snnctl`; another folder within `caching_in`."""
    chosen = _chosen.get()
    if chosen is not None:
        return chosen
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if os.path.isabs(base) else Path.home() / ".cache") / "snnctl"


def sha256_file(path: Path, progress: Callable[[int, int | None], None] | None = None) -> str:
    """SHA-256 hex of a file, telling `progress(bytes done, bytes in all)` on the way."""
    digest, done, total = hashlib.sha256(), 0, path.stat().st_size
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
            done += len(chunk)
            if progress is not None:
                progress(done, total)
    return digest.hexdigest()


def read_manifest(name: str, cache: Path | None = None) -> Manifest | None:
    """The manifest of a prepared series; None when it has not been prepared.

    Raises:
        DiagnosticError: D109, the manifest cannot be understood.
    """
    path = (cache or cache_dir()) / name / MANIFEST
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if document["schema"] != SCHEMA or document["name"] != name:
            raise ValueError(f"schema {document['schema']}, name {document['name']}")
        files = {key: StoredFile(**entry) for key, entry in document.pop("files").items()}
        return Manifest(**document, files=files)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise _damaged(name, path, f"the manifest cannot be understood ({error})") from error


def is_prepared(name: str, cache: Path | None = None, *, verify: bool = False) -> bool:
    """Whether `name` lies in the cache with all its files; `verify` also compares checksums."""
    try:
        manifest = read_manifest(name, cache)
        if manifest is None:
            return False
        _check_files(manifest, (cache or cache_dir()) / name, verify)
    except DiagnosticError:
        return False
    return True


def head_prepared(name: str, options: ReadOptions, cache: Path | None = None) -> SeriesHead:
    """Rows and columns of a prepared series, from its manifest.

    Raises:
        DiagnosticError: D101 not prepared, D109 damaged, D204 unknown column.
    """
    manifest, folder = _checked(name, cache, verify=False)
    names = _columns(name, folder)
    chosen = select(names, options.columns, folder)
    date = "date" if TIMES in manifest.files else ""
    return SeriesHead(manifest.rows, tuple(names[i] for i in chosen), date, format="cache")


def load_prepared(
    name: str, cache: Path | None = None, *, columns: tuple[str, ...] | None = None, verify: bool = False
) -> Series:
    """A prepared series; sizes are always compared with the manifest, checksums only with `verify`.

    Raises:
        DiagnosticError: D101 not prepared, D109 damaged, D204 unknown column.
    """
    manifest, folder = _checked(name, cache, verify)
    names = _columns(name, folder)
    chosen = select(names, columns, folder)
    try:
        values = np.load(folder / VALUES, allow_pickle=False)
        times = np.load(folder / TIMES, allow_pickle=False) if TIMES in manifest.files else None
    except (OSError, ValueError, EOFError) as error:
        raise _damaged(name, folder, str(error)) from error
    if values.shape != (manifest.rows, len(names)) or values.dtype != np.float64:
        raise _damaged(name, folder / VALUES, f"holds {values.dtype} {list(values.shape)}")
    kept = values if columns is None else np.ascontiguousarray(values[:, chosen])
    return Series(kept, tuple(names[i] for i in chosen), times, str(folder))


def not_prepared(name: str) -> Exception:
    """D101 for a known series that is not in the cache, with the command that brings it."""
    return data_error("D101", f"the series `{name}` is not prepared", help=f"run: {KNOWN[name].command}")


def _checked(name: str, cache: Path | None, verify: bool) -> tuple[Manifest, Path]:
    manifest, folder = read_manifest(name, cache), (cache or cache_dir()) / name
    if manifest is None:
        raise not_prepared(name)
    _check_files(manifest, folder, verify)
    return manifest, folder


def _check_files(manifest: Manifest, folder: Path, verify: bool) -> None:
    for file, stored in manifest.files.items():
        path = folder / file
        if not path.is_file():
            raise _damaged(manifest.name, path, "is missing")
        if path.stat().st_size != stored.bytes:
            raise _damaged(manifest.name, path, f"has {path.stat().st_size} bytes, not {stored.bytes}")
        if verify and sha256_file(path) != stored.sha256:
            raise _damaged(manifest.name, path, "does not match its checksum")


def _columns(name: str, folder: Path) -> list[str]:
    try:
        names: Any = json.loads((folder / COLUMNS).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _damaged(name, folder / COLUMNS, str(error)) from error
    if not isinstance(names, list) or not all(isinstance(item, str) for item in names):
        raise _damaged(name, folder / COLUMNS, "is not a list of names")
    return names


def _damaged(name: str, path: Path, what: str) -> Exception:
    help = f"prepare it again: {KNOWN[name].command}"
    return data_error("D109", f"the prepared series `{name}` is damaged: {path.name} {what}", file=path, help=help)
