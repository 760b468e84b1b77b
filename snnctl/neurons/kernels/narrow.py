"""Products with few outputs over many rows, where a dense product of a width that fills vectors is faster."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

_LANES = 16  # float32 in the widest vectors
_WIDEST = 32  # more outputs fill vectors well enough
_MANY_ROWS = 1 << 12


def pays(x: Tensor, weight: Tensor) -> bool:
    """Whether `NarrowLinear` should do this product."""
    outputs, inputs = weight.shape
    return 4 < outputs < _WIDEST and outputs % _LANES != 0 and x.numel() >= _MANY_ROWS * inputs


def _filled(weight: Tensor) -> Tensor:
    """Rows of zeros below, up to whole vectors."""
    return F.pad(weight, (0, 0, 0, -len(weight) % _LANES))


def product(x: Tensor, weight: Tensor) -> Tensor:
    """x [*, inputs] @ weight [outputs, inputs].T; equal to the plain product to rounding."""
    return (x.flatten(0, -2) @ _filled(weight).t())[:, : len(weight)].reshape(*x.shape[:-1], len(weight))


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
            to_x = product(grad, backwards) if pays(grad, backwards) else grad @ weight
        to_weight = rows.t() @ x.flatten(0, -2) if need_weight else None
        return to_x, to_weight, rows.sum(0) if need_bias else None
