"""The points of a sweep: what each changes in the recipe, what it is called, and whether it is valid."""

from __future__ import annotations

import itertools
import json
import re
import shlex
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from snnctl.compare.recipes import short_keys, shown
from snnctl.core.diagnostic import Diagnostic, DiagnosticError
from snnctl.recipe.overrides import parse_path
from snnctl.recipe.resolve import Recipe, load_recipe
from snnctl.recipe.source import parse_value, path_text

_SLUG = 60  # letters of a folder's name before its hash
_NAME = re.compile(r"\s*([^=:\s][^=:]*):(?:\s+|$)")


@dataclass(frozen=True)
class Axis:
    """`--over PATH=[...]`: one key of the recipe and the values that it takes."""

    path: str
    values: tuple[Any, ...]


@dataclass(frozen=True)
class Case:
    """`--case '[NAME:] PATH=VALUE ...'`: changes that belong together."""

    name: str
    changes: Mapping[str, Any]


@dataclass(frozen=True)
class Point:
    """One experiment of a sweep."""

    label: str  # what tells it from the others: `tau=2, position=cpg`
    changes: Mapping[str, Any]  # recipe path -> value, in the order in which they are set

    @property
    def sets(self) -> list[str]:
        """As `--set` takes them."""
        return [f"{path}={setting(value)}" for path, value in self.changes.items()]


@dataclass(frozen=True)
class Resolved:
    """A point that passed every check."""

    point: Point
    recipe: Recipe

    @property
    def folder(self) -> str:
        """A name for its folder: the same in every sweep over this recipe that has it, whatever stands beside it."""
        slug = re.sub(r"[^A-Za-z0-9.=_+-]+", "-", self.point.label).strip("-")[:_SLUG]
        return f"{slug or 'recipe'}-{self.recipe.digest()[:6]}"


def setting(value: Any) -> str:
    """A value as text that `--set` reads back the same: words as they are, all else as JSON, which is YAML."""
    if isinstance(value, str):
        with suppress(DiagnosticError):
            if parse_value(value, "") == value:
                return value
    return json.dumps(value, ensure_ascii=False)


def read_axis(text: str) -> Axis:
    """`model.neuron.tau=[2, 4]`.

    Raises:
        DiagnosticError: U440, it names no values; U441, one stands there twice; R1xx, it cannot be read.
    """
    label = f"--over {text}"
    name, _, listed = text.partition("=")
    path = path_text(parse_path(name.strip(), label))
    values = parse_value(listed, label) if listed.strip() else None
    if not isinstance(values, list) or not values:
        help = "write --over 'model.neuron.tau=[2, 4]'"
        raise DiagnosticError(Diagnostic("U440", facts={"path": path}, override=label, help=help))
    texts = [setting(value) for value in values]
    for value in texts:
        if texts.count(value) > 1:
            raise DiagnosticError(Diagnostic("U441", f"{value} stands twice among the values", override=label))
    return Axis(path, tuple(values))


def read_case(text: str) -> Case:
    """`twin: model.spiking=false model.dim=22`; without a name the changes are the name.

    Raises:
        DiagnosticError: U442, it is no list of changes; R1xx, one cannot be read.
    """
    label = f"--case {text}"
    named = _NAME.match(text)
    name, rest = (named[1].strip(), text[named.end() :]) if named else ("", text)
    changes: dict[str, Any] = {}
    try:
        parts = shlex.split(rest)
    except ValueError as error:
        raise DiagnosticError(Diagnostic("U442", f"it cannot be read: {error}", override=label)) from None
    for part in parts:
        key, equals, value = part.partition("=")
        if not equals:
            help = "write --case 'NAME: model.spiking=false model.dim=22'; quote values that hold spaces"
            raise DiagnosticError(Diagnostic("U442", f"`{part}` has no value", override=label, help=help))
        changes[path_text(parse_path(key, label))] = parse_value(value, label)
    return Case(name, changes)


