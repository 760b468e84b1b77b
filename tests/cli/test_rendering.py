"""How diagnostics look: the line itself, the culprit underlined, nothing of the file let loose on the terminal."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from snnctl.core.diagnostic import Diagnostic, ExitCode
from snnctl.ui.diagnostics import render, show_verdicts
from snnctl.ui.words import duration, figure, joules, rate, size


def drawn(*diagnostics: Diagnostic, code: ExitCode | None = None) -> str:
    stream = io.StringIO()
    render(Console(file=stream, width=60, highlight=False), diagnostics, code)
    return stream.getvalue()


def at(file: Path, line: int, column: int, length: int = 1, message: str = "wrong") -> Diagnostic:
    return Diagnostic("R200", message, file=str(file), line=line, column=column, length=length)


def test_the_culprit_is_underlined(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text("a: 1\nmodel: {tua: 2}\n")
    lines = drawn(at(file, 2, 9, 3)).splitlines()
    assert lines == [
        "error[R200]: wrong",
        f"  --> {file}:2:9",
        "   |",
        " 2 | model: {tua: 2}",
        "   |         ^^^",
    ]


def test_wide_characters_take_two_columns(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text("名前: x\n")
    assert drawn(at(file, 1, 5)).splitlines()[-1] == "   |       ^"  # two wide characters, a colon, a blank


def test_long_line_numbers_widen_the_margin(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text("\n" * 12344 + "a: 1\n")
    lines = drawn(at(file, 12345, 1)).splitlines()
    assert lines[3] == "12345 | a: 1"
    assert lines[4] == "      | ^"


def test_a_caret_stays_within_its_line(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text("a: 1\n")
    assert drawn(at(file, 1, 4, length=500)).splitlines()[-1] == "   |    ^"


@pytest.mark.parametrize("content", [b"a: \x1b[31m\n", b"a: " + b"x" * 200 + b"\n", b"\xff\xfe\n", b""])
def test_lines_that_cannot_be_shown_are_left_out(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_bytes(content)
    assert drawn(at(file, 1, 4)).splitlines() == ["error[R200]: wrong", f"  --> {file}:1:4"]


def test_markup_and_escapes_in_messages_are_text() -> None:
    found = drawn(Diagnostic("R1", "[bold]x[/nope] :warning: \x1b[2J", help="\x07bell", file="a\x1b[1m.yaml"))
    assert "[bold]x[/nope] :warning: \\x1b[2J" in found
    assert "help: \\x07bell" in found
    assert "\x1b" not in found


def test_errors_are_counted_and_warnings_are_not() -> None:
    warning = Diagnostic("R114", "careful", severity="warning")
    assert drawn(warning, Diagnostic("R1", "a"), code=ExitCode.USAGE).endswith("1 error (exit 2)\n")
    assert drawn(Diagnostic("R1", "a"), Diagnostic("R1", "b"), code=ExitCode.USAGE).endswith("2 errors (exit 2)\n")
    assert drawn(warning) == "warning[R114]: careful\n"


def test_only_the_first_of_very_many_are_shown() -> None:
    found = drawn(*(Diagnostic("R1", f"problem {i}") for i in range(30)), code=ExitCode.USAGE)
    assert "problem 19" in found
    assert "problem 20" not in found
    assert found.endswith("and 10 more; --json lists all\n30 errors (exit 2)\n")


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.04, "0.0 s"),
        (9.94, "9.9 s"),
        (12.4, "12 s"),
        (125, "2 min 05 s"),
        (4320, "1 h 12 min"),
        (86400, "24 h 00 min"),
        (604800, "7 d"),
        (180000, "2 d 2 h"),
        (float("nan"), "-"),
        (float("inf"), "-"),
    ],
)
def test_durations(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_sizes_and_figures() -> None:
    assert [size(n) for n in (0, 999, 3.4e6, 2.5e10, 7e15)] == ["0 B", "999 B", "3.4 MB", "25.0 GB", "7000.0 TB"]
    assert [figure(x) for x in (None, float("nan"), 0.123456, 12345.6)] == ["-", "-", "0.1235", "1.235e+04"]


@pytest.mark.parametrize(("per_second", "shown"), [(1234.5, "1,234"), (10.0, "10"), (3.44, "3.4"), (0.052, "0.052")])
def test_rates(per_second: float, shown: str) -> None:
    assert rate(per_second) == shown
    assert rate(float("nan")) == "-"


def test_advice_that_layers_share_is_given_once() -> None:
    stream = io.StringIO()
    cases = [
        ("E501", "layer `a` is silent", "raise it"),
        ("E501", "layer `b` is silent", "raise it"),
        ("E502", "c", "lower [it]"),
    ]
    verdicts = [dict(zip(("code", "message", "help"), case, strict=True)) for case in cases]
    show_verdicts(Console(file=stream, width=60, highlight=False), verdicts)
    assert stream.getvalue().splitlines() == [
        "E501 layer `a` is silent",
        "E501 layer `b` is silent",
        "     = help: raise it",
        "E502 c",
        "     = help: lower [it]",
    ]


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [(1.2344e-6, 4, "1.234 µJ"), (3.7e-10, 2, "370 pJ"), (-2.84e-6, 3, "-2.84 µJ"), (0.0, 4, "0 pJ"), (None, 4, "-")],
)
def test_joules_are_read_in_their_unit(value: float | None, digits: int, text: str) -> None:
    assert joules(value, digits) == text
