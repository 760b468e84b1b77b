"""Numbers as people write them: decimal commas, marks between thousands, and what stands for a missing value."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from snnctl.data.series.series import Floats

# pandas' own list, so that what counts as missing here counts as missing when the file is parsed, and what instruments
# and offices write besides.
MISSING_WORDS = frozenset(
    {"", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A"}
    | {
        "NA",
        "NULL",
        "NaN",
        "None",
        "n/a",
        "nan",
        "null",
        "?",
        "-",
        "--",
        "---",
        ".",
        "..",
        "n.a.",
        "na",
        "N.A.",
        "*",
        "#VALUE!",
        "#DIV/0!",
        "#REF!",
        "#NUM!",
        "#NAME?",
        "#NULL!",
        "NaT",
        "nil",
        "n.d.",
        "-nan(ind)",
    }
)
Kind = Literal["comma", "point", "comma groups", "point groups", "other groups", "either"]
_MINUS = "\u2212"  # what typesetters and some national offices write for a sign
_EXPONENT = r"(?:[eE][-+]?\d+)?"
_OTHER = r"[ '’\u00a0\u202f_]"
_KINDS: tuple[tuple[Kind, re.Pattern[str]], ...] = (
    ("either", re.compile(r"[-+]?[1-9]\d{0,2},\d{3}")),
    ("comma groups", re.compile(r"[-+]?\d{1,3}(?:,\d{3})+\.\d+|[-+]?\d{1,3}(?:,\d{3}){2,}")),
    ("point groups", re.compile(r"[-+]?\d{1,3}(?:\.\d{3})+,\d+|[-+]?\d{1,3}(?:\.\d{3}){2,}")),
    ("other groups", re.compile(rf"[-+]?\d{{1,3}}(?:{_OTHER}\d{{3}})+(?:[.,]\d+)?")),
    ("comma", re.compile(rf"[-+]?\d*,\d+{_EXPONENT}|[-+]?\d+,")),
    ("point", re.compile(rf"[-+]?(?:\d+\.?\d*|\.\d+){_EXPONENT}")),
)


@dataclass(frozen=True)
class Marks:
    """What cells of a text table mean.

    Args:
        decimal: the decimal mark; None = not settled.
        missing: what stands for a missing value.
    """

    decimal: str | None = None
    missing: frozenset[str] = MISSING_WORDS

    @staticmethod
    def kind(cell: str) -> Kind | None:
        """How a number is written; None where it is none."""
        text = cell.strip().replace(_MINUS, "-")
        return next((kind for kind, pattern in _KINDS if pattern.fullmatch(text)), None)


class AmbiguousNumberError(ValueError):
    """A cell that is one number with a decimal comma, and another with commas between thousands."""


def is_number(text: str) -> bool:
    """Whether `text` is a decimal number with a point, or without fraction."""
    try:
        float(text)
    except ValueError:
        return False
    return "_" not in text


def is_missing(text: str, marks: Marks) -> bool:
    """Whether `text` stands for a missing value."""
    return text.strip() in marks.missing


def decimal_mark(cells: Iterable[str]) -> str | None:
    """The decimal mark that cells agree on: "," or "."; None where none has a comma.

    Raises:
        AmbiguousNumberError: they disagree, or `1,234` may be either.
    """
    seen: dict[Kind, str] = {}
    for cell in cells:
        kind = Marks.kind(cell)
        if kind is not None and (kind != "point" or "." in cell):
            seen.setdefault(kind, cell.strip())
            if kind == "other groups" and re.search(r"[.,]\d+$", cell.strip()):
                seen.setdefault("comma" if "," in cell else "point", cell.strip())
    comma = next((seen[kind] for kind in ("point groups", "comma") if kind in seen), None)
    point = next((seen[kind] for kind in ("comma groups",) if kind in seen), None)
    if comma is not None and point is not None:
        raise AmbiguousNumberError(f"`{comma}` has a decimal comma, and `{point}` has commas between thousands")
    if comma is not None:
        return ","
    if point is not None:
        return "."
    if "either" in seen:
        cell = seen["either"]
        if "point" in seen:
            return "."
        raise AmbiguousNumberError(
            f"`{cell}` is {cell.replace(',', '.')} with a decimal comma, {cell.replace(',', '')} without"
        )
    return None


def may_be_grouped(cells: Sequence[Sequence[str]]) -> bool:
    """Whether some column may have points between thousands: 10.142 in every row, beside dates as 26.03.2021."""
    columns = list(zip(*cells, strict=True))
    german = any(all(re.match(r"\d{1,2}\.\d{1,2}\.\d{4}", cell.strip()) for cell in column) for column in columns)
    grouped = (all(re.fullmatch(r"[-+]?[1-9]\d{0,2}\.\d{3}", cell.strip()) for cell in column) for column in columns)
    return len(cells) > 2 and german and any(grouped)


def numbers_of(cells: Iterable[str], marks: Marks) -> tuple[Floats, int]:
    """[N] numbers, NaN where one is missing, and the row of the first cell that is none; -1 where all are."""
    decimal = marks.decimal or "."
    other = "." if decimal == "," else ","
    grouped = re.compile(rf"[-+]?\d{{1,3}}(?:(?:{re.escape(other)}|{_OTHER})\d{{3}})+(?:{re.escape(decimal)}\d*)?")
    plain = re.compile(rf"[-+]?(?:\d+{re.escape(decimal)}?\d*|{re.escape(decimal)}\d+){_EXPONENT}")
    drop = re.compile(rf"{re.escape(other)}|{_OTHER}")
    found: list[float] = []
    bad = -1
    for row, cell in enumerate(cells):
        text = cell.strip().replace(_MINUS, "-")
        value = float("nan")
        if plain.fullmatch(text):
            value = float(text.replace(decimal, "."))
        elif grouped.fullmatch(text):
            value = float(drop.sub("", text).replace(decimal, "."))
        elif text.lower().lstrip("+-") in ("inf", "infinity"):
            value = float(text)
        elif text not in marks.missing and bad < 0:
            bad = row
        found.append(value)
    return np.array(found, dtype=np.float64), bad
