"""Runs compiled steps whose spikes come back through weights, as a differentiable function over all steps."""

from __future__ import annotations

import ctypes
import math
from functools import cache
from typing import Any

import torch
from torch import Tensor

from snnctl.neurons.kernels import event_rows
from snnctl.neurons.kernels.choice import first_gradients_only
from snnctl.neurons.kernels.form import Form
from snnctl.neurons.kernels.jit import Compiled
from snnctl.neurons.kernels.program import Program
from snnctl.neurons.kernels.recurrent_ir import (
    COLUMNS,
    ROWS,
    fed_backward_ir,
    fed_backward_rows,
    fed_backward_slots,
    fed_ir,
    fed_slots,
)
from snnctl.neurons.kernels.segments import Launch, Plan, c_numbers, per_channel, tiled
from snnctl.neurons.kernels.vector_ir import VECTOR_BYTES

# Units of work: a fixed number at most, so that sums come out the same whatever the number of threads.
_CHUNKS = 32
# Less work than this (products of a spike and a weight, were all spikes there) is done sooner by one thread.
_WORTH_THREADS = 1 << 20
# More scratch memory than this for one thread's backward pass is not asked for; in bytes.
_MOST_SCRATCH = 1 << 27
# Smaller weights stay in the second cache; in bytes.
_NEAR = 1 << 18
# Wider layers have weights that leave the caches between one row and the next.
_WIDEST = 1024


@cache
def _forward(form: Form, from_rest: bool, keeps_state: bool, silent: bool, keeps_current: bool, far: bool) -> Compiled:
    name = "fed_scan"
    text = fed_ir(
        form, name, from_rest=from_rest, keeps_state=keeps_state, silent=silent, keeps_current=keeps_current, far=far
    )
    return Compiled(name, text)


@cache
def _backward(form: Form, from_rest: bool, keeps_state: bool, sums: tuple[str, ...]) -> Compiled:
    name = "fed_scan_backward"
    return Compiled(name, fed_backward_ir(form, name, from_rest=from_rest, keeps_state=keeps_state, sums=sums))


