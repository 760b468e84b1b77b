"""Whether a traced step says what the step does: both on other values than those it was traced on.

A step that reads values past torch (through numpy, say) would be traced to constants, and be wrong without a word.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from snnctl.neurons.kernels.form import Form
from snnctl.neurons.kernels.operations import NotCompilableError
from snnctl.neurons.kernels.program import Program

_SIMPLE = "add sub mul neg abs lt le gt ge eq ne where exp log tanh sin cos atan sqrt floor ceil trunc pow"
_CALLED: dict[str, Any] = {name: getattr(torch, name) for name in _SIMPLE.split()}
_CALLED |= {"div": torch.true_divide, "min": torch.minimum, "max": torch.maximum, "rint": torch.round}
_CALLED |= {"and": torch.logical_and, "or": torch.logical_or, "not": torch.logical_not}
_CALLED |= {"fma": lambda a, b, c: a * b + c, "narrow": lambda a: a.to(torch.bfloat16).to(a.dtype)}
_BOUNDS = {torch.float64: 1e-9, torch.float32: 1e-4, torch.bfloat16: 5e-2}


def check(program: Program, neuron: Any, shape: tuple[int, ...]) -> None:
    """Compare a step of `shape` [B, *, channels] with its graph, spikes, new state and their gradients.

    Raises:
        NotCompilableError: they differ.
    """
    step, form = program.step, program.form
    generator = torch.Generator().manual_seed(1)

    def drawn(dtype: torch.dtype) -> Tensor:
        return torch.randn(shape, generator=generator).to(dtype)

    x = drawn(step.stored).requires_grad_()
    states = tuple(drawn(step.real).requires_grad_() for _ in step.states)
    spikes, after = neuron.step(x, states[0] if step.single else states)
    outputs = [spikes, *((after,) if step.single else after)]
    arriving = [drawn(output.dtype) for output in outputs]
    ends = [(output * grad).sum().to(step.real) for output, grad in zip(outputs, arriving, strict=True)]
    leaves = [x, *states]
    wanted = torch.autograd.grad(sum(ends[1:], start=ends[0]), leaves, allow_unused=True)
    names = ["x", *(f"state{k}" for k in range(len(states)))]
    given = dict(zip(names, leaves, strict=True))
    given |= dict(zip(("grad_s", *(f"grad_{name}" for name in names[1:])), arriving, strict=True))
    smalls = program.smalls(shape[-1])
    assert smalls is not None
    with torch.no_grad():
        values = _values(form, {name: part.to(step.real) for name, part in given.items()}, program.numbers, smalls)
        expected = [values[form.spikes], *(values[node] for node in form.states)]
        for ours, theirs in zip(expected, outputs, strict=True):
            _compare(ours, theirs, step.stored)
        for name, theirs in zip(names, wanted, strict=True):
            node = form.gradient(name)
            ours = torch.zeros(()) if node is None else values[node]
            _compare(ours, torch.zeros(()) if theirs is None else theirs, step.stored)


def _values(form: Form, given: dict[str, Tensor], numbers: tuple[float, ...], smalls: list[Tensor]) -> list[Any]:
    """The value of every node."""
    found: list[Any] = []
    real = next(iter(given.values())).dtype
    for op, args in form.nodes:
        match op:
            case "input":
                found.append(given[str(args[0])])
            case "const":
                found.append(torch.tensor(float(args[0]), dtype=real))
            case "number":
                found.append(torch.tensor(numbers[int(args[0])], dtype=real))
            case "small":
                found.append(smalls[int(args[0])])
            case _:
                found.append(_CALLED[op](*(found[int(arg)] for arg in args)))
    return found


def _compare(ours: Tensor, theirs: Tensor, stored: torch.dtype) -> None:
    bound = _BOUNDS[stored]
    ours, theirs = torch.broadcast_tensors(ours.double(), theirs.detach().double())
    if not torch.allclose(
        ours, theirs, rtol=bound, atol=bound * (1 + float(theirs.nan_to_num().abs().max())), equal_nan=True
    ):
        raise NotCompilableError("its step does something that torch does not see: other values give other results")
