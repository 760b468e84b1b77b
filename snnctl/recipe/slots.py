"""Validation of a recipe's values against the schema and, for open slots, against component signatures.

Everything wrong is collected; nothing stops at the first error.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ValidationError

from snnctl.core.annotations import is_optional, members
from snnctl.core.catalog import REGISTRIES
from snnctl.core.diagnostic import Diagnostic, choices, did_you_mean, nearest
from snnctl.core.params import params_model
from snnctl.core.registry import UnknownComponentError
from snnctl.core.signature import Knob, broken_rules, knobs
from snnctl.recipe.explain import Owner, explain, plain, shorten, shown
from snnctl.recipe.schema import PLACEHOLDER, SLOTS, RecipeModel
from snnctl.recipe.source import KeyPath, Source, path_text

_LARGEST = 2**63 - 1  # that torch and NumPy count with
_NOUNS = {"data": "data source", "optim": "optimiser"}


@dataclass
class Validation:
    """Collects problems while a recipe is checked, and locates each in its source."""

    source: Source
    problems: list[Diagnostic] = field(default_factory=list)

    def add(
        self,
        code: str,
        message: str,
        path: KeyPath,
        *,
        on_key: bool = False,
        help: str = "",
        label: str = "",
        notes: tuple[str, ...] = (),
    ) -> None:
        """Note a problem at the key or the value of `path`."""
        mark = self.source.key_mark(path) if on_key else self.source.value_mark(path)
        self.problems.append(mark.problem(code, message, path=path_text(path), help=help, label=label, notes=notes))

    def recipe(self) -> dict[str, Any]:
        """The whole recipe with every default filled in; incomplete where there are problems."""
        raw = self.source.values
        docs = {info.alias or name: info.description or "" for name, info in RecipeModel.model_fields.items()}
        resolved = self._model(RecipeModel, raw, Owner((), "a recipe", members(RecipeModel), docs))
        for section, kind in SLOTS.items():
            if section in raw or section in resolved:
                default = RecipeModel.model_fields[section].default
                default = default if isinstance(default, str) else None
                value = raw.get(section, resolved.get(section))
                resolved[section] = self.component(kind, value, (section,), default)
        return resolved

    def component(self, kind: str, value: Any, path: KeyPath, default: Any = None) -> dict[str, Any]:
        """`{type, knobs...}` of one component, nested components resolved the same way."""
        if isinstance(value, str):
            value = {"type": value}
            if path in self.source.items:  # the name stands where its mapping would
                self.source.items[*path, "type"] = self.source.items[path]
        names = ", ".join(REGISTRIES[kind].names())
        noun = _NOUNS.get(kind, kind)
        noun = f"an {noun}" if noun[0] in "aeiou" else f"a {noun}"
        if not isinstance(value, dict):
            message = f"`{path_text(path)}` must be {noun}, by name or as a mapping with `type`, got {shown(value)}"
            self.add("R203", message, path, help=f"known: {names}")
            return {}
        name = value.get("type", default)
        if not isinstance(name, str):
            problem = "has no `type`" if name is None else f"must name {noun} as `type`, got {shown(name)}"
            mistyped = "" if "type" in value else nearest("type", value)
            help = f"`type`, not `{mistyped}`" if mistyped else f"known: {names}"
            where = (*path, mistyped) if mistyped else (*path, "type") if "type" in value else path
            self.add("R202", f"`{path_text(path)}` {problem}", where, on_key="type" not in value, help=help)
            return {}
        try:
            component = REGISTRIES[kind].get(name)
        except UnknownComponentError as error:
            where = (*path, "type")
            self.add("R200", f"unknown {kind} `{shorten(name)}`", where, help=choices(name, error.known))
            return {}
        return self._knobs(kind, name, component, {k: v for k, v in value.items() if k != "type"}, path)

    def _knobs(
        self, kind: str, name: str, component: Callable[..., Any], given: dict[str, Any], path: KeyPath
    ) -> dict[str, Any]:
        known = knobs(component)
        before = len(self.problems)
        types = {"type": str, **{knob.name: knob.annotation for knob in known}}
        owner = Owner(path, f"{kind} `{name}`", types, {knob.name: _wanted(knob) for knob in known})
        resolved = self._model(params_model(component), given, owner)
        own_knobs_hold = len(self.problems) == before  # what is wrong below a slot does not hide a rule up here
        for knob in known:
            if knob.slot is not None and knob.name in resolved:
                resolved[knob.name] = self._slot(knob, given, resolved[knob.name], (*path, knob.name))
            if knob.required and given.get(knob.name) == PLACEHOLDER and knob.name in resolved:
                message = f"`{path_text((*path, knob.name))}` is still to be filled in"
                self.add("R209", message, (*path, knob.name), help=_wanted(knob))
            elif knob.path is not None:
                self._check_name(knob, resolved.get(knob.name), (*path, knob.name))
        if own_knobs_hold:
            for knob_name, message in broken_rules(component, resolved):
                self.add("R301", message, (*path, knob_name), notes=self._values_named(message, resolved, path))
        return {"type": name, **resolved}

    def _values_named(self, message: str, resolved: Mapping[str, Any], path: KeyPath) -> tuple[str, ...]:
        """The values of the knobs that a rule's message names, and where they stand."""
        found = []
        for knob in dict.fromkeys(re.findall(r"`(\w+)`", message)):
            if isinstance(resolved.get(knob), int | float | str):
                where = (*path, knob)
                mark = self.source.items.get(where)
                origin = "its default" if mark is None else mark.override or f"line {mark.line}"
                found.append(f"{path_text(where)} is {plain(resolved[knob])} ({origin})")
        return (", ".join(found),) if len(found) > 1 else ()

    def _slot(self, knob: Knob, given: Mapping[str, Any], value: Any, path: KeyPath) -> Any:
        assert knob.slot is not None
        if value is None and is_optional(knob.annotation):
            return None
        default = knob.default if isinstance(knob.default, str) else None
        return self.component(knob.slot.kind, given.get(knob.name, value), path, default)

    def _check_name(self, knob: Knob, value: Any, path: KeyPath) -> None:
        assert knob.path is not None
        looks_like_a_path = not isinstance(value, str) or any(mark in value for mark in "/\\.~")
        if not looks_like_a_path and value not in knob.path.known:
            near = did_you_mean(str(value), knob.path.known)
            known = ", ".join(knob.path.known)
            example = shorten(str(value)) or "my"
            help = f"{near}  known: {known}; or a path such as ./{example}.csv".strip()
            self.add("R208", f"unknown {knob.name} `{shorten(str(value))}`", path, help=help)

    def _model(self, model: type[BaseModel], given: dict[str, Any], owner: Owner) -> dict[str, Any]:
        try:
            instance = model.model_validate_json(json.dumps(given))
        except ValidationError as error:
            for found in explain(error, given, owner):
                self.add(found.code, found.message, found.path, on_key=found.on_key, help=found.help, label=found.label)
            return _whatever_is_valid(model, given, error)
        values = instance.model_dump(mode="json", by_alias=True)
        closed = {info.alias or name: info.annotation is not Any for name, info in model.model_fields.items()}
        for key in (key for key in values if closed.get(key)):  # what is open is checked with the model that closes it
            for path, number in _whole_numbers(values[key], (*owner.path, key)):
                if abs(number) > _LARGEST:
                    self.add("R204", f"`{path_text(path)}` must be at most 2^63 - 1, got {shown(number)}", path)
        return values


def _whole_numbers(value: Any, path: KeyPath) -> Iterator[tuple[KeyPath, int]]:
    if isinstance(value, dict | list):
        for key, child in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _whole_numbers(child, (*path, key))
    elif isinstance(value, int):
        yield path, value


def _wanted(knob: Knob) -> str:
    """A knob in one line, for a recipe that lacks it."""
    bounds = f" {knob.bounds}" if knob.bounds and knob.bounds not in knob.doc else ""
    return f"{knob.name}: {knob.type_name}{bounds}, {knob.doc}".rstrip(", ")


def _whatever_is_valid(model: type[BaseModel], given: dict[str, Any], error: ValidationError) -> dict[str, Any]:
    """The given values and defaults that are not themselves wrong, so that checking can go on below them."""
    wrong = {item["loc"][0] for item in error.errors(include_url=False) if item["loc"]}
    values: dict[str, Any] = {}
    for name, info in model.model_fields.items():
        key = info.alias or name
        if key in given and key not in wrong:
            values[key] = given[key]
        elif not info.is_required():
            default = info.get_default(call_default_factory=True)
            values[key] = default.model_dump(mode="json") if isinstance(default, BaseModel) else default
    return values
