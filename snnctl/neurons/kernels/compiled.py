"""Any neuron's step as a kernel: made at the first call, and anew when the neuron has changed; or why there is none."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from types import ModuleType
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from snnctl.neurons.kernels.alike import likeness, recall, remember
from snnctl.neurons.kernels.attributes import Watch
from snnctl.neurons.kernels.choice import chosen, is_plain, is_transformed, llvm_is_there
from snnctl.neurons.kernels.operations import NotCompilableError
from snnctl.neurons.kernels.reference import BatchNorm

log = logging.getLogger("snnctl.kernels")

_PLAIN = (Tensor, nn.Parameter)
_KEPT = 8  # settings of a neuron whose programs are kept


class _Made:
    """What was made of a neuron in one setting: programs by input, or the reasons why there is none."""

    def __init__(self, neuron: nn.Module) -> None:
        self.watch = Watch(neuron)
        self.programs: dict[Any, Any] = {}


_made: WeakKeyDictionary[nn.Module, list[_Made]] = WeakKeyDictionary()


def _current(neuron: nn.Module) -> _Made:
    all_made = _made.get(neuron)
    if all_made is None:
        all_made = _made[neuron] = []
    for place, made in enumerate(all_made):
        if made.watch.unchanged():
            if place:
                all_made.insert(0, all_made.pop(place))
            return made
    all_made.insert(0, _Made(neuron))
    del all_made[_KEPT:]
    return all_made[0]


def program_for(neuron: nn.Module, x: Tensor, dtypes: tuple[torch.dtype, ...] | None) -> Any:
    """The program of a neuron for an input like `x`, or the reason why there is none, a string.

    Args:
        dtypes: of the state that is given; None starts from rest.
    """
    made = _current(neuron)
    key = (x.dtype, x.dim(), x.shape[-1], dtypes)
    found = made.programs.get(key)
    if found is None:
        if not all(is_plain(tensor) for tensor in (*neuron.parameters(), *neuron.buffers())):
            return "a parameter is no plain tensor in the memory of the CPU"  # for now: it is not kept
        found = made.programs[key] = _make(neuron, x, dtypes)
        if isinstance(found, str):
            log.debug("%s runs its definition: %s", type(neuron).__name__, found)
    return found


def _make(neuron: nn.Module, x: Tensor, dtypes: tuple[torch.dtype, ...] | None) -> Any:
    """A program, or the reason why there is none: that of a neuron that is alike, if there was one."""
    from snnctl.neurons.kernels.program import Program  # LLVM is loaded at the first use

    alike = likeness(neuron)
    if alike is None:
        return _made_anew(neuron, x, dtypes)
    key = (alike, x.dtype, x.dim(), x.shape[-1], dtypes)
    known = recall(key, neuron)
    if known is not None:
        return known if isinstance(known, str) else Program(known)
    found = _made_anew(neuron, x, dtypes)
    remember(key, neuron, found if isinstance(found, str) else found.step)
    return found


def _made_anew(neuron: nn.Module, x: Tensor, dtypes: tuple[torch.dtype, ...] | None) -> Any:
    from snnctl.neurons.kernels.check import check
    from snnctl.neurons.kernels.program import Program  # LLVM is loaded at the first use
    from snnctl.neurons.kernels.trace import traced

    like = x[0].detach()

    def make() -> Any:
        with torch.random.fork_rng(devices=[]):
            made = Program(traced(neuron, like, dtypes))
            check(made, neuron, tuple(min(size, 3) for size in like.shape[:-1]) + like.shape[-1:])
            return made

    try:
        # In a thread of its own none of torch's modes and hooks is at work, whoever calls.
        with ThreadPoolExecutor(1) as aside:
            return aside.submit(make).result()
    except NotCompilableError as error:
        return str(error)
    except Exception as error:  # whatever a step may raise: the definition will say it again, in its own place
        return f"its step cannot be traced ({type(error).__name__}: {error})"


def why_not(neuron: nn.Module, x: Tensor) -> str:
    """Why a neuron runs its definition on an input like `x`, or ""."""
    if not llvm_is_there():
        return "llvmlite cannot be loaded"
    found = program_for(neuron, x, None)
    return found if isinstance(found, str) else ""


class _Ready(NamedTuple):
    """A program with what it is run on."""

    program: Any
    states: tuple[Tensor, ...] | None
    smalls: list[Tensor]


def _ready(neuron: Any, x: Tensor, state: Any) -> _Ready | None:
    if not fits(x):
        return None
    parts: tuple[Tensor, ...] | None = None
    if state is not None:
        parts = state if isinstance(state, tuple) else (state,)
        if not all(fits_state(part, x) for part in parts):
            return None
    dtypes = None if parts is None else tuple(part.dtype for part in parts)
    program = program_for(neuron, x, dtypes)
    if isinstance(program, str):
        return None
    smalls = program.smalls(x.shape[-1])
    if smalls and not all(is_plain(small) for small in smalls):
        return None
    if smalls is None:  # a parameter is another than it was
        _made.pop(neuron, None)
        program = program_for(neuron, x, dtypes)
        smalls = None if isinstance(program, str) else program.smalls(x.shape[-1])
        if smalls is None:
            return None
    if parts is None and program.form.rest is None:
        state = neuron.initial_state(x[0])
        parts = state if isinstance(state, tuple) else (state,)
    if parts is not None and (
        len(parts) != len(program.step.states) or program.step.single is isinstance(state, tuple)
    ):
        return None
    return _Ready(program, parts, smalls)


def scan(neuron: Any, x: Tensor, state: Any, *, return_state: bool) -> tuple[Tensor, Any] | None:
    """A neuron along time by its kernel, or None where its definition has to run.

    Args:
        neuron: a `SpikingNeuron` whose scan is the plain loop over its step.
        x: input current [T, B, *, channels].
        state: to go on from; None starts from rest.
        return_state: without it the second result is None.
    """
    ready = _ready(neuron, x, state)
    if ready is None:
        return None
    spikes, *last = _run().scan(ready.program, x, ready.states, ready.smalls, return_state=return_state)
    return spikes, _state(ready, last)


@cache
def _run() -> ModuleType:
    """LLVM is loaded at the first use, not with the package."""
    from snnctl.neurons.kernels import run

    return run


def recurrent_scan(
    neuron: Any, x: Tensor, weight: Tensor, spikes: Tensor | None, state: Any, lag: int
) -> tuple[Tensor, Any] | None:
    """A neuron along time whose spikes come back to it through weights, by a kernel, or None where it has to go step by
    step.

    Args:
        neuron, x, state: as in `scan`.
        weight: [channels, channels], from the spikes of `lag` steps before.
        spikes: of the steps before the first, [lag, B, *, channels]; None for none.
    """
    if not (is_plain(weight) and weight.dtype == x.dtype) or len(weight) != x.shape[-1]:
        return None
    if spikes is not None and not (is_plain(spikes) and spikes.dtype == x.dtype and spikes[0].shape == x[0].shape):
        return None
    ready = _ready(neuron, x, state)
    if ready is None:
        return None
    from snnctl.neurons.kernels import run_recurrent

    rows = x.flatten(1, -2)
    if not run_recurrent.suits(ready.program, rows.shape, torch.is_grad_enabled()):
        return None
    first = None if spikes is None else spikes.flatten(1, -2)
    states = None if ready.states is None else tuple(part.flatten(0, -2) for part in ready.states)
    found, *last = run_recurrent.fed_scan(
        ready.program, rows, weight, first, lag, states, ready.smalls, return_state=True
    )
    return found.view(x.shape), _state(ready, [part.view(x.shape[1:]) for part in last])


def row_scan(neuron: Any, x: Tensor, weight: Tensor, bias: Tensor | None, state: Any) -> tuple[Tensor, Any] | None:
    """One step of a linear layer and its neuron for a single row of input, by one kernel that adds up weights for what
    is not 0; None where the two have to run apart. Without gradients.

    Args:
        neuron, state: as in `scan`.
        x: [1, *, inputs], all other axes 1.
        weight, bias: [outputs, inputs] and [outputs].
    """
    if not (_is_quiet() and type(x) is Tensor and x.is_cpu and type(weight) in _PLAIN and weight.is_cpu):
        return None
    if bias is not None and not (type(bias) in _PLAIN and bias.is_cpu):
        return None
    parts = None if state is None else state if isinstance(state, tuple) else (state,)
    made = _current(neuron)
    key = (x.shape, weight.shape, None if parts is None else len(parts))
    row = made.programs.get(key)
    if row is None:
        row = _row(neuron, x.shape[-1], (*x.shape[1:-1], weight.shape[0]), state)
        if row is None:
            return None
        made.programs[key] = row
    if state is not None and row.single is isinstance(state, tuple):
        return None
    found: tuple[Tensor, Any] | None = row.run(x, weight, bias, parts)
    return found


def _row(neuron: Any, inputs: int, shape: tuple[int, ...], state: Any) -> Any:
    """What runs a single row, or None where nothing does."""
    ready = _ready(neuron, torch.empty(1, *shape), state)
    if ready is None or not ready.program.step.fired == ready.program.real == torch.float32:
        return None
    if state is None and ready.states is not None:  # its state at rest is no constant
        return None
    from snnctl.neurons.kernels.run_row import Row

    return Row(ready.program, inputs, shape, state is None)


def _is_quiet() -> bool:
    """Whether nothing is at work that has to see torch's own operations: no gradients, transforms, traces or modes."""
    return (
        not torch.is_grad_enabled()
        and chosen.get() == "auto"
        and torch._C._functorch.peek_interpreter_stack() is None
        and torch.autograd.forward_ad._current_level < 0
        and not torch.compiler.is_compiling()
        and not torch.jit.is_tracing()
        and not torch.is_autocast_enabled("cpu")
        and not torch._C._len_torch_dispatch_stack()
        and llvm_is_there()
    )


