"""Components in words: a row per knob, YAML to paste, JSON Schema for editors."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, get_args

from pydantic_core import to_jsonable_python

from snnctl.core.annotations import bounds_text, is_optional, members, type_name
from snnctl.core.catalog import REGISTRIES, TASKS
from snnctl.core.docs import read_doc
from snnctl.core.params import params_model
from snnctl.core.signature import knobs
from snnctl.recipe.resolve import dump_yaml
from snnctl.recipe.schema import PLACEHOLDER, SLOTS, RecipeModel


def knob_rows(component: Callable[..., Any]) -> list[dict[str, Any]]:
    """`{name, type, default, required, bounds, doc}` of each knob; of a mapping also of its keys, `hierarchy.delta`."""
    rows = []
    for knob in knobs(component):
        rows.append(_row(knob.name, knob.type_name, knob.default, knob.required, knob.bounds, knob.doc))
        rows += _member_rows(knob.name, knob.annotation)
    return rows


def _row(name: str, kind: str, default: Any, required: bool, bounds: str, doc: str) -> dict[str, Any]:
    default = None if required else to_jsonable_python(default)
    return {"name": name, "type": kind, "default": default, "required": required, "bounds": bounds, "doc": doc}


def _member_rows(path: str, annotation: Any) -> Iterator[dict[str, Any]]:
    """Rows for the keys of a nested dataclass, and for theirs."""
    for part in get_args(annotation) if is_optional(annotation) else (annotation,):
        if not is_dataclass(part):
            continue
        docs = read_doc(part).args  # type: ignore[arg-type]
        given = {field.name: field.default for field in fields(part)}
        for name, inner in members(part).items():
            here, default = f"{path}.{name}", given[name]
            yield _row(here, type_name(inner), default, default is MISSING, bounds_text(inner), docs.get(name, ""))
            yield from _member_rows(here, inner)


def paste_ready(kind: str, name: str) -> str:
    """The component with all its defaults, as it would stand in a recipe."""
    if REGISTRIES[kind].in_lists:
        served = REGISTRIES[kind].get(name).serves  # type: ignore[attr-defined]
        task = next(task for task in TASKS.names() if getattr(TASKS.get(task), "needs", None) in served)
        return dump_yaml({"task": {"type": task, f"{kind}s": [name]}}).rstrip()
    values: dict[str, Any] = {"type": name}
    for knob in knobs(REGISTRIES[kind].get(name)):
        values[knob.name] = PLACEHOLDER if knob.required else to_jsonable_python(knob.default)
    key = {"backbone": "model"}.get(kind, kind)
    return dump_yaml({key: values}).rstrip()


def json_schema() -> dict[str, Any]:
    """JSON Schema of a recipe with every component that is known now; plug-ins' included if loaded."""
    schema = RecipeModel.model_json_schema(by_alias=True)
    definitions = schema.setdefault("$defs", {})
    for kind in (kind for kind, registry in REGISTRIES.items() if not registry.in_lists):
        definitions[f"slot.{kind}"] = _slot(kind)
        for name in REGISTRIES[kind].names():
            definitions[f"{kind}.{name}"] = _mapping(kind, name)
    for section, kind in SLOTS.items():
        field = RecipeModel.model_fields[section]
        schema["properties"][section] = {**_use(kind, field.default), "description": field.description}
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "snnctl recipe"
    return schema


def _slot(kind: str) -> dict[str, Any]:
    names = list(REGISTRIES[kind].names())
    whole = [{"$ref": f"#/$defs/{kind}.{name}", "required": ["type"]} for name in names]
    description = f"a {kind}: its name, or a mapping with `type` and knobs"
    return {"description": description, "anyOf": [{"enum": names}, *whole]}


def _use(kind: str, default: Any, optional: bool = False) -> dict[str, Any]:
    """A place for a component; where it has a default, `type` may be left out."""
    allowed = [{"$ref": f"#/$defs/slot.{kind}"}]
    if isinstance(default, str):
        allowed.append({"$ref": f"#/$defs/{kind}.{default}"})
    if optional:
        allowed.append({"type": "null"})
    return allowed[0] if len(allowed) == 1 else {"anyOf": allowed}


def _mapping(kind: str, name: str) -> dict[str, Any]:
    component = REGISTRIES[kind].get(name)
    model = json.loads(json.dumps(params_model(component).model_json_schema(), default=to_jsonable_python))
    properties: dict[str, Any] = {"type": {"const": name}}
    for knob in knobs(component):
        found = model.get("properties", {}).get(knob.name, {})
        if knob.slot is not None:
            found = _use(knob.slot.kind, knob.default, is_optional(knob.annotation))
        unfilled = {"not": {"const": PLACEHOLDER}} if knob.required else {}
        properties[knob.name] = {**found, **unfilled, "description": knob.doc}
    nested = model.get("$defs", {})
    found = {
        "type": "object",
        "description": read_doc(component).summary,
        "properties": properties,
        "required": [k.name for k in knobs(component) if k.required],
        "additionalProperties": False,
    }
    return {key: _inline(value, nested) for key, value in found.items()}


def _inline(value: Any, definitions: dict[str, Any]) -> Any:
    """Replace references into a component's own `$defs`; slots of the recipe stay references."""
    if isinstance(value, dict):
        reference = value.get("$ref", "")
        if reference.startswith("#/$defs/") and reference.removeprefix("#/$defs/") in definitions:
            rest = {k: v for k, v in value.items() if k != "$ref"}
            return {**_inline(definitions[reference.removeprefix("#/$defs/")], definitions), **rest}
        return {key: _inline(item, definitions) for key, item in value.items()}
    if isinstance(value, list):
        return [_inline(item, definitions) for item in value]
    return value
