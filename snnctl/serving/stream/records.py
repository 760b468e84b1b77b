"""Lines of a stream as records, one line a row: CSV with a header, or JSON objects."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator
from typing import Any

from snnctl.core.diagnostic import Diagnostic, DiagnosticError, printable
from snnctl.core.files import finite
from snnctl.data.series.fitted import FittedSeries
from snnctl.data.series.one_row import refused
from snnctl.data.series.readers.layout import split_line
from snnctl.data.series.series import distinct, numbered

_DELIMITERS = (",", ";", "\t", "|")
# A line beyond that is no row, and what ends it may never come.
LONGEST_LINE = 2**24


class Records:
    """Turns lines into records.

    Args:
        fitted: what training remembers of its data: a header has to name those columns.
        origin: of the lines, for messages.

    Attributes:
        json: whether they are JSON; None before the first one.
        line: how many lines have been seen.
    """

    def __init__(self, fitted: FittedSeries, origin: str) -> None:
        self._wanted = {*fitted.time, *fitted.id, *fitted.columns, *fitted.past}
        self._headless = fitted.options.header is False
        self.origin = origin
        self._names: list[str] = []
        self._delimiter = ","
        self.json: bool | None = None
        self.line = 0

    def read(self, raw: bytes) -> dict[str, Any] | None:
        """The record of a line; None for an empty one, a comment before the header, and the header.

        Raises:
            DiagnosticError: D290 the header lacks columns of training; D320 the line is no record.
        """
        self.line += 1
        if len(raw) > LONGEST_LINE:
            raise refused(f"the line is longer than {LONGEST_LINE:,} bytes", "a row is one line")
        try:
            text = raw.decode("utf-8-sig" if self.line == 1 else "utf-8").rstrip("\r\n")
        except UnicodeDecodeError:
            raise refused("the line is not UTF-8", "bring the stream into UTF-8 (iconv)") from None
        if not text.strip():
            return None
        if self.json is None:
            if text.startswith("#"):
                return None
            self.json = text.lstrip().startswith("{")
            if not self.json and self._header(text):
                return None
        return _object(text) if self.json else self._fields(text)

    def _header(self, text: str) -> bool:
        """Take the first line; whether it is a header."""
        found = {mark: [cell.strip() for cell in split_line(text, mark)] for mark in _DELIMITERS}
        if self._headless:
            self._delimiter = max(_DELIMITERS, key=lambda mark: len(found[mark]))
            self._names = list(numbered(len(found[self._delimiter])))
            return False
        named = {mark: distinct(cells) for mark, cells in found.items()}
        self._delimiter = max(_DELIMITERS, key=lambda mark: (len(self._wanted & {*named[mark]}), len(named[mark])))
        self._names = named[self._delimiter]
        lacking = sorted(self._wanted - {*self._names})
        if lacking:
            shown = ", ".join(f"`{name}`" for name in lacking[:5]) + (", ..." if len(lacking) > 5 else "")
            message = f"columns of training are not in the header: {shown}"
            help = f"the first line names columns as in training; there are: {', '.join(self._names[:20])}"
            raise DiagnosticError(Diagnostic("D290", message, file=self.origin, line=self.line, help=help))
        return True

    def _fields(self, text: str) -> dict[str, Any]:
        cells = split_line(text, self._delimiter)
        if len(cells) != len(self._names):
            reason = f"{len(cells)} fields, and the header names {len(self._names)}"
            raise refused(reason, "a row is one line, with a field for each column")
        return dict(zip(self._names, cells, strict=True))


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise refused(f"the line is no JSON: {printable(str(error), 80)}", "a row is one object on one line") from None
    if not isinstance(found, dict):
        raise refused("the line is JSON, and no object", 'write {"column": value, ...}')
    return found


def written(answers: Iterable[dict[str, Any]], *, as_json: bool) -> Iterator[str]:
    """Rows of an answer as lines of CSV without a header, or of JSON."""
    for row in answers:
        if as_json:
            yield json.dumps(finite(row)) + "\n"
        else:
            yield _line(row.values())


def header(row: dict[str, Any]) -> str:
    """The line of CSV above answers."""
    return _line(row)


def _line(cells: Iterable[Any]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerow(cells)
    return out.getvalue()
