"""Reading CSV and other text tables, plain or gzipped."""

from __future__ import annotations

import csv
import gzip
import re
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import IO, Any

import numpy as np

from snnctl.core.diagnostic import DiagnosticError
from snnctl.data.problems import data_error, unreadable
from snnctl.data.series.readers.dates import parse_dates
from snnctl.data.series.readers.layout import SPACE, Layout, is_missing, is_number, recognise, split_line
from snnctl.data.series.series import Floats, ReadOptions, Series, SeriesHead, select

SAMPLE_LINES = 50
_BOM = b"\xef\xbb\xbf"
_BAD_STREAM = (OSError, EOFError, zlib.error)


@dataclass(frozen=True)
class _Scan:
    layout: Layout
    rows: int
    channels: list[int]  # positions of the chosen fields
    skip: int  # physical lines before the first data line


def head(path: Path, options: ReadOptions) -> SeriesHead:
    """Layout and row count of a text table; every line is counted, none is parsed beyond a sample."""
    scan = _scan(path, options)
    layout = scan.layout
    return SeriesHead(
        rows=scan.rows,
        columns=tuple(layout.names[i] for i in scan.channels),
        date_column=layout.names[layout.date] if layout.date >= 0 else "",
        ignored=tuple(layout.names[i] for i in layout.ignored),
        format="csv",
    )


def read(path: Path, options: ReadOptions) -> Series:
    """The whole table."""
    scan = _scan(path, options)
    frame = _parse(path, scan)
    values = np.empty((scan.rows, len(scan.channels)))
    for target, position in enumerate(scan.channels):
        values[:, target] = _numbers(frame[position], path, scan, position)
    times = None
    if scan.layout.date >= 0:
        times = parse_dates(frame[scan.layout.date].fillna("").astype(str))
    return Series(values, tuple(scan.layout.names[i] for i in scan.channels), times, str(path))


@contextmanager
def _open(path: Path) -> Iterator[IO[bytes]]:
    try:
        with gzip.open(path, "rb") if path.suffix.lower() == ".gz" else path.open("rb") as stream:
            yield stream  # type: ignore[misc]
    except _BAD_STREAM as error:
        raise data_error("D104", f"cannot be read: {error}", file=path) from error


def _scan(path: Path, options: ReadOptions) -> _Scan:
    with _open(path) as stream:
        lines = _lines(stream, path)
        sample = list(islice(lines, SAMPLE_LINES))
        if not sample:
            raise data_error("D102", "the file is empty", file=path)
        texts = [_decode(raw, number, path) for number, raw in sample]
        try:
            layout = recognise(texts, options.header)
            rows = _count_rows(chain(sample, lines), layout, path)
        except csv.Error as error:
            raise data_error("D104", f"cannot be read as a table: {error}", file=path) from error
    names = [layout.names[i] for i in layout.channels]
    first_data = 1 if layout.header else 0
    cells = [(sample[i][0], split_line(texts[i], layout.delimiter)) for i in range(first_data, len(sample))]
    if not any(is_number(row[i]) for _, row in cells for i in layout.channels) and not _all_missing(cells, layout):
        start = texts[0].strip()
        notes = (f"the file begins with: {start[:60]}",)
        help = "expected rows of numbers, one row per time step"
        raise data_error("D203", file=path, notes=notes, help=help)
    if rows == 0:
        raise data_error("D102", "the file holds a header and no rows", file=path)
    channels = [layout.channels[i] for i in select(names, options.columns, path)]
    for number, row in cells:
        for position in channels:
            if not (is_number(row[position]) or is_missing(row[position])):
                raise _not_a_number(row[position], layout.names[position], path, number)
    return _Scan(layout, rows, channels, sample[0][0] if layout.header else 0)


def _all_missing(cells: list[tuple[int, list[str]]], layout: Layout) -> bool:
    return bool(cells and layout.channels) and all(is_missing(row[i]) for _, row in cells for i in layout.channels)


