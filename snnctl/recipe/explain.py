"""pydantic's errors in the words of a recipe: which key, what was expected, what to write instead."""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from snnctl.core.annotations import bounded_type, bounds_text, members, type_name
from snnctl.core.diagnostic import choices, did_you_mean, nearest
from snnctl.recipe.scalars import plain_scalar
from snnctl.recipe.source import KeyPath, path_text

_UNKNOWN = ("extra_forbidden", "unexpected_keyword_argument")
_BOUNDS = ("greater_than", "greater_than_equal", "less_than", "less_than_equal", "multiple_of")
_TYPES = ("_type", "_parsing", "_from_float")


@dataclass(frozen=True)
class Finding:
    """One problem, before it is located in a source."""

    code: str
    message: str
    path: KeyPath
    on_key: bool = False
    help: str = ""
    label: str = ""


@dataclass(frozen=True)
class Owner:
    """Whose keys are checked.

    Args:
        path: where it stands.
        name: in messages ("neuron `lif`", "a recipe").
        keys: key -> annotation.
        docs: key -> what it is, for keys that are missing.
    """

    path: KeyPath
    name: str
    keys: Mapping[str, Any]
    docs: Mapping[str, str]


def explain(error: ValidationError, given: dict[str, Any], owner: Owner) -> Iterator[Finding]:
    """One finding per mistake: branches of a union count once, a mistyped key is not also a missing one."""
    items = [(_real_location(given, item), item) for item in error.errors(include_url=False)]
    mistyped = {
        (*loc[:-1], nearest(str(loc[-1]), _keys_at(owner, loc[:-1]))) for loc, item in items if item["type"] in _UNKNOWN
    }
    seen: set[KeyPath] = set()
    missing: dict[KeyPath, list[str]] = {}
    for loc, item in items:
        if loc in seen or (item["type"] == "missing" and loc in mistyped):
            continue
        seen.add(loc)
        if item["type"] == "missing" and isinstance(loc[-1], str):
            missing.setdefault(loc[:-1], []).append(loc[-1])
        else:
            yield _finding(loc, item, given, owner)
    for parent, keys in missing.items():
        path = (*owner.path, *parent)
        what = owner.name if not parent else f"`{path_text(path)}`"
        named = ", ".join(f"`{key}`" for key in keys)
        help = owner.docs.get(keys[0], "") if len(keys) == 1 else ""
        yield Finding("R202", f"missing key{'s' * (len(keys) > 1)} {named} for {what}", path, True, help)


def _finding(loc: KeyPath, item: ErrorDetails, given: dict[str, Any], owner: Owner) -> Finding:
    kind, value, context = item["type"], item["input"], item.get("ctx", {})
    full = (*owner.path, *loc)
    name = f"`{path_text(full)}`"
    parent = owner.name if len(loc) <= 1 else f"`{path_text(full[:-1])}`"
    annotation = _annotation(owner.keys, loc)
    got = f"got {shown(value)}"
    if kind in _UNKNOWN:
        key = shorten(str(loc[-1]))
        help = choices(str(loc[-1]), _keys_at(owner, loc[:-1]))
        return Finding("R201", f"unknown key `{key}` for {parent}", full, True, help, f"not a key of {parent}")
    if kind == "missing":  # in a tuple
        wanted = len(get_args(_core(_annotation(owner.keys, loc[:-1]))))
        found: Any = given
        for part in loc[:-1]:
            found = found[part]
        return Finding("R204", f"`{path_text(full[:-1])}` must hold {wanted} items, got {len(found)}", full[:-1])
    if len(loc) < len(item["loc"]):  # a branch of a union
        expected = _article(bounded_type(annotation))
        return Finding("R203", f"{name} must be {expected}, {got}", full, help=_type_help(annotation, value))
    if kind in _BOUNDS:
        bounds = bounds_text(annotation) or item["msg"].removeprefix("Input should be ")
        return Finding("R204", f"{name} must be {bounds}, {got}", full)
    if kind == "literal_error":
        allowed = context.get("expected", "").replace("'", "")
        near = did_you_mean(str(value), allowed.replace(" or ", ", ").split(", "))
        help = near or (owner.docs.get(str(loc[0]), "") if len(loc) == 1 else "")
        return Finding("R205", f"{name} must be {allowed}, {got}", full, help=help)
    if kind.endswith(_TYPES):
        help = _type_help(annotation, value)
        return Finding("R203", f"{name} must be {_article(type_name(annotation))}, {got}", full, help=help)
    if kind == "string_pattern_mismatch":
        message = f"{name} has characters that are not allowed, {got}"
        return Finding("R206", message, full, help=owner.docs.get(str(loc[-1]), f"the pattern is {context['pattern']}"))
    return Finding("R206", _other(kind, name, got, item, context), full)


