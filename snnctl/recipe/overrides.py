"""`--set PATH=VALUE` and `--unset PATH`: edits of the values that were read, with their own origins."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from snnctl.core.diagnostic import Diagnostic, DiagnosticError, choices
from snnctl.recipe.source import KeyPath, Mark, Source, parse_value, path_text

_PART = re.compile(r"([^.\[\]]+)|\[(\d+)\]")
_ORDINALS = {1: "1st", 2: "2nd", 3: "3rd"}


def parse_path(text: str, label: str) -> KeyPath:
    """`model.layers[0].tau` as `("model", "layers", 0, "tau")`.

    Raises:
        DiagnosticError: R111, the path is malformed.
    """
    parts: list[str | int] = []
    position = 0
    while position < len(text):
        if text[position] == "." and parts:
            position += 1
        match = _PART.match(text, position)
        if match is None:
            break
        parts.append(int(match[2]) if match[2] is not None else match[1])
        position = match.end()
    if not parts or position != len(text):
        raise DiagnosticError(
            Diagnostic("R111", f"`{text}` is not a path into a recipe", override=label, help="write model.neuron.tau")
        )
    return tuple(parts)


def apply_overrides(source: Source, sets: Sequence[str], unsets: Sequence[str]) -> list[Diagnostic]:
    """Edit `source` in place: first every `--unset`, then every `--set` from left to right.

    Returns:
        Warnings, e.g. which knobs were dropped because a component was replaced whole.

    Raises:
        DiagnosticError: R111 to R113, all malformed overrides at once.
    """
    problems: list[Diagnostic] = []
    warnings: list[Diagnostic] = []
    for text in unsets:
        label = f"--unset {text}"
        try:
            _unset(source, parse_path(text, label), label)
        except DiagnosticError as error:
            problems += error.diagnostics
    for number, text in enumerate(sets, 1):
        label = f"--set {text} ({_ORDINALS.get(number, f'{number}th')} override)"
        try:
            name, equals, value = text.partition("=")
            if not equals:
                raise DiagnosticError(
                    Diagnostic("R112", f"`{text}` has no value", override=label, help="write --set PATH=VALUE")
                )
            path = parse_path(name.strip(), label)
            warnings += _set(source, path, parse_value(value, label), label)
        except DiagnosticError as error:
            problems += error.diagnostics
    if problems:
        raise DiagnosticError(problems)
    return warnings


def _unset(source: Source, path: KeyPath, label: str) -> None:
    parent = source.values
    for depth, part in enumerate(path):
        known = list(parent) if isinstance(parent, dict) else []
        present = part in parent if isinstance(parent, dict) else _in_list(parent, part)
        if not present:
            raise DiagnosticError(
                Diagnostic(
                    "R113",
                    f"nothing to unset at `{path_text(path[: depth + 1])}`",
                    override=label,
                    help=choices(str(part), known),
                )
            )
        if depth == len(path) - 1:
            del parent[part]  # type: ignore[arg-type]
        else:
            parent = parent[part]  # type: ignore[index]
    _forget(source, path)


def _in_list(parent: Any, part: str | int) -> bool:
    return isinstance(parent, list) and isinstance(part, int) and part < len(parent)


def _set(source: Source, path: KeyPath, value: Any, label: str) -> list[Diagnostic]:
    parent: Any = source.values
    for depth, part in enumerate(path[:-1]):
        child = parent[part] if _holds(parent, part) else None
        if isinstance(child, str):  # `neuron: lif` is short for {type: lif}
            child = {"type": child}
        elif not isinstance(child, dict | list):
            child = {}
        _put(parent, part, child, path[: depth + 1], label)
        parent = child
    old = parent[path[-1]] if _holds(parent, path[-1]) else None
    _put(parent, path[-1], value, path, label)
    _forget(source, path)
    mark = Mark(override=label)
    source.keys[path] = source.items[path] = mark
    _mark_below(source, path, value, mark)
    return _dropped(path, old, value, label)


def _mark_below(source: Source, path: KeyPath, value: Any, mark: Mark) -> None:
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        source.keys[(*path, key)] = source.items[(*path, key)] = mark
        _mark_below(source, (*path, key), child, mark)


def _holds(parent: Any, part: str | int) -> bool:
    return part in parent if isinstance(parent, dict) else _in_list(parent, part)


def _put(parent: Any, part: str | int, value: Any, path: KeyPath, label: str) -> None:
    if isinstance(parent, dict) and isinstance(part, str):
        parent[part] = value
    elif isinstance(parent, list) and isinstance(part, int) and part <= len(parent):
        parent[part : part + 1] = [value]
    else:
        kind = "a list" if isinstance(parent, list) else "a mapping"
        raise DiagnosticError(
            Diagnostic("R111", f"`{path_text(path[:-1])}` is {kind}; `{path[-1]}` does not fit", override=label)
        )


def _forget(source: Source, path: KeyPath) -> None:
    for marks in (source.keys, source.items):
        for known in [p for p in marks if p[: len(path)] == path]:
            del marks[known]


def _dropped(path: KeyPath, old: Any, new: Any, label: str) -> list[Diagnostic]:
    if not (isinstance(old, dict) and "type" in old and isinstance(new, str | dict)):
        return []
    gone = [key for key in old if key != "type" and not (isinstance(new, dict) and key in new)]
    if not gone:
        return []
    return [
        Diagnostic(
            "R114",
            f"`{path_text(path)}` is replaced whole; dropped: {', '.join(gone)}",
            severity="warning",
            override=label,
            path=path_text(path),
        )
    ]