class FedCall:
    """What does not change between calls of one shape.

    Args:
        program: the step.
        shape: of the input, [steps, rows, width].
        lag: how many steps later spikes come back, >= 1.
        inputs: of the weights; other than `width` only where all spikes are given and none comes back.
        from_rest, keeps_state: no state is given; the last one is given out.
        silent: no spikes are given for the first steps.
        keeps_current: for the backward pass.
    """

    def __init__(
        self,
        program: Program,
        shape: tuple[int, int, int],
        lag: int,
        inputs: int,
        from_rest: bool,
        keeps_state: bool,
        silent: bool,
        keeps_current: bool,
        threads: int,
    ) -> None:
        self.form, self.real, self.shape, self.lag = program.form, program.real, shape, lag
        self.from_rest, self.keeps_state, self.threads = from_rest, keeps_state, threads
        self.keeps_current = keeps_current
        self.parts = len(self.form.states)
        steps, rows, width = shape
        per_tile = COLUMNS * VECTOR_BYTES // self.real.itemsize
        self.padded = -(-width // per_tile) * per_tile
        self._numbers = c_numbers(program.numbers, self.real)
        self._given = {"elements": rows * width, "steps": steps, "rows": rows, "lag": lag, "inputs": inputs}
        self._given["numbers"] = ctypes.addressof(self._numbers)
        if steps * rows * width * inputs < _WORTH_THREADS:
            self.threads = 1
        listed = -(-inputs * 8 // (self.padded * self.real.itemsize))
        far = inputs * self.padded * self.real.itemsize > _NEAR
        kernel = _forward(self.form, from_rest, keeps_state, silent, keeps_current, far)
        plan, each = self._planned(rows)
        strides = {"tiles": each, "x_stride": rows * width, "x_row": width}
        slots = fed_slots(self.form)
        self.launch = Launch(kernel, slots, plan, self.real, self.parts + listed, {**self._given, **strides})
        self._smalls = [(f"small{place}", each) for place, each in enumerate(self.form.per_channel)]
        self._backward: dict[tuple[str, ...], Launch] = {}

    def _planned(self, tiles: int) -> tuple[Plan, int]:
        """A plan, and how many tiles each chunk has."""
        each = -(-tiles // _CHUNKS)
        chunks = -(-tiles // each)
        width = self.shape[2]
        return Plan(width, self.padded, chunks, 1, 1, min(self.threads, chunks)), each

    def laid_out(self, rows: Tensor) -> Tensor:
        """Rows of weights with zeros behind, up to whole tiles."""
        if rows.shape[1] == self.padded and rows.is_contiguous():
            return rows
        found = rows.new_zeros(len(rows), self.padded)
        found[:, : rows.shape[1]] = rows
        return found

    def _give(self, launch: Launch, given: dict[str, Tensor | None], smalls: tuple[Tensor, ...]) -> None:
        for (slot, each), small in zip(self._smalls, smalls, strict=True):
            given[slot] = tiled(launch.plan, small)[0] if each else small

    def forward(
        self,
        x: Tensor,
        columns: Tensor,
        first: Tensor | None,
        states: tuple[Tensor, ...],
        smalls: tuple[Tensor, ...],
    ) -> tuple[Tensor, Tensor | None, tuple[Tensor, ...]]:
        """Spikes, the current if it is kept, and the last state if that is."""
        spikes = torch.empty(self.shape, dtype=self.real)
        current = torch.empty(self.shape, dtype=self.real) if self.keeps_current else None
        given: dict[str, Tensor | None] = {"x": x, "weights": columns, "first": first, "spikes": spikes}
        given["current"] = current
        for place, state in enumerate(states):
            given[f"state{place}"] = state
        lasts: tuple[Tensor, ...] = ()
        if self.keeps_state:
            lasts = tuple(torch.empty(self.shape[1:], dtype=self.real) for _ in range(self.parts))
            for place, last in enumerate(lasts):
                given[f"last{place}"] = last
        self._give(self.launch, given, smalls)
        self.launch.run(given)
        return spikes, current, lasts

    def backward(
        self,
        current: Tensor,
        weight: Tensor,
        states: tuple[Tensor, ...],
        smalls: tuple[Tensor, ...],
        grad_s: Tensor | None,
        grad_lasts: tuple[Tensor | None, ...],
        wanted: tuple[str, ...],
    ) -> tuple[Tensor, list[Tensor | None], dict[str, Tensor]]:
        """Gradients of the current, of the first state, and of the small values called `wanted`, in float64."""
        launch = self._backward.get(wanted)
        if launch is None:
            plan, each = self._planned(-(-self.shape[1] // ROWS))
            kernel = _backward(self.form, self.from_rest, self.keeps_state, wanted)
            rows = ROWS * fed_backward_rows(self.form, self.shape[0], wanted)
            given_once = {**self._given, "tiles": each}
            launch = Launch(kernel, fed_backward_slots(self.form), plan, self.real, rows, given_once)
            self._backward[wanted] = launch
        grad_x = torch.empty(self.shape, dtype=self.real)
        held: list[Tensor] = [self.laid_out(weight)]  # until the kernel is through
        grad_s = torch.zeros(self.shape, dtype=self.real) if grad_s is None else grad_s.contiguous()
        given: dict[str, Tensor | None] = {"current": current, "weights": held[0], "grad_s": grad_s, "grad_x": grad_x}
        for place, state in enumerate(states):
            given[f"state{place}"] = state
        if self.keeps_state:
            for place, grad in enumerate(grad_lasts):
                held.append(torch.zeros(self.shape[1:], dtype=self.real) if grad is None else grad.contiguous())
                given[f"grad_last{place}"] = held[-1]
        grads: list[Tensor | None] = [None] * self.parts
        if not self.from_rest:
            grads = [torch.empty(self.shape[1:], dtype=self.real) for _ in range(self.parts)]
            for place, grad in enumerate(grads):
                given[f"grad_state{place}"] = grad
        sums = None
        if wanted:
            sums = torch.zeros(len(wanted), launch.plan.chunks, self.padded, dtype=self.real)
            for name, part in zip(wanted, sums, strict=True):
                given[name.replace("small", "sum")] = part
        self._give(launch, given, smalls)
        launch.run(given)
        found: dict[str, Tensor] = {}
        if sums is not None:
            for name, total in zip(wanted, per_channel(launch.plan, sums), strict=True):
                found[name] = total if self.form.per_channel[int(name[5:])] else total.sum()
        return grad_x, grads, found


class _FedScan(torch.autograd.Function):
    """Kept for the backward pass: the current that each neuron was given, instead of the input, and the spikes."""

    @staticmethod
    def forward(ctx: Any, call: FedCall, x: Tensor, weight: Tensor, first: Tensor | None, *tensors: Tensor) -> Any:
        parts = 0 if call.from_rest else call.parts
        spikes, current, lasts = call.forward(x, call.laid_out(weight.t()), first, tensors[:parts], tensors[parts:])
        ctx.call, ctx.parts = call, parts
        ctx.save_for_backward(current, spikes, weight, first, *tensors)
        ctx.set_materialize_grads(False)
        return (spikes, *lasts)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> Any:
        first_gradients_only()
        call, parts = ctx.call, ctx.parts
        current, spikes, weight, first, *tensors = ctx.saved_tensors
        states, smalls = tuple(tensors[:parts]), tuple(tensors[parts:])
        needed = ctx.needs_input_grad[4 + parts :]
        names = tuple(f"small{place}" for place, need in enumerate(needed) if need)
        wanted = tuple(name for name in names if call.form.gradient(name) is not None)
        grad_x, grad_states, sums = call.backward(current, weight, states, smalls, grads[0], grads[1:], wanted)
        lag, width = call.lag, call.shape[2]
        early, late = grad_x[:lag], grad_x[lag:]
        grad_weight = grad_first = None
        if ctx.needs_input_grad[2]:
            grad_weight = _outer(late.reshape(-1, width), spikes[: len(late)].reshape(-1, width))
            if first is not None:
                grad_weight += early.reshape(-1, width).t() @ first[: len(early)].reshape(-1, width)
        if first is not None and ctx.needs_input_grad[3]:
            grad_first = torch.zeros_like(first)
            grad_first[: len(early)] = early @ weight
        found = [sums.get(f"small{place}") for place in range(len(smalls))]
        cast = (None if part is None else part.to(call.real) for part in found)
        return None, grad_x, grad_weight, grad_first, *grad_states[:parts], *cast


def _outer(grad: Tensor, x: Tensor) -> Tensor:
    """grad.T @ x for spikes x."""
    return event_rows.outer(grad, x) if event_rows.pays(x, grad.shape[1]) else grad.t() @ x


def suits(program: Program, shape: tuple[int, ...], gradients: bool) -> bool:
    """Whether the kernel does this: one dtype throughout, weights and scratch memory that stay in the caches."""
    step, form = program.step, program.form
    if not step.real == step.stored == step.fired or shape[2] > _WIDEST:
        return False
    kept = fed_backward_rows(form, shape[0], ()) * ROWS * (shape[2] + 64) * step.real.itemsize
    return not gradients or kept <= _MOST_SCRATCH


def fed_scan(
    program: Program,
    x: Tensor,
    weight: Tensor,
    first: Tensor | None,
    lag: int,
    states: tuple[Tensor, ...] | None,
    smalls: list[Tensor],
    *,
    return_state: bool,
) -> tuple[Tensor, ...]:
    """Spikes, and with `return_state` the parts of the last state.

    Args:
        x: input current [T, rows, width].
        weight: [width, width]; spikes of `lag` steps before come back through it.
        first: spikes [lag, rows, width] of the steps before the first; None for none at all.
    """
    gradients = torch.is_grad_enabled()
    key = ("fed", x.shape, lag, states is None, return_state, first is None, gradients, torch.get_num_threads())
    call: FedCall | None = program.launches.get(key)
    if call is None:
        if len(program.launches) >= 64:
            program.launches.clear()
        shape = (x.shape[0], math.prod(x.shape[1:-1]), x.shape[-1])
        call = FedCall(program, shape, lag, x.shape[-1], *key[3:6], gradients, key[7])
        program.launches[key] = call
    x, first = x.contiguous(), None if first is None else first.contiguous()
    given = () if states is None else tuple(state.contiguous() for state in states)
    if not gradients:
        spikes, _, lasts = call.forward(x, call.laid_out(weight.t()), first, given, tuple(smalls))
        return (spikes, *lasts)
    found: tuple[Tensor, ...] = _FedScan.apply(call, x, weight, first, *given, *smalls)
    return found
