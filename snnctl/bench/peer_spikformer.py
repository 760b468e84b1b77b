"""Spikformer out of spikingjelly modules, laid out as SeqSNN's time-series code lays it out.

Features last for the linear layers; BatchNorm1d over transposed views [T*B, D, L]; q, k and v apart; (q k^T) v;
a contiguous copy wherever the published code makes one. Same parameters and same outputs as `snnctl`'s.
"""

from __future__ import annotations

import copy
from typing import cast

from torch import Tensor, nn

from snnctl.backbones import Spikformer
from snnctl.backbones.parts.attention import SpikingSelfAttention
from snnctl.backbones.parts.layers import SpikingLinear
from snnctl.bench.peers import SpikingJelly, why_not_lif
from snnctl.neurons import LIF


class JellyLayer(nn.Module):
    """Linear, BatchNorm over a transposed view, LIFNode: as a SpikingLinear, or some of its columns.

    Args:
        library: spikingjelly.
        ours: the layer whose weights, norm and neuron are taken over.
        columns: which of its outputs.

    Shape: [T, B, L, inputs] -> [T, B, L, outputs].
    """

    def __init__(self, library: SpikingJelly, ours: SpikingLinear, columns: slice = slice(None)) -> None:
        super().__init__()
        weight, bias = ours.linear.weight[columns].detach(), ours.linear.bias[columns].detach()
        self.linear = nn.Linear(weight.shape[1], weight.shape[0], dtype=weight.dtype)
        self.linear.load_state_dict({"weight": weight, "bias": bias})
        self.norm: nn.BatchNorm1d | None = None
        if isinstance(ours.norm, nn.BatchNorm1d):
            self.norm = nn.BatchNorm1d(len(weight), eps=ours.norm.eps, momentum=ours.norm.momentum, dtype=weight.dtype)
            state = {name: t[columns] if t.dim() else t for name, t in ours.norm.state_dict().items()}
            self.norm.load_state_dict(state)
        self.neuron = library.lif(cast(LIF, ours.neuron))

    def forward(self, x: Tensor) -> Tensor:
        T, B, L, _ = x.shape
        current: Tensor = self.linear(x.flatten(0, 1))
        if self.norm is not None:
            current = self.norm(current.transpose(-1, -2)).transpose(-1, -2)
        spikes: Tensor = self.neuron(current.reshape(T, B, L, -1).contiguous())
        return spikes


class JellyAttention(nn.Module):
    """Spiking self-attention; q, k and v are three layers.

    Shape: [T, B, L, D] -> [T, B, L, D].
    """

    def __init__(self, library: SpikingJelly, ours: SpikingSelfAttention, scale: float) -> None:
        super().__init__()
        self.heads, self.scale = ours.heads, scale
        dim = ours.qkv.linear.in_features
        self.q, self.k, self.v = (JellyLayer(library, ours.qkv, slice(i * dim, (i + 1) * dim)) for i in range(3))
        self.neuron = library.lif(cast(LIF, ours.neuron), threshold_share=scale / ours.gain)
        self.projection = JellyLayer(library, ours.projection)

    def _split(self, x: Tensor) -> Tensor:
        return x.reshape(*x.shape[:3], self.heads, -1).permute(0, 1, 3, 2, 4).contiguous()

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (self._split(layer(x)) for layer in (self.q, self.k, self.v))
        weights = (q @ k.transpose(-2, -1)) * self.scale
        mixed = (weights @ v).transpose(2, 3).reshape(x.shape).contiguous()
        spikes: Tensor = self.projection(self.neuron(mixed))
        return spikes


class JellySpikformer(nn.Module):
    """The network that a `Spikformer` is, in spikingjelly modules, with its weights.

    The position stays ours: SeqSNN's has no part in the comparison.

    Args:
        library: spikingjelly.
        ours: a Spikformer for which `why_no_peer` has nothing to say.
        scale: its `attention_scale`.

    Shape: [T, B, L, F] -> [T, B, L, dim].
    """

    def __init__(self, library: SpikingJelly, ours: Spikformer, scale: float) -> None:
        super().__init__()
        self.library = library
        self.output = ours.output
        self.position = copy.deepcopy(ours.position)
        self.embed = JellyLayer(library, ours.embed)
        self.attentions, self.mlps = nn.ModuleList(), nn.ModuleList()
        for block in ours.blocks:
            self.attentions.append(JellyAttention(library, cast(SpikingSelfAttention, block.attention), scale))
            mlp = cast(nn.Module, block.mlp)
            self.mlps.append(nn.Sequential(*(JellyLayer(library, layer) for layer in mlp.children())))  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        self.library.reset(self)
        x = self.embed(self.position(x))
        for attention, mlp in zip(self.attentions, self.mlps, strict=True):
            x = x + attention(x)
            x = x + mlp(x)
        return x


def why_no_peer(network: nn.Module) -> str:
    """Why `network` has no equal in spikingjelly modules, or ""."""
    if type(network) is not Spikformer:
        return f"the backbone is {type(network).__name__}, not Spikformer"
    if network.output.ragged:
        return "its sequences differ in length"
    neurons = [m.neuron for m in network.modules() if isinstance(m, SpikingLinear | SpikingSelfAttention)]
    return next((reason for neuron in neurons if (reason := why_not_lif(neuron))), "")
