"""Batch normalisation's own kernels: statistics of the columns, and the gradient that they carry."""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Any

import torch
from torch import Tensor

from snnctl.neurons.kernels.jit import Compiled
from snnctl.neurons.kernels.segments import COMMON, REALS, Launch, per_channel, planned, segments, tiled
from snnctl.neurons.kernels.vector_ir import Emitter, Real, Stored, Vec

STATISTICS = (*COMMON, "x", "origin", "sum_x", "sum_xx")


def statistics_ir(real: Real, stored: Stored, name: str) -> str:
    """Sums of x - origin and of its square over all rows of [rows, channels], per chunk."""
    emit = Emitter(name, STATISTICS, real)
    builder = emit.builder
    x, origin, sum_x, sum_xx = (emit.pointer(slot) for slot in ("x", "origin", "sum_x", "sum_xx"))
    padded = emit.number("padded")

    with segments(emit) as (chunk, base, count, _):
        place = builder.mul(chunk, padded)

        def add(index: Any, mask: Any) -> None:
            value = emit.load(x, builder.add(base, index), stored, mask) - emit.load(origin, index, real)
            if mask is not None:  # lanes that were not read hold minus the origin
                value = Vec(emit, builder.select(mask, value.value, emit.vec(0.0).value))
            at = builder.add(place, index)
            emit.store(emit.load(sum_x, at, real) + value, sum_x, at, real)
            emit.store(emit.load(sum_xx, at, real) + value * value, sum_xx, at, real)

        emit.each_vector(count, add)
    return emit.finish()


NORM_GRADIENT = (*COMMON, "grad", "x", "on_grad", "on_x", "constant")


def norm_gradient_ir(real: Real, stored: Stored, name: str) -> str:
    """grad <- on_grad * grad + on_x * x + constant, factors per channel, in place."""
    emit = Emitter(name, NORM_GRADIENT, real)
    builder = emit.builder
    grad, x, on_grad, on_x, constant = (emit.pointer(slot) for slot in NORM_GRADIENT[len(COMMON) :])

    with segments(emit) as (_, base, count, _):

        def mix(index: Any, mask: Any) -> None:
            at = builder.add(base, index)
            mixed = emit.load(grad, at, stored, mask) * emit.load(on_grad, index, real)
            mixed = mixed + emit.load(x, at, stored, mask) * emit.load(on_x, index, real)
            emit.store(mixed + emit.load(constant, index, real), grad, at, stored, mask)

        emit.each_vector(count, mix)
    return emit.finish()


@cache
def _kernel(gradient: bool, stored: torch.dtype, real: torch.dtype) -> Compiled:
    name = f"{'norm_gradient' if gradient else 'statistics'}_{REALS[stored]}"
    text = norm_gradient_ir if gradient else statistics_ir
    return Compiled(name, text(REALS[real], REALS[stored], name))  # type: ignore[arg-type]


@lru_cache(maxsize=512)
def _norm_launch(
    gradient: bool, stored: torch.dtype, real: torch.dtype, elements: int, channels: int, threads: int
) -> Launch:
    plan = planned(elements, 1, channels, 0, real, threads)
    given = {"elements": elements, "steps": 1}
    slots = NORM_GRADIENT if gradient else STATISTICS
    return Launch(_kernel(gradient, stored, real), slots, plan, real, 0, given)


def statistics(x: Tensor, real: torch.dtype) -> tuple[Tensor, Tensor]:
    """Mean and (biased) variance of the last axis of contiguous `x` over all others, in float64."""
    channels = x.shape[-1]
    launch = _norm_launch(False, x.dtype, real, x.numel(), channels, torch.get_num_threads())
    origin = x.reshape(-1, channels)[0].to(real)  # sums of squares around a sample do not cancel
    (around,) = tiled(launch.plan, origin)
    sums = torch.zeros(2, launch.plan.chunks, launch.plan.padded, dtype=real)
    launch.run({"x": x, "origin": around, "sum_x": sums[0], "sum_xx": sums[1]})
    first, second = per_channel(launch.plan, sums) / (x.numel() // channels)
    return first + origin, (second - first.square()).clamp(min=0)


def norm_gradient(grad: Tensor, x: Tensor, on_grad: Tensor, on_x: Tensor, constant: Tensor) -> None:
    """grad <- on_grad * grad + on_x * x + constant, in place; the factors are [channels]."""
    launch = _norm_launch(True, grad.dtype, on_grad.dtype, grad.numel(), len(on_grad), torch.get_num_threads())
    factors = dict(zip(NORM_GRADIENT[-3:], tiled(launch.plan, on_grad, on_x, constant), strict=True))
    launch.run({"grad": grad, "x": x, **factors})