def _article(words: str) -> str:
    return f"a {words}" if words.startswith(("list", "mapping")) else words


def _other(kind: str, name: str, got: str, item: ErrorDetails, context: Mapping[str, Any]) -> str:
    match kind:
        case "finite_number":
            return f"{name} must be a finite number, {got}"
        case "too_short":
            least = context["min_length"]
            return f"{name} must hold at least {least} item{'s' * (least > 1)}, got {context['actual_length']}"
        case "too_long":
            return f"{name} must hold at most {context['max_length']} items, got {context['actual_length']}"
        case "string_too_short":
            return f"{name} must not be empty"
        case "string_too_long":
            return f"{name} must have at most {context['max_length']} characters, got {len(item['input'])}"
        case "int_parsing_size":
            return f"{name} is too large a number, {got}"
        case "value_error":
            return f"{name}: {context['error']}"
    return f"{name}: {item['msg'][:1].lower()}{item['msg'][1:]}, {got}"


def _type_help(annotation: Any, value: Any) -> str:
    """What to write instead, for the mistakes that YAML invites."""
    core = _core(annotation)
    wanted = {core} if get_origin(core) not in (Union, types.UnionType) else set(get_args(core))
    if value is None:
        return "a key with nothing after it is null"
    if isinstance(value, str) and wanted & {int, float} and isinstance(plain_scalar(value), int | float):
        return f"without quotes it is a number: {value}"
    if isinstance(value, int | float) and str in wanted:
        return f"quotes make it text: '{plain(value)}'"
    if isinstance(value, float) and int in wanted and value.is_integer():  # what is not finite is none
        return f"write {int(value)}"
    if get_origin(core) in (list, tuple) and isinstance(value, str | int | float):
        return f"a list stands in brackets: [{shorten(str(plain(value)))}]"
    return ""


def _real_location(given: Any, item: ErrorDetails) -> KeyPath:
    """Where the error is, without the names of union branches that pydantic puts into its location."""
    path: list[str | int] = []
    here: Any = given
    for index, part in enumerate(item["loc"]):
        in_list = isinstance(here, list) and isinstance(part, int) and part < len(here)
        if in_list or (isinstance(here, dict) and part in here):
            path.append(part)
            here = here[part]
        elif index == len(item["loc"]) - 1 and item["type"] == "missing":
            path.append(part)
    return tuple(path)


def _keys_at(owner: Owner, loc: KeyPath) -> Mapping[str, Any]:
    return members(_core(_annotation(owner.keys, loc))) if loc else owner.keys


def _annotation(keys: Mapping[str, Any], loc: KeyPath) -> Any:
    """The annotation of the value at `loc`, bounds included."""
    found: Any = Any
    for part in loc:
        if isinstance(part, str):
            found = keys.get(part, Any)
        else:
            inner = get_args(_core(found)) or (Any,)
            found = inner[part] if get_origin(_core(found)) is tuple and part < len(inner) else inner[0]
        keys = members(_core(found))
    return found


def _core(annotation: Any) -> Any:
    """`Annotated[X, ...] | None` as X."""
    if get_origin(annotation) is Annotated:
        return _core(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        rest = [part for part in get_args(annotation) if part is not type(None)]
        return _core(rest[0]) if len(rest) == 1 else annotation
    return annotation


def shorten(text: str) -> str:
    """At most 60 characters of `text`."""
    return text if len(text) <= 60 else f"{text[:57]}..."


def plain(value: Any) -> Any:
    """Truth values as a recipe writes them."""
    return str(value).lower() if isinstance(value, bool) else value


def shown(value: Any) -> str:
    """A value as a recipe would write it, with its type where that helps."""
    if isinstance(value, str):
        return f"text '{shorten(value)}'"
    if value is None:
        return "null"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    return shorten(str(plain(value)))
