"""Reading CSV and other text tables, plain or gzipped."""

from __future__ import annotations

import csv
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from snnctl.core.diagnostic import Diagnostic, DiagnosticError
from snnctl.data.bounds import refuse_more_than_memory
from snnctl.data.problems import data_error, unreadable
from snnctl.data.series.readers.layout import SPACE, Layout, has_units, recognise, split_line
from snnctl.data.series.readers.lines import decode, encoding_of, line_of_row, lines_of, open_text, undecodable
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
    refuse_more_than_memory(8 * scan.rows * len(scan.layout.names), f"`{path.name}`", path)
    frame = _parse(path, scan)
    layout, marks = scan.layout, scan.marks
    lines = partial(line_of_row, path, scan.encoding, scan.before)
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


def _scan(path: Path, options: ReadOptions) -> _Scan:
    encoding = encoding_of(path, options.encoding)
    marks = Marks(options.decimal, MISSING_WORDS | set(options.missing_marks))
    skip: list[int] = []
    with open_text(path, encoding) as stream:
        lines = lines_of(stream, path, skip)
        sample = list(islice(lines, SAMPLE_LINES + 1))
        if not sample:
            raise data_error("D102", "the file is empty", file=path)
        texts = [decode(raw, number, path, encoding) for number, raw in sample]
        before = [number for number in skip if number < sample[0][0]]
        comment = ""
        if before:
            with open_text(path, encoding) as again:
                raw = next(islice(again, before[-1] - 1, None))
            comment = decode(raw, before[-1], path, encoding)
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
    others = set(layout.fields) - set(without)
    empty = [i for i in without if all(is_missing(row[i], marks) for row in cells)]
    logical = [
        i
        for i in without
        if {row[i] for row in cells if not is_missing(row[i], marks)}
        <= {"True", "False", "TRUE", "FALSE", "true", "false"}
    ]
    dated = {i for i in others if _dated([row[i] for row in cells], marks)}
    if len(without) == len(layout.fields) and not empty:
        raise _no_number(path, texts[0], texts[named + units])
    if marks.decimal is None:
        numbers = sorted(others - dated)
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
    return any(not is_number(cell) and is_stamp(cell) for cell in cells) and all(
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


def _no_number(path: Path, first: str, row: str = "") -> DiagnosticError:
    notes: tuple[str, ...] = (f"the file begins with: {first.strip()[:60]}",)
    if row and row != first:
        notes += (f"its first row is: {row.strip()[:60]}",)
    help = "expected rows of numbers, one row per time step; units, signs of currency and % belong into the header"
    return data_error("D203", file=path, notes=notes, help=help)


def _check_fields(raw: bytes, number: int, layout: Layout, path: Path, encoding: str) -> None:
    if b'"' in raw:
        found = len(split_line(decode(raw, number, path, encoding), layout.delimiter))
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
        with open_text(path, scan.encoding) as stream, warnings.catch_warnings():
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
        raise undecodable(path, scan.encoding) from error
    except (ValueError, OverflowError, pd.errors.ParserWarning) as error:  # ParserError too
        raise unreadable(path, "a table", error) from error
    if len(frame) != scan.rows:
        message = f"cannot be read as a table: {scan.rows} lines of data give {len(frame)} rows"
        raise data_error("D104", message, file=path, help="look for stray quotes or line breaks inside fields")
    return frame


def _not_a_number(cell: str, name: str, path: Path, line: int) -> DiagnosticError:
    help = "name the columns to forecast in `data.targets`, or what stands for a missing value in `data.missing_marks`"
    shown = cell if len(cell) <= 30 else cell[:27] + "..."
    return data_error("D202", f"column `{name}` is not numeric: `{shown}`", file=path, line=line, help=help)
