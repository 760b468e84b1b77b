"""Interleaved timing: every engine of a case in every round, in turn, so that a slow moment of the machine hits all.

Ratios are taken round by round and their median is reported: what slows a whole round cancels.
"""

from __future__ import annotations

import gc
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from time import perf_counter
from typing import Any, Literal, NamedTuple

from torch import Tensor

Clock = Callable[[], float]
OURS = "snnctl"
Pass = Literal["forward", "forward+backward", "training step"]


@dataclass
class Contender:
    """One way to do a case.

    Args:
        engine: `snnctl`, `reference`, `dense`, `spikingjelly` or `snntorch`.
        call: does it once (or `Case.calls` times).
        precision: `fp32` or `bf16`.
        kept: parameters and buffers, which are there with or without a backward pass and are not counted.
        facts: further columns of the row, asked for once and untimed.
    """

    engine: str
    call: Callable[[], object]
    precision: str = "fp32"
    kept: Sequence[Tensor] = ()
    facts: Callable[[], dict[str, Any]] = dict

    @property
    def label(self) -> str:
        """Engine and precision."""
        return f"{self.engine} {self.precision}"


@dataclass(frozen=True)
class Case:
    """What is timed.

    Args:
        name, shape, passes: say what it is in every row; `shape` is that of the input.
        build: makes inputs and networks, all engines with the same values.
        calls: how often one timed call repeats the work; times are divided by it.
    """

    name: str
    shape: tuple[int, ...]
    passes: Pass
    build: Callable[[], list[Contender]]
    calls: int = 1

    @property
    def head(self) -> dict[str, Any]:
        """The columns that name it."""
        return {"case": self.name, "shape": list(self.shape), "pass": self.passes}


class Effort(NamedTuple):
    """How many rounds.

    Args:
        rounds: exactly so many; None takes as many as fit into `seconds` per case, at least `least`, at most `most`.
    """

    rounds: int | None = None
    seconds: float = 10.0
    least: int = 7
    most: int = 60

    def rounds_for(self, round_seconds: float) -> int:
        """Rounds of a case whose round takes so long."""
        if self.rounds is not None:
            return self.rounds
        return min(self.most, max(self.least, math.floor(self.seconds / max(round_seconds, 1e-9))))


def time_round(contenders: Sequence[Contender], number: int, clock: Clock = perf_counter) -> list[float]:
    """Seconds of each contender in one round; round `number` begins with contender `number` and goes around."""
    count = len(contenders)
    found = [math.nan] * count
    for place in range(count):
        index = (number + place) % count
        begun = clock()
        contenders[index].call()
        found[index] = clock() - begun
    return found


@contextmanager
def no_collection() -> Iterator[Callable[[], object]]:
    """Garbage is collected only when the function that is given is called: between rounds, not within them."""
    enabled = gc.isenabled()
    gc.collect()
    gc.freeze()  # what lives now is not looked at again
    gc.disable()
    try:
        yield gc.collect
    finally:
        gc.unfreeze()
        if enabled:
            gc.enable()


def summary(seconds: Sequence[float], calls: int) -> dict[str, Any]:
    """Columns of a row from the seconds of each round."""
    return {
        "median_ms": 1e3 * median(seconds) / calls,
        "min_ms": 1e3 * min(seconds) / calls,
        "rounds": len(seconds),
    }


def ratios(contenders: Sequence[Contender], rounds: Sequence[Sequence[float]]) -> list[dict[str, Any]]:
    """How many times as long as snnctl each other engine takes, at the same precision.

    `ratio` is the median of the ratios of the single rounds, `ratio_of_medians` what the rows give.
    """
    ours = {c.precision: i for i, c in enumerate(contenders) if c.engine == OURS}
    found = []
    for i, contender in enumerate(contenders):
        if contender.engine == OURS or contender.precision not in ours:
            continue
        own = ours[contender.precision]
        found.append(
            {
                "against": contender.engine,
                "ratio": median(seconds[i] / seconds[own] for seconds in rounds),
                "ratio_of_medians": median(s[i] for s in rounds) / median(s[own] for s in rounds),
                "precision": contender.precision,
            }
        )
    return found
