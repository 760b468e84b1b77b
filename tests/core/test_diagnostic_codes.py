"""The table of codes and the code that raises them tell of the same."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

import snnctl
from snnctl.core.codes import codes
from snnctl.core.diagnostic import Diagnostic

PACKAGE = Path(snnctl.__file__).parent
CODE = re.compile(r"[RDEU]\d{3}")


@cache
def raised() -> frozenset[str]:
    """Codes that stand as strings of their own in the package."""
    found = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and CODE.fullmatch(node.value):
                found.add(node.value)
    return frozenset(found)


def test_every_code_is_raised_and_every_raised_code_is_in_the_table() -> None:
    assert set(codes()) == set(raised())


@pytest.mark.parametrize("code", codes())
def test_each_says_what_why_and_what_to_do(code: str) -> None:
    entry = codes()[code]
    for said in (entry.text, entry.cause, entry.way_out):
        assert said == said.strip() != ""
        assert not said.endswith(".")


def test_they_stand_in_order() -> None:
    families = "RDEU"
    assert list(codes()) == sorted(codes(), key=lambda code: (families.index(code[0]), code))


def test_a_message_is_the_text_with_facts_unless_it_is_given() -> None:
    assert Diagnostic("U416", facts={"target": "x"}).message == "`x` exists"
    assert Diagnostic("U416", "said otherwise").message == "said otherwise"
    with pytest.raises(KeyError, match="target"):
        Diagnostic("U416")


def test_a_plug_in_may_have_codes_of_its_own() -> None:
    assert Diagnostic("X001", "its own words").message == "its own words"
