"""Runs cases: each once to learn what it costs, then all of them in earnest."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import torch

from snnctl.bench.memory import peak_bytes, saved_bytes
from snnctl.bench.timing import Case, Clock, Contender, Effort, no_collection, ratios, summary, time_round

PEERS = ("spikingjelly", "snntorch")


@dataclass(frozen=True)
class Progress:
    """Where the measurement stands.

    Args:
        stage: `trying` (each case once, for memory and a forecast), `timing`, or `done` with a case.
        text: the case.
        done, total: cases while trying, seconds expected while timing.
        seconds_left: None while it is not known.
    """

    stage: str
    text: str
    done: float
    total: float
    seconds_left: float | None = None


Tell = Callable[[Progress], None]


@dataclass
class Found:
    """What was measured; `interrupted` if Ctrl-C ended it early."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    ratios: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    interrupted: bool = False


@dataclass
class _Trial:
    """What one call of each contender has shown."""

    facts: dict[str, dict[str, Any]]
    round_seconds: float
    rounds: int


def run_suite(cases: Sequence[Case], effort: Effort, tell: Tell = lambda _: None, clock: Clock = perf_counter) -> Found:
    """Measure `cases`.

    Each is first tried: first call, memory, one round from which the time is forecast. A library that fails there
    is left out of the case, with a note. Then each is built again and timed, after an uncounted round.
    """
    found = Found()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # those of other libraries; the figures are about time
        try:
            trials = []
            for number, case in enumerate(cases):
                tell(Progress("trying", _label(case), number, len(cases)))
                trials.append(_try(case, effort, found, clock))
                gc.collect()
            for number in range(len(cases)):
                _time(cases, trials, number, found, tell, clock)
                gc.collect()
        except KeyboardInterrupt:
            found.interrupted = True
    return found


def _label(case: Case) -> str:
    return f"{case.name} {case.passes}"


def _try(case: Case, effort: Effort, found: Found, clock: Clock) -> _Trial:
    contenders = case.build()
    facts: dict[str, dict[str, Any]] = {}
    for contender in contenders:
        try:
            begun = clock()
            contender.call()
            first = clock() - begun
            facts[contender.label] = {
                "saved_bytes": saved_bytes(contender.call, contender.kept),
                "peak_bytes": peak_bytes(contender.call),
                "first_call_ms": 1e3 * first,
                **contender.facts(),
            }
        except Exception as error:
            if contender.engine not in PEERS:
                raise
            reason = " ".join(f"{type(error).__name__}: {error}".split())[:160]
            found.notes.append(f"{case.name}: no {contender.label} row, it fails: {reason}")
    able = [c for c in contenders if c.label in facts]
    seconds = sum(time_round(able, 0, clock))
    return _Trial(facts, seconds, effort.rounds_for(seconds))


def _time(cases: Sequence[Case], trials: Sequence[_Trial], number: int, found: Found, tell: Tell, clock: Clock) -> None:
    case, trial = cases[number], trials[number]
    total = sum(t.round_seconds * (t.rounds + 1) for t in trials)
    before = sum(t.round_seconds * (t.rounds + 1) for t in trials[:number])
    after = sum(t.round_seconds * (t.rounds + 1) for t in trials[number + 1 :])
    contenders = [c for c in case.build() if c.label in trial.facts]
    rounds: list[list[float]] = []
    round_seconds = trial.round_seconds
    try:
        with no_collection() as collect:
            for counted in range(trial.rounds + 1):
                left = (trial.rounds + 1 - counted) * round_seconds + after
                tell(Progress("timing", _label(case), before + counted * trial.round_seconds, total, left))
                seconds = time_round(contenders, counted, clock)
                round_seconds = sum(seconds)
                if counted:  # the first round only warms up
                    rounds.append(seconds)
                collect()
    finally:
        if rounds:
            found.rows += _rows(case, contenders, trial, rounds)
            found.ratios += [{**case.head, **ratio} for ratio in ratios(contenders, rounds)]
            tell(Progress("done", f"{_label(case)}  {len(rounds)} rounds", total - after, total, after))


def _rows(
    case: Case, contenders: Sequence[Contender], trial: _Trial, rounds: Sequence[Sequence[float]]
) -> list[dict[str, Any]]:
    found = []
    for i, contender in enumerate(contenders):
        facts = dict(trial.facts[contender.label])
        facts["first_call_ms"] /= case.calls
        found.append(
            {
                **case.head,
                "engine": contender.engine,
                "precision": contender.precision,
                "threads": torch.get_num_threads(),
                **summary([seconds[i] for seconds in rounds], case.calls),
                **facts,
            }
        )
    return found
