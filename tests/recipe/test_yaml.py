"""Reading YAML: the scalars of version 1.2, positions of keys and values, and the way back."""

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snnctl.core.diagnostic import DiagnosticError
from snnctl.recipe.resolve import dump_yaml
from snnctl.recipe.scalars import plain_scalar
from snnctl.recipe.source import parse_value, parse_yaml, path_text

WORDS = r"""
no yes on off n y null ~ true False 1e-3 1. .5 0x1f 0o17 017 1_000 12:30:45 2001-01-01 = << #a &a *a !a %a @a `a
'a' "a" [a {a .inf -.INF .nan ? | > --- ... a\b ünïcode 日本語 🧠
"""
BREAKS = (
    "",
    " ",
    "- a",
    "a: b",
    "a #b",
    "a\nb",
    "a\n",
    "\ta",
    "\x07",
    "\x85",
    "\u2028",
    "? a",
    "x" * 300,
    "word " * 60,
)
TRICKY = [*WORDS.split(), *BREAKS]
KEYS = (st.text(max_size=20) | st.sampled_from(TRICKY)).filter(lambda key: key != "<<")
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.sampled_from(TRICKY),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),  # YAML 1.1 reads text
        ("1.0e-3", 0.001),
        (".5", 0.5),
        ("5.", 5.0),
        ("-1E+2", -100.0),
        ("12", 12),
        ("+12", 12),
        ("-0", 0),
        ("017", 17),  # YAML 1.1 reads 15
        ("0o17", 15),
        ("0x1f", 31),
        ("-.inf", -math.inf),
        ("null", None),
        ("~", None),
        ("", None),
        ("true", True),
        ("FALSE", False),
        ("no", "no"),  # YAML 1.1 reads False
        ("on", "on"),
        ("y", "y"),
        ("1_000", "1_000"),
        ("12:30:45", "12:30:45"),  # YAML 1.1 reads 45045
        ("2001-01-01", "2001-01-01"),
        ("0b11", "0b11"),
        ("1e", "1e"),
        ("e5", "e5"),
        (".", "."),
        ("nan", "nan"),
        ("inf", "inf"),
        ("-.nan", "-.nan"),
        ("nUll", "nUll"),
        ("١٢", "١٢"),  # digits, but not the digits of YAML
        ("12\n", "12\n"),
    ],
)
def test_scalars_of_yaml_1_2(text: str, value: Any) -> None:
    found = plain_scalar(text)
    assert found == value
    assert type(found) is type(value)


def test_nan_is_read_as_nan() -> None:
    found = plain_scalar(".NaN")
    assert isinstance(found, float)
    assert math.isnan(found)


def test_a_very_long_number_is_text() -> None:
    assert plain_scalar("9" * 5000) == "9" * 5000


@given(st.dictionaries(KEYS, PLAIN, max_size=5))
@settings(max_examples=80, deadline=None)
def test_what_is_written_is_read_back(values: dict[str, Any]) -> None:
    assert parse_yaml(dump_yaml(values), "x.yaml").values == values


@pytest.mark.parametrize("text", TRICKY)
def test_tricky_text_comes_back_as_text(text: str) -> None:
    assert parse_yaml(dump_yaml({"key": text, "list": [text]}), "x.yaml").values == {"key": text, "list": [text]}


@given(st.floats(allow_nan=False))
def test_floats_come_back_to_the_bit(value: float) -> None:
    found = parse_yaml(dump_yaml({"x": value}), "x.yaml").values["x"]
    assert math.copysign(1.0, found) == math.copysign(1.0, value)
    assert found == value


@given(st.text(max_size=200))
@settings(max_examples=150, deadline=None)
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        source = parse_yaml(text, "x.yaml")
    except DiagnosticError as error:
        for problem in error.diagnostics:
            assert problem.code.startswith("R1")
            assert problem.line <= text.count("\n") + text.count("\r") + text.count("\x85") + text.count("\u2028") + 2
    else:
        assert isinstance(source.values, dict)


NESTED = """\
# a comment
name: tiny
model:
  neuron: {type: lif, tau: 2.0}
  sizes:
    - 8
    - {width: 16}
"ключ": 'text'
"""


def test_every_key_and_value_knows_its_place() -> None:
    source = parse_yaml(NESTED, "x.yaml")
    keys = {path_text(path): (mark.line, mark.column, mark.length) for path, mark in source.keys.items()}
    assert keys == {
        "name": (2, 1, 4),
        "model": (3, 1, 5),
        "model.neuron": (4, 3, 6),
        "model.neuron.type": (4, 12, 4),
        "model.neuron.tau": (4, 23, 3),
        "model.sizes": (5, 3, 5),
        "model.sizes[1].width": (7, 8, 5),
        "ключ": (8, 1, 6),  # with its quotes
    }
    items = {path_text(path): (mark.line, mark.column, mark.length) for path, mark in source.items.items()}
    assert items["name"] == (2, 7, 4)
    assert items["model.neuron"] == (4, 11, 1)
    assert items["model.neuron.tau"] == (4, 28, 3)
    assert items["model.sizes[0]"] == (6, 7, 1)
    assert items["model.sizes[1].width"] == (7, 15, 2)
    assert items["ключ"] == (8, 9, 6)
    assert items[""] == (2, 1, 1)


def test_a_path_that_stands_nowhere_is_placed_at_what_encloses_it() -> None:
    source = parse_yaml(NESTED, "x.yaml")
    assert source.value_mark(("model", "neuron", "reset")) == source.keys["model", "neuron"]
    assert source.key_mark(("readout", "type")) == source.items[()]


def test_lines_are_counted_over_carriage_returns_and_a_byte_order_mark() -> None:
    from snnctl.recipe.source import decode

    source = parse_yaml(decode(b"\xef\xbb\xbfa: 1\r\nb: 2\r\n", "x.yaml"), "x.yaml")
    assert source.values == {"a": 1, "b": 2}
    assert (source.keys["a",].line, source.keys["a",].column) == (1, 1)
    assert source.keys["b",].line == 2


def test_every_problem_is_reported_at_once() -> None:
    with pytest.raises(DiagnosticError) as caught:
        parse_yaml("a: &x 1\nb: !!int 2\na: 3\nb: 4\n", "x.yaml")
    assert [(d.code, d.line) for d in caught.value.diagnostics] == [
        ("R105", 1),
        ("R105", 2),
        ("R104", 3),
        ("R104", 4),
    ]


def test_a_value_on_the_command_line_is_yaml() -> None:
    assert parse_value("[1, {a: no}, 1e-3]", "--set x") == [1, {"a": "no"}, 0.001]
    assert parse_value("", "--set x") is None
    assert parse_value("'12'", "--set x") == "12"
