"""Products of spikes with weights, each in the way that is fastest for its shape; and spikes kept as bytes."""

from __future__ import annotations

from functools import cache
from types import ModuleType
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from snnctl.neurons.kernels.choice import can_be_fast, is_plain

_LANES = 16  # float32 in the widest vectors
_WIDEST = 32  # more outputs fill vectors well enough
_MANY_ROWS = 1 << 12


def spike_linear(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """`torch.nn.functional.linear` for spikes.

    With gradients, a large input of whole numbers is kept as bytes (unless it is data, which stays anyway, or the layer
    is so narrow that the time would show), and weights and their gradients are added up for what fired, where that is
    little of many rows; without, a single row is added up event by event; many rows with few outputs are multiplied in
    whole vectors. The result is the same, to rounding.
    """
    plain = is_plain(weight) and (bias is None or (is_plain(bias) and bias.dtype == torch.float32))
    if plain and x.dtype == weight.dtype == torch.float32 and can_be_fast(x):
        event_product, packed = _linear_kernels()
        if not torch.is_grad_enabled():
            if event_product.pays(x, weight) and not weight.is_inference():
                return event_product.linear(x, weight, bias)
        elif weight.requires_grad:
            packs = x.requires_grad and packed.pays(x, weight)
            by_events = x.dim() > 1 and packed.event_rows.pays(x.detach().flatten(0, -2), len(weight))
            if packs or by_events:
                return packed.SpikeLinear.apply(x, weight, bias, packs, by_events)
        if narrow_pays(x, weight):
            return NarrowLinear.apply(x, weight, bias)
    return F.linear(x, weight, bias)


def pack_spikes(x: Tensor) -> Tensor | None:
    """Large tensors of whole numbers 0..255 as bytes, exactly; None for all others. For use in backward passes."""
    return _linear_kernels()[1].pack(x) if can_be_fast(x) else None


def unpack_spikes(kept: Tensor) -> Tensor:
    """What `pack_spikes` was given, from its result; other tensors come back as they are."""
    return _linear_kernels()[1].unpack(kept) if kept.dtype == torch.uint8 else kept


@cache
def _linear_kernels() -> tuple[ModuleType, ModuleType]:
    """LLVM is loaded at the first use, not with the package."""
    from snnctl.neurons.kernels import event_product, packed

    return event_product, packed


def narrow_pays(x: Tensor, weight: Tensor) -> bool:
    """Whether `NarrowLinear` should do this product: many rows, and outputs that do not fill vectors."""
    outputs, inputs = weight.shape
    return 4 < outputs < _WIDEST and outputs % _LANES != 0 and x.numel() >= _MANY_ROWS * inputs


def product(x: Tensor, weight: Tensor) -> Tensor:
    """x [*, inputs] @ weight [outputs, inputs].T; equal to the plain product to rounding."""
    filled = F.pad(weight, (0, 0, 0, -len(weight) % _LANES))  # rows of zeros below, up to whole vectors
    return (x.flatten(0, -2) @ filled.t())[:, : len(weight)].reshape(*x.shape[:-1], len(weight))


class NarrowLinear(torch.autograd.Function):
    """`torch.nn.functional.linear`, its product and that of its input's gradient in whole vectors."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, weight)
        y = product(x, weight)
        return y if bias is None else y.add_(bias)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        x, weight = ctx.saved_tensors
        rows = grad.flatten(0, -2)
        need_x, need_weight, need_bias = ctx.needs_input_grad
        to_x = None
        if need_x:
            backwards = weight.t()
            to_x = product(grad, backwards) if narrow_pays(grad, backwards) else grad @ weight
        to_weight = rows.t() @ x.flatten(0, -2) if need_weight else None
        return to_x, to_weight, rows.sum(0) if need_bias else None
