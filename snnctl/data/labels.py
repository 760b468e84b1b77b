"""Labels as they are written, for every kind of data: which are one number, and which look like one."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from decimal import Decimal

# As programs write numbers; a leading zero is that of a code.
_NUMBER = re.compile(r"[+-]?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)(e[+-]?[0-9]{1,6})?", re.IGNORECASE)


def number_of(label: str) -> Decimal | None:
    """The exact number that `label` writes; None for words and for codes such as 007."""
    return Decimal(label) if _NUMBER.fullmatch(label) else None


def look_of(label: str) -> str:
    """What two labels have in common that differ in case, blanks, quotes, width or leading zeros alone."""
    plain = " ".join(unicodedata.normalize("NFKC", label).strip("\"'").split()).casefold()
    return (plain.lstrip("0") or "0") if plain.isdecimal() else plain


def look_alikes(labels: Iterable[str]) -> list[tuple[str, ...]]:
    """Labels that are probably one and the same, spelled in several ways: sorted, a tuple for each."""
    found: dict[str, set[str]] = {}
    for label in labels:
        found.setdefault(look_of(label), set()).add(label)
    return sorted(tuple(sorted(spelled)) for spelled in found.values() if len(spelled) > 1)
