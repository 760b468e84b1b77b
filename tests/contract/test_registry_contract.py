"""What every registered component owes: a documented, closed, valid set of knobs under the right name."""

import inspect
from typing import Any

import pytest
from pydantic import ValidationError

from snnctl.core.catalog import REGISTRIES
from snnctl.core.docs import read_doc
from snnctl.core.signature import broken_rules, defaults, is_optional, knobs, params_model

ENTRIES = [(kind, name) for kind, registry in REGISTRIES.items() for name in registry.builtin]


@pytest.mark.parametrize(("kind", "name"), ENTRIES)
class TestEntry:
    def test_table_agrees_with_the_decorator(self, kind: str, name: str) -> None:
        registry = REGISTRIES[kind]
        assert registry.get(name).__module__ == registry.builtin[name]

    def test_summary_is_one_sentence(self, kind: str, name: str) -> None:
        component = REGISTRIES[kind].get(name)
        assert component.__doc__, "inherited docstrings do not describe a component"
        summary = read_doc(component).summary
        assert summary.endswith(".")
        assert "\n" not in summary

    def test_every_knob_is_documented(self, kind: str, name: str) -> None:
        undocumented = [knob.name for knob in knobs(REGISTRIES[kind].get(name)) if not knob.doc]
        assert undocumented == []

    def test_every_documented_argument_exists(self, kind: str, name: str) -> None:
        component = REGISTRIES[kind].get(name)
        assert set(read_doc(component).args) <= set(inspect.signature(component).parameters)

    def test_signature_is_closed(self, kind: str, name: str) -> None:
        parameters = inspect.signature(REGISTRIES[kind].get(name)).parameters.values()
        open_ended = {inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL}
        assert [p.name for p in parameters if p.kind in open_ended] == []

    def test_defaults_are_valid(self, kind: str, name: str) -> None:
        component = REGISTRIES[kind].get(name)
        given = {knob.name: knob.default for knob in knobs(component) if not knob.required}
        assert _problems(component, given) == []

    def test_unknown_knobs_are_refused(self, kind: str, name: str) -> None:
        (problem,) = _problems(REGISTRIES[kind].get(name), {"no_such_knob": 1})
        assert problem["type"] == "extra_forbidden"

    def test_rules_accept_the_defaults(self, kind: str, name: str) -> None:
        component = REGISTRIES[kind].get(name)
        if not any(knob.required for knob in knobs(component)):
            assert list(broken_rules(component, defaults(component))) == []

    def test_nested_components_default_to_a_registered_name(self, kind: str, name: str) -> None:
        for knob in knobs(REGISTRIES[kind].get(name)):
            if knob.slot is None:
                continue
            assert knob.slot.kind in REGISTRIES
            if not knob.required and not (knob.default is None and is_optional(knob.annotation)):
                assert knob.default in REGISTRIES[knob.slot.kind].names()


def _problems(component: Any, values: dict[str, Any]) -> list[Any]:
    """What the params model finds, apart from required knobs that are not given."""
    try:
        params_model(component)(**values)
    except ValidationError as error:
        return [problem for problem in error.errors() if problem["type"] != "missing"]
    return []
