"""The constructor signature is the schema: knobs, groups of knobs, and constructors that hold them to their rules.

Keyword-only parameters of a registered class or function are recipe knobs; positional ones are wiring
that the builder supplies. Knobs that several components share stand in a `KnobGroup`, written once.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from functools import cache, wraps
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

from snnctl.core.annotations import bounds_text, is_optional, marks, members, type_name
from snnctl.core.catalog import REGISTRIES
from snnctl.core.docs import read_doc
from snnctl.core.registry import NameOf, Slot, SourcePath
from snnctl.core.shapes import ShapeError

MISSING = inspect.Parameter.empty


@dataclass(frozen=True)
class KnobGroup:
    """Base of frozen dataclasses whose fields are knobs that belong together.

    A keyword-only parameter whose default is a group stands for the group's fields: recipes, `show` and the schema see
    those as plain keys, in its place. The default may be another value of the group, so that a component has defaults
    of its own; a subclass may give a field another type or default, and it keeps its place. A line in the component's
    docstring goes before the group's.
    """

    @staticmethod
    def rules(knobs: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """What no single annotation can say of `knobs`, all those of the component: pairs of a knob and a message."""
        yield from ()


@dataclass(frozen=True)
class After:
    """Marks a knob that stands in recipes right behind the key `knob`, which may be one of a group before it."""

    knob: str


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
    """The recipe knobs of `component`, in the order of its signature; groups are taken apart."""
    named = ((knob, _named(knob.annotation)) for knob in _written(component))
    return tuple(knob if now is knob.annotation else replace(knob, annotation=now) for knob, now in named)


def _named(annotation: Any) -> Any:
    """A text that names registered components becomes a choice among those that are registered now."""
    if get_origin(annotation) is list:
        (item,) = get_args(annotation)
        named = _named(item)
        return annotation if named is item else list[named]  # type: ignore[valid-type]
    mark = next((mark for mark in marks(annotation) if isinstance(mark, NameOf)), None)
    return annotation if mark is None else Literal[REGISTRIES[mark.kind].serving(mark.serves)]


@cache
def _written(component: Callable[..., Any]) -> tuple[Knob, ...]:
    """The knobs as their annotations are written."""
    constructor = _constructor(component)
    hints = get_type_hints(constructor, include_extras=True)
    docs = read_doc(component).args
    found: list[Knob] = []
    for name, parameter in inspect.signature(constructor).parameters.items():
        if parameter.kind is not inspect.Parameter.KEYWORD_ONLY:
            continue
        if isinstance(parameter.default, KnobGroup):
            kind, given = type(parameter.default), parameter.default
            inner = {key: line for base in reversed(kind.__mro__) for key, line in read_doc(base).args.items()}
            for key, annotation in members(kind).items():
                found.append(_knob(key, annotation, getattr(given, key), docs.get(key) or inner.get(key, "")))
            continue
        annotation = hints.get(name, Any)
        knob = _knob(name, annotation, parameter.default, docs.get(name, ""))
        before = next((mark.knob for mark in marks(annotation) if isinstance(mark, After)), None)
        places = [place.name for place in found]
        found.insert(len(found) if before is None else places.index(before) + 1, knob)
    return tuple(found)


def _knob(name: str, annotation: Any, default: Any, doc: str) -> Knob:
    said = tuple(mark for mark in marks(annotation) if not isinstance(mark, After))
    if len(said) < len(marks(annotation)) and get_origin(annotation) is Annotated:
        core = get_args(annotation)[0]
        annotation = Annotated[core, *said] if said else core
        said = marks(annotation)  # of the members, where the core is a union
    return Knob(
        name=name,
        annotation=annotation,
        default=default,
        doc=doc,
        slot=next((m for m in said if isinstance(m, Slot)), None),
        path=next((m for m in said if isinstance(m, SourcePath)), None),
    )


def _constructor(component: Callable[..., Any]) -> Callable[..., Any]:
    """The function whose parameters are the knobs, as it is written."""
    written: Callable[..., Any] = component.__init__ if isinstance(component, type) else component  # type: ignore[misc]
    function: Callable[..., Any] = inspect.unwrap(written)
    return function


@cache
def _groups(function: Callable[..., Any]) -> dict[str, KnobGroup]:
    """Parameters that hold a group, and their defaults."""
    parameters = inspect.signature(function).parameters.values()
    return {each.name: each.default for each in parameters if isinstance(each.default, KnobGroup)}


def grouped(component: Callable[..., Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Knob values as the keywords that the constructor takes: what belongs to a group in that group."""
    keywords = dict(given)
    for name, group in _groups(_constructor(component)).items():
        changes = {part.name: keywords.pop(part.name) for part in fields(group) if part.name in keywords}
        if changes:
            keywords[name] = replace(keywords.get(name, group), **changes)
    return keywords


def broken_rules(component: Callable[..., Any], values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What the rules of the component's groups, and then its own, say against `values`, one for each knob."""
    for group in _groups(_constructor(component)).values():
        yield from group.rules(values)
    own = getattr(component, "rules", None)
    if own is not None:
        yield from own(values)


def takes_knobs(constructor: Callable[..., None]) -> Callable[..., None]:
    """Decorate a constructor: its groups' keys are plain keywords, closed choices and rules hold from Python as well.

    Raises:
        ShapeError: from the constructor, a `Literal` knob has a name that it does not know, or a rule is broken.
    """
    written = inspect.signature(constructor)

    @wraps(constructor)
    def checked(self: Any, *wiring: Any, **given: Any) -> None:
        component = next(base for base in type(self).__mro__ if vars(base).get("__init__") is checked)
        call = written.bind(self, *wiring, **grouped(component, given))
        call.apply_defaults()
        keywords = call.kwargs
        values = {key: value for name in keywords for key, value in _flat(name, keywords[name])}
        for name, allowed in _closed(component):
            if values[name] not in allowed:
                known = ", ".join(map(str, allowed))
                raise ShapeError(f"unknown {name} `{values[name]}`; known: {known}", knob=name)
        for name, message in broken_rules(component, values):
            raise ShapeError(message, knob=name)
        constructor(*call.args, **keywords)

    plain = [flat for parameter in written.parameters.values() for flat in _plain(parameter)]
    checked.__signature__ = written.replace(parameters=plain)  # type: ignore[attr-defined]
    return checked


@cache
def _closed(component: Callable[..., Any]) -> tuple[tuple[str, tuple[Any, ...]], ...]:
    """Knobs that are closed choices, and what they allow; networks are made of hundreds of components."""
    return tuple((knob.name, allowed) for knob in _written(component) if (allowed := _names(knob.annotation)))


def _flat(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, KnobGroup):
        yield from ((part.name, getattr(value, part.name)) for part in fields(value))
    else:
        yield name, value


def _plain(parameter: inspect.Parameter) -> Iterator[inspect.Parameter]:
    for name, default in _flat(parameter.name, parameter.default):
        yield parameter.replace(name=name, default=default)


def _names(annotation: Any) -> tuple[Any, ...]:
    """What a closed choice allows, null included; empty for anything else."""
    if get_origin(annotation) is Literal:
        return get_args(annotation)
    inner = [part for part in get_args(annotation) if part is not type(None)]
    if is_optional(annotation) and len(inner) == 1 and get_origin(inner[0]) is Literal:
        return (*get_args(inner[0]), None)
    return ()


def defaults(component: Callable[..., Any]) -> dict[str, Any]:
    """Knob name -> default, for those that have one."""
    return {knob.name: knob.default for knob in knobs(component) if not knob.required}
