"""Recognising the layout of a text table from its first lines: what separates columns, header, comments."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from snnctl.data.series.readers.numerals import Marks, is_missing, is_number
from snnctl.data.series.series import distinct, numbered
from snnctl.data.series.stamp_texts import is_stamp

SPACE = " "  # stands for any run of blanks
COMMENT = "#"
_WHOLE = re.compile(r"0|[1-9]\d*")


@dataclass(frozen=True)
class Layout:
    """How a text table is laid out.

    Args:
        delimiter: one character; " " means any run of blanks.
        header: whether a line holds names: the first that is no comment, or the last comment before the rows.
        commented: whether that is a comment.
        names: one per field.
        unnamed: those that the header leaves empty, or calls `Unnamed: 0`.
        empty: position of the empty field after a trailing delimiter, or -1.
    """

    delimiter: str
    header: bool
    commented: bool
    names: tuple[str, ...]
    unnamed: frozenset[str]
    empty: int

    @property
    def fields(self) -> list[int]:
        """Positions of the fields that hold something."""
        return [i for i in range(len(self.names)) if i != self.empty]


def split_line(line: str, delimiter: str) -> list[str]:
    """The fields of one line."""
    if delimiter == SPACE:
        return line.split()
    if line and '"' not in line and "\r" not in line and "\n" not in line:  # in which csv would see more
        return [cell.lstrip(" ") for cell in line.split(delimiter)]
    return next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [""])


def recognise(lines: Sequence[str], header: bool | None, marks: Marks, comment: str = "") -> Layout:
    """The layout of a table.

    Args:
        lines: its first lines that are neither empty nor comments (at least one).
        header: whether the first of them names the columns; None = look and decide.
        marks: what counts as missing.
        comment: the last comment before them: NumPy writes the names into one.
    """
    delimiter = _delimiter(lines)
    rows = [split_line(line, delimiter) for line in lines]
    first, rest = rows[0], [row for row in rows[1:] if len(row) == len(rows[0])]
    has_header = _is_header(first, rest, marks) if header is None else header
    data = rest if has_header else [first, *rest]
    names = [name.strip() for name in first] if has_header else None
    said = [name.strip() for name in split_line(comment.lstrip(COMMENT), delimiter)]
    commented = names is None and header is None and bool(comment) and len(said) == len(first)
    if commented and not all(is_number(name) for name in said):
        names = said
    shown = distinct(names) if names is not None else list(numbered(len(first)))
    empty = -1
    if names and len(names) > 1 and names[-1] == "" and all(is_missing(row[-1], marks) for row in data):
        empty = len(names) - 1
    unnamed = {shown[i] for i, name in enumerate(names or ()) if not name or re.fullmatch(r"Unnamed: \d+", name)}
    return Layout(
        delimiter, names is not None, commented and names is not None, tuple(shown), frozenset(unnamed), empty
    )


def has_units(cells: Sequence[Sequence[str]], marks: Marks) -> bool:
    """Whether the first row holds units: text in every column in which all other rows have numbers."""
    first, rest = cells[0], cells[1:]
    numeric = [
        i
        for i in range(len(first))
        if any(is_number(row[i]) for row in rest)
        and all(is_number(row[i]) or is_missing(row[i], marks) for row in rest)
    ]
    no_number = all(Marks.kind(first[i]) is None and not is_number(first[i]) for i in numeric)
    return bool(numeric) and no_number and not all(is_missing(first[i], marks) for i in numeric)


def _delimiter(lines: Sequence[str]) -> str:
    """The first of tab, semicolon, bar, comma, blank that gives most lines the same number of fields, over 1."""
    for delimiter in ("\t", ";", "|", ",", SPACE):
        counts = Counter(_fields(line, delimiter) for line in lines)
        fields, lines_with = counts.most_common(1)[0]
        if fields > 1 and lines_with * 2 > len(lines):
            return delimiter
    return ","


def _fields(line: str, delimiter: str) -> int:
    """How many it has; what csv finds too long is one."""
    try:
        return len(split_line(line, delimiter))
    except csv.Error:
        return 1


def _is_header(first: list[str], rest: list[list[str]], marks: Marks) -> bool:
    if all(is_missing(cell, marks) for cell in first):
        return False
    known = [is_number(cell) or is_missing(cell, marks) or is_stamp(cell) for cell in first]
    if not all(known):
        # A table without names may hold text, and decimal commas: then the rows below have the like.
        alike = [
            seen or (marks.kind(cell) is not None and all(marks.kind(row[i]) is not None for row in rest))
            for i, (seen, cell) in enumerate(zip(known, first, strict=True))
        ]
        return not all(alike)
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