def make_points(axes: Sequence[Axis], cases: Sequence[Case]) -> list[Point]:
    """Every combination of the cases and the axes' values; the last axis varies fastest.

    Raises:
        DiagnosticError: U443, a key is changed twice.
    """
    paths = [axis.path for axis in axes]
    for path in paths:
        if paths.count(path) > 1:
            raise DiagnosticError(Diagnostic("U443", f"`{path}` is named by --over twice"))
    for case, path in itertools.product(cases, paths):
        if path in case.changes:
            raise DiagnosticError(Diagnostic("U443", f"`{path}` is changed by --case and by --over"))
    every = [*paths, *(key for case in cases for key in case.changes)]
    short = short_keys(list(dict.fromkeys(every)))

    def words(changes: Mapping[str, Any]) -> str:
        return ", ".join(f"{short[path]}={_words(value)}" for path, value in changes.items())

    points = []
    for case in cases or [Case("", {})]:
        for values in itertools.product(*(axis.values for axis in axes)):
            own = dict(zip(paths, values, strict=True))
            named = case.name or words(case.changes)
            label = ", ".join(filter(None, (named, words(own))))
            points.append(Point(label or "as it is", {**case.changes, **own}))
    return points


def _words(value: Any) -> str:
    """A component by its type and what it sets: `stc(host=lif)`."""
    if isinstance(value, Mapping) and "type" in value:
        rest = ",".join(f"{key}={_words(one)}" for key, one in value.items() if key != "type")
        return f"{value['type']}({rest})" if rest else str(value["type"])
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{key}={_words(one)}" for key, one in value.items()) + "}"
    return shown(value)


@dataclass(frozen=True)
class Checked:
    """Points after every check that `validate` makes."""

    resolved: list[Resolved]  # those that passed, in order
    refused: list[tuple[Point, list[Diagnostic]]]  # the others, with what is wrong
    warnings: list[Diagnostic]  # of those that passed, each once

    def problems(self) -> list[Diagnostic]:
        """What is wrong, each thing once, with the points that it is wrong in."""
        found: dict[tuple[str, str, str, int], tuple[Diagnostic, list[str]]] = {}
        for point, said in self.refused:
            for one in said:
                key = (one.code, one.message, one.file, one.line)
                found.setdefault(key, (one, []))[1].append(point.label)
        places = {key: f"at {at[0]}" + f" and {len(at) - 1} more" * (len(at) > 1) for key, (_, at) in found.items()}
        return [replace(one, notes=(*one.notes, places[key])) for key, (one, _) in found.items()]


def check_points(
    path: Path | str, points: Sequence[Point], sets: Sequence[str], unsets: Sequence[str], *, allow_plugins: bool
) -> Checked:
    """Resolve every point; `sets` and `unsets` are what all of them share.

    Raises:
        DiagnosticError: U444, two of them are the same experiment; R1xx, the recipe cannot be read.
    """
    from snnctl.build import check

    checked = Checked([], [], [])
    for point in points:
        try:
            recipe = load_recipe(path, [*sets, *point.sets], unsets, allow_plugins=allow_plugins)
        except DiagnosticError as error:
            checked.refused.append((point, list(error.diagnostics)))
            continue
        found = check(recipe)
        errors = [one for one in found if one.severity == "error"]
        if errors:
            checked.refused.append((point, errors))
            continue
        checked.resolved.append(Resolved(point, recipe))
        said = [*recipe.warnings, *(one for one in found if one.severity == "warning")]
        known = {(one.code, one.message) for one in checked.warnings}
        checked.warnings.extend(one for one in said if (one.code, one.message) not in known)
    by_digest: dict[str, str] = {}
    for one in checked.resolved:
        other = by_digest.setdefault(one.recipe.digest(), one.point.label)
        if other != one.point.label:
            raise DiagnosticError(Diagnostic("U444", facts={"other": other, "label": one.point.label}))
    return checked
