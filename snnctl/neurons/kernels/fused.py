"""The fused LIF kernels as differentiable functions, and when they can stand in for the definition."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from snnctl.neurons.kernels.choice import first_gradients_only
from snnctl.neurons.kernels.equation_ir import ScanSpec
from snnctl.neurons.kernels.lif_cpu import Parameters, backward, forward
from snnctl.neurons.kernels.norm_cpu import norm_gradient, statistics
from snnctl.neurons.kernels.parameters import charge_of, flat, surrogate_constants
from snnctl.neurons.kernels.reference import BatchNorm, Dynamics
from snnctl.neurons.kernels.segments import REAL_TYPES, REALS


def prepared(
    x: Tensor, v: Tensor | None, dynamics: Dynamics, keeps_state: bool, smooth: bool = False
) -> tuple[ScanSpec, Parameters, list[Tensor]]:
    """Spec, run-time parameters without tensors, and leak, gain, threshold as flat tensors if any is a tensor."""
    surrogate, tau, leak, gain, threshold, *how = dynamics
    slope = surrogate_constants(surrogate)
    real = v.dtype if v is not None else torch.float64 if x.dtype == torch.float64 else torch.float32
    how += (smooth, v is None, keeps_state)
    if not (isinstance(leak, Tensor) or isinstance(gain, Tensor) or isinstance(threshold, Tensor)):
        return *_described(slope, (tau, leak, gain, threshold), 0, tuple(how), x.dtype, real), []
    found = flat(x, real, dynamics)
    numbers = (tau, found.leak, found.gain, found.threshold)
    return *_described(slope, numbers, found.channels if found.tensors else 0, tuple(how), x.dtype, real), found.tensors


@lru_cache(maxsize=512)
def _described(
    surrogate: tuple[str, float, float],
    numbers: tuple[Any, ...],
    channels: int,
    how: tuple[Any, ...],
    stored: torch.dtype,
    real: torch.dtype,
) -> tuple[ScanSpec, Parameters]:
    """Spec and parameters of `numbers` (tau, leak, gain, threshold); `channels` 0 if none of them is a tensor."""
    *fires, smooth, from_rest, keeps_state = how
    tau, leak, gain, threshold = numbers
    charge, tau = charge_of(tau)
    fixed: dict[str, Any] = {
        "charge": charge,
        "per_channel": channels > 0,
        "normed": False,
        "sums": (),
        "smooth": smooth,
    }
    fixed |= {"real": REALS[real], "stored": REALS[stored], "from_rest": from_rest, "keeps_state": keeps_state}
    spec = ScanSpec(surrogate[0], *fires, **fixed)  # `fires`: reset, detach_reset, levels, strict, early, signed
    scalars = (tau, 1 / tau, float(leak), float(gain), float(threshold), *surrogate[1:])
    return spec, Parameters(scalars, max(channels, 1))


def _rows(x: Tensor) -> Tensor:
    """`x` with each step contiguous; a constant current that was expanded over T stays one step of memory."""
    return x if x.is_contiguous() or x[0].is_contiguous() else x.contiguous()


def _with(parameters: Parameters, own: Sequence[Tensor]) -> Parameters:
    if not own:
        return parameters
    leak, gain, threshold = own
    return parameters._replace(leak=leak, gain=gain, threshold=threshold)


def _incoming(spec: ScanSpec, x: Tensor, grads: tuple[Tensor | None, ...]) -> tuple[Tensor, Tensor | None]:
    """The gradients that arrive at the spikes and at the last membrane; where none does, zeros."""
    grad_spikes, *grad_state = grads
    spikes = torch.zeros(x.shape, dtype=x.dtype) if grad_spikes is None else grad_spikes.contiguous()
    if not spec.keeps_state:
        return spikes, None
    found = grad_state[0]
    return spikes, x.new_zeros(x.shape[1:], dtype=REAL_TYPES[spec.real]) if found is None else found.contiguous()


class _Scan(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, v: Tensor | None, spec: ScanSpec, parameters: Parameters, *own: Tensor) -> Any:
        x, v = _rows(x), None if v is None else v.contiguous()
        ctx.spec, ctx.parameters = spec, parameters
        ctx.save_for_backward(x, v, *own)
        ctx.set_materialize_grads(False)
        spikes, v_last = forward(spec, x, v, _with(parameters, own))
        return spikes if v_last is None else (spikes, v_last)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> Any:
        first_gradients_only()
        x, v, *own = ctx.saved_tensors
        spec: ScanSpec = ctx.spec
        more = bool(own) and any(ctx.needs_input_grad[4:])
        wanted = spec._replace(sums=("parameters",)) if more else spec
        found = backward(wanted, x, v, _with(ctx.parameters, own), *_incoming(spec, x, grads))
        names = ("sum_leak", "sum_gain", "sum_threshold") if own else ()
        return found.x, found.v, None, None, *(found.sums[name].to(own[0].dtype) if more else None for name in names)


def scan(
    x: Tensor, v: Tensor | None, dynamics: Dynamics, *, return_state: bool = True, smooth: bool = False
) -> tuple[Tensor, Tensor | None]:
    """As `reference.lif_scan`.

    Args:
        x, v, dynamics: see there; `v` None starts from rest.
        return_state: without it the second result is None, and nothing is done for it.
        smooth: put the surrogate's primitive in place of the step, to check gradients.
    """
    spec, parameters, own = prepared(x, v, dynamics, return_state, smooth)
    if not torch.is_grad_enabled():
        return forward(spec, _rows(x), None if v is None else v.contiguous(), _with(parameters, own))
    found = _Scan.apply(x, v, spec, parameters, *own)
    return found if return_state else (found, None)


class _NormScan(torch.autograd.Function):
    """Normalise, then scan. Kept for the backward pass: the input, and a few numbers per channel."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor,
        offset: Tensor | None,
        v: Tensor | None,
        mean: Tensor,
        rstd: Tensor,
        batch_statistics: bool,
        spec: ScanSpec,
        parameters: Parameters,
        *own: Tensor,
    ) -> Any:
        real = REAL_TYPES[spec.real]
        scale = weight.double() * rstd
        shift = (bias.double() - mean * scale).to(real)
        ctx.batch_statistics, ctx.spec, ctx.parameters = batch_statistics, spec, parameters
        ctx.save_for_backward(x, v, mean, rstd, scale, shift, *own)
        ctx.set_materialize_grads(False)
        spikes, v_last = forward(spec, x, v, _with(parameters, own)._replace(scale=scale.to(real), shift=shift))
        return spikes if v_last is None else (spikes, v_last)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> Any:
        first_gradients_only()
        x, v, mean, rstd, scale, shift, *own = ctx.saved_tensors
        spec: ScanSpec = ctx.spec
        real = REAL_TYPES[spec.real]
        more = bool(own) and any(ctx.needs_input_grad[10:])
        wanted = spec._replace(sums=("norm", "parameters") if more else ("norm",))
        parameters = _with(ctx.parameters, own)._replace(scale=scale.to(real), shift=shift, centre=mean.to(real))
        found = backward(wanted, x, v, parameters, *_incoming(spec, x, grads))
        grad_bias = found.sums["sum_gx"]
        grad_weight = found.sums["sum_gxx"] * rstd
        if ctx.needs_input_grad[0]:
            if ctx.batch_statistics:
                count = x.numel() // x.shape[-1]
                on_x = -scale * rstd * grad_weight / count
                constant = -scale * grad_bias / count - on_x * mean
            else:
                on_x = constant = torch.zeros_like(scale)
            norm_gradient(found.x, x, *(factor.to(real) for factor in (scale, on_x, constant)))
        names = ("sum_leak", "sum_gain", "sum_threshold") if own else ()
        grad_offset = None
        if ctx.needs_input_grad[3]:  # statistics of the batch cancel an offset
            grad_offset = (torch.zeros_like(scale) if ctx.batch_statistics else scale * grad_bias).to(real)
        return (
            found.x,
            grad_weight.to(real),
            grad_bias.to(real),
            grad_offset,
            found.v,
            *(None,) * 5,
            *(found.sums[name].to(real) if more else None for name in names),
        )


def norm_scan(
    x: Tensor, v: Tensor | None, dynamics: Dynamics, norm: BatchNorm, *, return_state: bool = True
) -> tuple[Tensor, Tensor | None, tuple[Tensor, Tensor]]:
    """Batch normalisation over the last axis by `norm`, then `scan`, without ever writing the normalised current.

    Returns:
        Spikes, last membrane, and the mean and (biased) variance that were used, in float64.
    """
    weight, bias, eps, running, offset = norm
    spec, parameters, own = prepared(x, v, dynamics, return_state)
    x, v = x.contiguous(), None if v is None else v.contiguous()
    with torch.no_grad():
        if running is None:
            mean, var = statistics(x.detach(), REAL_TYPES[spec.real])
        else:
            mean, var = (part.double() for part in running)
        rstd = (var + eps).rsqrt()
    parameters = parameters._replace(channels=max(parameters.channels, x.shape[-1]))
    found = _NormScan.apply(
        x, weight, bias, offset, v, mean, rstd, running is None, spec._replace(normed=True), parameters, *own
    )
    spikes, v_last = found if return_state else (found, None)
    return spikes, v_last, (mean, var)
