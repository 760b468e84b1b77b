"""The constructor signature as the schema."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

import pytest
from annotated_types import Ge, Gt, Le, Lt, MultipleOf
from pydantic import ValidationError

from snnctl.core.docs import read_doc
from snnctl.core.registry import Slot, SourcePath
from snnctl.core.signature import (
    bounded_type,
    bounds_text,
    defaults,
    is_optional,
    knobs,
    members,
    params_model,
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
