"""Neurons between autaptic circuits as one differentiable function of all steps of a call."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from snnctl.neurons.kernels.choice import first_gradients_only
from snnctl.neurons.kernels.circuit_cpu import Kernels, Maps
from snnctl.neurons.kernels.circuit_ir import PARAMETER_SUMS, CircuitSpec, fits_vectors
from snnctl.neurons.kernels.equation_ir import EquationSpec
from snnctl.neurons.kernels.parameters import flat, surrogate_constants
from snnctl.neurons.kernels.reference import Dynamics
from snnctl.neurons.kernels.segments import REALS

Take = Callable[[Tensor | None, Tensor | None, Tensor], None]


class Circuits(NamedTuple):
    """Both circuits as one, or one of them.

    Args:
        weight: [M, C / groups, k, k] or [M, C / groups, 1, k], group by group: temporal, then spatial.
        gain, shift: [M], likewise; a gain of None is no norm.
        temporal, spatial, norm_groups, eps: as in `CircuitSpec`.
        groups: of the convolution.
        axes: how many axes the kernels span, 1 or 2.
    """

    weight: Tensor
    gain: Tensor | None
    shift: Tensor
    temporal: bool
    spatial: bool
    groups: int
    norm_groups: int
    eps: float
    axes: int


def has_kernel(channels: int, groups: int, real: torch.dtype) -> bool:
    """Whether so many channels in so many groups of a convolution fit the kernels' vectors."""
    return real in (torch.float32, torch.float64) and fits_vectors(channels, channels // groups, REALS[real])  # type: ignore[arg-type]


def scan(
    x: Tensor, v: Tensor, s: Tensor, dynamics: Dynamics, circuits: Circuits, *, detach: bool, take: Take | None
) -> tuple[Tensor, Tensor]:
    """Spikes [T, B, *, C] and the last membrane.

    Args:
        x: input current [T, B, *, C].
        v, s: the membrane and the spikes of the step before, of the dtype of `x`.
        detach: whether no gradient goes back in time through the circuits.
        take: told beta, gamma and the membrane before the reset of each step.
    """
    spec, scalars, own = _equation(x, dynamics)
    channels, axes = x.shape[-1], circuits.axes
    mine = CircuitSpec(
        spec,
        channels,
        channels // circuits.groups,
        circuits.temporal,
        circuits.spatial,
        norm_groups=0 if circuits.gain is None else circuits.norm_groups,
        eps=circuits.eps,
        watched=take is not None,
    )
    maps = Maps(mine, math.prod(x.shape[1 : -1 - axes]), tuple(x.shape[-1 - axes : -1]), circuits.groups)
    call = _Call(maps, scalars, detach, take)
    s = s.detach() if detach else s
    states = (part.contiguous() for part in (v, s))
    found: tuple[Tensor, Tensor] = _Scan.apply(
        x.contiguous(), *states, circuits.weight, circuits.gain, circuits.shift, call, *own
    )
    return found


def _equation(x: Tensor, dynamics: Dynamics) -> tuple[EquationSpec, tuple[float, ...], list[Tensor]]:
    """The neurons' equation, its numbers, and leak, gain, threshold per channel if any of them is a tensor."""
    kind, *slope = surrogate_constants(dynamics.surrogate)
    found = flat(x, x.dtype, dynamics)
    spec = EquationSpec(
        kind,
        *dynamics[5:],
        charge=found.charge,
        per_channel=bool(found.tensors),
        sums_parameters=any(p.requires_grad for p in found.tensors),
        real=REALS[x.dtype],  # type: ignore[arg-type]
    )
    return spec, (found.tau, 1 / found.tau, found.leak, found.gain, found.threshold, *slope), found.tensors


class _Call(NamedTuple):
    maps: Maps
    scalars: tuple[float, ...]
    detach: bool
    take: Take | None


class _Scan(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        v: Tensor,
        s: Tensor,
        weight: Tensor,
        gain: Tensor | None,
        shift: Tensor,
        call: _Call,
        *own: Tensor,
    ) -> Any:
        maps, spec = call.maps, call.maps.spec
        kernels = Kernels(maps, call.scalars, gain, shift, own)
        keeps = any(ctx.needs_input_grad)
        spikes, before = torch.empty_like(x), s
        # Where nothing fired before, as at rest, there is nothing to convolve.
        silent = not ctx.needs_input_grad[2] and not bool(torch.dot(s.view(-1), s.view(-1)))
        kept: list[Tensor] = []
        norms: list[dict[str, Tensor]] = []
        norm = kernels.norm()
        filled = maps.filled(weight)
        for t in range(len(x)):
            now = spec._replace(silent=silent and t == 0)
            y = None if now.silent else maps.convolved(before, *filled)
            after = torch.empty_like(v) if keeps or t == 0 else v
            if keeps:
                norm = kernels.norm()
                norms.append(norm)
                kept += [v] if y is None else [y, v]
            told = _told(call.take, spec, v)
            kernels.run("step", now, {"x": x[t], "v": v, "y": y, "spikes": spikes[t], "v_next": after, **norm, **told})
            if call.take is not None:
                call.take(told["beta"], told["gamma"], told["u"])  # type: ignore[arg-type]
            v, before = after, spikes[t]
        if keeps:
            ctx.call, ctx.norms, ctx.silent, ctx.own = call, norms, silent, len(own)
            ctx.save_for_backward(x, s, spikes, weight, gain, shift, *own, *kept)
            ctx.set_materialize_grads(False)
        return spikes, v

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        first_gradients_only()
        x, s, spikes, weight, gain, shift, *kept = ctx.saved_tensors
        own, kept = kept[: ctx.own], kept[ctx.own :]
        call: _Call = ctx.call
        maps, spec = call.maps, call.maps.spec
        kernels = Kernels(maps, call.scalars, gain, shift, own)
        grad_spikes = torch.zeros_like(x) if grads[0] is None else grads[0].contiguous()
        grad_v = torch.zeros_like(spikes[0]) if grads[1] is None else grads[1].clone().contiguous()
        grad_x, grad_weight = torch.empty_like(x), torch.zeros_like(weight)
        d = x.new_empty(maps.samples, maps.positions, spec.outputs)
        grown = {slot: torch.zeros(kernels.row, dtype=torch.float64) for slot in ("grad_gain", "grad_bias")}
        if spec.scan.sums_parameters:
            grown |= {slot: x.new_zeros(maps.samples, spec.channels) for slot in PARAMETER_SUMS}
        more: Tensor | None = None
        for t in reversed(range(len(x))):
            now = spec._replace(silent=ctx.silent and t == 0, more=more is not None, watched=False)
            v = kept.pop()
            y = None if now.silent else kept.pop()
            maps_of_step = {"x": x[t], "v": v, "y": y, "d": d, "grad_v": grad_v, "grad_x": grad_x[t]}
            incoming = {"grad_spikes": grad_spikes[t], "grad_more": more}
            kernels.run("back", now, {**maps_of_step, **incoming, **ctx.norms[t], **grown})
            more = None
            if y is not None:
                to_spikes = bool(ctx.needs_input_grad[2]) if t == 0 else not call.detach
                more, change = maps.convolved_back(d, spikes[t - 1] if t else s, weight, to_spikes=to_spikes)
                grad_weight += change
        summed = {slot: part.sum(0, dtype=torch.float64) for slot, part in grown.items()}
        return (
            grad_x,
            grad_v,
            None if more is None else more.view_as(s),
            grad_weight,
            None if gain is None else summed["grad_gain"].to(gain.dtype),
            summed["grad_bias"].to(shift.dtype),
            None,
            *(summed[slot].to(x.dtype) if slot in summed else None for slot in PARAMETER_SUMS[: len(own)]),
        )


def _told(take: Take | None, spec: CircuitSpec, v: Tensor) -> dict[str, Tensor | None]:
    """Room for what `take` is told of a step."""
    if take is None:
        return {}
    return {
        "beta": torch.empty_like(v) if spec.temporal else None,
        "gamma": torch.empty_like(v) if spec.spatial else None,
        "u": torch.empty_like(v),
    }
