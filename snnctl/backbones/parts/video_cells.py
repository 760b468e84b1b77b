"""Recurrent cells over maps: what stacks for video prediction are made of. Channels lie last throughout."""

from __future__ import annotations

from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from snnctl.backbones.parts.blocks import ConvWeights, SpikingLayer
from snnctl.core.shapes import ShapeError
from snnctl.neurons.base import NeuronFactory, State

CellNorm = Literal["group", "none"]


class MapNorm(nn.GroupNorm):
    """GroupNorm whose channels are the last axis; statistics are those of one frame of one sample.

    Shape: [T, B, H, W, C] -> the same.
    """

    def forward(self, input: Tensor) -> Tensor:
        images = input.flatten(0, 1).permute(0, 3, 1, 2)
        return super().forward(images).permute(0, 2, 3, 1).unflatten(0, input.shape[:2])


class SpikingCell(SpikingLayer):
    """Convolution, GroupNorm and neuron; the memory is the neuron's own.

    Equation:
        S[t] = neuron(GN(W * x[t]))

    Args:
        inputs, outputs: channels.
        neuron: factory of the neuron, called with `outputs`.
        kernel: odd; zeros around the map keep its size.
        norm: group, or none.
        norm_groups: of the norm, a divisor of `outputs`.

    Shape: [T, B, H, W, inputs] -> [T, B, H, W, outputs].

    Raises:
        ShapeError: the norm's groups do not divide the channels.
    """

    space = 2

    def __init__(
        self, inputs: int, outputs: int, neuron: NeuronFactory, *, kernel: int, norm: CellNorm, norm_groups: int
    ) -> None:
        super().__init__(outputs, neuron, None)
        self.conv = ConvWeights(inputs, outputs, kernel, 1, kernel // 2, bias=norm == "none")
        self.norm = nn.Identity() if norm == "none" else _map_norm(norm_groups, outputs)

    @property
    def weights(self) -> ConvWeights:
        return self.conv

    def forward(self, x: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Run over the leading time axis: spikes, and the state after the last step."""
        found: tuple[Tensor, State] = self.fire(_convolved(self.conv, x), state, True)
        return found


class LSTMCell(nn.Module):
    """Convolutional LSTM, the non-spiking twin of a spiking cell.

    Equation:
        i, f, g, o = W_x * x[t] + W_h * h[t-1] + b      four maps of `outputs` channels
        c[t] = sigmoid(f + 1) c[t-1] + sigmoid(i) tanh(g)
        h[t] = sigmoid(o) tanh(c[t])

    Args:
        inputs, outputs: channels.
        kernel: of both convolutions, odd.
        norm: group normalises W_x * x + b and W_h * h, each gate by itself.

    Shape: [T, B, H, W, inputs] -> [T, B, H, W, outputs]; the state is (h, c), each [B, H, W, outputs].

    Source: Shi et al. 2015, "Convolutional LSTM network", arXiv 1506.04214, without peepholes, as in OpenSTL,
        github.com/chengtan9907/OpenSTL, whose forget bias of 1 it has too.
    """

    def __init__(self, inputs: int, outputs: int, *, kernel: int, norm: bool = False) -> None:
        super().__init__()
        self.conv = ConvWeights(inputs, 4 * outputs, kernel, 1, kernel // 2)
        self.recurrent = ConvWeights(outputs, 4 * outputs, kernel, 1, kernel // 2, bias=False)
        self.outputs = outputs
        self.input_norm: nn.Module = MapNorm(4, 4 * outputs) if norm else nn.Identity()
        self.state_norm: nn.Module = MapNorm(4, 4 * outputs) if norm else nn.Identity()

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Run over the leading time axis: h of every step, and the state after the last one."""
        driven = self.input_norm(_convolved(self.conv, x))
        h, c = (None, None) if state is None else state
        out = []
        for gates in driven.unbind(0):
            if h is not None:
                gates = gates + self.state_norm(_convolved(self.recurrent, h[None]))[0]
            i, f, g, o = gates.chunk(4, dim=-1)
            taken = i.sigmoid() * g.tanh()
            c = taken if c is None else (f + 1).sigmoid() * c + taken
            h = o.sigmoid() * c.tanh()
            out.append(h)
        assert h is not None
        assert c is not None
        return torch.stack(out), (h, c)


class FrameHead(ConvWeights):
    """A 1 x 1 convolution without bias: spikes of the last cell become the pixels of the next frame's patches.

    Shape: [T, B, H, W, inputs] -> [T, B, H, W, outputs].
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 1, bias=False)

    def forward(self, input: Tensor) -> Tensor:
        return F.linear(input, self.weight.flatten(1))


def _convolved(conv: ConvWeights, x: Tensor) -> Tensor:
    """W * x for maps [T, B, H, W, C], the channels last before and after: all views."""
    y: Tensor = conv(x.flatten(0, 1).permute(0, 3, 1, 2))
    return y.permute(0, 2, 3, 1).unflatten(0, x.shape[:2])


def _map_norm(groups: int, channels: int) -> Any:
    if channels % groups:
        fitting = [size for size in range(1, min(channels, 32) + 1) if channels % size == 0]
        help = f"divisors: {', '.join(map(str, fitting))}"
        raise ShapeError(f"{groups} norm groups do not divide {channels} channels", knob="norm_groups", help=help)
    return MapNorm(groups, channels)
