"""Annotations in the words of a recipe: the type, its bounds, its keys, and whether null is allowed."""

from __future__ import annotations

import types
from dataclasses import fields, is_dataclass
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import annotated_types


def marks(annotation: Any) -> tuple[Any, ...]:
    """What `Annotated` says beside the type; of a union, of its members."""
    if get_origin(annotation) is Annotated:
        return tuple(get_args(annotation)[1:])
    if get_origin(annotation) in (Union, types.UnionType):
        return tuple(mark for part in get_args(annotation) for mark in marks(part))
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
        item = type_name(inner[0])
        return f"list {item.replace('one of', 'from')}" if get_origin(inner[0]) is Literal else f"list of {item}"
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
    section = getattr(annotation, "model_fields", {})  # of pydantic, which components do without
    return {
        info.alias or name: Annotated[info.annotation, *info.metadata] if info.metadata else info.annotation
        for name, info in section.items()
    }


def bounds_text(annotation: Any) -> str:
    """The bounds of an annotation as text: `> 1`, `0 <= x < 1`, or "".

    Of a union each bounded member's stand side by side: `0 < x < 1 or >= 1` of a share or a number.
    """
    if get_origin(annotation) in (Union, types.UnionType):
        return " or ".join(filter(None, map(bounds_text, get_args(annotation))))
    low = high = ""
    for mark in marks(annotation):
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


def is_optional(annotation: Any) -> bool:
    """Whether `null` is allowed."""
    return type(None) in get_args(annotation)
