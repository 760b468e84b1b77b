"""Registries: names without imports, look-up, one owner per name."""

import pytest

from snnctl.core.registry import DuplicateComponentError, Registry, UnknownComponentError


class Component:
    """A component."""


def test_names_are_sorted_and_import_nothing() -> None:
    registry = Registry("thing", {"b": "no_such_module", "a": "no_such_module"})
    assert registry.names() == ("a", "b")
    assert "a" in registry
    assert "c" not in registry
    assert list(registry) == ["a", "b"]
    assert registry.source("a") == "snnctl"
    with pytest.raises(ModuleNotFoundError):
        registry.get("a")


def test_what_is_registered_is_found() -> None:
    registry = Registry("thing")
    assert registry.register("mine")(Component) is Component
    assert registry.get("mine") is Component
    assert registry.source("mine") == __name__
    registry.mark_source("mine", "/mine.py")
    assert registry.source("mine") == "/mine.py"


def test_an_unknown_name_tells_what_is_known() -> None:
    registry = Registry("thing")
    registry.register("mine")(Component)
    with pytest.raises(UnknownComponentError, match="unknown thing `yours`; known: mine") as caught:
        registry.get("yours")
    assert (caught.value.kind, caught.value.name, caught.value.known) == ("thing", "yours", ("mine",))


def test_a_name_has_one_owner() -> None:
    registry = Registry("thing", {"shipped": "snnctl.thing"})
    with pytest.raises(DuplicateComponentError, match=f"by snnctl.thing and by {__name__}"):
        registry.register("shipped")(Component)
    registry.register("mine")(Component)
    registry.register("mine")(Component)  # the same module again, as when it is reloaded
    other = type("Other", (), {"__module__": "elsewhere"})
    with pytest.raises(DuplicateComponentError, match=f"by {__name__} and by elsewhere"):
        registry.register("mine")(other)
    assert registry.get("mine") is Component


def test_plugins_are_forgotten_and_built_in_components_are_not() -> None:
    registry = Registry("thing", {"shipped": __name__})
    registry.register("shipped")(Component)
    registry.register("mine")(Component)
    registry.mark_source("mine", "/mine.py")
    for name in ("shipped", "mine", "never registered"):
        registry.forget(name)
    assert registry.names() == ("shipped",)
    assert registry.get("shipped") is Component
