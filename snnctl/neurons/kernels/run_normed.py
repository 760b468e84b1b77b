"""Batch normalisation and a compiled step in one, as a differentiable function."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from snnctl.neurons.kernels.choice import first_gradients_only
from snnctl.neurons.kernels.norm_cpu import norm_gradient, statistics
from snnctl.neurons.kernels.program import Program
from snnctl.neurons.kernels.reference import BatchNorm
from snnctl.neurons.kernels.run import Call, call_for


class _NormScan(torch.autograd.Function):
    """Normalise, then scan. Kept for the backward pass: the input, and a few numbers per channel."""

    @staticmethod
    def forward(
        ctx: Any,
        call: Call,
        batch_statistics: bool,
        x: Tensor,
        weight: Tensor,
        bias: Tensor,
        offset: Tensor | None,
        mean: Tensor,
        rstd: Tensor,
        *tensors: Tensor,
    ) -> Any:
        parts = 0 if call.from_rest else call.parts
        scale = weight.double() * rstd
        shift = (bias.double() - mean * scale).to(call.real)
        ctx.call, ctx.parts, ctx.batch_statistics = call, parts, batch_statistics
        ctx.save_for_backward(x, mean, rstd, scale, shift, *tensors)
        ctx.set_materialize_grads(False)
        found = call.forward(x, tensors[:parts], (*tensors[parts:], scale.to(call.real), shift, None))
        return found if call.keeps_state else found[0]

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> Any:
        first_gradients_only()
        call, parts = ctx.call, ctx.parts
        x, mean, rstd, scale, shift, *tensors = ctx.saved_tensors
        states, own = tuple(tensors[:parts]), tuple(tensors[parts:])
        needed = ctx.needs_input_grad[8 + parts :]
        names = [f"small{place}" for place, need in enumerate(needed) if need]
        wanted = [name for name in names if call.form.gradient(name) is not None]
        of_scale, of_shift = f"small{len(own)}", f"small{len(own) + 1}"
        smalls = (*own, scale.to(call.real), shift, mean.to(call.real))
        wanted += [of_scale, of_shift] if call.form.gradient(of_scale) is not None else []
        grad_x, grad_states, sums = call.backward(x, states, smalls, grads[0], grads[1:], tuple(wanted))
        nothing = torch.zeros_like(scale)
        grad_bias = sums.get(of_shift, nothing)
        grad_weight = sums.get(of_scale, nothing) * rstd
        if ctx.needs_input_grad[2]:
            if ctx.batch_statistics:
                count = x.numel() // x.shape[-1]
                on_x = -scale * rstd * grad_weight / count
                constant = -scale * grad_bias / count - on_x * mean
            else:
                on_x = constant = nothing
            norm_gradient(grad_x, x, *(factor.to(call.real) for factor in (scale, on_x, constant)))
        grad_offset = None
        if ctx.needs_input_grad[5]:  # statistics of the batch cancel an offset
            grad_offset = (nothing if ctx.batch_statistics else scale * grad_bias).to(call.real)
        found = (sums.get(f"small{place}") for place in range(len(own)))
        return (
            None,
            None,
            grad_x,
            grad_weight.to(call.real),
            grad_bias.to(call.real),
            grad_offset,
            None,
            None,
            *grad_states[:parts],
            *(None if part is None else part.to(call.real) for part in found),
        )


def scan(
    program: Program,
    x: Tensor,
    states: tuple[Tensor, ...] | None,
    smalls: list[Tensor],
    norm: BatchNorm,
    *,
    return_state: bool,
) -> tuple[tuple[Tensor, ...], tuple[Tensor, Tensor]]:
    """As `run.scan`, behind the norm; also the mean and the (biased) variance that were used, in float64."""
    weight, bias, eps, running, offset = norm
    x = x.contiguous()
    with torch.no_grad():
        if running is None:
            mean, var = statistics(x.detach(), program.real)
        else:
            mean, var = (part.double() for part in running)
        rstd = (var + eps).rsqrt()
    call = call_for(program, program.normed, x, states is None, return_state)
    given = () if states is None else tuple(state.contiguous() for state in states)
    found = _NormScan.apply(call, running is None, x, weight, bias, offset, mean, rstd, *given, *smalls)
    return (found if return_state else (found,)), (mean, var)
