"""Networks out of other libraries' modules, with the same parameters and outputs as `snnctl`'s.

Spikformer is laid out as SeqSNN's time-series code lays it out: features last for the linear layers; BatchNorm1d over
transposed views [T*B, D, L]; q, k and v apart; (q k^T) v; a contiguous copy wherever the published code makes one.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from snnctl.backbones import Spikformer
from snnctl.backbones.parts.attention import SpikingSelfAttention
from snnctl.backbones.parts.layers import SpikingLinear
from snnctl.backbones.spike_mlp import SelfRecurrent
from snnctl.bench.peers import SnnTorch, SpikingJelly, why_not_lif
from snnctl.neurons import LIF


class FromRest(nn.Module):
    """A network of spikingjelly modules that starts every call from rest."""

    def __init__(self, library: SpikingJelly, network: nn.Module) -> None:
        super().__init__()
        self.library, self.network = library, network

    def forward(self, x: Tensor) -> Tensor:
        self.library.reset(self.network)
        return self.network(x)


def jelly_feedforward(library: SpikingJelly, weights: Sequence[nn.Linear], like: LIF) -> FromRest:
    """Linear layers and LIFNodes, layer by layer; [T, B, inputs] -> spikes [T, B, outputs]."""
    layers: list[nn.Module] = []
    for weight in weights:
        linear = library.layer.Linear(weight.in_features, weight.out_features, step_mode="m")
        linear.load_state_dict(weight.state_dict())
        layers += [linear, library.lif(like)]
    return FromRest(library, nn.Sequential(*layers))


class TorchFeedForward(nn.Module):
    """Linear layers and Leaky in a loop over time, as in snntorch's tutorials: [T, B, inputs] -> [T, B, outputs]."""

    def __init__(self, library: SnnTorch, weights: Sequence[nn.Linear], like: LIF) -> None:
        super().__init__()
        self.linears = nn.ModuleList(nn.Linear(w.in_features, w.out_features) for w in weights)
        for linear, weight in zip(self.linears, weights, strict=True):
            linear.load_state_dict(weight.state_dict())
        self.neurons = nn.ModuleList(library.leaky(like) for _ in weights)

    def forward(self, x: Tensor) -> Tensor:
        membranes = [neuron.reset_mem() for neuron in self.neurons]  # type: ignore[operator]
        out = []
        for x_t in x:
            spikes = x_t
            for i, (linear, neuron) in enumerate(zip(self.linears, self.neurons, strict=True)):
                spikes, membranes[i] = neuron(linear(spikes), membranes[i])
            out.append(spikes)
        return torch.stack(out)


class JellyRecurrent(nn.Module):
    """A layer whose spikes are its own input one step later, as `ours`: [T, B, inputs] -> [T, B, outputs].

    The input's product is one for all steps, as in ours; the recurrent one and a single-step LIFNode go step by step.
    """

    def __init__(self, library: SpikingJelly, ours: SelfRecurrent) -> None:
        super().__init__()
        self.linear, self.recurrent = copied(ours.linear), back_of(ours)
        self.neuron = library.lif(cast(LIF, ours.neuron), step_mode="s")

    def forward(self, x: Tensor) -> Tensor:
        currents = self.linear(x)
        spikes = torch.zeros_like(currents[0])
        out = []
        for current in currents:
            spikes = self.neuron(current + self.recurrent(spikes))
            out.append(spikes)
        return torch.stack(out)


def jelly_recurrent(library: SpikingJelly, layers: Sequence[SpikingLinear]) -> FromRest:
    """Recurrent layers and a last one without, as `layers`: [T, B, inputs] -> spikes [T, B, outputs]."""
    made: list[nn.Module] = []
    for layer in layers:
        if isinstance(layer, SelfRecurrent):
            made.append(JellyRecurrent(library, layer))
        else:
            made += [copied(layer.linear), library.lif(cast(LIF, layer.neuron))]
    return FromRest(library, nn.Sequential(*made))


class TorchRecurrent(nn.Module):
    """Linear layers, recurrent ones and Leaky in a loop over time: [T, B, inputs] -> [T, B, outputs]."""

    def __init__(self, library: SnnTorch, layers: Sequence[SpikingLinear]) -> None:
        super().__init__()
        self.linears = nn.ModuleList(copied(layer.linear) for layer in layers)
        self.backs = nn.ModuleList(back_of(x) if isinstance(x, SelfRecurrent) else nn.Identity() for x in layers)
        self.neurons = nn.ModuleList(library.leaky(cast(LIF, layer.neuron)) for layer in layers)

    def forward(self, x: Tensor) -> Tensor:
        membranes = [neuron.reset_mem() for neuron in self.neurons]  # type: ignore[operator]
        before = [x.new_zeros(x.shape[1], cast(nn.Linear, linear).out_features) for linear in self.linears]
        out = []
        for x_t in x:
            spikes = x_t
            for i, (linear, back) in enumerate(zip(self.linears, self.backs, strict=True)):
                current = linear(spikes)
                if not isinstance(back, nn.Identity):
                    current = current + back(before[i])
                before[i], membranes[i] = self.neurons[i](current, membranes[i])
                spikes = before[i]
            out.append(spikes)
        return torch.stack(out)


def copied(ours: nn.Linear) -> nn.Linear:
    """A plain linear layer with the same weights."""
    made = nn.Linear(ours.in_features, ours.out_features, dtype=ours.weight.dtype)
    made.load_state_dict({"weight": ours.weight.detach(), "bias": ours.bias.detach()})
    return made


def back_of(ours: SelfRecurrent) -> nn.Linear:
    """The recurrent weights as a plain linear layer."""
    weight = (ours.recurrent * ours.others).detach()
    made = nn.Linear(len(weight), len(weight), bias=False, dtype=weight.dtype)
    made.load_state_dict({"weight": weight})
    return made


class JellyLayer(nn.Module):
    """Linear, BatchNorm over a transposed view and LIFNode as `ours`: [T, B, L, inputs] -> [T, B, L, columns]."""

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
        return self.neuron(current.reshape(T, B, L, -1).contiguous())


class JellyAttention(nn.Module):
    """Spiking self-attention, [T, B, L, D] -> [T, B, L, D]; q, k and v are three layers."""

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
        return self.projection(self.neuron(mixed))


class JellySpikformer(nn.Module):
    """The network that `ours` is, a Spikformer for which `why_no_peer` has nothing to say, with its weights.

    `scale` is its `attention_scale`. The position stays ours: SeqSNN's has no part in the comparison.

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
