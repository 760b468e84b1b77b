"""Spiking self-attention."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from snnctl.backbones.blocks import SpikingLinear
from snnctl.neurons.base import NeuronFactory
from snnctl.neurons.kernels import can_be_fast, pack_spikes, unpack_spikes
from snnctl.neurons.kernels.gradients import first_gradients_only


class SpikingSelfAttention(nn.Module):
    """Attention between spikes: no softmax, no mask, whole numbers until the scale.

    q, k and v come from one packed layer (columns in that order): BatchNorm and neuron act on each channel
    alone, so this equals three layers.

    The threshold of the inner neuron is expressed by dividing its current, which is exact for every neuron
    whose membrane is linear in the current between spikes and works without knowing its knobs. Seen from
    the undivided membrane the surrogate is then narrower and higher by the same share.

    Equation:
        q, k, v = neuron(BN(Linear(x)))      split into heads
        o       = neuron(scale / threshold * (q k^T) v)
        y       = neuron(BN(Linear(o)))

    Args:
        dim: D, width.
        heads: number of heads; divides `dim`.
        neuron: factory of neurons, called once per place.
        scale: factor on the attention product.
        threshold: threshold of the inner neuron as a share of the neuron's own.
        norm_gain: initial gain of the BatchNorms.

    Shape: [T, B, L, D] -> [T, B, L, D].

    Source: Zhou et al. 2023, "Spikformer", arXiv 2209.15425.
    """

    def __init__(
        self,
        dim: int,
        heads: int,
        neuron: NeuronFactory,
        *,
        scale: float,
        threshold: float,
        norm_gain: float,
    ) -> None:
        super().__init__()
        self.heads = heads
        self.gain = scale / threshold
        self.qkv = SpikingLinear(dim, 3 * dim, neuron, norm_gain=norm_gain)
        self.neuron = neuron(dim)
        self.projection = SpikingLinear(dim, dim, neuron, norm_gain=norm_gain)

    def forward(self, x: Tensor) -> Tensor:
        current = attend_packed(self.qkv(x), self.heads, self.gain)
        spikes: Tensor = self.projection(self.neuron(current))
        return spikes


def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """(q k^T) v for [..., L, d] in the cheaper order: the inner map is L x L or d x d.

    Without a softmax the product is associative: both orders give the same whole numbers, exactly in float32 while
    heads' sums stay below 2^24.
    """
    length, width = q.shape[-2:]
    if width < length:
        return q @ (k.transpose(-1, -2) @ v)
    return (q @ k.transpose(-1, -2)) @ v


def attend_packed(packed: Tensor, heads: int, gain: float) -> Tensor:
    """`gain` times the attention of each head, from q, k and v side by side: [T, B, L, 3D] -> [T, B, L, D]."""
    if can_be_fast(packed) and packed.is_contiguous():
        out: Tensor = _PackedAttention.apply(packed, heads, gain)
        return out
    # [T, B, L, 3D] -> three views [T, B, heads, L, D / heads]
    q, k, v = packed.unflatten(-1, (3, heads, -1)).permute(3, 0, 1, 4, 2, 5).unbind(0)
    return attend(q, k, v).transpose(2, 3).flatten(-2) * gain


class _PackedAttention(torch.autograd.Function):
    """Attention that reads its heads where they lie in the packed tensor and writes gradients to where they belong.

    Matrix products take rows with a stride, so nothing is copied to bring heads together or apart, and nothing but the
    spikes is kept for the backward pass, as bytes; autograd of the plain expression keeps copies of q, k and v.
    """

    @staticmethod
    def forward(ctx: Any, packed: Tensor, heads: int, gain: float) -> Tensor:
        ctx.heads, ctx.gain = heads, gain
        kept = pack_spikes(packed)
        ctx.save_for_backward(packed if kept is None else kept)
        out = packed.new_empty(*packed.shape[:-1], packed.shape[-1] // 3)
        for (q, k, v), o in zip(_heads(packed, heads), _columns(out, heads), strict=True):
            torch.bmm(*((q, k.mT @ v) if _narrow(q) else (q @ k.mT, v)), out=o)
        return out.mul_(gain)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        first_gradients_only()
        packed = unpack_spikes(ctx.saved_tensors[0])
        grad = grads[0].contiguous() * ctx.gain
        grad_packed = torch.empty_like(packed)
        parts = (_heads(packed, ctx.heads), _heads(grad_packed, ctx.heads), _columns(grad, ctx.heads))
        for (q, k, v), (grad_q, grad_k, grad_v), g in zip(*parts, strict=True):
            if _narrow(q):
                torch.bmm(g, (k.mT @ v).mT, out=grad_q)
                grad_inner = q.mT @ g
                torch.bmm(v, grad_inner.mT, out=grad_k)
                torch.bmm(k, grad_inner, out=grad_v)
            else:
                grad_inner = g @ v.mT
                torch.bmm(grad_inner, k, out=grad_q)
                torch.bmm(grad_inner.mT, q, out=grad_k)
                torch.bmm((q @ k.mT).mT, g, out=grad_v)
        return grad_packed, None, None


def _narrow(q: Tensor) -> bool:
    """Whether the d x d order of the product is the cheaper one."""
    return q.shape[-1] < q.shape[-2]


def _columns(x: Tensor, heads: int) -> tuple[Tensor, ...]:
    """Views [T * B, L, D / heads] of the heads of [T, B, L, D]."""
    return x.flatten(0, 1).chunk(heads, -1)


def _heads(packed: Tensor, heads: int) -> list[tuple[Tensor, ...]]:
    """Views of q, k and v of each head."""
    return list(zip(*(_columns(part, heads) for part in packed.chunk(3, -1)), strict=True))
