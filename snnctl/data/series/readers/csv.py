"""Reading CSV and other text tables, plain or gzipped."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import IO, Any

import numpy as np

from snnctl.core.diagnostic import Diagnostic, DiagnosticError
from snnctl.data.problems import data_error, unreadable
from snnctl.data.series.readers.layout import COMMENT, SPACE, Layout, has_units, recognise, split_line
from snnctl.data.series.readers.numerals import (
    MISSING_WORDS,
    AmbiguousNumberError,
    Marks,
    decimal_mark,
    is_missing,
    is_number,
    may_be_grouped,
    numbers_of,
)
from snnctl.data.series.series import Floats, ReadOptions
from snnctl.data.series.stamp_texts import is_stamp
from snnctl.data.series.table import Cells, Table

SAMPLE_LINES = 50
_BAD_STREAM = (OSError, EOFError, zlib.error)
_WIDE = {codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


@dataclass(frozen=True)
class _Scan:
    """What a first look at all lines and a closer one at the first of them tells."""

    layout: Layout
    rows: int
    skip: list[int]  # physical lines, from 0, that are no rows
    marks: Marks
    texts: list[int]  # positions of fields that hold no numbers
    encoding: str
    before: int  # lines that are no comments before the first row
    grouped: bool  # whether points may stand between thousands


def read(path: Path, options: ReadOptions) -> Table:
    """The whole table.

    Raises:
        DiagnosticError: D102 empty, D103 no text, D104 unreadable, D201 ragged, D202 a cell that is no number,
            D203 no number at all, D236 a number that can be read in two ways.
    """
    scan = _scan(path, options)
    frame = _parse(path, scan)
    layout, marks = scan.layout, scan.marks
    lines = partial(_line_of_row, path, scan.encoding, scan.before)
    parsed: dict[str, Floats] = {}
    texts: dict[str, Cells] = {}
    written: dict[int, Cells] = {}
    for position in layout.fields:
        cells = frame[position]
        if position in scan.texts:
            texts[layout.names[position]] = cells.fillna("").astype(object).map(str.strip).to_numpy(dtype=object)
        elif cells.dtype.kind in "iuf":
            parsed[layout.names[position]] = cells.to_numpy(dtype=np.float64)
        else:
            written[position] = cells.astype(object).map(_as_text).to_numpy(dtype=object)
    used = [cells for i, cells in written.items() if options.only is None or layout.names[i] in options.only]
    if used and marks.decimal is None:
        marks = replace(marks, decimal=_decimal(path, (cell for cells in used for cell in cells)))
    flags = set()
    for position, cells in written.items():
        name = layout.names[position]
        if set(cells) - {""} <= {"True", "False", "TRUE", "FALSE", "true", "false"}:
            flags.add(name)
            parsed[name] = np.array([np.nan if cell == "" else float(cell.lower() == "true") for cell in cells])
            continue
        values, bad = numbers_of(cells, marks)
        if bad >= 0 and options.only is not None and name not in options.only:
            texts[name] = cells
            continue
        if bad >= 0:
            raise _not_a_number(cells[bad], name, path, lines(bad))
        parsed[name] = values
    names = tuple(layout.names[i] for i in layout.fields)
    numeric = tuple(name for name in names if name in parsed)
    numbers = np.empty((scan.rows, len(numeric)))
    for column, name in enumerate(numeric):
        numbers[:, column] = parsed[name]
    return Table(
        names,
        numeric,
        numbers,
        texts,
        {},
        frozenset(flags),
        layout.unnamed,
        "csv",
        str(path),
        lines,
        _notes(scan, marks),
        _odd(scan, path),
    )


def _odd(scan: _Scan, path: Path) -> tuple[Diagnostic, ...]:
    """D236 where points may stand between thousands, as in files with semicolons and German dates."""
    if not scan.grouped:
        return ()
    message = (
        "numbers with three digits after a point were read as fractions; the file's dates let expect decimal commas"
    )
    help = 'set `data.decimal` to "," if 10.142 means 10142, to "." if not'
    return (Diagnostic("D236", message, severity="warning", path="data.decimal", file=str(path), help=help),)


def _notes(scan: _Scan, marks: Marks) -> tuple[str, ...]:
    name = {"\t": "tabs", SPACE: "blanks", ";": "semicolons", "|": "bars", ",": "commas"}[scan.layout.delimiter]
    found = [f"columns are separated by {name}"]
    if marks.decimal == ",":
        found.append("decimal commas")
    comments = len(scan.skip) - scan.before
    if scan.before > (scan.layout.header and not scan.layout.commented):
        found.append("a row of units was passed over")
    if comments > 0:
        found.append(f"{comments} comment lines were passed over")
    if not scan.layout.header:
        found.append("without a header")
    if scan.encoding not in ("utf-8", "utf-8-sig"):
        found.append(f"encoding {scan.encoding}")
    return tuple(found)


def _as_text(cell: Any) -> str:
    return "" if cell is None or cell != cell else cell if isinstance(cell, str) else str(cell)


@contextmanager
def _open(path: Path, encoding: str) -> Iterator[IO[bytes]]:
    """The bytes of the file, as UTF-8 where its encoding spends more than one byte on a line's end."""
    try:
        with gzip.open(path, "rb") if path.suffix.lower() == ".gz" else path.open("rb") as stream:
            if encoding.replace("_", "-").lower().startswith(("utf-16", "utf-32")):
                yield io.BytesIO(stream.read().decode(encoding).encode())
            else:
                yield stream  # type: ignore[misc]
    except UnicodeDecodeError as error:
        raise data_error(
            "D103", f"cannot be read as {encoding}: {error.reason}", file=path, path="data.encoding"
        ) from error
    except _BAD_STREAM as error:
        raise data_error("D104", f"cannot be read: {error}", file=path) from error


