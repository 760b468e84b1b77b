"""Runs compiled steps over time, as differentiable functions."""

from __future__ import annotations

import ctypes
import math
from typing import Any

import torch
from torch import Tensor

from snnctl.neurons.kernels.choice import first_gradients_only
from snnctl.neurons.kernels.form import Form, backward_of
from snnctl.neurons.kernels.program import Program, backward_kernel, forward_kernel
from snnctl.neurons.kernels.scan_ir import backward_slots, forward_slots
from snnctl.neurons.kernels.segments import Launch, c_numbers, per_channel, planned, tiled


class Call:
    """What does not change between calls of one shape: which kernels, how the work is cut, where arguments go.

    Args:
        program: the step.
        form: its form, or that behind a norm.
        shape: of the input.
        x_stride: from one step of the input to the next.
        from_rest: no state is given.
        keeps_state: the last state is given out.
    """

    def __init__(
        self,
        program: Program,
        form: Form,
        shape: tuple[int, ...],
        x_stride: int,
        from_rest: bool,
        keeps_state: bool,
        threads: int,
    ) -> None:
        self.form, self.shape, self.real = form, shape, program.real
        self.from_rest, self.keeps_state, self.threads = from_rest, keeps_state, threads
        self.parts = len(form.states)
        self.fired, self.stored = program.step.fired, program.step.stored
        self.channels = shape[-1] if any(form.per_channel) else 1
        self.elements = math.prod(shape[1:])
        self._numbers = c_numbers(program.numbers, self.real)
        self._fixed = {"elements": self.elements, "steps": shape[0], "x_stride": x_stride}
        self._fixed["numbers"] = ctypes.addressof(self._numbers)
        kernel = forward_kernel(form, from_rest, keeps_state)
        plan = planned(self.elements, 2 * shape[0], self.channels, self.parts, self.real, threads)
        self._forward = Launch(kernel, forward_slots(form), plan, self.real, self.parts - 1, self._fixed)
        self._smalls = [(f"small{place}", each) for place, each in enumerate(form.per_channel)]
        self._backward: dict[tuple[str, ...], Launch] = {}

    def forward(self, x: Tensor, states: tuple[Tensor, ...], smalls: tuple[Tensor | None, ...]) -> tuple[Tensor, ...]:
        """Spikes, and the last state if it is kept."""
        spikes = torch.empty(self.shape, dtype=self.fired)
        given: dict[str, Tensor | None] = {"x": x, "spikes": spikes}
        for place, state in enumerate(states):
            given[f"state{place}"] = state
        lasts: tuple[Tensor, ...] = ()
        if self.keeps_state:
            lasts = tuple(torch.empty(self.shape[1:], dtype=self.real) for _ in range(self.parts))
            for place, last in enumerate(lasts):
                given[f"last{place}"] = last
        self._give(self._forward, given, smalls)
        self._forward.run(given)
        return (spikes, *lasts)

    def _give(self, launch: Launch, given: dict[str, Tensor | None], smalls: tuple[Tensor | None, ...]) -> None:
        if not smalls:
            return
        channels = [small for (_, each), small in zip(self._smalls, smalls, strict=True) if each]
        rows = iter(tiled(launch.plan, *channels))
        for (slot, each), small in zip(self._smalls, smalls, strict=True):
            given[slot] = next(rows) if each else small

    def backward(
        self,
        x: Tensor,
        states: tuple[Tensor, ...],
        smalls: tuple[Tensor, ...],
        grad_s: Tensor | None,
        grad_lasts: tuple[Tensor | None, ...],
        wanted: tuple[str, ...],
    ) -> tuple[Tensor, list[Tensor | None], dict[str, Tensor]]:
        """Gradients of the input, of the first state, and of the small values called `wanted`, in float64."""
        launch = self._backward.get(wanted)
        if launch is None:
            launch = self._backward[wanted] = self._planned_backward(wanted)
        grad_x = torch.empty(self.shape, dtype=self.stored)
        grad_s = torch.zeros(self.shape, dtype=self.fired) if grad_s is None else grad_s.contiguous()
        given: dict[str, Tensor | None] = {"x": x, "grad_s": grad_s, "grad_x": grad_x}
        for place, state in enumerate(states):
            given[f"state{place}"] = state
        held = []  # until the kernel is through
        if self.keeps_state:
            for place, grad in enumerate(grad_lasts):
                full = torch.zeros(self.shape[1:], dtype=self.real) if grad is None else grad.contiguous()
                held.append(full)
                given[f"grad_last{place}"] = full
        grads: list[Tensor | None] = [None] * self.parts
        if not self.from_rest:
            grads = [torch.empty(self.shape[1:], dtype=self.real) for _ in range(self.parts)]
            for place, grad in enumerate(grads):
                given[f"grad_state{place}"] = grad
        sums = None
        if wanted:
            sums = torch.zeros(len(wanted), launch.plan.chunks, launch.plan.padded, dtype=self.real)
            for name, part in zip(wanted, sums, strict=True):
                given[name.replace("small", "sum")] = part
        self._give(launch, given, smalls)
        launch.run(given)
        found: dict[str, Tensor] = {}
        if sums is not None:
            each = per_channel(launch.plan, sums)  # [kinds, channels]
            for name, total in zip(wanted, each, strict=True):
                found[name] = total if self.form.per_channel[int(name[5:])] else total.sum()
        return grad_x, grads, found

    def _planned_backward(self, wanted: tuple[str, ...]) -> Launch:
        kernel = backward_kernel(self.form, self.from_rest, self.keeps_state, wanted)
        x_at = [place for place, node in enumerate(self.form.nodes) if node == ("input", ("x",))]
        kept = len([node for node in backward_of(self.form, wanted).kept if node not in x_at])
        steps = self.shape[0]
        rows = self.parts - 1 + max(kept * steps, 1)
        plan = planned(self.elements, 3 * steps, self.channels, rows, self.real, self.threads)
        return Launch(kernel, backward_slots(self.form), plan, self.real, rows, self._fixed)


