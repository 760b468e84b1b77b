"""Validation of a recipe's values against the schema and, for open slots, against component signatures.

Everything wrong is collected; nothing stops at the first error.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ValidationError

from snnctl.core.catalog import REGISTRIES
from snnctl.core.diagnostic import Diagnostic, choices, did_you_mean
from snnctl.core.registry import UnknownComponentError
from snnctl.core.signature import Knob, bounds_text, knobs, params_model, type_name
from snnctl.recipe.schema import SLOTS, RecipeModel
from snnctl.recipe.source import KeyPath, Source, path_text

_BOUND_ERRORS = {"greater_than", "greater_than_equal", "less_than", "less_than_equal", "multiple_of"}


@dataclass
class Validation:
    """Collects problems while a recipe is checked, and locates each in its source."""

    source: Source
    problems: list[Diagnostic] = field(default_factory=list)

    def add(
        self, code: str, message: str, path: KeyPath, *, on_key: bool = False, help: str = "", label: str = ""
    ) -> None:
        """Note a problem at the key or the value of `path`."""
        mark = self.source.key_mark(path) if on_key else self.source.value_mark(path)
        self.problems.append(
            Diagnostic(
                code,
                message,
                path=path_text(path),
                file="" if mark.override else mark.file,
                line=mark.line,
                column=mark.column,
                length=mark.length,
                override=mark.override,
                help=help,
                label=label,
            )
        )

    def recipe(self) -> dict[str, Any]:
        """The whole recipe with every default filled in; incomplete where there are problems."""
        raw = self.source.values
        resolved = self._model(
            RecipeModel, raw, (), "a recipe", {n: f.annotation for n, f in RecipeModel.model_fields.items()}
        )
        for section, kind in SLOTS.items():
            if section in raw or section in resolved:
                value = raw.get(section, resolved.get(section))
                resolved[section] = self.component(kind, value, (section,))
        return resolved

    def component(self, kind: str, value: Any, path: KeyPath, default: Any = None) -> dict[str, Any]:
        """`{type, knobs...}` of one component, nested components resolved the same way."""
        if isinstance(value, str):
            value = {"type": value}
        if not isinstance(value, dict):
            self.add(
                "R203",
                f"`{path_text(path)}` must be a {kind}: a name or a mapping with `type`, got {_shown(value)}",
                path,
                help=f"{kind}s: {', '.join(REGISTRIES[kind].names())}",
            )
            return {}
        name = value.get("type", default)
        if not isinstance(name, str):
            names = ", ".join(REGISTRIES[kind].names())
            problem = "has no `type`" if name is None else f"`type` must be a name, got {_shown(name)}"
            self.add("R202", f"`{path_text(path)}` {problem}", path, on_key=True, help=f"{kind}s: {names}")
            return {}
        try:
            component = REGISTRIES[kind].get(name)
        except UnknownComponentError as error:
            where = (*path, "type") if (*path, "type") in self.source.items else path
            self.add("R200", f"unknown {kind} `{name}`", where, help=choices(name, error.known))
            return {}
        return self._knobs(kind, name, component, {k: v for k, v in value.items() if k != "type"}, path)

    def _knobs(
        self, kind: str, name: str, component: Callable[..., Any], given: dict[str, Any], path: KeyPath
    ) -> dict[str, Any]:
        known = knobs(component)
        before = len(self.problems)
        types = {knob.name: knob.annotation for knob in known}
        resolved = self._model(params_model(component), given, path, f"{kind} `{name}`", types)
        for knob in known:
            if knob.slot is not None and knob.name in resolved:
                resolved[knob.name] = self._slot(knob, given, resolved[knob.name], (*path, knob.name))
            if knob.path is not None:
                self._check_name(knob, resolved.get(knob.name), (*path, knob.name))
        rules = getattr(component, "rules", None)
        if rules is not None and len(self.problems) == before:
            for knob_name, message in rules(resolved):
                self.add("R301", message, (*path, knob_name))
        return {"type": name, **resolved}

    def _slot(self, knob: Knob, given: Mapping[str, Any], value: Any, path: KeyPath) -> Any:
        assert knob.slot is not None
        if value is None and knob.default is None:
            return None
        default = knob.default if isinstance(knob.default, str) else None
        return self.component(knob.slot.kind, given.get(knob.name, value), path, default)

    def _check_name(self, knob: Knob, value: Any, path: KeyPath) -> None:
        assert knob.path is not None
        looks_like_a_path = not isinstance(value, str) or any(mark in value for mark in "/\\.~")
        if not looks_like_a_path and value not in knob.path.known:
            near = did_you_mean(str(value), knob.path.known)
            known = ", ".join(knob.path.known)
            help = f"{near}  known: {known}; or a path such as ./{value}.csv".strip()
            self.add("R208", f"unknown {knob.name} `{value}`", path, help=help)

    def _model(
        self,
        model: type[BaseModel],
        given: dict[str, Any],
        path: KeyPath,
        what: str,
        types: Mapping[str, Any],
    ) -> dict[str, Any]:
        try:
            text = json.dumps(given)
        except (TypeError, ValueError):
            text = json.dumps(given, default=str)
        try:
            instance = model.model_validate_json(text)
        except ValidationError as error:
            self._report(error, given, path, what, model, types)
            return _whatever_is_valid(model, given, error)
        return instance.model_dump(mode="json", by_alias=True)

    def _report(
        self,
        error: ValidationError,
        given: dict[str, Any],
        path: KeyPath,
        what: str,
        model: type[BaseModel],
        types: Mapping[str, Any],
    ) -> None:
        seen: set[tuple[KeyPath, str]] = set()
        for item in error.errors(include_url=False):
            loc = _real_location(given, item["loc"], item["type"])
            full = (*path, *loc)
            kind = item["type"]
            group = "type" if kind.endswith(("_type", "_parsing", "_from_float")) else kind
            if (full, group) in seen:
                continue
            seen.add((full, group))
            name = path_text(full)
            top = str(loc[0]) if loc else ""
            fields = _field_names(model, loc)
            owner = what if len(loc) <= 1 else f"`{path_text(full[:-1])}`"
            if kind == "extra_forbidden":
                label = f"not a parameter of {owner}"
                self.add(
                    "R201",
                    f"unknown key `{loc[-1]}` for {owner}",
                    full,
                    on_key=True,
                    help=choices(str(loc[-1]), fields),
                    label=label,
                )
            elif kind == "missing":
                self.add("R202", f"missing key `{loc[-1]}` for {owner}", full[:-1], on_key=True)
            elif kind in _BOUND_ERRORS:
                bound = bounds_text(types.get(top)) if len(loc) == 1 else ""
                bound = bound or item["msg"].removeprefix("Input should be ")
                self.add("R204", f"`{name}` must be {bound}, got {_shown(item['input'])}", full)
            elif kind == "literal_error":
                allowed = item.get("ctx", {}).get("expected", "").replace("'", "")
                near = did_you_mean(str(item["input"]), allowed.replace(" or ", ", ").split(", "))
                self.add("R205", f"`{name}` must be {allowed}, got {_shown(item['input'])}", full, help=near)
            elif group == "type":
                expected = type_name(types[top]) if len(loc) == 1 and top in types else _expected(item["msg"])
                self.add("R203", f"`{name}` must be {expected}, got {_shown(item['input'])}", full)
            else:
                self.add("R206", f"`{name}`: {_lower(item['msg'])}, got {_shown(item['input'])}", full)


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


def _real_location(given: Any, loc: tuple[int | str, ...], kind: str) -> KeyPath:
    """`loc` without the names of union branches that pydantic puts into it."""
    path: list[str | int] = []
    here = given
    for index, part in enumerate(loc):
        last = index == len(loc) - 1
        if isinstance(here, dict) and part in here:
            path.append(part)
            here = here[part]
        elif isinstance(here, list) and isinstance(part, int) and part < len(here):
            path.append(part)
            here = here[part]
        elif last and kind == "missing":
            path.append(part)
    return tuple(path)


def _field_names(model: type[BaseModel], loc: KeyPath) -> list[str]:
    fields: Any = model.model_fields
    for part in loc[:-1]:
        annotation = getattr(fields.get(part), "annotation", None) if isinstance(fields, dict) else None
        fields = getattr(annotation, "model_fields", None) or getattr(annotation, "__dataclass_fields__", None) or {}
    return [getattr(info, "alias", None) or name for name, info in fields.items()]


def _shown(value: Any) -> str:
    """A value as a recipe would write it, with its type where that helps."""
    if isinstance(value, str):
        short = value if len(value) <= 60 else f"{value[:57]}..."
        return f"text '{short}'"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    text = str(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


def _expected(message: str) -> str:
    plain = message.removeprefix("Input should be ").removeprefix("a valid ")
    return {"integer": "int", "number": "float", "string": "text", "boolean": "true or false"}.get(plain, plain)


def _lower(message: str) -> str:
    return message[:1].lower() + message[1:]
