"""Whether a table holds texts with labels, or columns of numbers over time; told by its first lines."""

from __future__ import annotations

import csv
import gzip
import re
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from snnctl.data.problems import unreadable
from snnctl.data.texts.readers.files import LABEL_NAMES, TEXT_NAMES

_FIRST_BYTES = 1 << 17
_FIRST_ROWS = 200
_LONG = 12  # letters of a text, on average; one word of a class is shorter
_NUMBER = re.compile(r"[-+]?[\d.,' \u00a0]*\d[\d.,]*([eE][-+]?\d+)?\s*%?")
_STAMP = re.compile(r"\d{1,4}[-/.]\d{1,2}([-/.]\d{1,4})?([T ].*)?|\d{1,2}:\d{2}.*|\d{4}-W?\d\d.*")
_MISSING = re.compile(r"(|\?|-|n/?a|nan|null|none)", re.IGNORECASE)

Kind = tuple[str, str, tuple[str, ...]]  # the kind, why, what it may be as well


@dataclass(frozen=True)
class Columns:
    """What is known of the columns of a table.

    Args:
        names: as the header has them; none without one.
        text, label: which columns look like texts and like their labels; "" where none does.
        dated: whether there is a column of stamps.
        numbers: how many columns of numbers there are, that of labels left out.
    """

    names: tuple[str, ...]
    text: str
    label: str
    dated: bool
    numbers: int


def columns_of(names: Sequence[str], words: Sequence[bool], dated: bool, numbers: int) -> Columns:
    """Of a table whose columns have types: texts and labels are told by their names alone."""
    texts = [name for name, is_words in zip(names, words, strict=True) if is_words and name.lower() in TEXT_NAMES]
    labels = [name for name in names if name.lower() in LABEL_NAMES]
    return Columns(tuple(names), texts[0] if texts else "", labels[0] if labels else "", dated, numbers)


def kind_of_columns(found: Columns) -> Kind:
    """Texts where a text and a label stand side by side, else series."""
    width = f"a table of {len(found.names)} columns"
    if found.text and found.label:
        reason = f"{width} with texts in `{found.text}` and labels in `{found.label}`"
        if found.dated and found.numbers:
            return "series", f"{reason}, but with stamps and numbers", ("texts",)
        return "texts", reason, ()
    if found.text and not found.numbers:
        return "texts", f"{width}, with texts in `{found.text}` and no clear labels", ("series",)
    return "series", f"{width}, {found.numbers} of them numbers", ("texts",) if found.text else ()


def kind_of_lines(path: Path) -> Kind:
    """The kind of a text file; raises D104."""
    rows = _rows(_start(path))
    if not rows:
        raise unreadable(path, "text", ValueError("no line holds anything"))
    if len(rows[0]) == 1:
        return _one_column([row[0] for row in rows])
    return kind_of_columns(_columns(rows))


def _start(path: Path) -> str:
    """The first lines, none of them cut; bytes that are no UTF-8 matter to nobody here."""
    try:
        with gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb") as stream:
            raw = stream.read(_FIRST_BYTES)
    except (OSError, EOFError, zlib.error) as error:
        raise unreadable(path, "gzip" if path.suffix.lower() == ".gz" else "", error) from error
    wide = raw.startswith((b"\xff\xfe", b"\xfe\xff"))
    text = raw.decode("utf-16" if wide else "utf-8", errors="replace").removeprefix("\ufeff")
    whole, _, cut = text.rpartition("\n")
    return whole if len(raw) == _FIRST_BYTES and whole else whole + "\n" + cut


def _rows(text: str) -> list[list[str]]:
    """Rows by the first delimiter that gives most of them the same number of fields, over 1; else one field each."""
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    best: list[list[str]] = []
    for delimiter in ("\t", ";", ",", "|"):
        if delimiter == "\t":  # quotes are part of texts there
            rows = [line.split("\t") for line in lines[:_FIRST_ROWS]]
        else:
            try:
                rows = [row for row, _ in zip(csv.reader(lines, delimiter=delimiter), range(_FIRST_ROWS), strict=False)]
            except csv.Error:
                continue
        (width, alike), *_ = Counter(map(len, rows)).most_common(1) or [(0, 0)]
        if width > 1 and alike * 10 > len(rows) * 6:
            return [row for row in rows if len(row) == width]
        best = best or [[line] for line in lines[:_FIRST_ROWS]]
    return best


