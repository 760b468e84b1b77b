"""The constructor signature is the schema: knobs, bounds and a pydantic model from one place.

Keyword-only parameters of a registered class or function are recipe knobs; positional ones are wiring
that the builder supplies.
"""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import annotated_types
from pydantic import BaseModel, ConfigDict, create_model
from pydantic.fields import FieldInfo

from snnctl.core.docs import read_doc
from snnctl.core.registry import Slot, SourcePath

MISSING = inspect.Parameter.empty


@dataclass(frozen=True)
class Knob:
    """One recipe knob of a component.

    Args:
        name: the constructor parameter, the YAML key and the report column.
        annotation: the full annotation, bounds included.
        default: the default, or `MISSING` when the recipe must give it.
        doc: its line in the docstring.
        slot: set when the knob holds another component.
        path: set when the knob is a file path or a known name.
    """

    name: str
    annotation: Any
    default: Any
    doc: str
    slot: Slot | None
    path: SourcePath | None

    @property
    def required(self) -> bool:
        """Whether the recipe must give it."""
        return self.default is MISSING

    @property
    def type_name(self) -> str:
        """The type in the words of a recipe: `float`, `one of hard, soft`, `neuron`."""
        return self.slot.kind if self.slot else type_name(self.annotation)

    @property
    def bounds(self) -> str:
        """`> 1`, `0 <= x <= 1`, or ""."""
        return bounds_text(self.annotation)


def knobs(component: Callable[..., Any]) -> tuple[Knob, ...]:
    """The recipe knobs of `component`, in the order of its signature."""
    function = component.__init__ if isinstance(component, type) else component  # type: ignore[misc]
    hints = get_type_hints(function, include_extras=True)
    docs = read_doc(component).args
    found = []
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind is not inspect.Parameter.KEYWORD_ONLY:
            continue
        annotation = hints.get(name, Any)
        marks = _metadata(annotation)
        found.append(
            Knob(
                name=name,
                annotation=annotation,
                default=parameter.default,
                doc=docs.get(name, ""),
                slot=next((m for m in marks if isinstance(m, Slot)), None),
                path=next((m for m in marks if isinstance(m, SourcePath)), None),
            )
        )
    return tuple(found)


@cache
def params_model(component: Callable[..., Any]) -> type[BaseModel]:
    """A strict, closed pydantic model of the component's knobs; nested components are left open (`Any`)."""
    fields: dict[str, Any] = {}
    for knob in knobs(component):
        annotation = Any if knob.slot else knob.annotation
        info = FieldInfo(default=... if knob.required else knob.default, description=knob.doc or None)
        fields[knob.name] = (annotation, info)
    config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False, protected_namespaces=())
    name = getattr(component, "__name__", "Component")
    return create_model(name, __config__=config, __doc__=read_doc(component).summary, **fields)


def _metadata(annotation: Any) -> tuple[Any, ...]:
    if get_origin(annotation) is Annotated:
        return tuple(get_args(annotation)[1:])
    if get_origin(annotation) in (Union, types.UnionType):
        return tuple(mark for part in get_args(annotation) for mark in _metadata(part))
    return ()


def type_name(annotation: Any) -> str:
    """An annotation in the words of a recipe."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return type_name(get_args(annotation)[0])
    if origin in (Union, types.UnionType):
        return " or ".join("null" if a is type(None) else type_name(a) for a in get_args(annotation))
    if origin is Literal:
        return "one of " + ", ".join(str(a) for a in get_args(annotation))
    if origin in (list, tuple):
        inner = [a for a in get_args(annotation) if a is not Ellipsis]
        if not inner:
            return "list"
        return (
            "list " + type_name(inner[0]).replace("one of", "from")
            if get_origin(inner[0]) is Literal
            else f"list of {type_name(inner[0])}"
        )
    if origin is dict or annotation is dict:
        return "mapping"
    parts = members(annotation)
    if parts:
        return f"mapping of {', '.join(parts)}"
    names = {str: "text", bool: "true or false", int: "int", float: "float", Any: "anything"}
    return names.get(annotation, getattr(annotation, "__name__", str(annotation)))


def members(annotation: Any) -> dict[str, Any]:
    """Key -> annotation of a nested dataclass or section; empty for anything else."""
    if is_dataclass(annotation):
        hints = get_type_hints(annotation, include_extras=True)
        return {part.name: hints[part.name] for part in fields(annotation)}
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return {
            info.alias or name: Annotated[info.annotation, *info.metadata] if info.metadata else info.annotation
            for name, info in annotation.model_fields.items()
        }
    return {}


def bounds_text(annotation: Any) -> str:
    """The bounds of an annotation as text: `> 1`, `0 <= x < 1`, or "".

    Of a union each bounded member's stand side by side: `0 < x < 1 or >= 1` of a share or a number.
    """
    if get_origin(annotation) in (Union, types.UnionType):
        return " or ".join(filter(None, map(bounds_text, get_args(annotation))))
    low = high = ""
    for mark in _metadata(annotation):
        for part in mark if isinstance(mark, annotated_types.GroupedMetadata) else (mark,):
            match part:
                case annotated_types.Gt(gt=v):
                    low = f"> {v:g}"
                case annotated_types.Ge(ge=v):
                    low = f">= {v:g}"
                case annotated_types.Lt(lt=v):
                    high = f"< {v:g}"
                case annotated_types.Le(le=v):
                    high = f"<= {v:g}"
                case annotated_types.MultipleOf(multiple_of=v):
                    high = f"{high}, multiple of {v:g}".strip(", ")
    if low and high:
        sign, value = low.split(" ")
        return f"{value} {sign.replace('>', '<')} x {high}"
    return low or high


def bounded_type(annotation: Any) -> str:
    """The type and its bounds in one phrase, of a union member by member: `float 0 < x < 1 or int >= 1`."""
    if get_origin(annotation) in (Union, types.UnionType):
        return " or ".join("null" if part is type(None) else bounded_type(part) for part in get_args(annotation))
    return f"{type_name(annotation)} {bounds_text(annotation)}".strip()


def defaults(component: Callable[..., Any]) -> dict[str, Any]:
    """Knob name -> default, for those that have one."""
    return {knob.name: knob.default for knob in knobs(component) if not knob.required}


def is_optional(annotation: Any) -> bool:
    """Whether `null` is allowed."""
    return type(None) in typing.get_args(annotation)
