"""Attention of linear cost (spike-driven, Q-K tokens): spikes mask spikes, no pairs of positions are multiplied."""

from __future__ import annotations

from torch import Tensor, nn

from snnctl.backbones.parts.attention import SharedKeyAttention
from snnctl.backbones.parts.layers import NormedLinear, SpikingLinear
from snnctl.backbones.parts.units import Units
from snnctl.neurons.base import NeuronFactory
from snnctl.positions.ragged import Ragged


class SpikeDrivenAttention(nn.Module):
    """Spike-driven self-attention: queries and keys that fire together open a channel of the values.

    Only masks and sums of spikes; the map over positions never exists. A bias between positions (log) turns the sum
    over all positions into one per position, weighted by whole numbers (our reading; the authors only report that
    Log-PE fits this attention).

    Equation:
        q, k, v = neuron(BN(Linear(s)))
        g       = neuron(scale * sum_j q_j * k_j)                   one per channel
        g_i     = neuron(scale * sum_j bias_ij q_j * k_j)           one per channel and position, with a bias
        u       = BN(Linear(g * v))                                 a current, added to the membrane of the block

    Args:
        dim, neuron, norm_gain: as in `SpikingSelfAttention`.
        scale: factor on the sum, > 0 (1: the sum itself, as published).

    Shape: spikes [T, B, L, D] -> currents [T, B, L, D]; bias [L, L] or None.
    """

    def __init__(self, dim: int, neuron: NeuronFactory, *, scale: float, norm_gain: float) -> None:
        super().__init__()
        self.scale = scale
        self.qkv = SpikingLinear(dim, 3 * dim, neuron, norm_gain=norm_gain)
        self.neuron = neuron(dim)
        self.projection = NormedLinear(dim, dim, norm_gain=norm_gain)

    def forward(self, s: Tensor, bias: Tensor | None = None, tokens: Ragged | None = None) -> Tensor:
        q, k, v = self.qkv(s).chunk(3, -1)
        both = q * k
        if tokens is None:
            weighted = both.sum(2, keepdim=True) if bias is None else bias @ both
            gate = self.neuron(weighted * self.scale)
        elif bias is None:
            per_sequence = self.neuron(tokens.total(both).unsqueeze(2) * self.scale)
            gate = tokens.share(per_sequence.squeeze(2))
        else:
            weighted = tokens.pairs(bias) @ tokens.unpack(both)
            gate = self.neuron(tokens.pack(weighted) * self.scale)
        return self.projection(gate * v)

    def extra_repr(self) -> str:
        return f"scale={self.scale:g}"


class QKTokenAttention(nn.Module):
    """QKFormer's token attention: a head's query decides which positions' keys pass.

    Equation:
        q, k = neuron(BN(Linear(x)))       split into heads
        a    = neuron(sum_d q / threshold) one per position and head
        y    = neuron(BN(Linear(a * k)))

    Args:
        dim, heads, neuron, norm_gain: as in `SpikingSelfAttention`.
        threshold: likewise (0.5 in the authors' code for images).

    Shape: [T, B, L, D] -> [T, B, L, D]; a bias for maps is not used, there is no map.
    """

    def __init__(
        self, dim: int, heads: int, neuron: NeuronFactory, *, norm_gain: float, threshold: float = 1.0
    ) -> None:
        super().__init__()
        self.heads = heads
        self.gain = 1 / threshold
        self.qk = SpikingLinear(dim, 2 * dim, neuron, norm_gain=norm_gain)
        self.neuron = neuron(heads)
        self.projection = SpikingLinear(dim, dim, neuron, norm_gain=norm_gain)

    def forward(self, x: Tensor, bias: Tensor | None = None, tokens: Ragged | None = None) -> Tensor:
        q, k = self.qk(x).chunk(2, -1)
        firing = q.unflatten(-1, (self.heads, -1)).sum(-1)
        passes = self.neuron(firing if self.gain == 1 else firing * self.gain)
        masked = passes.unsqueeze(-1) * k.unflatten(-1, (self.heads, -1))
        return self.projection(masked.flatten(-2))

    def extra_repr(self) -> str:
        return f"heads={self.heads}, gain={self.gain:.4g}"


def token_attention(dim: int, heads: int, units: Units, *, norm_gain: float, threshold: float = 1.0) -> nn.Module:
    """Q-K token attention, or what a twin has in its place."""
    if not units.spiking:
        return SharedKeyAttention(dim, heads, norm_gain=norm_gain)
    return QKTokenAttention(dim, heads, units.hidden, norm_gain=norm_gain, threshold=threshold)
