"""Neurons between autaptic circuits as one differentiable function of all steps of a call."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from snnctl.neurons.kernels.circuit_cpu import Maps, Normed, norm_back, normed, run, scalars
from snnctl.neurons.kernels.circuit_ir import PARAMETER_SUMS, CircuitSpec, fits_vectors
from snnctl.neurons.kernels.fused import prepared
from snnctl.neurons.kernels.gradients import first_gradients_only
from snnctl.neurons.kernels.reference import Dynamics
from snnctl.neurons.kernels.segments import REALS

Take = Callable[[Tensor | None, Tensor | None, Tensor], None]


class Circuits(NamedTuple):
    """Both circuits as one, or one of them.

    Args:
        weight: [M, C / groups, k, k] or [M, C / groups, 1, k], group by group: temporal, then spatial.
        gain: [M], likewise; None is no norm.
        shift: [M].
        temporal, spatial: which there are.
        groups: of the convolution.
        norm_groups: of the norm of each circuit.
        eps: of the norm.
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
        v: the membrane to start from, of the dtype of `x`.
        s: the spikes of the step before, alike.
        dynamics: of the host.
        circuits: what acts on it.
        detach: whether no gradient goes back in time through the circuits.
        take: told beta, gamma and the membrane before the reset of each step.
    """
    spec, parameters, own = prepared(x, v, dynamics, True)
    if any(p.requires_grad for p in own):
        spec = spec._replace(sums=("parameters",))
    channels, axes = x.shape[-1], circuits.axes
    mine = CircuitSpec(spec, channels, channels // circuits.groups, circuits.temporal, circuits.spatial)
    maps = Maps(
        mine._replace(watched=take is not None),
        samples=math.prod(x.shape[1 : -1 - axes]),
        space=tuple(x.shape[-1 - axes : -1]),
        groups=circuits.groups,
        norm_groups=0 if circuits.gain is None else circuits.norm_groups,
        eps=circuits.eps,
    )
    call = _Call(maps, parameters.scalars, detach, take)
    s = s.detach() if detach else s
    states = (part.contiguous() for part in (v, s))
    found: tuple[Tensor, Tensor] = _Scan.apply(
        x.contiguous(), *states, circuits.weight, circuits.gain, circuits.shift, call, *own
    )
    return found


class _Call(NamedTuple):
    maps: Maps
    scalars: tuple[float, ...]
    detach: bool
    take: Take | None


def _own(own: Sequence[Tensor]) -> dict[str, Tensor | None]:
    return dict(zip(("leak", "gain", "threshold"), own, strict=True)) if own else {}


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
        numbers = scalars(call.scalars, spec.scan.real)
        keeps = any(ctx.needs_input_grad)
        gains = None if gain is None else gain.double()
        shifts, spikes, before = shift.double(), torch.empty_like(x), s
        kept: list[Tensor] = []
        norms: list[Normed] = []
        # Where nothing fired before, as at rest, there is nothing to convolve.
        starts = ctx.needs_input_grad[2] or bool(s.any())
        for t in range(len(x)):
            y = maps.convolved(before, weight) if t or starts else None
            norm = normed(maps, y, gains, shifts)
            after = torch.empty_like(v) if keeps or t == 0 else v
            given = {"x": x[t], "v": v, "scale": norm.scale, "shift": norm.shift, **_own(own)}
            out: dict[str, Tensor | None] = {"spikes": spikes[t], "v_next": after}
            if call.take is not None:
                out |= {"u": torch.empty_like(v)}
                out |= {"beta": torch.empty_like(v) if spec.temporal else None}
                out |= {"gamma": torch.empty_like(v) if spec.spatial else None}
            run("step", maps, numbers, {**given, **out, "y": maps.zeros(v) if y is None else y})
            if call.take is not None:
                call.take(out["beta"], out["gamma"], out["u"])  # type: ignore[arg-type]
            if keeps:
                kept += [v] if y is None else [y, v]
                norms.append(norm)
            v, before = after, spikes[t]
        if keeps:
            ctx.call, ctx.norms, ctx.starts, ctx.own = call, norms, starts, len(own)
            ctx.save_for_backward(x, s, spikes, weight, gain, *own, *kept)
            ctx.set_materialize_grads(False)
        return spikes, v

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        first_gradients_only()
        x, s, spikes, weight, gain, *kept = ctx.saved_tensors
        own, kept = kept[: ctx.own], kept[ctx.own :]
        call: _Call = ctx.call
        maps, spec = call.maps, call.maps.spec
        numbers = scalars(call.scalars, spec.scan.real)
        grad_spikes = torch.zeros_like(x) if grads[0] is None else grads[0].contiguous()
        grad_v = torch.zeros_like(spikes[0]) if grads[1] is None else grads[1].clone(memory_format=_PLAIN)
        grad_x, d = torch.empty_like(x), maps.zeros(grad_v)
        gains = None if gain is None else gain.double()
        size = (maps.samples, spec.outputs)
        grad_weight = torch.zeros_like(weight)
        grad_gain, grad_shift = (torch.zeros(spec.outputs, dtype=torch.float64) for _ in range(2))
        found = x.new_zeros(len(PARAMETER_SUMS), maps.samples, spec.channels) if spec.scan.sums else None
        more: Tensor | None = None
        for t in reversed(range(len(x))):
            v = kept.pop()
            y = kept.pop() if t or ctx.starts else None
            before = spikes[t - 1] if t else s
            norm: Normed = ctx.norms[t]
            sums = x.new_zeros(2, *size)
            given = {"x": x[t], "v": v, "y": maps.zeros(v) if y is None else y, "scale": norm.scale}
            given |= {"shift": norm.shift, "grad_spikes": grad_spikes[t], "grad_more": more, **_own(own)}
            out = {"grad_v": grad_v, "grad_x": grad_x[t], "d": d, "sum_d": sums[0], "sum_dy": sums[1]}
            if found is not None:
                out |= dict(zip(PARAMETER_SUMS, found, strict=True))
            variant = maps._replace(spec=spec._replace(more=more is not None))
            run("back", variant, numbers, {**given, **out})
            level = norm_back(maps, d, y, norm, gains, sums)
            grad_shift += level.shift
            if level.gain is not None:
                grad_gain += level.gain
            more = None
            if y is not None:
                to_spikes = bool(ctx.needs_input_grad[2]) if t == 0 else not call.detach
                more, change = maps.convolved_back(d, before, weight, to_spikes=to_spikes)
                grad_weight += change
        of_own = [] if found is None else list(found.sum(1, dtype=torch.float64).to(x.dtype).unbind(0))
        return (
            grad_x,
            grad_v,
            None if more is None else more.view_as(s),
            grad_weight,
            None if gain is None else grad_gain.to(gain.dtype),
            grad_shift.to(weight.dtype),
            None,
            *(of_own or [None] * len(own)),
        )


_PLAIN = torch.contiguous_format