def norm_scan(
    neuron: Any, x: Tensor, state: Any, norm: BatchNorm, *, return_state: bool
) -> tuple[Tensor, Any, tuple[Tensor, Tensor]] | None:
    """Batch normalisation over the last axis by `norm`, then `scan`, without ever writing the normalised current.

    Returns:
        Spikes, last state, and the mean and (biased) variance that were used, in float64; None where the two have to
        run apart.
    """
    if not all(is_plain(p) for p in (norm.weight, norm.bias, norm.offset) if p is not None):
        return None
    ready = _ready(neuron, x, state)
    if ready is None:
        return None
    from snnctl.neurons.kernels import run_normed

    (spikes, *last), used = run_normed.scan(
        ready.program, x, ready.states, ready.smalls, norm, return_state=return_state
    )
    return spikes, _state(ready, last), used


def _state(ready: _Ready, last: list[Tensor]) -> Any:
    if not last:
        return None
    return last[0] if ready.program.step.single else tuple(last)


def fits(x: Tensor) -> bool:
    """Whether the memory of an input may be read, and nobody asked for another kernel."""
    return (
        chosen.get() == "auto"
        and type(x) in _PLAIN
        and x.is_cpu
        and x.layout == torch.strided
        and x.dim() > 1
        and x.numel() > 0
        and not torch.compiler.is_compiling()
        and torch._C._get_tracing_state() is None
        and not is_transformed(x)
        and not torch._C._len_torch_dispatch_stack()
        and llvm_is_there()
    )


def fits_state(part: Any, x: Tensor) -> bool:
    return type(part) in _PLAIN and part.is_cpu and part.shape == x.shape[1:] and not is_transformed(part)
