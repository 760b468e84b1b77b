"""Prepared series on disk: plain arrays with a manifest that tells where they came from."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from snnctl.core.diagnostic import DiagnosticError
from snnctl.data.cache import DamagedError, Manifest, Store
from snnctl.data.numpy_files import open_npy
from snnctl.data.problems import data_error
from snnctl.data.series.known import KNOWN
from snnctl.data.series.series import Series
from snnctl.data.series.stamps import of_datetimes
from snnctl.data.series.table import Table

VALUES, TIMES, COLUMNS = "values.npy", "times.npy", "columns.json"


@dataclass(frozen=True, kw_only=True)
class SeriesManifest(Manifest):
    """What a prepared series is and where it came from.

    Args:
        files, created, schema: see `Manifest`.
        name: the known name.
        source: URL or path it was made from.
        source_sha256: of that file.
        rows, columns, missing: of the series; `missing` counts empty cells.
        licence: as the source states it.
    """

    name: str
    source: str
    source_sha256: str
    rows: int
    columns: int
    missing: int
    licence: str

    def facts(self) -> dict[str, Any]:
        """Sizes."""
        return {"rows": self.rows, "columns": self.columns, "missing": self.missing}

    def words(self) -> str:
        """The same in one line."""
        return f"{self.rows:,} rows x {self.columns} columns, {self.missing:,} missing"


STORE = Store("", SeriesManifest)


def describe_series(name: str, series: Series, source: str, sha256: str) -> SeriesManifest:
    """What there is to tell of the series `name`, read from `source`, a URL or path; its checksum is `sha256`."""
    rows, columns = series.values.shape
    return SeriesManifest(
        name=name,
        source=source,
        source_sha256=sha256,
        rows=rows,
        columns=columns,
        missing=int(np.isnan(series.values).sum()),
        licence=KNOWN[name].licence,
    )


def write_series(series: Series, told: SeriesManifest) -> SeriesManifest:
    """Keep a series, and what `describe_series` tells of it; raises D104."""

    def fill(folder: Path) -> SeriesManifest:
        np.save(folder / VALUES, series.values, allow_pickle=False)
        if series.times is not None:
            np.save(folder / TIMES, series.times, allow_pickle=False)
        (folder / COLUMNS).write_text(json.dumps(series.columns) + "\n", encoding="utf-8")
        return told

    return STORE.write(told.name, fill)


def load_prepared(name: str) -> Table:
    """A prepared series; sizes are compared with the manifest, checksums are not.

    Raises:
        DiagnosticError: D101 not prepared, D109 damaged.
    """
    manifest, folder = _checked(name), STORE.path(name)
    names = _columns(name, folder)
    try:
        values = open_npy(folder / VALUES)
        times = open_npy(folder / TIMES) if TIMES in manifest.files else None
    except DiagnosticError as error:
        raise _damaged(name, DamagedError(folder, error.diagnostics[0].message)) from error
    if values.shape != (manifest.rows, len(names)) or values.dtype != np.float64:
        raise _damaged(name, DamagedError(folder / VALUES, f"holds {values.dtype} {list(values.shape)}"))
    stamps = {} if times is None else {"date": of_datetimes(times)}
    return Table((*stamps, *names), names, values, stamps=stamps, format="cache", origin=str(folder))


def _checked(name: str) -> SeriesManifest:
    try:
        manifest = STORE.read(name)
    except DamagedError as error:
        raise _damaged(name, error) from error
    if manifest is None:
        raise KNOWN[name].absent(f"the series `{name}` is not prepared")
    return manifest


def _columns(name: str, folder: Path) -> tuple[str, ...]:
    try:
        names: Any = json.loads((folder / COLUMNS).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _damaged(name, DamagedError(folder / COLUMNS, str(error))) from error
    if not isinstance(names, list) or not all(isinstance(item, str) for item in names):
        raise _damaged(name, DamagedError(folder / COLUMNS, "is not a list of names"))
    return tuple(names)


def _damaged(name: str, error: DamagedError) -> Exception:
    help = f"prepare it again: {KNOWN[name].command}"
    return data_error("D109", f"the prepared series `{name}` is damaged: {error}", file=error.path, help=help)
