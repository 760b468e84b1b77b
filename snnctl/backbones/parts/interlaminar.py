"""Connections from layer to layer: what the layer before says, weighed by channel, is added to a layer's current."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import torch.nn.functional as F
from torch import Tensor, nn

from snnctl.backbones.parts.layers import SpikingConv
from snnctl.backbones.parts.units import Linear

Grid = tuple[int, int]
Tap = Literal["spike", "current", "membrane"]
Inner = Literal["current", "membrane"]  # what lies before the spikes


@dataclass(frozen=True)
class Interlaminar:
    """Connections past the weights of each convolution but the first, so that neurons get more current and use more of
    their levels.

    Equation:
        X[t]   = BN(W * S[t]) + g(E[t] * P[t])          P: what is tapped of the layer before, S its spikes
        E[t]   = sigmoid(conv1d(mean_{h,w} P[t]))       over neighbouring channels, one kernel, no bias
        g(x)   = BN(W' * pool(x))                       1 x 1; where widths agree x itself, averaged where the grid is
                                                        another

    Args:
        tap: spike takes what the convolution sees, the spikes of the layer before; current the input current of the
            neurons that made them; membrane what is left in those after the reset, neurons then run step by step (a
            twin has no membranes: its currents stand for them).
        shared_over_time: false weighs channels anew at each step, true once, by the mean over T: then a step depends on
            later ones.

    Source: Xiao et al. 2024, "Multi-bit mechanism", arXiv 2407.05739, names the connection and the attention; its
        equations were not available, this is our reading.
    """

    tap: Tap = "spike"
    shared_over_time: bool = False


def current_unit(channels: int) -> Any:
    """What stands in a neuron's place where currents are handed on."""
    return Linear()


def attention_kernel(channels: int) -> int:
    """How many neighbouring channels decide on the weight of one: odd, next to (log2 C + 1) / 2, at least 3."""
    found = int((math.log2(channels) + 1) / 2)
    return max(found if found % 2 else found + 1, 3)


class ChannelAttention(nn.Module):
    """Efficient channel attention: a weight between 0 and 1 for each channel, from its mean and its neighbours'.

    The equation, and `shared_over_time`, stand in `Interlaminar`.

    Shape: [T, B, C, H, W] -> [T, B, C, H, W].

    Source: Wang et al. 2020, "ECA-Net", arXiv 1910.03151.
    """

    def __init__(self, channels: int, *, shared_over_time: bool = False) -> None:
        super().__init__()
        kernel = attention_kernel(channels)
        self.shared_over_time = shared_over_time
        self.conv = nn.Conv1d(1, 1, kernel, padding=kernel // 2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        means = x.mean((0, 3, 4)).unsqueeze(0) if self.shared_over_time else x.mean((3, 4))
        gate = self.conv(means.flatten(0, 1).unsqueeze(1)).squeeze(1).view_as(means).sigmoid()
        return x * gate[..., None, None]


class Connection(nn.Module):
    """One connection: attention, and what makes its result fit the layer it leads to.

    Args:
        inputs, outputs: channels of what is tapped and of the layer.
        tapped, grid: (rows, columns) of what is tapped and of the layer's output.

    Attributes: `extra_parameters`, how many parameters it adds to the network.

    Shape: [T, B, inputs, *tapped] -> [T, B, outputs, *grid].
    """

    def __init__(
        self, wanted: Interlaminar, inputs: int, outputs: int, tapped: Grid, grid: Grid, *, norm_gain: float
    ) -> None:
        super().__init__()
        self.tap: Tap = wanted.tap
        self.grid = None if tapped == grid else grid
        self.attention = ChannelAttention(inputs, shared_over_time=wanted.shared_over_time)
        self.match: SpikingConv | None = None
        if inputs != outputs:
            self.match = SpikingConv(inputs, outputs, current_unit, kernel=1, norm_gain=norm_gain, bias=False)
        self.extra_parameters = sum(parameter.numel() for parameter in self.parameters())

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.attention(x)
        if self.grid is not None:
            y = F.adaptive_avg_pool2d(y.flatten(0, 1), self.grid).unflatten(0, y.shape[:2])
        return y if self.match is None else self.match(y)

    def extra_repr(self) -> str:
        pooled = "" if self.grid is None else f", grid={self.grid}"
        return f"tap={self.tap!r}{pooled}, extra_parameters={self.extra_parameters}"


def extra_parameters(network: nn.Module) -> int:
    """What all connections of a network add to its parameters."""
    return sum(part.extra_parameters for part in network.modules() if isinstance(part, Connection))
