"""Tables of texts and labels: CSV, TSV, JSON, JSON lines, Parquet, and lines that begin with their label."""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Sequence
from itertools import chain
from math import isnan
from pathlib import Path
from typing import Any

from snnctl.data.labels import number_of
from snnctl.data.problems import data_error, unreadable
from snnctl.data.texts.parts import Texts
from snnctl.data.texts.readers.columns import (
    LABEL_NAMES,
    TEXT_NAMES,
    TextOptions,
    columns_of,
    label_column,
    told_columns,
)
from snnctl.data.texts.readers.plain import decoded, read_lines, read_text, suffix_of

TABLES = (".csv", ".tsv", ".jsonl", ".json", ".ndjson", ".parquet")
_MOST_OF_A_ROW = 100_000  # characters that are looked at; a field of the csv module has 131,072 at most
_DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
# More labels than this in front of lines are words, not labels.
_MOST_LABELS = 100
LABEL_BEFORE = "a label before each line"
_ROWS_AT_ONCE = 512
_MOST_GROWTH, _SURELY_FINE = 200, 256 << 20  # of a packed table


def read_table(path: Path, options: TextOptions) -> Texts:
    """The texts of one file; files of no known suffix hold a label and a text on each line. No label is "".

    Raises:
        DiagnosticError: D102 to D105 the file, D201 its rows, D210 or D211 no column of texts or labels, D275 what
            stands there are no labels.
    """
    suffix = suffix_of(path)
    if suffix == ".parquet":
        part = _parquet(path, options)
    elif suffix in (".json", ".jsonl", ".ndjson"):
        part = _json(path, options)
    elif suffix in (".csv", ".tsv"):
        part = _delimited(path, options)
    else:
        part = _labelled_lines(path, options)
    if not len(part):
        raise data_error("D102", "the file holds no text", file=path)
    return part


def _delimited(path: Path, options: TextOptions) -> Texts:
    text = read_text(path, options.encoding)
    if suffix_of(path) == ".tsv":
        return _from_rows(_tabbed(text), path, options, "\t")
    # Rows of a table have two fields at least: where commas make one, another mark stands between them.
    found = {
        mark: next(csv.reader(io.StringIO(text[:_MOST_OF_A_ROW], newline=""), delimiter=mark), [])
        for mark in _DELIMITERS
    }
    mark = next((mark for mark, row in found.items() if len(row) > 1), ",")
    return _from_rows(_comma_rows(text, mark, path), path, options, mark)


def _tabbed(text: str) -> list[list[str]]:
    """Rows between tabs; quotes are part of the text."""
    return [line.rstrip("\r").split("\t") for line in text.split("\n") if line.strip()]


def _comma_rows(text: str, mark: str, path: Path) -> list[list[str]]:
    """Rows of a file whose quotes hold delimiters and line breaks; raises D104 for a quote that is never closed."""
    end = "\x00"  # stands in no text, and ends in a row of its own, unless a quote is open
    limit = csv.field_size_limit(max(len(text), 1))
    try:
        rows = [row for row in csv.reader(chain(io.StringIO(text, newline=""), [end]), delimiter=mark) if row]
    except csv.Error as error:
        raise data_error("D104", f"cannot be read as a table: {error}", file=path) from error
    finally:
        csv.field_size_limit(limit)
    if rows.pop() == [end]:
        return rows
    message = f"cannot be read as a table: a quote that opens in row {len(rows) + 1} is never closed"
    line = sum(cell.count("\n") for row in rows for cell in row) + len(rows) + 1
    raise data_error("D104", message, file=path, line=line, help='within quotes, a quote is written as ""')


