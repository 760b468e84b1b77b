"""Attention of the Spikformer, a map between spikes, and the softmax attention of non-spiking twins."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from snnctl.backbones.parts.layers import NormedLinear, SpikingLinear
from snnctl.core.shapes import ShapeError
from snnctl.neurons.base import NeuronFactory
from snnctl.neurons.kernels import can_be_fast, first_gradients_only, pack_spikes, unpack_spikes
from snnctl.positions.base import MapKind
from snnctl.positions.ragged import Ragged


class SpikingSelfAttention(nn.Module):
    """Attention between spikes: no softmax, no mask, whole numbers until the scale.

    q, k and v come from one packed layer (columns in that order): BatchNorm and neuron act on each channel
    alone, so this equals three layers.

    The threshold of the inner neuron is expressed by dividing its current, which is exact for every neuron
    whose membrane is linear in the current between spikes and works without knowing its knobs. Seen from
    the undivided membrane the surrogate is then narrower and higher by the same share.

    Equation:
        q, k, v = neuron(BN(Linear(x)))      split into heads
        A       = q k^T                      (dot)    how many channels fire in both
        A       = sum_d NOT(q_d XOR k_d)     (xnor)   how many channels agree, silent ones too
        o       = neuron(scale / threshold * (A + bias) v)
        y       = neuron(BN(Linear(o)))

    Args:
        dim, heads: D, width, and a divisor of it.
        neuron: factory of neurons, called once per place.
        scale: factor on the attention product.
        threshold: threshold of the inner neuron as a share of the neuron's own.
        norm_gain: initial gain of the BatchNorms.
        kind: which map.
        learn_scale: whether the scale is learned, as a sigmoid that starts at `scale` (below 1).

    Shape: [T, B, L, D] -> [T, B, L, D]; bias [L, L] or None. Packed tokens [T, 1, N, D] stay packed.

    Raises:
        ShapeError: an xnor map of spikes with more than one level.

    Source: Zhou et al. 2023, "Spikformer", arXiv 2209.15425; xnor: Lv et al. 2025, arXiv 2501.16745.
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
        kind: MapKind = "dot",
        learn_scale: bool = False,
    ) -> None:
        super().__init__()
        self.heads = heads
        self.kind = kind
        self.gain = scale / threshold
        self.gate: nn.Parameter | None = None
        if learn_scale:
            self.gate = nn.Parameter(torch.tensor(math.log(scale / (1 - scale))))
            self.gain = 1 / threshold
        self.qkv = SpikingLinear(dim, 3 * dim, neuron, norm_gain=norm_gain)
        self.neuron = neuron(dim)
        self.projection = SpikingLinear(dim, dim, neuron, norm_gain=norm_gain)
        if kind == "xnor" and self.qkv.neuron.levels > 1:
            raise ShapeError("an xnor map needs binary spikes", knob="attention_map", help="use `attention_map: dot`")

    def forward(self, x: Tensor, bias: Tensor | None = None, tokens: Ragged | None = None) -> Tensor:
        packed = self.qkv(x)
        if tokens is not None:  # values of padding are 0, and so is all that it could add
            packed = tokens.unpack(packed)
            bias = None if bias is None else tokens.pairs(bias)
        if self.kind == "dot" and bias is None:
            current = attend_packed(packed, self.heads, self.gain)
        else:
            current = join_heads(self.scores(packed, bias) @ split_heads(packed, self.heads)[2]) * self.gain
        if tokens is not None:
            current = tokens.pack(current)
        if self.gate is not None:
            current = current * self.gate.sigmoid()
        return self.projection(self.neuron(current))

    def scores(self, packed: Tensor, bias: Tensor | None = None) -> Tensor:
        """The map [T, B, heads, L, L] in whole numbers, before the scale, of packed spikes [T, B, L, 3D]."""
        q, k, _ = split_heads(packed, self.heads)
        scores = q @ k.mT if self.kind == "dot" else agreements(q, k)
        return scores if bias is None else scores + bias

    def extra_repr(self) -> str:
        return f"heads={self.heads}, kind={self.kind!r}, gain={self.gain:.4g}, learned_scale={self.gate is not None}"


class _Softmax(nn.Module):
    """Softmax attention over heads that lie side by side in what the layer `packed` makes, the values last.

    Args:
        dim, heads, norm_gain: as in `SpikingSelfAttention`.
    """

    parts: ClassVar[int]
    packed: ClassVar[str]

    def __init__(self, dim: int, heads: int, *, norm_gain: float) -> None:
        super().__init__()
        self.heads = heads
        self.add_module(self.packed, NormedLinear(dim, self.parts * dim, norm_gain=norm_gain))
        self.projection = NormedLinear(dim, dim, norm_gain=norm_gain)

    def forward(self, x: Tensor, bias: Tensor | None = None, tokens: Ragged | None = None) -> Tensor:
        packed = self.get_submodule(self.packed)(x)
        if tokens is not None:
            packed = tokens.unpack(packed)
            bias = None if bias is None else tokens.pairs(bias)
        scores = self.scores(packed, bias)
        scores = scores if tokens is None else tokens.between(scores)
        joined = join_heads(scores.softmax(-1) @ split_heads(packed, self.heads, self.parts)[-1])
        return self.projection(joined if tokens is None else tokens.pack(joined))

    def scores(self, packed: Tensor, bias: Tensor | None = None) -> Tensor:
        """The map [T, B, heads, L, L] before the softmax."""
        q, k, *_ = split_heads(packed, self.heads, self.parts)
        scores = q @ k.mT if bias is None else q @ k.mT + bias
        return scores * q.shape[-1] ** -0.5


