"""What video prediction is made of: frames as maps of patches, recurrent cells over maps, scheduled sampling."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from annotated_types import Ge, Gt, Le
from torch import Tensor, nn

from snnctl.backbones.parts.images import Grid, grid_of
from snnctl.backbones.parts.layers import SpikingLayer
from snnctl.backbones.parts.weights import ConvWeights
from snnctl.core.shapes import ShapeError, SignalSpec
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

    Args:
        inputs, outputs: channels.
        neuron: factory of the neuron, called with `outputs`.
        kernel: odd; zeros around the map keep its size.
        norm, norm_groups: as in `VideoStack`.

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
        if norm != "none":
            if outputs % norm_groups:
                fitting = [size for size in range(1, min(outputs, 32) + 1) if outputs % size == 0]
                message = f"{norm_groups} norm groups do not divide {outputs} channels"
                raise ShapeError(message, knob="norm_groups", help=f"divisors: {', '.join(map(str, fitting))}")
            self.norm = MapNorm(norm_groups, outputs)

    def forward(self, x: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Run over the leading time axis: spikes, and the state after the last step."""
        return self.fire(_convolved(self.conv, x), state, True)


class LSTMCell(nn.Module):
    """Convolutional LSTM, the non-spiking twin of a spiking cell.

    Equation:
        i, f, g, o = W_x * x[t] + W_h * h[t-1] + b      four maps of `outputs` channels
        c[t] = sigmoid(f + 1) c[t-1] + sigmoid(i) tanh(g)
        h[t] = sigmoid(o) tanh(c[t])

    Args:
        inputs, outputs: channels.
        kernel: of both convolutions, odd.

    Shape: [T, B, H, W, inputs] -> [T, B, H, W, outputs]; the state is (h, c), each [B, H, W, outputs].

    Source: Shi et al. 2015, "Convolutional LSTM network", arXiv 1506.04214, without peepholes, as in OpenSTL,
        github.com/chengtan9907/OpenSTL, whose forget bias of 1 it has too.
    """

    def __init__(self, inputs: int, outputs: int, *, kernel: int) -> None:
        super().__init__()
        self.conv = ConvWeights(inputs, 4 * outputs, kernel, 1, kernel // 2)
        self.recurrent = ConvWeights(outputs, 4 * outputs, kernel, 1, kernel // 2, bias=False)

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Run over the leading time axis: h of every step, and the state after the last one."""
        driven = _convolved(self.conv, x)
        out = []
        for gates in driven.unbind(0):
            if state is not None:
                gates = gates + _convolved(self.recurrent, state[0][None])[0]
            i, f, g, o = gates.chunk(4, dim=-1)
            taken = i.sigmoid() * g.tanh()
            c = taken if state is None else (f + 1).sigmoid() * state[1] + taken
            state = (o.sigmoid() * c.tanh(), c)
            out.append(state[0])
        assert state is not None
        return torch.stack(out), state


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
    return conv(x.flatten(0, 1).permute(0, 3, 1, 2)).permute(0, 2, 3, 1).unflatten(0, x.shape[:2])


@dataclass(frozen=True)
class Sampling:
    """The share of true inputs falls in a straight line, from the first step of training on.

    Equation:
        eta = start * max(0, 1 - done / stop)      done: share of all training steps that is done

    The published decay of 2e-5 a step reaches 0 after 50,000 steps; `stop` is that in shares of a run, so that a short
    run, too, learns to go on from its own frames.

    Args:
        start: probability of the truth at first, for each sample and step by itself, 0 <= start <= 1 (1 as published).
        stop: share of training after which it is 0, > 0 (.4, ours).
    """

    start: Annotated[float, Ge(0.0), Le(1.0)] = 1.0
    stop: Annotated[float, Gt(0.0), Le(1.0)] = 0.4

    def eta(self, done: float) -> float:
        """The probability after this share of training, 0 <= done <= 1."""
        return self.start * max(0.0, 1.0 - done / self.stop)


def drawn(eta: float, batch: int, steps: int) -> Tensor:
    """Whether each sample sees the truth at each step, [steps, batch] bool, from torch's random state."""
    return torch.rand(steps, batch) < eta


def to_patches(frames: Tensor, grid: Grid, patch: int) -> Tensor:
    """Every patch of pixels becomes the channels of one position, in the order row in patch, column in patch, channel.

    For one channel that is torch's pixel_unshuffle; for more the channels lie innermost, as in PredRNN.

    Shape: [*, H W, C] -> [*, H / patch, W / patch, patch^2 C].
    """
    rows, columns = patch_grid(grid, patch)
    x = frames.unflatten(-2, (rows, patch, columns, patch))  # [*, rows, p, columns, p, C]
    return x.transpose(-4, -3).flatten(-3)


def from_patches(maps: Tensor, patch: int) -> Tensor:
    """The inverse of `to_patches`.

    Shape: [*, H / patch, W / patch, patch^2 C] -> [*, H W, C].
    """
    return maps.unflatten(-1, (patch, patch, -1)).transpose(-4, -3).flatten(-5, -2)


def patch_grid(grid: Grid, patch: int) -> Grid:
    """Rows and columns of patches.

    Raises:
        ShapeError: patches do not fill the frame.
    """
    if grid[0] % patch or grid[1] % patch:
        fitting = [size for size in range(1, min(grid) + 1) if grid[0] % size == 0 and grid[1] % size == 0]
        help = f"sizes that do: {', '.join(map(str, fitting[:12]))}"
        message = f"patches of {patch} x {patch} do not fill frames of {grid[0]} x {grid[1]}"
        raise ShapeError(message, knob="patch", help=help)
    return grid[0] // patch, grid[1] // patch


def video_grid(signal: SignalSpec, kernel: int, kind: str) -> Grid:
    """Rows and columns of the frames that a backbone `kind`, whose maps keep their size, continues.

    Raises:
        ShapeError: nothing is to follow, the steps are not frames, or the kernel is even.
    """
    if not signal.ahead or not signal.steps:
        help = "take data of type `moving_digits` or `video`, task `video_prediction` and encoder `none`"
        raise ShapeError(f"{kind} continues videos, not {signal.describe()}", knob="type", help=help)
    if kernel % 2 == 0:
        raise ShapeError(f"a kernel of {kernel} does not keep the size of a map", knob="kernel", help="take an odd one")
    return grid_of(signal, kind)