def _columns(rows: list[list[str]]) -> Columns:
    """What stands in them, the first row taken as names where it is made of words that stand nowhere below."""
    first = [cell.strip() for cell in rows[0]]
    header = bool(rows[1:]) and all(not _NUMBER.fullmatch(c) and not _STAMP.fullmatch(c) for c in first if c)
    known = any(cell.lower() in (*TEXT_NAMES, *LABEL_NAMES) for cell in first)
    body = rows[1:] if header and (known or _differs(rows)) else rows
    names = tuple(first) if body is not rows else tuple(f"c{i}" for i in range(len(first)))
    cells = [[row[i].strip() for row in body] for i in range(len(first))]
    forms = [_form(column) for column in cells]
    words = [i for i, form in enumerate(forms) if form == "words"]
    text = _text_column(names, cells, words)
    label = None if text is None else _label_column(names, cells, forms, text)
    numbers = sum(form == "number" and i != label for i, form in enumerate(forms))
    return Columns(
        names, "" if text is None else names[text], "" if label is None else names[label], "stamp" in forms, numbers
    )


def _differs(rows: list[list[str]]) -> bool:
    """Whether the first row is of another form than those below: names over numbers, short over long."""
    for i, cell in enumerate(rows[0]):
        below = [row[i] for row in rows[1:]]
        if _form(below) != "words" or len(cell) * 4 < sum(map(len, below)) / max(len(below), 1):
            return True
    return False


def _form(cells: list[str]) -> str:
    """number, stamp or words: what most of the cells are that hold something; "" where none does."""
    held = [cell.strip() for cell in cells if not _MISSING.fullmatch(cell.strip())]
    if not held:
        return ""
    stamps = sum(bool(_STAMP.fullmatch(cell)) and not _plain(cell) for cell in held)
    if stamps * 2 > len(held):
        return "stamp"
    return "number" if sum(bool(_NUMBER.fullmatch(cell)) for cell in held) * 2 > len(held) else "words"


def _plain(cell: str) -> bool:
    """A decimal number, which `12.5` is, though a day and a month are written so too."""
    return cell.count(".") + cell.count(",") < 2 and re.fullmatch(r"[-+]?\d+[.,]?\d*", cell) is not None


def _text_column(names: Sequence[str], cells: list[list[str]], words: list[int]) -> int | None:
    named = [i for i in words if names[i].lower() in TEXT_NAMES]
    long = [
        i for i in words if sum(map(len, cells[i])) > _LONG * len(cells[i]) and len(set(cells[i])) * 3 > len(cells[i])
    ]
    found = named or sorted(long, key=lambda i: -sum(map(len, cells[i])))
    return found[0] if found else None


def _label_column(names: Sequence[str], cells: list[list[str]], forms: list[str], text: int) -> int | None:
    """The one of that name, else the one of the fewest values, a few at most."""
    others = [i for i in range(len(names)) if i != text and forms[i] not in ("stamp", "")]
    named = [i for i in others if names[i].lower() in LABEL_NAMES]
    few = [i for i in others if 1 < len(set(cells[i])) <= max(10, len(cells[i]) // 4)]
    found = named or sorted(few, key=lambda i: len(set(cells[i])))
    return found[0] if found else None


def _one_column(lines: list[str]) -> Kind:
    """Lines of one field: numbers, numbers between blanks, or a label and a text."""
    pieces = [line.split() for line in lines]
    numeric = sum(all(_NUMBER.fullmatch(piece) or _MISSING.fullmatch(piece) for piece in line) for line in pieces)
    if numeric * 2 > len(pieces):
        return "series", "lines of numbers", ()
    stamped = sum(bool(line) and bool(_STAMP.fullmatch(line[0])) and not _plain(line[0]) for line in pieces)
    if stamped * 2 > len(pieces):
        return "series", "lines that begin with a stamp", ("texts",)
    return "texts", "lines of words", ()
