"""Recognising the layout of a text table from its first lines: delimiter, header, date column."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from snnctl.data.series.readers.dates import DATE_NAMES, iso_date
from snnctl.data.series.series import distinct, numbered

SPACE = " "  # stands for any run of blanks

# pandas' own list, so that what counts as missing here counts as missing when the file is parsed.
MISSING_WORDS = frozenset(
    {"", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A"}
    | {"NA", "NULL", "NaN", "None", "n/a", "nan", "null"}
)
_WHOLE = re.compile(r"0|[1-9]\d*")


@dataclass(frozen=True)
class Layout:
    """How a text table is laid out.

    Args:
        delimiter: one character; " " means any run of blanks.
        header: whether the first line holds names.
        names: one per field.
        date: position of the date column, or -1.
        ignored: positions of row numbers and of the empty field after a trailing delimiter.
    """

    delimiter: str
    header: bool
    names: tuple[str, ...]
    date: int
    ignored: tuple[int, ...]

    @property
    def channels(self) -> list[int]:
        """Positions of the fields that are values."""
        return [i for i in range(len(self.names)) if i != self.date and i not in self.ignored]


def split_line(line: str, delimiter: str) -> list[str]:
    """The fields of one line."""
    if delimiter == SPACE:
        return line.split()
    return next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [""])


def is_number(text: str) -> bool:
    """Whether `text` is a decimal number."""
    try:
        float(text)
    except ValueError:
        return False
    return "_" not in text


def is_missing(text: str) -> bool:
    """Whether `text` stands for a missing value."""
    return text.strip() in MISSING_WORDS


def recognise(lines: Sequence[str], header: bool | None) -> Layout:
    """The layout of a table whose first non-empty lines are `lines` (at least one)."""
    delimiter = _delimiter(lines)
    rows = [split_line(line, delimiter) for line in lines]
    first, rest = rows[0], [row for row in rows[1:] if len(row) == len(rows[0])]
    has_header = _is_header(first, rest) if header is None else header
    data = rest if has_header else [first, *rest]
    columns = [[row[i] for row in data] for i in range(len(first))]
    raw_names = [name.strip() for name in first] if has_header else None
    ignored = _ignored(raw_names, columns)
    names = distinct(raw_names) if raw_names is not None else numbered(len(first))
    return Layout(delimiter, has_header, tuple(names), _date(raw_names, columns, ignored), ignored)


def _delimiter(lines: Sequence[str]) -> str:
    """The first of tab, semicolon, comma, blank that gives most lines the same number of fields, over 1."""
    for delimiter in ("\t", ";", ",", SPACE):
        counts = Counter(len(split_line(line, delimiter)) for line in lines)
        fields, lines_with = counts.most_common(1)[0]
        if fields > 1 and lines_with * 2 > len(lines):
            return delimiter
    return ","


def _is_header(first: list[str], rest: list[list[str]]) -> bool:
    if not all(is_number(c) or is_missing(c) or iso_date(c) for c in first):
        return True
    if all(is_missing(cell) for cell in first):
        return False
    return _is_numeric_header(first, rest)


def _is_numeric_header(first: list[str], rest: list[list[str]]) -> bool:
    """Sensor ids as names: distinct whole numbers, 0, 1, 2, ... or far beyond fractional data below."""
    if len(first) < 2 or not rest or len(set(first)) < len(first):
        return False
    if not all(_WHOLE.fullmatch(cell.strip()) for cell in first):
        return False
    ids = [int(cell) for cell in first]
    if len(ids) > 2 and ids in (list(range(len(ids))), list(range(1, len(ids) + 1))):
        return True
    cells = [[row[i] for row in rest if is_number(row[i])] for i in range(len(first))]
    beyond = all(
        column and name > 10 * max(abs(float(c)) for c in column) for name, column in zip(ids, cells, strict=True)
    )
    fractional = sum(any("." in c for c in column) for column in cells)
    return beyond and fractional * 2 > len(first)


def _ignored(names: list[str] | None, columns: list[list[str]]) -> tuple[int, ...]:
    if names is None or len(names) < 2:
        return ()
    ignored = []
    if names[0] == "" or names[0].startswith("Unnamed:"):
        cells = columns[0]
        if all(_WHOLE.fullmatch(c) for c in cells) and all(int(b) == int(a) + 1 for a, b in pairwise(cells)):
            ignored.append(0)
    if names[-1] == "" and all(is_missing(c) for c in columns[-1]):
        ignored.append(len(names) - 1)
    return tuple(ignored)


def _date(names: list[str] | None, columns: list[list[str]], ignored: tuple[int, ...]) -> int:
    named = [i for i, name in enumerate(names or ()) if name.lower() in DATE_NAMES and i not in ignored]
    if named:
        return named[0]
    for i, cells in enumerate(columns):
        if i not in ignored and cells and all(iso_date(c) and not is_number(c) for c in cells):
            return i
    return -1