def _from_rows(rows: list[list[str]], path: Path, options: TextOptions, mark: str) -> Texts:
    if not rows:
        raise data_error("D102", "the file is empty", file=path)
    width = len(rows[0])
    for number, row in enumerate(rows, start=1):
        if len(row) != width:
            message = f"row {number} has {len(row)} fields, the first has {width}"
            help = "a text with the delimiter in it needs quotes"
            if mark == "\t":
                help = "no text may have a tab or a line break in it; .csv with quotes and .jsonl take both"
            raise data_error("D201", message, file=path, help=help)
    first = [cell.strip() for cell in rows[0]]
    known = {*TEXT_NAMES, *LABEL_NAMES, options.text, options.label}
    header = options.header
    if header is None:
        header = any(cell in known or cell.lower() in known for cell in first)
    between = f"{_DELIMITERS[mark]} between columns"
    if header:
        names, rows = first, rows[1:]
    else:
        names = [f"c{i}" for i in range(width)]
        if width == 2 and options.text is None and options.label is None:
            label = label_column(rows, options, path)
            if options.header is None and options.known is None:
                _refuse_names(rows, label, path)
            notes = (f"no names of columns, {between}; labels in column {label + 1}",)
            return Texts(tuple(row[1 - label] for row in rows), tuple(row[label].strip() for row in rows), notes=notes)
    text_at, label_at = columns_of(names, options, path, () if header else first)
    return Texts(
        tuple(row[text_at] for row in rows),
        tuple("" if label_at is None else row[label_at].strip() for row in rows),
        notes=(f"{told_columns(names, text_at, label_at)}, {between}",),
    )


def _refuse_names(rows: Sequence[Sequence[str]], label: int, path: Path) -> None:
    """A first row that looks like names of columns is no text with a label; raises D211."""
    first, *others = (row[label].strip() for row in rows)
    counts = Counter(others)
    numbers = number_of(first) is None and first and all(number_of(other) is not None for other in counts if other)
    if first not in counts and len(others) > 2 and (numbers or (len(others) > 9 and min(counts.values()) > 1)):
        shown = " and ".join(f"`{cell.strip()}`" for cell in rows[0])
        message = f"whether the first row, {shown}, is a text or the names of the columns is not clear"
        help = "name the columns in `data.text_column` and `data.label_column`, or set `data.header: false`"
        raise data_error("D211", message, file=path, line=1, path="data.header", help=help)


def _json(path: Path, options: TextOptions) -> Texts:
    text = read_text(path, options.encoding)
    rows = _json_lines(text, path) if suffix_of(path) != ".json" else _json_document(text, path)
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise data_error("D104", "expected a list of objects, one per text", file=path)
    if not rows:
        raise data_error("D102", "the file is empty", file=path)
    names = list(dict.fromkeys(chain.from_iterable(rows)))  # a row without a label may lack the name
    text_at, label_at = columns_of(names, options, path)
    return _from_values(
        [row.get(names[text_at]) for row in rows],
        [None if label_at is None else row.get(names[label_at]) for row in rows],
        path,
        options,
        notes=(told_columns(names, text_at, label_at),),
    )


def _json_document(text: str, path: Path) -> Any:
    """The one value of a .json file; JSON lines go by that ending, too."""
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        if error.msg == "Extra data" and text.lstrip().startswith("{"):
            return _json_lines(text, path)
    except (ValueError, RecursionError):
        pass
    return _parsed(text, path)  # raises


def _json_lines(text: str, path: Path) -> list[Any]:
    return [_parsed(line, path, at) for at, line in enumerate(text.split("\n")) if line.strip()]


def _parsed(text: str, path: Path, lines_before: int = 0) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        line, reason = lines_before + error.lineno, error.msg
    except RecursionError:
        line, reason = lines_before + 1, "values are nested too deeply"
    except ValueError:  # Python's limit of digits
        line, reason = lines_before + 1, "a number has thousands of digits"
    raise data_error("D104", f"cannot be read as JSON: {reason}", file=path, line=line)


def _from_values(
    texts: Sequence[Any],
    labels: Sequence[Any],
    path: Path,
    options: TextOptions,
    order: tuple[str, ...] = (),
    notes: tuple[str, ...] = (),
) -> Texts:
    """Texts of values with types; raises D210, D275 for what holds other values."""

    def named(value: Any) -> str:
        if order and isinstance(value, int):  # -1 is how `datasets` writes that there is none
            return order[value] if 0 <= value < len(order) else "" if value == -1 else str(value)
        return value.decode("utf-8", "replace") if isinstance(value, bytes) else _plain(value).strip()

    for code, column, what in (("D210", texts, "text"), ("D275", labels, "label")):
        strange = next((i for i, value in enumerate(column) if isinstance(value, list | dict)), None)
        if strange is not None:
            kind = "list" if isinstance(column[strange], list) else "group of values"
            message = f"the {what} of row {strange + 1} is a {kind}; one {what} belongs to each row"
            raise data_error(code, message, file=path, path=f"data.{what}_column")
    return Texts(
        tuple(decoded(t, options.encoding, path) if isinstance(t, bytes) else _plain(t) for t in texts),
        tuple(map(named, labels)),
        order,
        notes=notes,
    )


