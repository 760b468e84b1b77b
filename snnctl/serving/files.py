"""Forecasts as a file, written as they come, whole or not at all."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from snnctl.core.diagnostic import Diagnostic, DiagnosticError
from snnctl.core.files import finite, write_atomically, writing

Tables = Iterable[dict[str, Any]]
FORMATS = (".csv", ".parquet", ".jsonl")


def check_suffix(path: Path, known: tuple[str, ...] = FORMATS) -> None:
    """Refuse what cannot be written.

    Raises:
        DiagnosticError: U505.
    """
    if path.suffix.lower() not in known:
        raise DiagnosticError(Diagnostic("U505", facts={"file": path, "known": ", ".join(known)}))


def write_forecast(path: Path, tables: Tables) -> None:
    """Write tables of the same columns, one after the other; each is forgotten once it is written.

    Raises:
        DiagnosticError: U453, it cannot be written; U505, the suffix is none of `FORMATS`.
    """
    check_suffix(path)
    write = {".csv": _csv, ".parquet": _parquet, ".jsonl": _json_lines}[path.suffix.lower()]
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, lambda temporary: write(temporary, tables))


def rows_of(table: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A table row by row, as plain values; stamps are ISO 8601."""
    columns = [_plain(values) for values in table.values()]
    for cells in zip(*columns, strict=True):
        yield dict(zip(table, cells, strict=True))


def at_microseconds(table: dict[str, Any]) -> dict[str, Any]:
    """With stamps of one type, whatever they tell: the same column in every file."""
    return {name: each.astype("M8[us]") if each.dtype.kind == "M" else each for name, each in table.items()}


def _plain(values: Any) -> list[Any]:
    return values.astype(str).tolist() if values.dtype.kind == "M" else list(values.tolist())


def _csv(path: Path, tables: Tables) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        for number, table in enumerate(tables):
            if not number:
                writer.writerow(table)
            writer.writerows(zip(*(_plain(values) for values in table.values()), strict=True))


def _json_lines(path: Path, tables: Tables) -> None:
    with path.open("w", encoding="utf-8") as file:
        for table in tables:
            file.writelines(json.dumps(finite(row)) + "\n" for row in rows_of(table))


def _parquet(path: Path, tables: Tables) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    writer = None
    try:
        for table in tables:
            part = pa.table(at_microseconds(table))
            writer = writer or pq.ParquetWriter(path, part.schema)
            writer.write_table(part)
    finally:
        if writer is not None:
            writer.close()
