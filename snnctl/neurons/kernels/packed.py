"""Spikes kept for the backward pass in one byte each, exactly: packing checks every value, others stay as they are."""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Any

import torch
from llvmlite import ir
from torch import Tensor

from snnctl.neurons.kernels import event_rows
from snnctl.neurons.kernels.choice import first_gradients_only
from snnctl.neurons.kernels.jit import Compiled
from snnctl.neurons.kernels.segments import COMMON, Launch, planned, segments
from snnctl.neurons.kernels.vector_ir import I64, Emitter

# Smaller tensors are not worth another pass, nor are layers whose products take hardly longer than that pass.
WORTH_BYTES = 1 << 18
_WORTH_OUTPUTS = 64

_PACK = (*COMMON, "x", "packed", "unfit")
_UNPACK = (*COMMON, "packed", "x")


def pays(x: Tensor, weight: Tensor) -> bool:
    """Whether the input of a linear layer is worth packing."""
    return x.dim() > 1 and x.numel() * 4 >= WORTH_BYTES and weight.shape[0] >= _WORTH_OUTPUTS


def pack(x: Tensor) -> Tensor | None:
    """`x` as uint8 if it is large, contiguous, float32 and made of whole numbers 0..255; else None."""
    if x.dtype != torch.float32 or x.numel() * 4 < WORTH_BYTES or not x.is_contiguous():
        return None
    packed = torch.empty(x.shape, dtype=torch.uint8)
    array = _launch(False, x.numel(), torch.get_num_threads()).run({"x": x, "packed": packed})
    return None if array[_PACK.index("unfit")] else packed


def unpack(packed: Tensor) -> Tensor:
    """The float32 tensor that was packed."""
    x = torch.empty(packed.shape, dtype=torch.float32)
    _launch(True, packed.numel(), torch.get_num_threads()).run({"packed": packed, "x": x})
    return x


@lru_cache(maxsize=512)
def _launch(unpacks: bool, elements: int, threads: int) -> Launch:
    plan = planned(elements, 1, 1, 0, torch.float32, threads)
    slots = _UNPACK if unpacks else _PACK
    return Launch(_kernel(unpacks), slots, plan, torch.float32, 0, {"elements": elements, "steps": 1})


@cache
def _kernel(unpacks: bool) -> Compiled:
    name, slots = ("unpack_spikes", _UNPACK) if unpacks else ("pack_spikes", _PACK)
    emit = Emitter(name, slots, "float32")
    source, target = (emit.pointer(slot) for slot in slots[len(COMMON) : len(COMMON) + 2])
    convert = _widened if unpacks else _squeezed

    with segments(emit) as (_, base, count, _):
        emit.each_vector(count, lambda index, mask: convert(emit, source, target, emit.builder.add(base, index), mask))
    return Compiled(name, emit.finish())


def _squeezed(emit: Emitter, x: Any, packed: Any, at: Any, mask: Any) -> None:
    """packed <- x as bytes; `unfit` <- 1 if a value does not come back from its byte."""
    builder = emit.builder
    value = emit.load(x, at, "float32", mask)
    emit.store(value.clip(0.0, 255.0), packed, at, "uint8", mask)
    back = emit.load(packed, at, "uint8", mask)
    differs = builder.fcmp_unordered("une", value.value, back.value)
    lanes = builder.bitcast(differs, ir.IntType(emit.lanes))
    with builder.if_then(builder.icmp_signed("!=", lanes, lanes.type(0)), likely=False):
        builder.store(I64(1), emit.slot("unfit"))


def _widened(emit: Emitter, packed: Any, x: Any, at: Any, mask: Any) -> None:
    emit.store(emit.load(packed, at, "uint8", mask), x, at, "float32", mask)


class SpikeLinear(torch.autograd.Function):
    """`torch.nn.functional.linear` for spikes: multiplied event by event where few fired, kept as bytes if `packs`."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, packs: bool, by_events: bool) -> Tensor:
        packed = pack(x) if packs else None
        ctx.by_events = by_events
        ctx.save_for_backward(x if packed is None else packed, weight)
        if not by_events:
            return torch.nn.functional.linear(x, weight, bias)
        y = event_rows.gathered(x.flatten(0, -2), weight.t().contiguous())
        return (y if bias is None else y.add_(bias)).view(*x.shape[:-1], len(weight))

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        first_gradients_only()
        kept, weight = ctx.saved_tensors
        grad = grads[0]
        rows = grad.flatten(0, -2)
        grad_x = grad @ weight if ctx.needs_input_grad[0] else None
        grad_weight = None
        if ctx.needs_input_grad[1]:
            x = (unpack(kept) if kept.dtype == torch.uint8 else kept).flatten(0, -2)
            grad_weight = event_rows.outer(rows.contiguous(), x) if ctx.by_events else rows.T @ x
        grad_bias = rows.sum(0) if ctx.needs_input_grad[2] else None
        return grad_x, grad_weight, grad_bias, None, None