def _plain(value: Any) -> str:
    if isinstance(value, float):
        return "" if isnan(value) else f"{value:.1f}" if value.is_integer() else str(value)
    return "" if value is None else str(value)


def _parquet(path: Path, options: TextOptions) -> Texts:
    from pyarrow import ArrowException
    from pyarrow.parquet import ParquetFile

    try:
        with ParquetFile(path) as file:
            schema = file.schema_arrow
            text_at, label_at = columns_of(schema.names, options, path)
            text, label = schema.names[text_at], None if label_at is None else schema.names[label_at]
            texts, labels = _two_columns(file, path, text, label)
    except (ArrowException, OSError, MemoryError, OverflowError, KeyError, ValueError) as error:
        raise unreadable(path, "Parquet", error) from error
    order = () if label is None else _class_names(schema.metadata, label)
    notes = (told_columns(schema.names, text_at, label_at),)
    return _from_values(texts, labels, path, options, order, notes)


def _two_columns(file: Any, path: Path, text: str, label: str | None) -> tuple[list[Any], list[Any]]:
    """Values of two columns, labels perhaps of none, as long as they are no more than a file of that size may hold."""
    most, size = max(_SURELY_FINE, _MOST_GROWTH * path.stat().st_size), 0
    texts: list[Any] = []
    labels: list[Any] = []
    for batch in file.iter_batches(_ROWS_AT_ONCE, columns=list(dict.fromkeys((text, label or text)))):
        found = _values(batch[text])
        size += batch.nbytes + sum(len(value) for value in found if isinstance(value, str | bytes))
        if size > most:
            message = f"cannot be read: it unpacks to over {_MOST_GROWTH} times its size, as no table of texts does"
            raise data_error("D104", message, file=path)
        texts += found
        labels += [None] * len(found) if label is None else _values(batch[label])
    return texts, labels


def _values(column: Any) -> list[Any]:
    """As Python's; equal ones of a dictionary are one object, however large and often they are."""
    indices = getattr(column, "indices", None)
    if indices is None:
        return list(column.to_pylist())
    words = [*column.dictionary.to_pylist(), None]
    return [words[-1 if i is None else i] for i in indices.to_pylist()]


def _class_names(metadata: dict[bytes, bytes] | None, label: str) -> tuple[str, ...]:
    """Names of classes, as `datasets` writes them beside a table."""
    try:
        names = json.loads((metadata or {})[b"huggingface"])["info"]["features"][label]["names"]
        return tuple(names) if isinstance(names, list) and all(isinstance(name, str) for name in names) else ()
    except (KeyError, ValueError, TypeError, RecursionError):
        return ()


_FIRST_BLANK = re.compile(r"[ \t]")


def _labelled_lines(path: Path, options: TextOptions) -> Texts:
    lines = read_lines(path, options.encoding)
    tabs = {line.count("\t") for line in lines}
    if len(tabs) == 1 and tabs != {0}:
        return _from_rows([line.split("\t") for line in lines], path, options, "\t")
    pairs = [[*_FIRST_BLANK.split(line.strip(), 1), ""][:2] for line in lines]
    counts = Counter(label for label, _ in pairs)
    once = sum(count == 1 for count in counts.values())
    if len(counts) > _MOST_LABELS or len(counts) == len(lines) > 2 or (len(counts) > 9 and once * 3 > len(counts)):
        known = ", ".join(TABLES)
        message = "the lines of the file do not begin with a label"
        help = f"expected lines `LABEL text`, or a table: {known}"
        raise data_error("D105", message, file=path, help=help)
    return Texts(
        tuple(text for _, text in pairs),
        tuple(label for label, _ in pairs),
        notes=(LABEL_BEFORE,),
    )