def _lines(stream: IO[bytes], path: Path) -> Iterator[tuple[int, bytes]]:
    """(physical line number, line) of every line that is not blank."""
    for number, raw in enumerate(stream, start=1):
        if b"\0" in raw:
            help = "expected text; see the formats in `snnctl show data timeseries`"
            raise data_error("D103", "the file is binary, not a text table", file=path, line=number, help=help)
        line = raw.removeprefix(_BOM) if number == 1 else raw
        if line.strip():
            yield number, line


def _decode(raw: bytes, number: int, path: Path) -> str:
    try:
        return raw.decode("utf-8").rstrip("\r\n")
    except UnicodeDecodeError as error:
        message = f"byte 0x{raw[error.start]:02x} is not UTF-8 text"
        raise data_error("D103", message, file=path, line=number, help="save the file as UTF-8") from error


def _count_rows(lines: Iterator[tuple[int, bytes]], layout: Layout, path: Path) -> int:
    fields, count = len(layout.names), 0
    mark = layout.delimiter.encode()
    for number, raw in lines:
        if b'"' in raw:
            found = len(split_line(_decode(raw, number, path), layout.delimiter))
        else:
            found = len(raw.split()) if layout.delimiter == SPACE else raw.count(mark) + 1
        if found != fields:
            message = f"line {number} has {found} fields, the first line has {fields}"
            name = {"\t": "tab", SPACE: "blanks"}.get(layout.delimiter, f"`{layout.delimiter}`")
            help = f"every row needs the same number of fields (delimiter: {name})"
            raise data_error("D201", message, file=path, line=number, help=help)
        count += 1
    return count - layout.header


def _parse(path: Path, scan: _Scan) -> Any:
    import pandas as pd

    layout = scan.layout
    wanted = [*scan.channels, layout.date] if layout.date >= 0 else scan.channels
    try:
        with _open(path) as stream, warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            frame = pd.read_csv(
                stream,
                sep=r"\s+" if layout.delimiter == SPACE else layout.delimiter,
                header=None,
                names=list(range(len(layout.names))),
                index_col=False,
                usecols=wanted,
                dtype={layout.date: str} if layout.date >= 0 else None,
                skiprows=scan.skip,
                skipinitialspace=True,
                low_memory=False,
                encoding="utf-8-sig",
            )
    except DiagnosticError:
        raise
    except (
        ValueError,
        OverflowError,
        pd.errors.ParserWarning,
    ) as error:  # ParserError, UnicodeDecodeError too
        raise unreadable(path, "a table", error) from error
    if len(frame) != scan.rows:
        message = f"cannot be read as a table: {scan.rows} lines of data give {len(frame)} rows"
        raise data_error("D104", message, file=path, help="look for stray quotes or line breaks inside fields")
    return frame


def _numbers(cells: Any, path: Path, scan: _Scan, position: int) -> Floats:
    """One parsed column as float64; pandas leaves a column as text when any cell is not a number."""
    import pandas as pd

    if cells.dtype.kind in "iuf":
        return cells.to_numpy(dtype=np.float64)
    texts = cells.astype(object)
    numbers = pd.to_numeric(texts.map(lambda c: np.nan if isinstance(c, bool) else c), errors="coerce")
    bad = (numbers.isna() & texts.notna()).to_numpy()
    if bad.any():
        row = int(np.argmax(bad))
        line = _line_of_row(path, row + scan.layout.header)
        raise _not_a_number(str(texts.iloc[row]), scan.layout.names[position], path, line)
    return numbers.to_numpy(dtype=np.float64)


def _line_of_row(path: Path, index: int) -> int:
    """Physical line number of the `index`-th line that is not blank."""
    with _open(path) as stream:
        return next((number for i, (number, _) in enumerate(_lines(stream, path)) if i == index), 0)


def _not_a_number(cell: str, name: str, path: Path, line: int) -> DiagnosticError:
    help = "name the columns to use in `data.columns`, or leave missing values empty"
    if re.fullmatch(r"[-+]?\d+,\d+", cell.strip()):
        help = "write decimal points, not commas"
    shown = cell if len(cell) <= 30 else cell[:27] + "..."
    return data_error("D202", f"column `{name}` is not numeric: `{shown}`", file=path, line=line, help=help)
