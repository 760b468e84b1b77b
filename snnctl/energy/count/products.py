"""Multiply-accumulates of one product: dense, and those that are left when zeros vanish.

A product of a signal with weights or with another signal is counted by the inputs: each input that is not zero causes
as many operations as it has partners that are not zero. That is exact for strides, groups, dilation and padding, since
the partners of an input are found by running the layer backwards over ones; and it costs one pass over the input.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn import grad

from snnctl.energy.count.signals import Signal


class Tallied(NamedTuple):
    """One product."""

    # dense, inside: multiply-accumulates in all, with and without taps on padding
    dense: float
    inside: float
    inputs: int  # elements of the driving operand
    # events, popcount, unary: operations, one number for each leading index of the driving operand
    events: Tensor
    popcount: Tensor
    unary: Tensor
    # active_inputs, popcount_inputs, unary_inputs: its codes, one number for each leading index
    active_inputs: Tensor
    popcount_inputs: Tensor
    unary_inputs: Tensor


Codes = tuple[Tensor, Tensor, Tensor]


def popcount(codes: Tensor) -> Tensor:
    """How many bits are set in each whole number; as a float of the same shape."""
    left, found = codes.abs().to(torch.int64), torch.zeros_like(codes)
    while bool(left.any()):
        found += left & 1
        left >>= 1
    return found


def codes_of(x: Tensor, signal: Signal) -> Codes:
    """Whether each element is an event, how many bits its code has set, and the code: three floats.

    Of real numbers only the first means anything; the other two repeat it.
    """
    if signal.made != "spike":
        active = (x != 0).to(torch.float32)
        return active, active, active
    codes = x if signal.scale == 1.0 else (x / signal.scale).round()
    codes = codes.to(torch.float32).abs()  # a spike below zero is taken off instead of added
    if signal.levels <= 1:
        return codes, codes, codes
    return (codes != 0).to(torch.float32), popcount(codes), codes


def not_spikes(x: Tensor, signal: Signal) -> str:
    """Why `x` cannot be what `signal` declares, or "": spikes are whole multiples of a scale, 0 (-levels) to levels."""
    if signal.made != "spike":
        return ""
    exact = x.detach().to(torch.float64) / signal.scale
    codes = exact.round()  # a multiple of a scale that is no power of two is rounded in float32
    apart = (exact - codes).abs()
    if codes.numel() and float(apart.max()) > 1e-4:
        wrong = exact.flatten()[apart.flatten().argmax()] * signal.scale
        return f"{float(wrong):.4g} is not a whole multiple of {signal.scale:g}"
    lowest = -signal.levels if signal.signed else 0
    if codes.numel() and not lowest <= float(codes.min()) <= float(codes.max()) <= signal.levels:
        low, high = float(codes.min()), float(codes.max())
        return f"codes run from {low:g} to {high:g}, declared are {lowest} to {signal.levels}"
    return ""


def _each(codes: Codes, count: Callable[[Tensor], Tensor]) -> Codes:
    """`count` of all three codes; those of binary spikes are one tensor, which is counted once."""
    first = count(codes[0])
    second, third = (first if code is codes[0] else count(code) for code in codes[1:])
    return first, second, third


def weight_fan(b: Tensor) -> Tensor:
    """How many outputs each input reaches through weights `b` [k, n] that are not zero: [k]."""
    return (b != 0).to(torch.float32).sum(-1)


def matmul(a: Tensor, b: Tensor, signal_a: Signal, signal_b: Signal, fan: Tensor | None = None) -> Tallied:
    """`a` [*, m, k] @ `b` [*, k, n], driven by `a`: numbers per leading index and row of `a`, [*, m].

    Where `b` is spikes too, its codes count as well: coincidences, and products of codes. Where `b` is real, or
    weights, its zeros vanish; `fan` is that of weights, where it is known already.
    """
    rows = codes_of(a, signal_a)
    theirs = codes_of(b, signal_b) if signal_b.made == "spike" else None
    if theirs is None or theirs[0] is theirs[1]:
        partners = theirs[0].sum(-1) if theirs is not None else weight_fan(b) if fan is None else fan
        made = _each(rows, lambda mine: _times(mine, partners))
    else:
        events, popcounts, codes = (_times(mine, c.sum(-1)) for mine, c in zip(rows, theirs, strict=True))
        made = events, popcounts, codes
    dense = float(math.prod(a.shape) * b.shape[-1])
    return Tallied(dense, dense, a.numel(), *made, *_each(rows, lambda mine: mine.sum(-1)))


def _times(rows: Tensor, partners: Tensor) -> Tensor:
    return (rows @ partners.unsqueeze(-1)).squeeze(-1)


Fan = Tensor  # how many outputs each input element reaches, shaped like one input without the batch


def convolution_fan(
    shape: torch.Size,
    weight: Tensor,
    out: torch.Size,
    *,
    stride: list[int],
    padding: list[int],
    dilation: list[int],
    groups: int,
    transposed: bool = False,
    inner: tuple[tuple[int, int, int], ...] = (),
    sparse: bool = False,
) -> tuple[Fan, float]:
    """The fan-out of each input element, and the multiply-accumulates of one input without those on padding.

    Args:
        shape, weight, out: [N, C, *] of the input, [out, in / groups, *] whose zeros reach nothing, of the output.
        inner: dimension, start and length of what is not padding, where padding is part of the input already; the
            fan-out is of these elements alone.
        sparse: zeros of `weight` are no weights: there is nothing to multiply with.
    """
    mask = (weight != 0).to(torch.float32)
    every = mask if sparse else torch.ones_like(mask)
    axes = weight.dim() - 2
    forward, backward = getattr(F, f"conv{axes}d"), getattr(grad, f"conv{axes}d_input")
    ones = torch.ones((1, *out[1:]), device=weight.device)

    def reach(kernel: Tensor) -> Tensor:
        if transposed:  # each input reaches the outputs that lie under its kernel
            return forward(ones, kernel, None, stride, padding, dilation, groups)
        return backward([1, *shape[1:]], kernel, ones, stride, padding, dilation, groups)

    fan, full = reach(mask), reach(every)
    for dim, start, length in inner:
        fan, full = fan.narrow(dim, start, length), full.narrow(dim, start, length)
    return fan[0], float(full.sum(dtype=torch.float64))


def convolution(
    x: Tensor, signal: Signal, fan: Fan, *, dense: float, inside: float, keep: int | None = None
) -> Tallied:
    """A convolution of `x` [N, C, *] whose inputs have the fan-out `fan` [C, *]: numbers per image, [N].

    `dense` and `inside` are of one image. Elements of a dimension to `keep` are told apart too: [N, length].
    """
    images, rows = len(x), codes_of(x, signal)
    if keep is None:
        flat, flattened = fan.reshape(-1), _each(rows, lambda codes: codes.reshape(images, -1))
        made = _each(flattened, lambda codes: codes @ flat)
        sums = _each(flattened, lambda codes: codes.sum(-1))
    else:

        def along(codes: Tensor) -> Tensor:
            return codes.transpose(1, keep).flatten(2).sum(-1)

        made, sums = _each(rows, lambda codes: along(codes * fan)), _each(rows, along)
    return Tallied(dense * images, inside * images, x.numel(), *made, *sums)
