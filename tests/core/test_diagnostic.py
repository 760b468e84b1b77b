"""Diagnostics: exit codes, suggestions, the three forms."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snnctl.core.diagnostic import (
    Diagnostic,
    DiagnosticError,
    ExitCode,
    choices,
    did_you_mean,
    exit_code_of,
    nearest,
    printable,
)


def test_recipe_errors_win_over_data_errors_and_those_over_run_errors() -> None:
    recipe, data, training = Diagnostic("R201", ""), Diagnostic("D101", ""), Diagnostic("E401", "")
    assert exit_code_of([]) == ExitCode.DONE
    assert exit_code_of([training]) == ExitCode.TRAINING
    assert exit_code_of([training, data]) == ExitCode.DATA
    assert exit_code_of([training, data, recipe]) == ExitCode.USAGE
    assert exit_code_of([training, Diagnostic("E410", "")]) == ExitCode.DATA
    assert exit_code_of([Diagnostic("U400", "")]) == ExitCode.USAGE
    assert exit_code_of([Diagnostic("R114", "", severity="warning"), data]) == ExitCode.DATA
    assert exit_code_of([Diagnostic("X1", "")]) == ExitCode.INTERNAL


def test_exit_codes_are_the_published_ones() -> None:
    assert [int(code) for code in ExitCode] == [0, 1, 2, 3, 4, 70, 75]


def test_places() -> None:
    assert Diagnostic("R1", "", file="a.yaml", line=3, column=7).place() == "a.yaml:3:7"
    assert Diagnostic("D1", "", file="a.csv", line=3).place() == "a.csv:3"
    assert Diagnostic("R1", "", file="a.yaml").place() == "a.yaml"
    assert Diagnostic("R1", "", file="a.yaml", line=3, override="--set x=1").place() == "--set x=1"
    assert Diagnostic("R1", "").place() == ""


def test_a_place_is_given_only_to_what_has_none() -> None:
    assert Diagnostic("R1", "").at("a.yaml").file == "a.yaml"
    assert Diagnostic("R1", "", file="b.csv").at("a.yaml").file == "b.csv"
    assert Diagnostic("R1", "", override="--set x").at("a.yaml").file == ""


def test_one_line_for_logs() -> None:
    found = Diagnostic("R201", "unknown key `tua`", file="a.yaml", line=3, column=7, notes=("n",), help="tau")
    assert found.to_line() == "a.yaml:3:7: error[R201]: unknown key `tua`; note: n; help: tau"
    assert str(DiagnosticError([found, Diagnostic("E1", "x")])) == f"{found.to_line()}\nerror[E1]: x"


def test_the_public_form_has_nulls_for_what_is_unknown() -> None:
    assert Diagnostic("E1", "x").to_json() == {
        "code": "E1",
        "severity": "error",
        "message": "x",
        "file": None,
        "line": None,
        "column": None,
        "path": None,
        "help": None,
    }


@pytest.mark.parametrize(
    ("word", "near"), [("tua", "tau"), ("TAU", "tau"), ("v_treshold", "v_threshold"), ("zzz", ""), ("", "")]
)
def test_the_nearest_name(word: str, near: str) -> None:
    assert nearest(word, ["tau", "v_threshold", "reset"]) == near


def test_of_equals_the_first_is_the_nearest() -> None:
    assert nearest("etth", ["etth1", "etth2"]) == "etth1"
    assert nearest("etth", []) == ""


def test_help_names_the_nearest_and_then_all() -> None:
    assert did_you_mean("lif2", ["if", "lif"]) == "did you mean `lif`?"
    assert choices("lif2", ["if", "lif"]) == "did you mean `lif`?  allowed: if, lif"
    assert choices("x", ["if", "lif"]) == "allowed: if, lif"
    assert choices("x", []) == ""


@given(st.text(alphabet=st.characters(codec=None), max_size=50), st.integers(3, 20))
def test_messages_are_printable_and_bounded(text: str, longest: int) -> None:
    found = printable(text, longest)
    assert found.isprintable()
    found.encode()  # no half of a surrogate pair is left
    assert len(found) <= 10 * longest  # an escape such as \U0001f9e0 takes ten
    if text.isprintable() and len(text) <= longest:
        assert found == text


def test_messages_do_not_carry_what_they_quote_into_the_terminal() -> None:
    found = Diagnostic("R201", "unknown key `\x1b[2J`" + "x" * 1000, override="--set \x07=1")
    assert found.message.startswith("unknown key `\\x1b[2J`xxx")
    assert len(found.message) <= 404
    assert found.override == "--set \\x07=1"
