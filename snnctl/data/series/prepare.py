"""Getting named data ready: fetch, verify, convert into the cache, all or nothing."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import numpy as np

from snnctl.core.diagnostic import choices
from snnctl.data.download import Progress, download
from snnctl.data.problems import data_error
from snnctl.data.series.builtin import builtin_path, read_builtin
from snnctl.data.series.known import KNOWN, KNOWN_NAMES, KnownSeries
from snnctl.data.series.readers.files import read_file
from snnctl.data.series.selection import ReadOptions
from snnctl.data.series.series import Series
from snnctl.data.series.store import (
    COLUMNS,
    MANIFEST,
    TIMES,
    VALUES,
    Manifest,
    StoredFile,
    cache_dir,
    is_prepared,
    load_prepared,
    not_prepared,
    read_manifest,
    sha256_file,
)
from snnctl.data.texts.known import KNOWN_TEXTS

__all__ = ["Prepared", "cache_dir", "is_prepared", "load_prepared", "prepare"]


@dataclass(frozen=True)
class Prepared:
    """A named series or set of texts that is ready to use.

    Args:
        name: the known name.
        status: "builtin", "ready" (it was already there) or "prepared" (by this call).
        path: the cache folder, or the file that ships with snnctl.
        rows, columns, missing: of the series or table; `missing` counts empty cells.
        bytes: on disk.
        licence: as the source states it.
        note: what to mind when using it.
    """

    name: str
    status: Literal["builtin", "ready", "prepared"]
    path: Path
    rows: int
    columns: int
    missing: int
    bytes: int
    licence: str
    note: str


def prepare(
    name: str, *, source: Path | None = None, cache: Path | None = None, progress: Progress | None = None
) -> Prepared:
    """Make the series or texts `name` ready; returns at once when a sound copy is in the cache.

    Args:
        name: one of `KNOWN_NAMES` or `KNOWN_TEXTS`.
        source: a local file (or folder of texts) to read; None = download it, if its address is known.
        cache: folder of prepared series; None = `cache_dir()`.
        progress: called with (bytes done, bytes in all or None) while bytes are fetched or read.

    Raises:
        DiagnosticError: D101 unknown name or no source, D107 not the expected data, D108 no download, or what
            reading the file found.
    """
    if name in KNOWN_TEXTS:
        return _texts(name, source, cache)
    if name not in KNOWN:
        raise data_error("D101", f"unknown data `{name}`", help=choices(name, (*KNOWN_NAMES, *KNOWN_TEXTS)))
    known, cache = KNOWN[name], cache or cache_dir()
    if known.builtin:
        return _builtin(known)
    if is_prepared(name, cache, verify=True):
        return _ready(known, cache, "ready")
    if source is not None:
        _convert(known, source, str(source), cache, progress)
    elif not known.url:
        message = f"no address is known for `{name}`: its file must be brought"
        raise data_error("D101", message, help=f"run: {known.command}  ({known.note})")
    else:
        by_hand = f"fetch it by other means and run: snnctl data prep {name} --from FILE"
        part = download(known.url, cache / "downloads", progress=progress, help=by_hand)
        # Readers tell a format by its suffix, so the file goes by its own name while it is read.
        with _scratch(cache) as folder:
            file = folder / known.url.rsplit("/", 1)[1]
            os.replace(part, file)
            _convert(known, file, known.url, cache, None)
    return _ready(known, cache, "prepared")


def _convert(known: KnownSeries, file: Path, source: str, cache: Path, progress: Progress | None) -> None:
    """Verify `file` and write the cache folder in one rename."""
    if not file.is_file():
        raise data_error("D101", f"no file `{file}`", file=file, path="")
    digest = sha256_file(file, progress)
    if known.sha256 and digest != known.sha256:
        notes = (f"sha256 {digest}", f"expected {known.sha256}")
        help = "fetch it again; to use a changed file, give its path as `data.source`"
        raise data_error("D107", f"the file is not the genuine `{known.name}`", file=source, notes=notes, help=help)
    series = read_file(file, ReadOptions())
    _check_shape(known, series, source)
    with _scratch(cache) as folder:
        ready = folder / known.name
        ready.mkdir()
        np.save(ready / VALUES, series.values, allow_pickle=False)
        if series.times is not None:
            np.save(ready / TIMES, series.times, allow_pickle=False)
        (ready / COLUMNS).write_text(json.dumps(series.columns) + "\n", encoding="utf-8")
        manifest = Manifest(
            name=known.name,
            source=source,
            source_sha256=digest,
            files={p.name: StoredFile(p.stat().st_size, sha256_file(p)) for p in sorted(ready.iterdir())},
            rows=series.values.shape[0],
            columns=series.values.shape[1],
            missing=int(np.isnan(series.values).sum()),
            licence=known.licence,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        (ready / MANIFEST).write_text(manifest.to_json(), encoding="utf-8")
        _replace(ready, cache / known.name, folder / "old")


def _check_shape(known: KnownSeries, series: Series, source: str) -> None:
    for what, found, expected in (
        ("rows", series.values.shape[0], known.rows),
        ("columns", series.values.shape[1], known.columns),
    ):
        if expected is not None and found != expected:
            message = f"the file has {found} {what}; a genuine `{known.name}` has {expected}"
            help = "to use it all the same, give its path as `data.source`"
            raise data_error("D107", message, file=source, help=help)


def _replace(ready: Path, target: Path, old: Path) -> None:
    """Put `ready` at `target`; a damaged copy there steps aside into `old`."""
    with suppress(FileNotFoundError):
        os.replace(target, old)
    try:
        os.replace(ready, target)
    except OSError:
        # Another process was faster; its copy serves as well.
        if not is_prepared(target.name, target.parent):
            raise


@contextmanager
def _scratch(cache: Path) -> Iterator[Path]:
    """A folder on the same file system as the cache, removed at the end."""
    try:
        cache.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=".prep-", dir=cache))
    except OSError as error:
        help = "set XDG_CACHE_HOME to a folder that can be written"
        raise data_error("D104", f"the cache cannot be written: {error}", file=cache, path="", help=help) from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _ready(known: KnownSeries, cache: Path, status: Literal["ready", "prepared"]) -> Prepared:
    manifest = read_manifest(known.name, cache)
    if manifest is None:
        raise not_prepared(known.name)
    return Prepared(
        name=known.name,
        status=status,
        path=cache / known.name,
        rows=manifest.rows,
        columns=manifest.columns,
        missing=manifest.missing,
        bytes=sum(stored.bytes for stored in manifest.files.values()),
        licence=known.licence,
        note=known.note,
    )


def _texts(name: str, source: Path | None, cache: Path | None) -> Prepared:
    from snnctl.data.texts.prepare import prepare_texts

    manifest, folder, fresh = prepare_texts(name, source, cache)
    size = sum(stored.bytes for stored in manifest.files.values())
    rows, note = sum(manifest.sizes.values()), KNOWN_TEXTS[name].note
    return Prepared(name, "prepared" if fresh else "ready", folder, rows, 2, manifest.empty, size, "none stated", note)


def _builtin(known: KnownSeries) -> Prepared:
    series, path = read_builtin(known.name), builtin_path(known.name)
    rows, columns = series.values.shape
    missing = int(np.isnan(series.values).sum())
    return Prepared(known.name, "builtin", path, rows, columns, missing, path.stat().st_size, known.licence, known.note)
