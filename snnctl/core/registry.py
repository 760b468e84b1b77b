"""Registries: a kind of component, its names, and where each name comes from.

A registry knows its built-in names from an explicit table (name -> module), so that names can be listed
and completed without importing torch; the module is imported when a component is looked up.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

Component = TypeVar("Component", bound=Callable[..., Any])

ENTRY_POINT_GROUP = "snnctl.components"


@dataclass(frozen=True)
class Slot:
    """Marks a constructor parameter that holds another component of `kind`.

    With `factory=True` the builder passes a callable that makes instances (one per place, so that no
    instance is shared by accident) instead of one instance.
    """

    kind: str
    factory: bool = False


@dataclass(frozen=True)
class NameOf:
    """Marks a text that names one of the components of `kind` whose attribute `serves` holds `serves`."""

    kind: str
    serves: str


@dataclass(frozen=True)
class SourcePath:
    """Marks a string parameter that is a file path unless it is one of `known` names.

    Relative paths in a recipe are relative to that recipe; in `--set` to the working directory.
    """

    known: tuple[str, ...] = ()


class UnknownComponentError(LookupError):
    """A name that a registry does not hold."""

    def __init__(self, kind: str, name: str, known: tuple[str, ...]) -> None:
        super().__init__(f"unknown {kind} `{name}`; known: {', '.join(known)}")
        self.kind, self.name, self.known = kind, name, known


class DuplicateComponentError(ValueError):
    """Two modules claim the same name."""

    def __init__(self, kind: str, name: str, owner: str, home: str) -> None:
        super().__init__(f"{kind} `{name}` is registered twice: by {owner} and by {home}")
        self.kind, self.name, self.owner = kind, name, owner


@cache
def _entry_points() -> tuple[EntryPoint, ...]:
    from importlib.metadata import entry_points  # 20 ms that `snnctl --help` does without

    return tuple(entry_points(group=ENTRY_POINT_GROUP))


@dataclass
class Registry:
    """Names of one kind of component.

    Args:
        kind: the word used in messages and in `snnctl list` ("neuron").
        builtin: name -> module that registers it; imported at the first look-up of that name.
        in_lists: recipes name such components in lists, without knobs; else they stand in slots of their own.
    """

    kind: str
    builtin: Mapping[str, str] = field(default_factory=dict)
    in_lists: bool = False
    _components: dict[str, Callable[..., Any]] = field(default_factory=dict, repr=False)
    _plugin_sources: dict[str, str] = field(default_factory=dict, repr=False)

    def register(self, name: str) -> Callable[[Component], Component]:
        """Return a decorator that enters a class or function under `name`.

        Raises:
            DuplicateComponentError: another module has registered, or ships, that name.
        """

        def enter(component: Component) -> Component:
            home = component.__module__
            owner = self._owner(name)
            if owner is not None and owner != home:
                raise DuplicateComponentError(self.kind, name, self._plugin_sources.get(name, owner), home)
            self._components[name] = component
            return component

        return enter

    def name_of(self, component: Callable[..., Any]) -> str | None:
        """The name that `component` is registered under; None where it is not, or has not been looked up yet."""
        return next((name for name, known in self._components.items() if known is component), None)

    def _owner(self, name: str) -> str | None:
        return self._components[name].__module__ if name in self._components else self.builtin.get(name)

    def get(self, name: str) -> Callable[..., Any]:
        """Return the component called `name`, importing its module if need be.

        Raises:
            UnknownComponentError: no built-in, plug-in or entry point has that name.
        """
        if name not in self._components:
            if name in self.builtin:
                importlib.import_module(self.builtin[name])
            elif (point := self._entry_point(name)) is not None:
                self._components.setdefault(name, point.load())
                self._plugin_sources[name] = point.value
        if name not in self._components:
            raise UnknownComponentError(self.kind, name, self.names())
        return self._components[name]

    def _entry_point(self, name: str) -> EntryPoint | None:
        return next((p for p in _entry_points() if p.name == f"{self.kind}.{name}"), None)

    def names(self) -> tuple[str, ...]:
        """All names, sorted; imports nothing."""
        prefix = f"{self.kind}."
        from_packages = {p.name[len(prefix) :] for p in _entry_points() if p.name.startswith(prefix)}
        return tuple(sorted({*self.builtin, *self._components, *from_packages}))

    def serving(self, purpose: str) -> tuple[str, ...]:
        """Names of the components whose attribute `serves` holds `purpose`, those that ship first, in their order."""
        every = (*self.builtin, *(name for name in self.names() if name not in self.builtin))
        return tuple(name for name in every if purpose in getattr(self.get(name), "serves", ()))

    def source(self, name: str) -> str:
        """Where `name` comes from: "snnctl", or the plug-in's file or module."""
        if name in self.builtin:
            return "snnctl"
        return self._plugin_sources.get(name, self._owner(name) or "unknown")

    def mark_source(self, name: str, source: str) -> None:
        """Record that `name` was registered by the plug-in file `source`."""
        self._plugin_sources[name] = source

    def forget(self, name: str) -> None:
        """Take a plug-in's component out again; built-in ones stay."""
        if name not in self.builtin:
            self._components.pop(name, None)
            self._plugin_sources.pop(name, None)

    def __contains__(self, name: object) -> bool:
        return name in self.names()

    def __iter__(self) -> Iterator[str]:
        return iter(self.names())