def _encoding(path: Path, wanted: str) -> str:
    """The encoding that a recipe names, or that the first bytes do."""
    try:
        name = codecs.lookup(wanted).name
    except LookupError as error:
        help = "utf-8, latin-1, cp1252, utf-16, ..."
        raise data_error(
            "D103", f"there is no encoding `{wanted}`", file=path, path="data.encoding", help=help
        ) from error
    with _open(path, "utf-8") as stream:
        start = stream.read(4)
    return next((found for mark, found in _WIDE.items() if start.startswith(mark)), name)


def _scan(path: Path, options: ReadOptions) -> _Scan:
    encoding = _encoding(path, options.encoding)
    marks = Marks(options.decimal, MISSING_WORDS | set(options.missing_marks))
    skip: list[int] = []
    with _open(path, encoding) as stream:
        lines = _lines(stream, path, skip)
        sample = list(islice(lines, SAMPLE_LINES + 1))
        if not sample:
            raise data_error("D102", "the file is empty", file=path)
        texts = [_decode(raw, number, path, encoding) for number, raw in sample]
        before = [number for number in skip if number < sample[0][0]]
        comment = ""
        if before:
            with _open(path, encoding) as again:
                raw = next(islice(again, before[-1] - 1, None))
            comment = _decode(raw, before[-1], path, encoding)
        try:
            layout = recognise(texts, options.header, marks, comment)
            named = layout.header and not layout.commented
            count = len(sample)
            for number, raw in sample:
                _check_fields(raw, number, layout, path, encoding)
            for number, raw in lines:
                _check_fields(raw, number, layout, path, encoding)
                count += 1
        except csv.Error as error:
            raise data_error("D104", f"cannot be read as a table: {error}", file=path) from error
    cells = [split_line(text, layout.delimiter) for text in texts[named:]]
    if count - named == 0:
        if not any(is_number(cell) for cell in layout.names):
            raise _no_number(path, texts[0])
        raise data_error("D102", "the file holds a header and no rows", file=path)
    units = has_units(cells, marks)
    skipped = [number - 1 for number in skip] + [number - 1 for number, _ in sample[: named + units]]
    cells = cells[units:]
    without = [i for i in layout.fields if not any(Marks.kind(row[i]) or is_number(row[i]) for row in cells)]
    empty = [i for i in without if all(is_missing(row[i], marks) for row in cells)]
    logical = [
        i
        for i in without
        if {row[i] for row in cells if not is_missing(row[i], marks)}
        <= {"True", "False", "TRUE", "FALSE", "true", "false"}
    ]
    dated = [i for i in layout.fields if i not in without and _dated([row[i] for row in cells], marks)]
    if len(without) == len(layout.fields) and not empty:
        raise _no_number(path, texts[0])
    if marks.decimal is None:
        numbers = [i for i in layout.fields if i not in without and i not in dated]
        marks = replace(
            marks,
            decimal=_decimal(
                path, (row[i] for row in cells for i in numbers if layout.delimiter != "," or "," in row[i])
            ),
        )
    named_text = [i for i in layout.fields if layout.names[i] in options.text]
    as_text = sorted({*without, *dated, *named_text} - set(empty) - set(logical))
    grouped = layout.delimiter == ";" and marks.decimal is None and may_be_grouped(cells)
    return _Scan(layout, count - named - units, sorted(skipped), marks, as_text, encoding, named + units, grouped)


def _dated(cells: list[str], marks: Marks) -> bool:
    """Whether a column mixes what may be numbers (2016, 20160701) with other dates: then it is text."""
    return any(is_stamp(cell) and not is_number(cell) for cell in cells) and all(
        is_stamp(cell) or is_missing(cell, marks) for cell in cells
    )


