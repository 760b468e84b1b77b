"""Spiking self-attention."""

from __future__ import annotations

from torch import Tensor, nn

from snnctl.backbones.blocks import SpikingLinear
from snnctl.neurons.base import NeuronFactory


class SpikingSelfAttention(nn.Module):
    """Attention between spikes: no softmax, no mask, whole numbers until the scale.

    q, k and v come from one packed layer (columns in that order): BatchNorm and neuron act on each channel
    alone, so this equals three layers. Without a softmax the product is associative, and the cheaper order
    is taken: both give the same whole numbers, exactly in float32 while heads' sums stay below 2^24.

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
        packed: Tensor = self.qkv(x)
        # [T, B, L, 3D] -> three views [T, B, heads, L, D / heads]
        q, k, v = packed.unflatten(-1, (3, self.heads, -1)).permute(3, 0, 1, 4, 2, 5).unbind(0)
        mixed = attend(q, k, v).transpose(2, 3).flatten(-2)
        spikes: Tensor = self.projection(self.neuron(mixed.mul_(self.gain)))
        return spikes


def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """(q k^T) v for [..., L, d] in the cheaper order: the inner map is L x L or d x d."""
    length, width = q.shape[-2:]
    if width < length:
        return q @ (k.transpose(-1, -2) @ v)
    return (q @ k.transpose(-1, -2)) @ v
