"""The constructor signature as the schema."""

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import pytest
from annotated_types import Ge, Gt, Le, Lt, MultipleOf
from pydantic import ValidationError

from snnctl.core.docs import read_doc
from snnctl.core.registry import Slot, SourcePath
from snnctl.core.shapes import ShapeError
from snnctl.core.signature import (
    After,
    KnobGroup,
    bounded_type,
    bounds_text,
    broken_rules,
    defaults,
    grouped,
    is_optional,
    knobs,
    members,
    params_model,
    takes_knobs,
    type_name,
)
from snnctl.core.training import EarlyStop, Train


@dataclass(frozen=True)
class Part:
    """A nested mapping."""

    share: Annotated[float, Gt(0.0)] = 0.5
    name: str = "x"


class Thing:
    """One sentence
    over two lines.

    More of it.

    Equation:
        y = a * x
          + b

    Args:
        signal: wiring.
        a: the factor, > 0
            (and a second line).
        b, c: two at once.

    Shape: [B] -> [B].

    Source: somewhere,
        on two lines.
    """

    def __init__(
        self,
        signal: int,
        *,
        a: Annotated[float, Gt(0.0)],
        b: Annotated[int, Ge(1), Le(9)] | None = None,
        c: Literal["x", "y"] = "x",
        part: Part = Part(),  # frozen
        inner: Annotated[Any, Slot("neuron", factory=True)] = "lif",
        file: Annotated[str, SourcePath(known=("co2",))] = "co2",
    ) -> None:
        self.signal = signal


