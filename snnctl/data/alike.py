"""Names of classes that may be meant to be one."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from snnctl.core.diagnostic import Diagnostic

_SHOWN = 5


def alike(names: Iterable[str]) -> list[list[str]]:
    """Groups of names that differ in case, blanks, dashes or how a number is written alone."""
    groups: dict[object, list[str]] = {}
    for name in names:
        groups.setdefault(_essence(name), []).append(name)
    return [group for group in groups.values() if len(group) > 1]


def alike_names(names: Iterable[str], origin: str) -> tuple[Diagnostic, ...]:
    """D267, where there are such groups; a warning."""
    found = alike(names)
    if not found:
        return ()
    shown = ["`" + "` and `".join(group) + "`" for group in found[:_SHOWN]]
    help = "if they are one class, give both one name"
    message = f"classes {shown[0]} are alike but are taken as {len(found[0])}"
    notes = tuple(f"likewise {group}" for group in shown[1:])
    return (Diagnostic("D267", message, severity="warning", file=origin, path="data.source", help=help, notes=notes),)


def _essence(name: str) -> object:
    try:
        return float(name)
    except ValueError:
        text = unicodedata.normalize("NFKC", name).casefold()
        return "".join(letter for letter in text if letter not in " _-\t") or text
