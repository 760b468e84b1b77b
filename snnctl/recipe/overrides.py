"""`--set PATH=VALUE` and `--unset PATH`: edits of the values that were read, with their own origins."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from snnctl.core.diagnostic import Diagnostic, DiagnosticError, choices
from snnctl.recipe.explain import plain, shorten
from snnctl.recipe.source import MAX_DEPTH, KeyPath, Mark, Source, parse_value, path_text

_PART = re.compile(r"\.?([^.\[\]]+)|\[(\d{1,6})\]")
_ORDINALS = {1: "1st", 2: "2nd", 3: "3rd"}


def parse_path(text: str, label: str) -> KeyPath:
    """`model.layers[0].tau` as `("model", "layers", 0, "tau")`.

    Raises:
        DiagnosticError: R111, the path is malformed.
    """
    parts: list[str | int] = []
    position = 0
    while position < len(text):
        match = _PART.match(text, position)
        if match is None or (match[1] is not None and bool(parts) != match[0].startswith(".")):
            break
        parts.append(int(match[2]) if match[2] is not None else match[1])
        position = match.end()
    if not parts or position != len(text):
        message, help = f"`{shorten(text)}` is not a path into a recipe", "write model.neuron.tau or task.metrics[0]"
        raise DiagnosticError(Diagnostic("R111", message, override=label, help=help))
    if len(parts) > MAX_DEPTH:
        message = f"a path of {len(parts):,} parts leads beyond the {MAX_DEPTH} levels that a recipe may have"
        raise DiagnosticError(Diagnostic("R111", message, override=label))
    return tuple(parts)


def listed(name: str, texts: Sequence[str]) -> list[str]:
    """Changes as a list of texts.

    Raises:
        DiagnosticError: R115, they are one text, which is a sequence of letters too, or hold something else.
    """
    if isinstance(texts, str | bytes) or not all(isinstance(text, str) for text in texts):
        example = "train.epochs=2" if name == "sets" else "train.epochs"
        raise DiagnosticError(Diagnostic("R115", facts={"name": name}, help=f'write {name}=["{example}"]'))
    return list(texts)


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
        label = f"--unset {shorten(text)}"
        try:
            _unset(source, parse_path(text, label), label)
        except DiagnosticError as error:
            problems += error.diagnostics
    for number, text in enumerate(sets, 1):
        label = f"--set {shorten(text)} ({_ORDINALS.get(number, f'{number}th')} override)"
        try:
            name, equals, value = text.partition("=")
            if not equals:
                message = f"`{shorten(text)}` has no value"
                raise DiagnosticError(Diagnostic("R112", message, override=label, help="write --set PATH=VALUE"))
            path = parse_path(name.strip(), label)
            warnings += _set(source, path, parse_value(value, label), label)
        except DiagnosticError as error:
            problems += error.diagnostics
    if problems:
        raise DiagnosticError(problems)
    return warnings


def _unset(source: Source, path: KeyPath, label: str) -> None:
    parent: Any = source.values
    for depth, part in enumerate(path):
        if not _holds(parent, part):
            known = list(parent) if isinstance(parent, dict) else []
            message = f"nothing to unset at `{path_text(path[: depth + 1])}`"
            raise DiagnosticError(Diagnostic("R113", message, override=label, help=choices(str(part), known)))
        if depth < len(path) - 1:
            parent = parent[part]
    del parent[path[-1]]
    _forget(source, path)
    if isinstance(parent, list):
        _move_up(source, path)


def _holds(parent: Any, part: str | int) -> bool:
    if isinstance(parent, dict):
        return part in parent
    return isinstance(parent, list) and isinstance(part, int) and part < len(parent)


def _set(source: Source, path: KeyPath, value: Any, label: str) -> list[Diagnostic]:
    mark = Mark(override=label)
    parent: Any = source.values
    for depth, part in enumerate(path[:-1]):
        here = path[: depth + 1]
        child = parent[part] if _holds(parent, part) else None
        if isinstance(child, str):  # `neuron: lif` is short for {type: lif}
            child = {"type": child}
            source.keys[*here, "type"] = source.items[*here, "type"] = source.value_mark(here)
            source.items[here] = mark
        elif child is None:
            child = [] if isinstance(path[depth + 1], int) else {}
            source.keys[here] = source.items[here] = mark
        elif not isinstance(child, dict | list):
            raise _no_container(here, f"is {plain(child)}", path[depth + 1], label)
        _put(parent, part, child, here, label)
        parent = child
    old = parent[path[-1]] if _holds(parent, path[-1]) else None
    _put(parent, path[-1], value, path, label)
    _forget(source, path)
    source.keys[path] = source.items[path] = mark
    _mark_below(source, path, value, mark)
    return _dropped(path, old, value, label)


def _mark_below(source: Source, path: KeyPath, value: Any, mark: Mark) -> None:
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        source.keys[(*path, key)] = source.items[(*path, key)] = mark
        _mark_below(source, (*path, key), child, mark)


def _put(parent: Any, part: str | int, value: Any, path: KeyPath, label: str) -> None:
    if isinstance(parent, dict) and isinstance(part, str):
        parent[part] = value
    elif isinstance(parent, list) and isinstance(part, int) and part <= len(parent):
        parent[part : part + 1] = [value]
    else:
        kind = f"is a list of {len(parent)}" if isinstance(parent, list) else "is a mapping"
        raise _no_container(path[:-1], kind, part, label)


def _no_container(path: KeyPath, what: str, part: str | int, label: str) -> DiagnosticError:
    place = f"`{path_text(path)}`" if path else "a recipe"
    key = f"[{part}]" if isinstance(part, int) else f"`{part}`"
    return DiagnosticError(Diagnostic("R111", f"{place} {what}; {key} has no place in it", override=label))


def _forget(source: Source, path: KeyPath) -> None:
    for marks in (source.keys, source.items):
        for known in [p for p in marks if p[: len(path)] == path]:
            del marks[known]


def _move_up(source: Source, path: KeyPath) -> None:
    """Renumber what stood after a removed list item."""
    depth, removed = len(path) - 1, path[-1]
    for marks in (source.keys, source.items):
        behind = {p: m for p, m in marks.items() if p[:depth] == path[:-1] and len(p) > depth and p[depth] > removed}  # type: ignore[operator]
        for known in behind:
            del marks[known]
        marks.update({(*p[:depth], p[depth] - 1, *p[depth + 1 :]): m for p, m in behind.items()})  # type: ignore[operator]


def _dropped(path: KeyPath, old: Any, new: Any, label: str) -> list[Diagnostic]:
    if not (isinstance(old, dict) and "type" in old and isinstance(new, str | dict)):
        return []
    gone = [key for key in old if key != "type" and not (isinstance(new, dict) and key in new)]
    if not gone:
        return []
    message = f"`{path_text(path)}` is replaced whole; dropped: {', '.join(gone)}"
    return [Diagnostic("R114", message, severity="warning", override=label, path=path_text(path))]
