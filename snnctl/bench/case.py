"""A case, and what one call of each way to do it costs: time, memory, firing rates.

Timing is interleaved: every engine of a case in every round, in turn, so that a slow moment of the machine hits all.
Ratios are taken round by round and their median is reported: what slows a whole round cancels.
"""

from __future__ import annotations

import gc
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from statistics import median
from time import perf_counter
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd.profiler import profile

from snnctl.neurons.base import SpikingNeuron

Clock = Callable[[], float]
OURS = "snnctl"
PEERS = ("spikingjelly", "snntorch")
_DIGITS = 4  # of firing rates
Pass = Literal["forward", "forward+backward", "training step"]


@dataclass
class Contender:
    """One way to do a case."""

    engine: str  # `snnctl`, `reference`, `dense`, `spikingjelly` or `snntorch`
    call: Callable[[], object]  # does it once (or `Case.calls` times)
    precision: str = "fp32"  # `fp32` or `bf16`
    # parameters and buffers, which are there with or without a backward pass and are not counted
    kept: Sequence[Tensor] = ()
    facts: Callable[[], dict[str, Any]] = dict  # further columns of the row, asked for once and untimed

    @property
    def label(self) -> str:
        return f"{self.engine} {self.precision}"


@dataclass(frozen=True)
class Case:
    """What is timed."""

    # name, shape, passes: say what it is in every row; `shape` is that of the input
    name: str
    shape: tuple[int, ...]
    passes: Pass
    build: Callable[[], list[Contender]]  # makes inputs and networks, all engines with the same values
    calls: int = 1  # how often one timed call repeats the work; times are divided by it

    @property
    def label(self) -> str:
        return f"{self.name} {self.passes}"

    @property
    def head(self) -> dict[str, Any]:
        """The columns that name it."""
        return {"case": self.name, "shape": list(self.shape), "pass": self.passes}


class Effort(NamedTuple):
    """How many rounds."""

    # exactly so many; None takes as many as fit into `seconds` per case, at least `least`, at most `most`
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
    found = [math.nan] * len(contenders)
    for place in range(len(contenders)):
        index = (number + place) % len(contenders)
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


def saved_bytes(call: Callable[[], object], kept: Iterable[Tensor] = ()) -> int:
    """Bytes of the storages that autograd keeps for the backward pass, each counted once.

    The input counts if it is kept: it cannot be freed before. `kept` (parameters, buffers) does not. Custom
    functions are counted as well, as far as they use `save_for_backward`.
    """
    own = {t.untyped_storage()._cdata for t in kept}
    found: dict[int, Any] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in own:
            found[storage._cdata] = storage  # held, so that no later storage gets its address
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        call()
    return sum(storage.nbytes() for storage in found.values())


def peak_bytes(call: Callable[[], object]) -> int:
    """Most bytes that torch holds at a time during `call`, above what it held before.

    Every allocation and release of torch's CPU allocator is recorded and summed up in order. What libraries below
    torch allocate for themselves is not seen.
    """
    with profile(profile_memory=True) as profiled:  # torch.profiler's, which wraps it, first loads all of inductor
        call()
    assert profiled.kineto_results is not None
    events = sorted((e for e in profiled.kineto_results.events() if e.name() == "[memory]"), key=lambda e: e.start_ns())
    level = highest = 0
    for event in events:
        level += event.nbytes()
        highest = max(highest, level)
    return highest


def kept(network: nn.Module) -> list[Tensor]:
    return [*network.parameters(), *network.buffers()]


def firing_rates(network: nn.Module, run: Callable[[], object]) -> list[float]:
    """Mean output of every neuron layer during `run`, in the order of the calls, however often each is called."""
    sums: dict[str, tuple[float, int]] = {}

    def add(name: str, module: nn.Module, inputs: object, output: Any) -> None:
        spikes = output[0] if isinstance(output, tuple) else output
        total, count = sums.get(name, (0.0, 0))
        sums[name] = total + float(spikes.float().mean()), count + 1

    with ExitStack() as stack:
        for name, module in network.named_modules():
            if isinstance(module, SpikingNeuron) or type(module).__name__ in ("LIFNode", "Leaky"):
                stack.enter_context(module.register_forward_hook(partial(add, name)))
        run()
    return [round(total / count, _DIGITS) for total, count in sums.values()]
