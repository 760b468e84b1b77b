"""Runs cases, each once to learn what it costs, then all of them in earnest; and the document of what was found."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from time import perf_counter
from typing import Any

import torch

from snnctl.bench.case import (
    PEERS,
    Case,
    Clock,
    Contender,
    Effort,
    no_collection,
    peak_bytes,
    ratios,
    saved_bytes,
    summary,
    time_round,
)
from snnctl.bench.peers import absent
from snnctl.engine.environment import environment, keep_freed_memory

_MOST_WARM_UPS = 8
_STEADY = 0.8  # a round that takes less than this share of the one before shows that warming up goes on
_UNSTEADY = 2.0  # median over minimum


@dataclass(frozen=True)
class Progress:
    """Where the measurement stands."""

    stage: str  # `trying` (each case once, for memory and a forecast), `timing`, or `done` with a case
    text: str  # the case
    # done, total: cases while trying, seconds expected while timing
    done: float
    total: float
    seconds_left: float | None = None  # None while it is not known


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
    facts: dict[str, dict[str, Any]]
    expected: float  # seconds of warm-up and counted rounds


def run_suite(cases: Sequence[Case], effort: Effort, tell: Tell = lambda _: None, clock: Clock = perf_counter) -> Found:
    """Measure `cases`.

    Each is first tried: first call, memory, one round from which the time is forecast. A library that fails there
    is left out of the case, with a note. Then each is built again, warmed up and timed.
    """
    found = Found()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # those of other libraries; the figures are about time
        try:
            trials = []
            for number, case in enumerate(cases):
                tell(Progress("trying", case.label, number, len(cases)))
                trials.append(_try(case, effort, found, clock))
                gc.collect()
            for number in range(len(cases)):
                _time(cases, trials, number, found, tell, clock, effort)
                gc.collect()
        except KeyboardInterrupt:
            found.interrupted = True
    return found


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
                "first_call_ms": 1e3 * first / case.calls,
                **contender.facts(),
            }
        except Exception as error:
            if contender.engine not in PEERS:
                raise
            reason = " ".join(f"{type(error).__name__}: {error}".split())[:160]
            found.notes.append(f"{case.name}: no {contender.label} row, it fails: {reason}")
    able = [c for c in contenders if c.label in facts]
    seconds = sum(time_round(able, 0, clock))
    return _Trial(facts, seconds * (2 + effort.rounds_for(seconds)))


def _time(
    cases: Sequence[Case], trials: Sequence[_Trial], number: int, found: Found, tell: Tell, clock: Clock, effort: Effort
) -> None:
    case, trial = cases[number], trials[number]
    before = sum(t.expected for t in trials[:number])
    after = sum(t.expected for t in trials[number + 1 :])
    contenders = [c for c in case.build() if c.label in trial.facts]
    rounds: list[list[float]] = []

    def stand(done: float, left: float) -> None:
        tell(Progress("timing", case.label, before + done, before + done + left + after, left + after))

    stand(0.0, trial.expected)
    try:
        with no_collection() as collect:
            warm, spent = _warm_up(contenders, clock, collect)
            wanted = effort.rounds_for(warm)
            for counted in range(wanted):
                stand(spent, (wanted - counted) * warm)
                rounds.append(time_round(contenders, counted, clock))
                spent += sum(rounds[-1])
                collect()
    finally:
        if rounds:
            rows = _rows(case, contenders, trial, rounds)
            found.rows += rows
            found.ratios += [{**case.head, **ratio} for ratio in ratios(contenders, rounds)]
            worst = max(row["median_ms"] / max(row["min_ms"], 1e-9) for row in rows)
            if worst >= _UNSTEADY:
                said = f"a median is {worst:.1f} times its minimum; the machine is busy, measure again"
                found.notes.append(f"{case.label}: unsteady, {said}")
            done = before + spent
            tell(Progress("done", f"{case.label}  {len(rounds)} rounds", done, done + after, after))


def _warm_up(contenders: Sequence[Contender], clock: Clock, collect: Callable[[], object]) -> tuple[float, float]:
    """Uncounted rounds, at least two, until they no longer get faster; seconds of the last one and of all.

    Memory that is new to the process, or to a virtual machine, is slow to the first that touch it.
    """
    seconds = [sum(time_round(contenders, 0, clock))]
    while len(seconds) < _MOST_WARM_UPS:
        collect()
        seconds.append(sum(time_round(contenders, len(seconds), clock)))
        if seconds[-1] > _STEADY * seconds[-2]:
            break
    return seconds[-1], sum(seconds)


def _rows(
    case: Case, contenders: Sequence[Contender], trial: _Trial, rounds: Sequence[Sequence[float]]
) -> list[dict[str, Any]]:
    return [
        {
            **case.head,
            "engine": contender.engine,
            "precision": contender.precision,
            "threads": torch.get_num_threads(),
            **summary([seconds[i] for seconds in rounds], case.calls),
            **trial.facts[contender.label],
        }
        for i, contender in enumerate(contenders)
    ]


def document(found: Found, notes: Sequence[str], *, peers: bool) -> dict[str, Any]:
    """What `snnctl bench --json` prints: what was found, with `notes` of the caller before ours.

    Where other libraries were asked for, `peers`, their absence is worth a note.
    """
    every = [*notes, *found.notes, *(absent() if peers else [])]
    if found.interrupted:
        every.append("interrupted: the last case has fewer rounds, later cases are missing")
    if any(row["precision"] == "bf16" for row in found.rows) and not has_bf16_units():
        every.append("this CPU has no bf16 matrix units (amx_bf16): bf16 products may be slower than fp32")
    every.append(
        "saved: what autograd keeps for the backward pass, the input included, parameters not; "
        "peak: most that torch holds at a time above the start of the call"
    )
    return {
        "environment": environment(),
        "peers": {name: _version(name) for name in PEERS},
        "allocator": "keeps freed memory" if keep_freed_memory() else "as the C library has it",
        "rows": found.rows,
        "ratios": found.ratios,
        "notes": every,
        "interrupted": found.interrupted,
    }


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def has_bf16_units(cpuinfo: str = "/proc/cpuinfo") -> bool:
    """Whether the CPU multiplies bfloat16 matrices in hardware; assumed where the system does not say."""
    try:
        with open(cpuinfo, encoding="utf-8") as file:
            flags = [line for line in file if line.startswith("flags")]
    except OSError:
        return True
    return not flags or "amx_bf16" in flags[0].split()