class _Scan(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, call: Call, x: Tensor, *tensors: Tensor) -> Any:
        parts = 0 if call.from_rest else call.parts
        ctx.call, ctx.parts = call, parts
        ctx.save_for_backward(x, *tensors)
        ctx.set_materialize_grads(False)
        found = call.forward(x, tensors[:parts], tensors[parts:])
        return found if call.keeps_state else found[0]

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> Any:
        first_gradients_only()
        call, parts = ctx.call, ctx.parts
        x, *tensors = ctx.saved_tensors
        states, smalls = tuple(tensors[:parts]), tuple(tensors[parts:])
        needed = ctx.needs_input_grad[2 + parts :]
        names = tuple(f"small{place}" for place, need in enumerate(needed) if need)
        wanted = tuple(name for name in names if call.form.gradient(name) is not None)
        grad_x, grad_states, sums = call.backward(x, states, smalls, grads[0], grads[1:], wanted)
        found = [sums.get(f"small{place}") for place in range(len(smalls))]
        cast = (None if part is None else part.to(call.real) for part in found)
        return None, grad_x, *grad_states[:parts], *cast


def rows(x: Tensor) -> Tensor:
    """`x` with each step contiguous; a constant current that was expanded over T stays one step of memory."""
    return x if x.is_contiguous() or x[0].is_contiguous() else x.contiguous()


def call_for(program: Program, form: Form, x: Tensor, from_rest: bool, keeps_state: bool) -> Call:
    """The call for an input like this one."""
    stride = x.stride(0) if x.shape[0] > 1 else 0
    key = (x.shape, stride, from_rest, keeps_state, form is program.form, torch.get_num_threads())
    found: Call | None = program.launches.get(key)
    if found is None:
        if len(program.launches) >= 64:
            program.launches.clear()
        found = program.launches[key] = Call(program, form, tuple(x.shape), *key[1:4], key[5])
    return found


def scan(
    program: Program, x: Tensor, states: tuple[Tensor, ...] | None, smalls: list[Tensor], *, return_state: bool
) -> tuple[Tensor, ...]:
    """Spikes, and with `return_state` the parts of the last state."""
    x = rows(x)
    call = call_for(program, program.form, x, states is None, return_state)
    given = () if states is None else tuple(state.contiguous() for state in states)
    if not torch.is_grad_enabled():
        return call.forward(x, given, tuple(smalls))
    found = _Scan.apply(call, x, *given, *smalls)
    return found if return_state else (found,)
