"""Rounds take turns, and ratios are taken round by round."""

import gc
from statistics import median

import pytest

from snnctl.bench.case import Case, Contender, Effort, no_collection, ratios, summary, time_round


class FakeClock:
    """Time passes only when someone works."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def workers(clock: FakeClock, plans: dict[str, list[float]]) -> tuple[list[Contender], list[str]]:
    """One contender per engine, which takes the planned seconds, and the order in which they are called."""
    calls: list[str] = []

    def worker(name: str, plan: list[float]) -> Contender:
        left = iter(plan)

        def work() -> None:
            calls.append(name)
            clock.now += next(left)

        return Contender(name, work)

    return [worker(name, plan) for name, plan in plans.items()], calls


def test_each_round_begins_with_another_engine() -> None:
    clock = FakeClock()
    contenders, calls = workers(clock, {name: [1.0] * 3 for name in ("snnctl", "reference", "snntorch")})
    for number in range(3):
        time_round(contenders, number, clock)
    assert calls == [
        *("snnctl", "reference", "snntorch"),
        *("reference", "snntorch", "snnctl"),
        *("snntorch", "snnctl", "reference"),
    ]


def test_seconds_belong_to_the_engine_wherever_it_stands_in_the_round() -> None:
    clock = FakeClock()
    contenders, _ = workers(clock, {"snnctl": [1.0, 2.0], "reference": [3.0, 4.0]})
    assert time_round(contenders, 0, clock) == [1.0, 3.0]
    assert time_round(contenders, 1, clock) == [2.0, 4.0]


def test_the_ratio_is_the_median_of_the_ratios_of_the_rounds() -> None:
    own, other = [1.0, 10.0, 4.0], [3.0, 20.0, 4.0]
    rounds = list(zip(own, other, strict=True))
    (found,) = ratios([Contender("snnctl", int), Contender("spikingjelly", int)], rounds)
    assert found == {
        "against": "spikingjelly",
        "ratio": median([3.0, 2.0, 1.0]),
        "ratio_of_medians": 4.0 / 4.0,
        "precision": "fp32",
    }


def test_ratios_compare_the_same_precision_only() -> None:
    contenders = [
        Contender("snnctl", int),
        Contender("snnctl", int, "bf16"),
        Contender("spikingjelly", int, "bf16"),
        Contender("snntorch", int, "fp16"),
    ]
    (found,) = ratios(contenders, [[1.0, 2.0, 8.0, 9.0]])
    assert (found["against"], found["precision"], found["ratio"]) == ("spikingjelly", "bf16", 4.0)


def test_times_are_per_call() -> None:
    assert summary([0.2, 0.1, 0.6], 10) == {"median_ms": 20.0, "min_ms": 10.0, "rounds": 3}


@pytest.mark.parametrize(
    ("effort", "round_seconds", "rounds"),
    [
        (Effort(rounds=4), 100.0, 4),
        (Effort(seconds=10.0, least=7, most=60), 1.0, 10),
        (Effort(seconds=10.0, least=7, most=60), 5.0, 7),
        (Effort(seconds=10.0, least=7, most=60), 0.0, 60),
    ],
)
def test_rounds_fit_into_the_budget_but_are_never_too_few(effort: Effort, round_seconds: float, rounds: int) -> None:
    assert effort.rounds_for(round_seconds) == rounds


def test_garbage_waits_for_the_end_of_a_round() -> None:
    assert gc.isenabled()
    with no_collection() as collect:
        assert not gc.isenabled()
        collect()
        assert gc.get_freeze_count() > 0
    assert gc.isenabled()
    assert gc.get_freeze_count() == 0


def test_a_case_names_itself_in_every_row() -> None:
    case = Case("tokens", (4, 2, 3), "forward", list)
    assert case.head == {"case": "tokens", "shape": [4, 2, 3], "pass": "forward"}