class SoftmaxAttention(_Softmax):
    """What a non-spiking twin has in the place of `SpikingSelfAttention`: the same weights, real numbers, softmax.

    Equation:
        q, k, v = BN(Linear(x))              split into heads of width d
        y       = BN(Linear(softmax((q k^T + bias) / sqrt(d)) v))

    Shape: [T, B, L, D] -> [T, B, L, D]; bias [L, L] or None.

    Source: Vaswani et al. 2017, arXiv 1706.03762.
    """

    parts, packed = 3, "qkv"


class SharedKeyAttention(_Softmax):
    """What a non-spiking twin has in the place of `QKTokenAttention`: softmax attention whose values are its keys.

    Equation:
        q, k = BN(Linear(x))               split into heads of width d
        y    = BN(Linear(softmax((q k^T + bias) / sqrt(d)) k))

    Shape: [T, B, L, D] -> [T, B, L, D]; bias [L, L] or None.
    """

    parts, packed = 2, "qk"


def default_scale(kind: MapKind, length: int, width: int) -> float:
    """A scale with which the neuron behind the attention neither starts silent nor saturated; ours.

    Were every q, k and v to fire with probability r = 0.2, independently, the mean current of a head of `width`
    channels over `length` positions would be length * width * a * r, with a = r^2 of the pairs of channels
    counting in a dot map and r^2 + (1 - r)^2 in an xnor map. The scale brings that mean to 1.
    """
    rate = 0.2
    counted = rate**2 if kind == "dot" else rate**2 + (1 - rate) ** 2
    return 1 / (length * width * counted * rate)


def agreements(q: Tensor, k: Tensor) -> Tensor:
    """In how many channels rows of binary `q` and `k` [..., L, d] agree: [..., L, L]; an XNOR that has gradients."""
    # sum q k + (1 - q)(1 - k)
    return 2 * (q @ k.mT) - q.sum(-1, keepdim=True) - k.sum(-1).unsqueeze(-2) + q.shape[-1]


def split_heads(packed: Tensor, heads: int, parts: int = 3) -> tuple[Tensor, ...]:
    """Views [T, B, heads, L, d] of tensors that lie side by side: [T, B, L, parts * D]."""
    return packed.unflatten(-1, (parts, heads, -1)).permute(3, 0, 1, 4, 2, 5).unbind(0)


def join_heads(x: Tensor) -> Tensor:
    """[T, B, heads, L, d] -> [T, B, L, D]."""
    return x.transpose(2, 3).flatten(-2)


def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """(q k^T) v for [..., L, d] in the cheaper order: the inner map is L x L or d x d.

    Without a softmax the product is associative: both orders give the same whole numbers, exactly in float32 while
    heads' sums stay below 2^24.
    """
    return q @ (k.mT @ v) if _narrow(q) else (q @ k.mT) @ v


def attend_packed(packed: Tensor, heads: int, gain: float) -> Tensor:
    """`gain` times the attention of each head, from q, k and v side by side: [T, B, L, 3D] -> [T, B, L, D]."""
    if can_be_fast(packed) and packed.is_contiguous():
        return _PackedAttention.apply(packed, heads, gain)
    q, k, v = split_heads(packed, heads)
    return join_heads(attend(q, k, v)) * gain


class _PackedAttention(torch.autograd.Function):
    """Attention whose heads are brought apart by one copy, multiplied all at once, and put back by another.

    Products whose results lie apart in memory, as those of single heads in the packed tensor, torch does matrix by
    matrix, which for a few tokens takes several times as long as the products do. Nothing but the spikes is kept for
    the backward pass, as bytes; autograd of the plain expression keeps the maps, too.
    """

    @staticmethod
    def forward(ctx: Any, packed: Tensor, heads: int, gain: float) -> Tensor:
        *axes, length, width = packed.shape
        batch, narrow = math.prod(axes), width // (3 * heads)
        apart = packed.view(batch, length, 3, heads, narrow).permute(2, 0, 3, 1, 4).contiguous()
        kept = pack_spikes(apart)
        ctx.save_for_backward(apart if kept is None else kept)
        ctx.shape, ctx.gain = packed.shape, gain
        found = attend(*apart.flatten(1, 2).unbind(0)).view(batch, heads, length, narrow)
        out = packed.new_empty(*packed.shape[:-1], width // 3)
        torch.mul(found.transpose(1, 2), gain, out=out.view(batch, length, heads, narrow))
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        first_gradients_only()
        apart = unpack_spikes(ctx.saved_tensors[0])
        _, batch, heads, length, narrow = apart.shape
        q, k, v = apart.flatten(1, 2).unbind(0)
        g = apart.new_empty(batch, heads, length, narrow)
        torch.mul(grads[0].reshape(batch, length, heads, narrow).transpose(1, 2), ctx.gain, out=g)
        g = g.flatten(0, 1)
        grad = torch.empty_like(apart)
        grad_q, grad_k, grad_v = grad.flatten(1, 2).unbind(0)
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
        return grad.permute(1, 3, 0, 2, 4).reshape(ctx.shape), None, None


def _narrow(q: Tensor) -> bool:
    """Whether the d x d order of the product is the cheaper one."""
    return q.shape[-1] < q.shape[-2]
