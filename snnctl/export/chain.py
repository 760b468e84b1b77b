"""A trained network as a chain of plain links, for formats that know nothing of snnctl; what does not fit is named."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from snnctl.backbones.parts.images import ImageLayer, ImagePool
from snnctl.backbones.parts.layers import SpikingLayer, SpikingLinear, fold_norms
from snnctl.backbones.spike_mlp import SelfRecurrent, SpikeMLP
from snnctl.backbones.spike_vgg import SpikeVGG
from snnctl.core.diagnostic import Diagnostic, DiagnosticError
from snnctl.encoders.direct import NoEncoder, Repeat
from snnctl.engine.experiment import Network
from snnctl.neurons.integrate_fire import IntegrateAndFire
from snnctl.neurons.kernels.reference import Dynamics
from snnctl.neurons.stc import STC
from snnctl.readouts.linear import FlattenLinear, MeanLinear, StepLinear

Shape = tuple[int, ...]


class Affine(NamedTuple):
    """y = W x + b on a flat input; W [out, in], b [out]."""

    weight: Tensor
    bias: Tensor


class Convolution(NamedTuple):
    """W * x + b on [C, H, W]; rows and columns are those of the input."""

    weight: Tensor
    bias: Tensor
    stride: int
    padding: int
    groups: int
    grid: tuple[int, int]


class AveragePool(NamedTuple):
    """Mean over windows of `kernel`, one beside the other, on [C, H, W]."""

    kernel: tuple[int, int]


class Flatten(NamedTuple):
    """[C, H, W] -> [C * H * W]."""

    shape: Shape


class Fire(NamedTuple):
    """A neuron of the LIF family, as `snnctl.neurons.kernels.reference.lif_step` has it."""

    # leak, gain, threshold: [] or [channels]; the threshold is the distance between two spike values
    leak: Tensor
    gain: Tensor
    threshold: Tensor
    shape: Shape  # of one step: [C] or [C, H, W]
    dynamics: Dynamics  # the rest of its step equation
    scale: float  # what a spike of 1 is given out as
    start: float  # membrane before the first step, in thresholds

    def spread(self, value: Tensor) -> Tensor:
        """A number per channel, shaped so that it broadcasts over one step."""
        return value.reshape((-1,) + (1,) * (len(self.shape) - 1) if value.dim() else ())


Link = Affine | Convolution | AveragePool | Flatten | Fire


class Chain(NamedTuple):
    """What happens at every step, from the encoder's current to the read-out's numbers.

    The prediction is the mean of the last link's output over T, or, for a task at every step, that output itself.
    """

    names: tuple[str, ...]  # of the links, unique
    links: tuple[Link, ...]  # in order
    inputs: Shape  # shape of one step of the input, [F] or [C, H, W]
    outputs: int  # numbers at the end
    steps: int  # T
    averaged: bool  # whether the prediction is the mean over T


def package(name: str, format: str) -> Any:
    """The package of a format.

    Raises:
        DiagnosticError: U496, it is missing.
    """
    try:
        return import_module(name)
    except ImportError:
        help = f"pip install 'snnctl[{name}]'"
        raise DiagnosticError(Diagnostic("U496", facts={"format": format, "name": name}, help=help)) from None


def chain(network: Network, format: str, *, any_neuron: bool = False) -> Chain:
    """The chain of a feed-forward or convolutional network, its norms folded.

    With `any_neuron` the format computes freely, so that every neuron of the LIF family fits.

    Raises:
        DiagnosticError: U495, one for each part that `format` cannot express.
    """
    problems = list(_problems(network, any_neuron))
    if problems:
        raise DiagnosticError([Diagnostic("U495", facts={"format": format, "text": text}) for text in problems])
    folded: Network = fold_norms(network)
    backbone, signal = folded.backbone, folded.signals["encoder"]
    found: list[tuple[str, Link]] = []
    shape: Shape = (signal.length * signal.features,)
    if isinstance(backbone, SpikeVGG):
        shape = (signal.features, *backbone.grid)
    inputs = shape
    if isinstance(backbone, SpikeMLP):
        for number, layer in enumerate(backbone.layers):
            assert isinstance(layer, SpikingLinear)
            shape = _dense(f"layers_{number}", layer, found)
    else:
        assert isinstance(backbone, SpikeVGG)
        for number, part in enumerate(backbone.features):
            shape = _image_part(f"features_{number}", part, shape, found)
        if backbone.hidden is not None:
            found.append(("flatten_hidden", Flatten(shape)))
            shape = _dense("hidden", backbone.hidden, found, shape)
    outputs = _read(folded.readout, shape, found)
    names, links = zip(*found, strict=True)
    return Chain(names, links, inputs, outputs, signal.steps, not isinstance(folded.readout, StepLinear))


def _problems(network: Network, any_neuron: bool) -> Iterator[str]:
    encoder, backbone, readout = network.encoder, network.backbone, network.readout
    if not isinstance(encoder, NoEncoder) and not (isinstance(encoder, Repeat) and encoder.neuron is None):
        yield f"the encoder {type(encoder).__name__}: only `none`, or `repeat` without a neuron"
    if not isinstance(backbone, SpikeMLP | SpikeVGG):
        yield f"the backbone {type(backbone).__name__}: it is no chain of layers"
    if not isinstance(readout, MeanLinear | FlattenLinear | StepLinear) or readout.skip or readout.ahead:
        yield f"the read-out {type(readout).__name__} (or its skip, or its decoder of covariates)"
    if not network.spikes:
        yield "a network without spiking neurons"
    within = {id(inner) for part in network.modules() if isinstance(part, STC) for inner in part.modules()}
    for name, part in network.named_modules():
        if id(part) in within:
            continue  # of its layer it is said that its neuron cannot be told
        if isinstance(part, IntegrateAndFire):
            yield from () if any_neuron else (f"{name}: {reason}" for reason in _neuron_problems(part))
        elif isinstance(part, SelfRecurrent):
            yield f"{name}: recurrent weights"
        elif isinstance(part, nn.LayerNorm):
            yield f"{name}: a norm over each sample"
        elif isinstance(part, nn.MaxPool2d):
            yield f"{name}: a maximum over spikes"
        elif isinstance(part, ImageLayer) and part.connection is not None:
            yield f"{name}: an interlaminar connection"
        elif isinstance(part, nn.AvgPool2d) and part.ceil_mode and not _fits(network, name):
            yield f"{name}: a pool over a window that sticks out of the image"
        elif isinstance(part, SpikingLayer) and not isinstance(part.neuron, IntegrateAndFire):
            yield f"{name}: the neuron {type(part.neuron).__name__}"


def _neuron_problems(neuron: IntegrateAndFire) -> Iterator[str]:
    if neuron.reset != "hard":
        yield f"a reset that takes off the threshold (`reset: {neuron.reset}`): a membrane is set to a value"
    if neuron.levels > 1 or neuron.signed:
        yield "spikes of several values"
    if neuron.spike.early or neuron.spike.emit == "value":
        yield "spikes that are rounded, or given out as values"
    if neuron.start:
        yield "membranes that start above rest"


def _fits(network: Network, name: str) -> bool:
    """Whether the windows of a 2 x 2 pool end with the image."""
    backbone = network.backbone
    if not isinstance(backbone, SpikeVGG):
        return False
    rows, columns = backbone.grid
    for number, part in enumerate(backbone.features):
        if isinstance(part, ImagePool):
            if name == f"backbone.features.{number}.pool":
                return rows % 2 == 0 and columns % 2 == 0
            rows, columns = -(-rows // 2), -(-columns // 2)
    return True


def _fire(layer: SpikingLayer, shape: Shape) -> Fire:
    neuron = layer.neuron
    assert isinstance(neuron, IntegrateAndFire)
    dynamics = neuron.dynamics()
    leak, gain = dynamics.leak, dynamics.gain
    if dynamics.tau is not None:
        leak, gain = 1.0 - 1.0 / dynamics.tau, 1.0 / dynamics.tau
    leak, gain, threshold = (torch.as_tensor(t).detach().float() for t in (leak, gain, dynamics.v_threshold))
    return Fire(leak, gain, threshold, shape, dynamics, neuron.scale, neuron.start)


def _dense(name: str, layer: SpikingLinear, found: list[tuple[str, Link]], images: Shape = ()) -> Shape:
    """A fully connected layer; behind images its columns are put from row-by-row order to channel-by-channel."""
    weight, bias = layer.linear.weight.detach(), layer.linear.bias.detach()
    if len(images) == 3:
        weight = _by_channel(weight, images)
    found.append((f"{name}_linear", Affine(weight, bias)))
    shape = (len(weight),)
    found.append((f"{name}_neuron", _fire(layer, shape)))
    return shape


def _by_channel(weight: Tensor, images: Shape) -> Tensor:
    """Columns for tokens [H * W, C] become columns for [C, H, W]."""
    channels, rows, columns = images
    return weight.view(len(weight), rows * columns, channels).transpose(1, 2).reshape(len(weight), -1)


def _image_part(name: str, part: nn.Module, shape: Shape, found: list[tuple[str, Link]]) -> Shape:
    channels, rows, columns = shape
    if isinstance(part, ImagePool):
        found.append((f"{name}_pool", AveragePool((2, 2))))
        return channels, rows // 2, columns // 2
    assert isinstance(part, ImageLayer)
    conv = part.conv
    bias = conv.bias.detach() if conv.bias is not None else conv.weight.new_zeros(conv.out_channels)
    stride, padding = int(conv.stride[0]), int(conv.padding[0])
    found.append(
        (f"{name}_conv", Convolution(conv.weight.detach(), bias, stride, padding, conv.groups, (rows, columns)))
    )
    made = (conv.out_channels, -(-rows // stride), -(-columns // stride))
    found.append((f"{name}_neuron", _fire(part, made)))
    return made


def _read(readout: nn.Module, shape: Shape, found: list[tuple[str, Link]]) -> int:
    linear = readout.linear
    assert isinstance(linear, nn.Linear)
    weight, bias = linear.weight.detach(), linear.bias.detach()
    if len(shape) == 3:
        if isinstance(readout, FlattenLinear):
            weight = _by_channel(weight, shape)
        else:
            found.append(("readout_mean", AveragePool((shape[1], shape[2]))))
            shape = (shape[0], 1, 1)
        found.append(("readout_flatten", Flatten(shape)))
    found.append(("readout", Affine(weight, bias)))
    return len(bias)
