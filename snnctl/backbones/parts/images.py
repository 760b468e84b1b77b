"""Spiking convolutions over images: what layers hand on, the layer, the network, the way from positions and back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple

import torch
from annotated_types import Gt
from torch import Tensor, nn

from snnctl.backbones.base import Count, Layered
from snnctl.backbones.parts.hierarchy import Hierarchy
from snnctl.backbones.parts.interlaminar import Connection, Inner, Interlaminar, extra_parameters
from snnctl.backbones.parts.layers import SpikingLayer, SpikingLinear
from snnctl.backbones.parts.units import Units
from snnctl.backbones.parts.weights import ConvWeights
from snnctl.core.registry import Slot
from snnctl.core.shapes import ShapeError, SignalSpec
from snnctl.core.signature import KnobGroup
from snnctl.neurons.base import NeuronFactory

Grid = tuple[int, int]
_LAST = torch.channels_last


class Passed(NamedTuple):
    """What a layer hands on to the next one.

    Args:
        images: [T, B, C, H, W], with the channels last in memory.
        inner: input current or membrane of the neurons that made them, before any pool; None where nobody takes it.
    """

    images: Tensor
    inner: Tensor | None = None


class ImageLayer(SpikingLayer):
    """Convolution, BatchNorm, what a connection adds, neuron along T.

    An input that is the same tensor at every step, as a repeated image is, is convolved once.

    Args:
        inputs, outputs: channels.
        neuron, norm_gain: as in `SpikingLayer`.
        kernel: size of the square kernel, odd; zeros around the image keep its size at stride 1.
        stride: step of the kernel, >= 1; rows and columns are divided by it and rounded up.
        connection: from the layer before; None has none.
        hands_on: whether the next layer gets the current as well, or the membranes after the reset.

    Shape: [T, B, inputs, H, W] -> [T, B, outputs, H', W'].
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        neuron: NeuronFactory,
        *,
        norm_gain: float,
        kernel: int = 3,
        stride: int = 1,
        connection: Connection | None = None,
        hands_on: Inner | None = None,
    ) -> None:
        super().__init__(outputs, neuron, norm_gain)
        self.conv = ConvWeights(inputs, outputs, kernel, stride, kernel // 2, bias=False)
        self.connection = connection
        self.hands_on = hands_on

    def forward(self, before: Passed) -> Passed:
        current = self._convolved(before.images)
        if self.connection is None and self.hands_on is None:
            return Passed(channels_second(self.fire(current, None, False)))
        current = self.norm(current)
        if self.connection is not None:
            tapped = before.images if self.connection.tap == "spike" else before.inner
            assert tapped is not None, "the layer before hands on what is tapped"
            current = current + channels_last(self.connection(tapped))
        if self.hands_on == "membrane":
            return Passed(*map(channels_second, with_membranes(self.neuron, current)))
        images = channels_second(self.neuron(current))
        return Passed(images, channels_second(current) if self.hands_on == "current" else None)

    def _convolved(self, x: Tensor) -> Tensor:
        """W * x as [T, B, H, W, C]."""
        steps = len(x)
        x = x[:1] if x.stride(0) == 0 else x
        images = x.flatten(0, 1).contiguous(memory_format=_LAST)
        current = self.conv(images).permute(0, 2, 3, 1).unflatten(0, x.shape[:2])
        return current if len(x) == steps else current.expand(steps, *current.shape[1:])


class ImagePool(nn.Module):
    """A pool of torch's, for images of all steps; a current is handed on as it was.

    Shape: [T, B, C, H, W] -> [T, B, C, H', W'].
    """

    def __init__(self, pool: nn.AvgPool2d | nn.MaxPool2d) -> None:
        super().__init__()
        self.pool = pool

    def forward(self, before: Passed) -> Passed:
        x = before.images
        return Passed(self.pool(x.flatten(0, 1)).unflatten(0, x.shape[:2]), before.inner)


def with_membranes(neuron: Any, current: Tensor) -> tuple[Tensor, Tensor]:
    """Spikes of a neuron and its membranes after the reset of each step, both [T, B, *, C].

    Of several states the first counts; what keeps no state stands with its current.
    """
    spikes, membranes, state = [], [], None
    for step in current.split(1):
        fired, state = neuron(step, state, return_state=True)
        parts = state if isinstance(state, tuple) else (state,)
        somata = [part for part in parts if isinstance(part, Tensor) and part.shape == step.shape[1:]]
        spikes.append(fired)
        membranes.append(somata[0][None].to(step.dtype) if somata else step)
    return torch.cat(spikes), torch.cat(membranes)


def fire(neuron: Any, current: Tensor) -> Tensor:
    """A neuron, whose channels are the last axis, on images [T, B, C, H, W]."""
    return channels_second(neuron(channels_last(current)))


def channels_last(images: Tensor) -> Tensor:
    """[T, B, C, H, W] -> [T, B, H, W, C]."""
    return images.permute(0, 1, 3, 4, 2)


def channels_second(x: Tensor) -> Tensor:
    """[T, B, H, W, C] -> [T, B, C, H, W]."""
    return x.permute(0, 1, 4, 2, 3)


def to_images(x: Tensor, grid: Grid) -> Tensor:
    """[T, B, L, C] -> [T, B, C, H, W]; a view."""
    return channels_second(x.unflatten(2, grid))


def to_tokens(images: Tensor) -> Tensor:
    """[T, B, C, H, W] -> [T, B, L, C], row by row."""
    return channels_last(images).flatten(2, 3)


def divided(grid: Grid, by: int) -> Grid:
    """Rows and columns after a stride or pool; they never vanish."""
    return -(-grid[0] // by), -(-grid[1] // by)


def grid_of(signal: SignalSpec, kind: str) -> Grid:
    """Rows and columns of the images that a backbone `kind` is given.

    Raises:
        ShapeError: the positions lie on no grid.
    """
    if signal.grid is None:
        message = f"{kind} takes images, and the positions of this signal lie on no grid: {signal.describe()}"
        keeps = "an encoder that keeps rows and columns (`repeat`, `none`)"
        raise ShapeError(message, knob="type", help=f"take data of type `image` or `event_frames`, and {keeps}")
    return signal.grid


def scaled_width(channels: int, width: float) -> int:
    """Channels times the multiplier, rounded, at least 1."""
    return max(1, round(channels * width))


@dataclass(frozen=True)
class ImageLayers(KnobGroup):
    """What stands behind the convolutions of a network for images, and what holds for all its layers.

    Args:
        hidden: neurons of a fully connected layer behind the convolutions, >= 1; null has none.
        neuron: neuron of every layer; one instance per place.
        norm_gain: initial gain of every BatchNorm, > 0 (1 is torch's; 2 roughly triples the initial rate).
        hierarchy: time constants over depth, layer by layer or block by block; null leaves the neuron's.
        spiking: false builds the non-spiking twin: the same layers and sizes, activations for neurons (the encoder's
            too).
        levels: of the twin's activations, >= 1 steps above 0 with a learned top; null makes them rectifiers.
    """

    hidden: Count | None = None
    neuron: Annotated[str | NeuronFactory, Slot("neuron", factory=True)] = "lif"
    norm_gain: Annotated[float, Gt(0.0)] = 1.0
    interlaminar: Interlaminar | None = None
    hierarchy: Hierarchy | None = None
    spiking: bool = True
    levels: Count | None = None

    @staticmethod
    def rules(knobs: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """Steps of activations are the twin's."""
        if knobs["spiking"] and knobs["levels"] is not None:
            message = "`levels` is of the twin's activations: it needs `spiking: false` (a neuron's are in its `spike`)"
            yield "levels", message

    @property
    def units(self) -> Units:
        """What makes the units."""
        return Units(self.neuron, self.spiking, self.levels)

    @property
    def inner(self) -> Inner | None:
        """What layers have to hand on beside their spikes."""
        wanted = self.interlaminar
        return None if wanted is None or wanted.tap == "spike" else wanted.tap

    def connection(self, inputs: int, outputs: int, tapped: Grid, grid: Grid) -> Connection | None:
        """The connection to a layer, if there are any."""
        if self.interlaminar is None:
            return None
        return Connection(self.interlaminar, inputs, outputs, tapped, grid, norm_gain=self.norm_gain)


class ImageNetwork(Layered):
    """A network `kind` of convolutions on the grid of the positions, and a fully connected layer behind them.

    Attributes: `extra_parameters`, how many of its parameters are those of interlaminar connections.
    """

    def __init__(self, signal: SignalSpec, kind: str, depth: int, every_layer: ImageLayers) -> None:
        super().__init__()
        self.grid = grid_of(signal, kind)
        self.depth = depth
        self.convertible = every_layer.interlaminar is None
        self.hidden: SpikingLinear | None = None
        self.extra_parameters = 0

    def finish(self, signal: SignalSpec, inputs: int, every_layer: ImageLayers) -> None:
        """Add the hidden layer, which sees so many `inputs`, if there is one; impose the hierarchy on all layers."""
        units, width = every_layer.units, every_layer.hidden
        if width is not None:
            self.hidden = SpikingLinear(inputs, width, units.hidden, norm_gain=every_layer.norm_gain)
            self.output = units.output(signal, width, self.hidden.neuron.levels, length=1).replace(grid=None)
        self.extra_parameters = extra_parameters(self)
        self.impose(every_layer.hierarchy, signal)

    def extra_repr(self) -> str:
        return f"depth={self.depth}, extra_parameters={self.extra_parameters}"
