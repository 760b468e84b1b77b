"""Getting named series ready: fetched or brought, verified, kept as plain arrays."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from snnctl.data.cache import Progress, StoredFile, sha256_file
from snnctl.data.prepare import Prepared, Status, fetched, reported
from snnctl.data.problems import data_error, unreadable
from snnctl.data.series.arranging import Arrangement, series_of
from snnctl.data.series.axis import AS_THEY_ARE
from snnctl.data.series.known import KNOWN, KnownSeries
from snnctl.data.series.roles import Wanted
from snnctl.data.series.series import ReadOptions
from snnctl.data.series.sources import builtin_path, read_builtin, read_file
from snnctl.data.series.store import STORE, SeriesManifest, describe_series, write_series

_AS_PUBLISHED = Arrangement(Wanted(trusted=True), AS_THEY_ARE)


def prepare(
    name: str, source: Path | None = None, *, progress: Progress | None = None, encoding: str = "utf-8"
) -> Prepared:
    """Make the series `name` ready; returns at once when a sound copy is in the cache.

    Args:
        name: one of `KNOWN`.
        source: a local file to read; None = download it, if its address is known.
        encoding: of a text file that is brought.
        progress: called with (bytes done, bytes in all or None) while bytes are fetched or read.

    Raises:
        DiagnosticError: D101 no source, D107 not the expected data, D108 no download, or what reading the file found.
    """
    known = KNOWN[name]
    if known.builtin:
        path = builtin_path(name)
        shipped = describe_series(name, series_of(read_builtin(name), _AS_PUBLISHED), str(path), "")
        shipped = replace(shipped, files={path.name: StoredFile(path.stat().st_size, "")})
        return reported(path, shipped, known, name, "builtin")
    status: Status = "prepared"
    found = STORE.sound(name, verify=True)
    if found is not None:
        status = "ready"
    elif source is not None:
        found = _take_in(known, source, str(source), progress, encoding)
    elif not known.url:
        raise known.absent(f"no address is known for `{name}`: its file must be brought", known.note)
    else:
        with fetched(known, progress) as file:
            found = _take_in(known, file, known.url, None)
    return reported(STORE.path(name), found, known, name, status)


def _take_in(
    known: KnownSeries, file: Path, source: str, progress: Progress | None, encoding: str = "utf-8"
) -> SeriesManifest:
    if not os.path.isfile(file):
        raise data_error("D101", f"no file `{file}`", file=file, path="")
    try:
        digest = sha256_file(file, progress)
    except OSError as error:
        raise unreadable(file, "", error, "") from error
    if known.sha256 and digest != known.sha256:
        notes = (f"sha256 {digest}", f"expected {known.sha256}")
        help = "fetch it again; to use a changed file, give its path as `data.source`"
        raise data_error("D107", f"the file is not the genuine `{known.name}`", file=source, notes=notes, help=help)
    series = read_file(file, ReadOptions(encoding=encoding), _AS_PUBLISHED)
    for what, found, expected in zip(
        ("rows", "columns"), series.values.shape, (known.rows, known.columns), strict=True
    ):
        if expected is not None and found != expected:
            raise known.not_genuine(f"the file has {found} {what}", str(expected), source, path="data.source")
    return write_series(series, describe_series(known.name, series, source, digest))
