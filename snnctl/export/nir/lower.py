"""A network of snnctl as a graph of NIR that means exactly the same; what has no such form is named.

Time constants are in steps. Neurons keep the words that NIR lacks in their metadata (see `portable`): `fires: at` the
threshold, `reset: soft` or `delayed`, `levels`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from snnctl.backbones.parts.images import ImageLayer, ImagePool
from snnctl.backbones.parts.layers import SpikingLayer, fold_norms
from snnctl.backbones.parts.time_layers import AlongTime
from snnctl.backbones.parts.weights import TimeWeights
from snnctl.backbones.spike_mlp import SelfRecurrent, SpikeMLP
from snnctl.backbones.spike_resnet import CurrentBlock, SpikeBlock, SpikeResNet
from snnctl.backbones.spike_vgg import SpikeVGG
from snnctl.core.diagnostic import Diagnostic, DiagnosticError
from snnctl.encoders.direct import NoEncoder, Repeat
from snnctl.engine.experiment import Network
from snnctl.export.nir.graph import Graph, Shape, nir
from snnctl.export.nir.neurons import neuron_problems, spiking_node
from snnctl.neurons.base import SpikingNeuron
from snnctl.readouts.linear import FlattenLinear, LastLinear, MeanLinear, StepLinear

# What several nodes give together: a sum.
Sum = tuple[str, ...]


class Lowered(NamedTuple):
    """A network as a graph."""

    graph: Graph
    inputs: Shape  # one step of the input, [F] or [C, H, W]
    steps: int  # T
    averaged: bool  # whether the prediction is the mean of the output over T; else it is every step


def lower(network: Network) -> Lowered:
    """A network in evaluation as a graph, its norms folded.

    Raises:
        DiagnosticError: U495, one for each part that NIR cannot express; U496, the package is missing.
    """
    problems = [*_problems(network), *(f"{name}: {text}" for name, text in _layer_problems(network))]
    if problems:
        raise DiagnosticError([Diagnostic("U495", facts={"format": "NIR", "text": text}) for text in problems])
    folded: Network = fold_norms(network)
    signal = folded.signals["encoder"]
    backbone = folded.backbone
    inputs: Shape = (signal.length * signal.features,)
    if isinstance(backbone, SpikeVGG | SpikeResNet):
        inputs = (signal.features, *backbone.grid)
    made = _Builder(inputs)
    if isinstance(backbone, SpikeMLP):
        for number, layer in enumerate(backbone.layers):
            made.dense(f"layers_{number}", layer)
    elif isinstance(backbone, AlongTime):
        for number, layer in enumerate(backbone.layers):
            made.along_time(f"layers_{number}", layer)
    elif isinstance(backbone, SpikeVGG):
        for number, part in enumerate(backbone.features):
            made.image_part(f"features_{number}", part)
    else:
        assert isinstance(backbone, SpikeResNet)
        made.resnet(backbone)
    if isinstance(backbone, SpikeVGG | SpikeResNet) and backbone.hidden is not None:
        if isinstance(backbone, SpikeResNet):
            made.pool("hidden_mean", "AvgPool2d", made.shape[1:], made.shape[1:])
        made.dense("hidden", backbone.hidden)
    made.read(folded.readout)
    return Lowered(made.graph, inputs, signal.steps, not isinstance(folded.readout, StepLinear))


def _problems(network: Network) -> Iterator[str]:
    encoder, backbone, readout = network.encoder, network.backbone, network.readout
    if not isinstance(encoder, NoEncoder) and not (isinstance(encoder, Repeat) and encoder.neuron is None):
        yield f"the encoder {type(encoder).__name__}: only `none`, or `repeat` without a neuron"
    if not isinstance(backbone, SpikeMLP | SpikeVGG | SpikeResNet | AlongTime):
        yield f"the backbone {type(backbone).__name__}: it is no chain of layers"
    read = isinstance(readout, MeanLinear | FlattenLinear | StepLinear) or (
        isinstance(readout, LastLinear) and network.signals["backbone"].length == 1
    )
    if not read or readout.skip or readout.ahead:
        yield f"the read-out {type(readout).__name__} (or its skip, or its decoder of covariates)"
    if not network.spikes:
        yield "a network without spiking neurons"


def _layer_problems(network: Network) -> Iterator[tuple[str, str]]:
    backbone = network.backbone
    for name, part in network.named_modules():
        if isinstance(part, nn.LayerNorm):
            yield name, "a norm over each sample"
        elif isinstance(part, ImageLayer) and part.connection is not None:
            yield name, "an interlaminar connection"
        if isinstance(part, SpikingLayer) and part.norm is not None and getattr(part.norm, "always_batch", False):
            yield name, "a norm over each batch"
        neuron = getattr(part, "neuron", None)
        if isinstance(part, SpikingLayer | CurrentBlock | SpikeResNet) and isinstance(neuron, SpikingNeuron):
            yield from ((f"{name}.neuron", text) for text in neuron_problems(neuron))
            if isinstance(backbone, SpikeResNet) and getattr(neuron, "scale", 1.0) != 1.0:
                yield f"{name}.neuron", "spikes that are given out as values and added"
    if isinstance(backbone, SpikeVGG):
        rows, columns = backbone.grid
        levels = 1  # highest spike of the layer before
        for number, part in enumerate(backbone.features):
            if isinstance(part, ImageLayer):
                levels = part.neuron.levels
            if not isinstance(part, ImagePool):
                continue
            name = f"backbone.features.{number}.pool"
            if isinstance(part.pool, nn.AvgPool2d) and (rows % 2 or columns % 2):
                yield name, "a pool over a window that sticks out of the image"
            if isinstance(part.pool, nn.MaxPool2d) and (levels > 1 or number == 0):
                yield name, "a maximum over spikes of several values, or over the input"
            rows, columns = -(-rows // 2), -(-columns // 2)
    if isinstance(backbone, SpikeResNet) and backbone.pool is not None:
        if not backbone.adds_spikes:
            yield "backbone.pool", "a maximum over currents"
        elif backbone.stem.neuron.levels > 1:
            yield "backbone.pool", "a maximum over spikes of several values"


class _Builder:
    """Nodes one after the other; `at` is what the last of them give together, shaped `shape`."""

    def __init__(self, inputs: Shape) -> None:
        node = nir().Input({"input": np.array(inputs)})
        self.graph = Graph({"input": node}, [])
        self.at: Sum = ("input",)
        self.shape: Shape = inputs
        self.factor = 1.0  # what a spike at `at` is multiplied by

    def add(self, name: str, node: Any, shape: Shape) -> None:
        """A node behind what there is."""
        self.at, self.shape = (self.graph.add(name, node, after=self.at),), shape

    def weights(self, name: str, weight: Tensor, bias: Tensor | None) -> None:
        """A fully connected node, or a linear one without a bias; it takes up the factor of spikes."""
        matrix = weight.detach().double().numpy() * self.factor
        node = nir().Linear(matrix) if bias is None else nir().Affine(matrix, bias.detach().double().numpy())
        self.factor = 1.0
        self.add(name, node, (len(matrix),))

    def fire(self, name: str, neuron: nn.Module) -> None:
        """A neuron behind what there is."""
        self.add(name, spiking_node(neuron, self.shape), self.shape)
        self.factor = float(getattr(neuron, "scale", 1.0))

    def dense(self, name: str, layer: Any) -> None:
        """A fully connected layer, with or without recurrent weights; behind images with the columns put in order."""
        weight = layer.linear.weight
        if len(self.shape) == 3:
            weight = by_channel(weight, self.shape)
            self.flatten(f"{name}_flatten")
        self.weights(f"{name}_linear", weight, layer.linear.bias)
        self.fire(f"{name}_neuron", layer.neuron)
        if isinstance(layer, SelfRecurrent):
            recurrent = nir().Linear((layer.recurrent * layer.others).detach().double().numpy() * self.factor)
            self.graph.add(f"{name}_recurrent", recurrent, after=self.at, before=self.at)

    def along_time(self, name: str, layer: Any) -> None:
        """A layer whose synapses reach back in time: weights for each number of steps, behind a delay of as many."""
        synapses: TimeWeights = layer.synapses
        kernel = synapses.kernel().detach()  # [outputs, taps, inputs]
        bias = synapses.bias if synapses.bias is not None else kernel.new_zeros(len(kernel))
        before, shape, factor = self.at, self.shape, self.factor
        parts: list[str] = []
        for tap in range(kernel.shape[1]):
            weight, late = kernel[:, tap], tap * synapses.dilation
            if tap and not bool(weight.any()):
                continue
            self.at, self.shape, self.factor = before, shape, factor
            if late:
                self.add(f"{name}_delay_{late}", nir().Delay(np.full(shape, float(late))), shape)
            self.weights(f"{name}_linear_{late}", weight, bias if not tap else None)
            parts += self.at
        self.at = tuple(parts)
        self.fire(f"{name}_neuron", layer.neuron)

    def image_part(self, name: str, part: nn.Module) -> None:
        """A convolution with its neuron, or a pool of 2 x 2."""
        if not isinstance(part, ImagePool):
            self.convolution(name, part)
        elif isinstance(part.pool, nn.AvgPool2d):
            self.pool(f"{name}_pool", "AvgPool2d", (2, 2), (2, 2))
        else:
            self.any_of(f"{name}_pool", 2, 2, 0)

    def convolution(self, name: str, layer: Any) -> None:
        """A convolution, and the neuron behind it unless what comes out is a current."""
        conv = layer.conv
        bias = torch.zeros(conv.out_channels) if conv.bias is None else conv.bias
        weight = conv.weight.detach().double().numpy() * self.factor
        stride, padding = int(conv.stride[0]), int(conv.padding[0])
        self.convolve(f"{name}_conv", weight, bias.detach().double().numpy(), stride, padding, int(conv.groups))
        if isinstance(layer.neuron, SpikingNeuron):
            self.fire(f"{name}_neuron", layer.neuron)

    def convolve(self, name: str, weight: Any, bias: Any, stride: int, padding: int, groups: int = 1) -> None:
        """A square kernel over images."""
        rows, columns = self.shape[1:]
        node = nir().Conv2d((rows, columns), weight, (stride, stride), (padding, padding), 1, groups, bias)
        reach = weight.shape[-1] - 2 * padding
        self.factor = 1.0
        self.add(name, node, (len(weight), (rows - reach) // stride + 1, (columns - reach) // stride + 1))

    def pool(self, name: str, pool: str, kernel: Iterable[int], stride: Iterable[int]) -> None:
        """A pool over windows that lie within the image."""
        kernel, stride = tuple(kernel), tuple(stride)
        node = getattr(nir(), pool)(np.array(kernel), np.array(stride), np.array((0, 0)))
        grid = ((n - k) // s + 1 for n, k, s in zip(self.shape[1:], kernel, stride, strict=True))
        self.add(name, node, (self.shape[0], *grid))

    def any_of(self, name: str, kernel: int, stride: int, padding: int) -> None:
        """The maximum over binary spikes: whether any fires.

        The sum over the window drives a neuron that each spike takes over the threshold. It is set to rest by every
        spike and otherwise gets nothing: it remembers nothing, whatever its leak. Windows that stick out, as torch
        rounds up, are those of a kernel of zeros and ones.
        """
        channels, rows, columns = self.shape
        whole = kernel == stride and not padding and rows % kernel == 0 and columns % kernel == 0
        if whole:
            self.pool(f"{name}_sum", "SumPool2d", (kernel, kernel), (stride, stride))
        else:
            taps = np.zeros((channels, channels, 3, 3))
            taps[np.arange(channels), np.arange(channels), 3 - kernel :, 3 - kernel :] = 1.0
            self.convolve(f"{name}_sum", taps, np.zeros(channels), stride, 1)
        full = np.ones(self.shape)
        self.add(f"{name}_any", nir().LIF(2.0 * full, full, 0.0 * full, 0.25 * full, 0.0 * full), self.shape)

    def resnet(self, backbone: SpikeResNet) -> None:
        """Stem, blocks, and the last neuron where currents are added."""
        self.convolution("stem", backbone.stem)
        if backbone.pool is not None:
            self.any_of("pool", 3, 2, 1)
        for number, block in enumerate(backbone.blocks):
            assert isinstance(block, SpikeBlock | CurrentBlock)
            name, before, shape = f"blocks_{number}", self.at, self.shape
            if isinstance(block, CurrentBlock):
                assert block.neuron is not None
                self.fire(f"{name}_neuron", block.neuron)
            self.convolution(f"{name}_first", block.first)
            self.convolution(f"{name}_second", block.second)
            added, past = self.at, before
            if block.shortcut is not None:
                after = self.shape
                self.at, self.shape, self.factor = before, shape, 1.0
                self.convolution(f"{name}_shortcut", block.shortcut)
                past, self.shape = self.at, after
            self.at = (*past, *added)
        if backbone.neuron is not None:
            self.fire("last_neuron", backbone.neuron)

    def flatten(self, name: str) -> None:
        """[C, H, W] -> [C * H * W]."""
        node = nir().Flatten({"input": np.array(self.shape)}, 0, -1)
        self.add(name, node, (int(np.prod(self.shape)),))

    def read(self, readout: Any) -> None:
        """The linear read-out, whose answer is that of each step."""
        weight = readout.linear.weight
        if len(self.shape) == 3:
            if isinstance(readout, FlattenLinear):
                weight = by_channel(weight, self.shape)
            else:
                self.pool("readout_mean", "AvgPool2d", self.shape[1:], self.shape[1:])
            self.flatten("readout_flatten")
        self.weights("readout", weight, readout.linear.bias)
        self.add("output", nir().Output({"output": np.array(self.shape)}), self.shape)


def by_channel(weight: Tensor, images: Shape) -> Tensor:
    """Columns for tokens [H * W, C] become columns for [C, H, W]."""
    channels, rows, columns = images
    return weight.view(len(weight), rows * columns, channels).transpose(1, 2).reshape(len(weight), -1)