def _decimal(path: Path, cells: Iterator[str]) -> str | None:
    try:
        return decimal_mark(cells)
    except AmbiguousNumberError as error:
        help = 'set `data.decimal` to "," or "."'
        raise data_error(
            "D236", f"numbers can be read in two ways: {error}", file=path, path="data.decimal", help=help
        ) from error


def _no_number(path: Path, first: str) -> DiagnosticError:
    notes = (f"the file begins with: {first.strip()[:60]}",)
    return data_error("D203", file=path, notes=notes, help="expected rows of numbers, one row per time step")


def _lines(stream: IO[bytes], path: Path, skip: list[int]) -> Iterator[tuple[int, bytes]]:
    """(physical line number, line) of lines that are neither blank nor comments; numbers of those go to `skip`."""
    for number, raw in enumerate(stream, start=1):
        if b"\0" in raw:
            help = "expected text; see the formats in `snnctl show data timeseries`"
            raise data_error("D103", "the file is binary, not a text table", file=path, line=number, help=help)
        line = raw.removeprefix(codecs.BOM_UTF8) if number == 1 else raw
        if line.lstrip()[:1] == COMMENT.encode():
            skip.append(number)
        elif line.strip():
            yield number, line


def _decode(raw: bytes, number: int, path: Path, encoding: str) -> str:
    name = "utf-8" if encoding.startswith(("utf-16", "utf-32")) else encoding
    try:
        return raw.decode(name).rstrip("\r\n")
    except UnicodeDecodeError as error:
        message = f"byte 0x{raw[error.start]:02x} is not {name.upper()} text"
        help = "set `data.encoding` (latin-1, cp1252, ...), or save the file as UTF-8"
        raise data_error("D103", message, file=path, line=number, help=help) from error


def _check_fields(raw: bytes, number: int, layout: Layout, path: Path, encoding: str) -> None:
    if b'"' in raw:
        found = len(split_line(_decode(raw, number, path, encoding), layout.delimiter))
    else:
        found = len(raw.split()) if layout.delimiter == SPACE else raw.count(layout.delimiter.encode()) + 1
    fields = len(layout.names)
    if found != fields:
        message = f"line {number} has {found} fields, the first line has {fields}"
        name = {"\t": "tab", SPACE: "blanks"}.get(layout.delimiter, f"`{layout.delimiter}`")
        help = f"every row needs the same number of fields (delimiter: {name}); begin lines before the header with #"
        raise data_error("D201", message, file=path, line=number, help=help)


def _parse(path: Path, scan: _Scan) -> Any:
    import pandas as pd

    layout = scan.layout
    try:
        with _open(path, scan.encoding) as stream, warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            frame = pd.read_csv(
                stream,
                sep=r"\s+" if layout.delimiter == SPACE else layout.delimiter,
                header=None,
                names=list(range(len(layout.names))),
                index_col=False,
                usecols=layout.fields,
                dtype=dict.fromkeys(scan.texts, str),
                na_values=sorted(scan.marks.missing),
                skiprows=scan.skip,
                skipinitialspace=True,
                low_memory=False,
                decimal=scan.marks.decimal or ".",
                encoding="utf-8-sig" if scan.encoding.startswith("utf") else scan.encoding,
            )
    except DiagnosticError:
        raise
    except UnicodeDecodeError as error:
        raise _undecodable(path, scan.encoding) from error
    except (ValueError, OverflowError, pd.errors.ParserWarning) as error:  # ParserError too
        raise unreadable(path, "a table", error) from error
    if len(frame) != scan.rows:
        message = f"cannot be read as a table: {scan.rows} lines of data give {len(frame)} rows"
        raise data_error("D104", message, file=path, help="look for stray quotes or line breaks inside fields")
    return frame


def _undecodable(path: Path, encoding: str) -> Exception:
    """D103 with the line of the first byte that cannot be read."""
    with _open(path, encoding) as stream:
        for number, raw in enumerate(stream, start=1):
            try:
                _decode(raw, number, path, encoding)
            except DiagnosticError as error:
                return error
    return data_error("D103", f"not {encoding.upper()} text", file=path, help="set `data.encoding`")


def _line_of_row(path: Path, encoding: str, before: int, row: int) -> int:
    """Physical line number of a row."""
    with _open(path, encoding) as stream:
        lines = _lines(stream, path, [])
        return next((number for i, (number, _) in enumerate(lines) if i == row + before), 0)


def _not_a_number(cell: str, name: str, path: Path, line: int) -> DiagnosticError:
    help = "name the columns to forecast in `data.targets`, or what stands for a missing value in `data.missing_marks`"
    shown = cell if len(cell) <= 30 else cell[:27] + "..."
    return data_error("D202", f"column `{name}` is not numeric: `{shown}`", file=path, line=line, help=help)