@dataclass(frozen=True)
class Drive(KnobGroup):
    """What moves it.

    Args:
        gain: factor, > 0.
        kind: which one.
        inner: what is inside.
    """

    gain: Annotated[float, Gt(0.0)] = 1.0
    kind: Literal["x", "y"] = "x"
    inner: Annotated[Any, Slot("neuron", factory=True)] = "lif"

    @staticmethod
    def rules(knobs: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        if knobs["kind"] == "y" and knobs["gain"] != 1:
            yield "gain", "`gain` is for `kind: x`"


@dataclass(frozen=True)
class WideDrive(Drive):
    """A drive with a kind more.

    Args:
        kind: which one of three.
    """

    kind: Literal["x", "y", "z"] = "z"  # type: ignore[assignment]


class Moved:
    """A thing that is moved.

    Args:
        signal: wiring.
        a: the first.
        gain: of the moved, > 0.
        between: behind the gain.
        b: the last.
    """

    @takes_knobs
    def __init__(
        self,
        signal: int,
        *,
        a: Annotated[int, Ge(0)] = 0,
        drive: Drive = Drive(gain=2.0),
        between: Annotated[Annotated[int, Ge(1)] | None, After("gain")] = None,
        b: float = 0.5,
    ) -> None:
        self.signal, self.a, self.drive, self.between, self.b = signal, a, drive, between, b

    @staticmethod
    def rules(knobs: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        if knobs["a"] > knobs["gain"]:
            yield "a", "`a` must not be above `gain`"


class TestGroups:
    def test_fields_are_plain_keys_in_place(self) -> None:
        found = {knob.name: knob for knob in knobs(Moved)}
        assert list(found) == ["a", "gain", "between", "kind", "inner", "b"]
        assert defaults(Moved) == {"a": 0, "gain": 2.0, "between": None, "kind": "x", "inner": "lif", "b": 0.5}
        assert (found["gain"].bounds, found["kind"].type_name) == ("> 0", "one of x, y")
        assert (found["between"].type_name, found["between"].bounds) == ("int or null", ">= 1")
        assert found["inner"].slot == Slot("neuron", factory=True)

    def test_the_component_describes_a_key_or_the_group_does(self) -> None:
        assert {knob.name: knob.doc for knob in knobs(Moved)} == {
            "a": "the first.",
            "gain": "of the moved, > 0.",
            "between": "behind the gain.",
            "kind": "which one.",
            "inner": "what is inside.",
            "b": "the last.",
        }

    def test_a_group_that_extends_another_keeps_its_order_and_its_lines(self) -> None:
        def wide(*, drive: Drive = WideDrive()) -> None: ...

        assert [(knob.name, knob.default, knob.doc) for knob in knobs(wide)] == [
            ("gain", 1.0, "factor, > 0."),
            ("kind", "z", "which one of three."),
            ("inner", "lif", "what is inside."),
        ]
        assert next(knob.type_name for knob in knobs(wide) if knob.name == "kind") == "one of x, y, z"

    def test_the_model_is_flat(self) -> None:
        model = params_model(Moved)
        assert model(gain=3.0).model_dump() == {**defaults(Moved), "gain": 3.0}
        assert model.model_json_schema()["properties"]["gain"]["exclusiveMinimum"] == 0
        for bad in ({"gain": 0.0}, {"kind": "z"}, {"drive": {}}):
            with pytest.raises(ValidationError):
                model(**bad)

    def test_flat_values_are_put_back(self) -> None:
        assert grouped(Moved, {"a": 1, "kind": "y"}) == {"a": 1, "drive": Drive(2.0, "y")}
        assert grouped(Moved, {"drive": Drive(3.0), "kind": "y"}) == {"drive": Drive(3.0, "y")}
        assert grouped(Moved, {"b": 1.0}) == {"b": 1.0}
        assert grouped(Thing, {"a": 1.0, "part": Part()}) == {"a": 1.0, "part": Part()}

    def test_from_python_by_group_or_by_plain_keywords(self) -> None:
        assert Moved(1).drive == Drive(2.0)
        assert Moved(1, drive=Drive(1.0, "y")).drive == Drive(1.0, "y")
        made = Moved(1, gain=1.0, kind="y", between=3)
        assert (made.drive, made.between) == (Drive(1.0, "y"), 3)
        with pytest.raises(TypeError, match="no_such"):
            Moved(1, no_such=1)
        with pytest.raises(TypeError, match="signal"):
            Moved()

    def test_the_signature_that_python_shows_is_flat(self) -> None:
        assert set(inspect.signature(Moved).parameters) == {"signal", *(knob.name for knob in knobs(Moved))}

    def test_rules_of_the_group_come_first_and_hold_from_python(self) -> None:
        values = {**defaults(Moved), "kind": "y", "a": 3}
        assert list(broken_rules(Moved, values)) == [
            ("gain", "`gain` is for `kind: x`"),
            ("a", "`a` must not be above `gain`"),
        ]
        assert list(broken_rules(Moved, defaults(Moved))) == []
        with pytest.raises(ShapeError, match="not be above") as caught:
            Moved(1, a=3)
        assert caught.value.knob == "a"
        with pytest.raises(ShapeError, match="is for `kind: x`"):
            Moved(1, kind="y")

    def test_closed_choices_hold_from_python(self) -> None:
        with pytest.raises(ShapeError, match="unknown kind `z`; known: x, y"):
            Moved(1, kind="z")

    def test_a_subclass_is_held_to_its_own_rules_and_its_base_to_its(self) -> None:
        class Heavier(Moved):
            """Heavier."""

            @takes_knobs
            def __init__(self, signal: int, *, mass: float = 1.0) -> None:
                super().__init__(signal, a=1, gain=mass)

            @staticmethod
            def rules(knobs: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
                if knobs["mass"] > 9:
                    yield "mass", "too heavy"

        assert Heavier(1, mass=2.0).drive.gain == 2.0
        with pytest.raises(ShapeError, match="too heavy"):
            Heavier(1, mass=10.0)
        with pytest.raises(ShapeError, match="not be above"):
            Heavier(1, mass=0.5)

    def test_a_component_that_inherits_its_constructor(self) -> None:
        class Same(Moved):
            """The same."""

        assert [knob.name for knob in knobs(Same)] == [knob.name for knob in knobs(Moved)]
        assert Same(1, gain=4.0).drive.gain == 4.0


def test_knobs_are_the_keyword_only_parameters() -> None:
    found = {knob.name: knob for knob in knobs(Thing)}
    assert list(found) == ["a", "b", "c", "part", "inner", "file"]
    assert found["a"].required
    assert not found["b"].required
    assert found["a"].doc == "the factor, > 0 (and a second line)."
    assert found["b"].doc == found["c"].doc == "two at once."
    assert found["inner"].slot == Slot("neuron", factory=True)
    assert found["inner"].type_name == "neuron"
    assert found["file"].path == SourcePath(known=("co2",))
    assert (found["b"].type_name, found["b"].bounds) == ("int or null", "1 <= x <= 9")
    assert defaults(Thing) == {"b": None, "c": "x", "part": Part(), "inner": "lif", "file": "co2"}


def test_the_model_is_strict_and_closed() -> None:
    model = params_model(Thing)
    assert params_model(Thing) is model
    assert model(a=1.0).model_dump()["c"] == "x"
    for bad in ({}, {"a": 0.0}, {"a": "1"}, {"a": 1.0, "z": 1}, {"a": float("nan")}, {"a": 1.0, "b": 10}):
        with pytest.raises(ValidationError):
            model(**bad)


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        (float, "float"),
        (Annotated[int, Ge(1)] | None, "int or null"),
        (bool, "true or false"),
        (str, "text"),
        (Literal["a", "b"], "one of a, b"),
        (list[str], "list of text"),
        (list[Literal["a", "b"]], "list from a, b"),
        (tuple[float, float], "list of float"),
        (dict[str, int], "mapping"),
        (Part, "mapping of share, name"),
        (EarlyStop, "mapping of metric, mode, patience"),
        (Any, "anything"),
        (float | int, "float or int"),
    ],
)
def test_types_in_words(annotation: Any, words: str) -> None:
    assert type_name(annotation) == words


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        (float, ""),
        (Annotated[float, Gt(1.0)], "> 1"),
        (Annotated[float, Ge(0), Lt(1)], "0 <= x < 1"),
        (Annotated[float, Gt(-1), Le(1e-6)], "-1 < x <= 1e-06"),
        (Annotated[int, MultipleOf(8)], "multiple of 8"),
        (Annotated[int, Ge(1)] | None, ">= 1"),
        (Annotated[float, Gt(0), Lt(1)] | Annotated[int, Ge(1)], "0 < x < 1 or >= 1"),
    ],
)
def test_bounds_in_words(annotation: Any, words: str) -> None:
    assert bounds_text(annotation) == words


def test_each_member_of_a_union_stands_with_its_own_bounds() -> None:
    share = Annotated[float, Gt(0), Lt(1)] | Annotated[int, Ge(1)] | None
    assert bounded_type(share) == "float 0 < x < 1 or int >= 1 or null"
    assert bounded_type(list[int] | None) == "list of int or null"


def test_members_keep_their_bounds() -> None:
    assert bounds_text(members(Part)["share"]) == "> 0"
    assert bounds_text(members(Train)["average"]) == "0 <= x < 1"
    assert bounds_text(members(EarlyStop)["patience"]) == ">= 1"
    assert members(float) == {}
    assert is_optional(members(EarlyStop)["patience"])


def test_a_docstring_in_parts() -> None:
    doc = read_doc(Thing)
    assert doc.summary == "One sentence over two lines."
    assert doc.details == "More of it."
    assert doc.equation == "y = a * x\n  + b"
    assert doc.shape == "[B] -> [B]."
    assert doc.source == "somewhere, on two lines."


def test_a_missing_docstring_is_empty() -> None:
    def bare() -> None: ...

    assert read_doc(bare).summary == ""
    assert read_doc(bare).args == {}
