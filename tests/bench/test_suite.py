"""A measurement as a whole: what is in its rows, what is left out, and what Ctrl-C leaves."""

import itertools
import warnings

import pytest

from snnctl.bench.case import Case, Contender, Effort
from snnctl.bench.suite import Progress, run_suite

ROW = {"case", "shape", "pass", "engine", "threads", "median_ms", "saved_bytes", "peak_bytes"}
RATIO = {"case", "shape", "pass", "against", "ratio"}


def case(name: str, *contenders: Contender) -> Case:
    return Case(name, (2, 3), "forward", lambda: list(contenders))


@pytest.mark.slow
def test_rows_and_ratios_of_every_case() -> None:
    told: list[Progress] = []
    ours = Contender("snnctl", list, facts=lambda: {"rates": [0.1]})
    found = run_suite([case("a", ours, Contender("reference", list)), case("b", ours)], Effort(2), told.append)
    assert [(row["case"], row["engine"]) for row in found.rows] == [
        ("a", "snnctl"),
        ("a", "reference"),
        ("b", "snnctl"),
    ]
    for row in found.rows:
        assert set(row) >= ROW | {"precision", "min_ms", "rounds", "first_call_ms"}
        assert (row["rounds"], row["saved_bytes"], row["peak_bytes"]) == (2, 0, 0)
    assert found.rows[0]["rates"] == [0.1]
    (ratio,) = found.ratios
    assert set(ratio) >= RATIO
    assert (ratio["case"], ratio["shape"], ratio["pass"], ratio["against"]) == ("a", [2, 3], "forward", "reference")
    assert [stand.stage for stand in told] == ["trying"] * 2 + (["timing"] * 3 + ["done"]) * 2
    assert told[-1].seconds_left == 0
    assert told[2].seconds_left is not None


def broken() -> None:
    raise TypeError("no such\nshape")


def test_a_library_that_fails_is_left_out_with_a_note() -> None:
    found = run_suite([case("a", Contender("snnctl", list), Contender("snntorch", broken, "bf16"))], Effort(1))
    assert [row["engine"] for row in found.rows] == ["snnctl"]
    assert found.notes == ["a: no snntorch bf16 row, it fails: TypeError: no such shape"]


def test_our_own_failures_are_not_hidden() -> None:
    with pytest.raises(TypeError, match="no such"):
        run_suite([case("a", Contender("reference", broken))], Effort(1))


def test_ctrl_c_keeps_what_has_been_measured() -> None:
    calls = 0

    def work() -> None:
        nonlocal calls
        calls += 1
        if calls == 9:
            raise KeyboardInterrupt

    # First call, two for memory, a round; then two to warm up and the counted rounds.
    ticks = itertools.count()
    found = run_suite([case("a", Contender("snnctl", work))], Effort(rounds=50), clock=lambda: float(next(ticks)))
    assert found.interrupted
    assert [row["rounds"] for row in found.rows] == [2]


def test_rounds_that_still_get_faster_are_not_counted() -> None:
    now = 0.0
    seconds = iter([1, 1, 1, 9, 9, 7, 5, 2, 2, 2, 3, 2, 8])  # trial: four; then warming up until 2 follows on 2

    def work() -> None:
        nonlocal now
        now += next(seconds)

    found = run_suite([case("a", Contender("snnctl", work))], Effort(rounds=4), clock=lambda: now)
    (row,) = found.rows
    assert (row["median_ms"], row["min_ms"], row["rounds"]) == (2500, 2000, 4)
    assert found.notes == []


def test_unsteady_times_are_noted() -> None:
    now = 0.0
    seconds = iter([1, 1, 1, 1, 1, 1, 1, 3, 3])

    def work() -> None:
        nonlocal now
        now += next(seconds)

    found = run_suite([case("a", Contender("snnctl", work))], Effort(rounds=3), clock=lambda: now)
    (note,) = found.notes
    assert note.startswith("a forward: unsteady, a median is 3.0 times its minimum")


@pytest.mark.slow
def test_warnings_of_other_libraries_are_kept_back() -> None:
    def warn() -> None:
        warnings.warn("deprecated", stacklevel=1)

    run_suite([case("a", Contender("spikingjelly", warn))], Effort(1))
