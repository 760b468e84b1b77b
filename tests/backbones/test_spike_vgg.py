"""Spiking VGG networks: sizes by hand and as torchvision has them, forward passes and gradients written out."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from plain_images import convolved, gradients, lif, pictures, settle, tokens
from torch import Tensor, nn

from snnctl.backbones import SpikeVGG
from snnctl.backbones.parts.blocks import ConvWeights, fold_norms
from snnctl.backbones.parts.images import ImageLayer
from snnctl.backbones.parts.units import Quantised, Rectifier
from snnctl.core.shapes import ShapeError, SignalSpec
from snnctl.encoders import Repeat
from snnctl.energy.count.dispatch import OperationCounter
from snnctl.neurons import IF
from snnctl.neurons.base import SpikingNeuron
from snnctl.neurons.spike_format import SpikeFormat

CIFAR = SignalSpec(4, 1024, 3, grid=(32, 32))
CHANNELS: dict[Any, list[int]] = {
    5: [32, 32, 64, 64],
    9: [64, 128, 256, 256, 512, 512, 512],
    11: [64, 128, 256, 256, 512, 512, 512, 512],
    16: [64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512],
}


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def on_meta(**knobs: Any) -> SpikeVGG:
    with torch.device("meta"):
        return SpikeVGG(CIFAR, **knobs)


@pytest.mark.parametrize("depth", [11, 16])
def test_parameters_are_those_of_torchvision_without_biases(depth: Any) -> None:
    from torchvision.models import vgg11_bn, vgg16_bn

    with torch.device("meta"):
        oracle = {11: vgg11_bn, 16: vgg16_bn}[depth]()
    body = count(oracle.features) - sum(part.out_channels for part in oracle.features if isinstance(part, nn.Conv2d))
    assert count(on_meta(depth=depth)) == count(on_meta(depth=depth, spiking=False)) == body


@pytest.mark.parametrize(("depth", "side"), [(5, 8), (9, 2), (11, 1), (16, 1)])
def test_parameters_by_hand(depth: Any, side: int) -> None:
    channels = CHANNELS[depth]
    made = on_meta(depth=depth)
    body = sum(9 * a * b + 2 * b for a, b in pairwise([3, *channels]))
    assert count(made) == body
    assert [part.conv.out_channels for part in made.features if isinstance(part, ImageLayer)] == channels
    assert (made.output.grid, made.output.length, made.output.features) == ((side, side), side * side, channels[-1])
    narrow = on_meta(depth=depth, width=0.25)
    assert count(narrow) == sum(9 * a * b // 16 + 2 * b // 4 for a, b in pairwise([12, *channels]))
    hidden = on_meta(depth=depth, hidden=4096)
    assert count(hidden) - body == side * side * channels[-1] * 4096 + 4096 + 2 * 4096
    assert hidden.output == SignalSpec(4, 1, 4096, kind="spikes")


def plain(x: Tensor, network: Any, unit: Any, pool: Any) -> Tensor:
    for part in network.features:
        x = unit(convolved(x, part)) if isinstance(part, ImageLayer) else torch.stack([pool(x_t, 2) for x_t in x])
    if network.hidden is None:
        return tokens(x)
    layer = network.hidden
    rows = tokens(x).flatten(2) @ layer.linear.weight.T + layer.linear.bias
    axes = (0, 1)
    mean, var = (
        (rows.mean(axes), rows.var(axes, unbiased=False))
        if layer.norm.training
        else (layer.norm.running_mean, layer.norm.running_var)
    )
    current: Tensor = (rows - mean) / (var + 1e-5).sqrt() * layer.norm.weight + layer.norm.bias
    return unit(current).unsqueeze(2)


@pytest.mark.parametrize("hidden", [None, 6])
@pytest.mark.parametrize("pool", ["average", "max"])
@pytest.mark.parametrize(("depth", "steps", "batch"), [(5, 3, 2), (9, 1, 3), (11, 2, 4), (5, 2, 1)])
def test_spikes_written_out(hidden: Any, pool: Any, depth: Any, steps: int, batch: int) -> None:
    signal = SignalSpec(steps, 32 * 64, 2, grid=(32, 64))
    network = SpikeVGG(signal, depth=depth, width=0.06, pool=pool, hidden=hidden, norm_gain=3.0).double()
    x = pictures(steps, batch, 2048, 2)
    images = x.view(steps, batch, 32, 64, 2).movedim(-1, 2)
    settle(network, x)
    pooling = F.avg_pool2d if pool == "average" else F.max_pool2d
    for training in (True, False):
        network.train(training)
        with torch.no_grad():
            out, expected = network(x), plain(images, network, lif, pooling)
        assert out.any() or hidden
        assert tuple(out.shape) == network.output.shape(batch)
        assert torch.equal(out, expected)
        if not training:
            torch.testing.assert_close(fold_norms(network)(x), out, rtol=0, atol=1e-9)


@pytest.mark.parametrize("pool", ["average", "max"])
def test_gradients_of_the_twin_written_out(pool: Any) -> None:
    signal = SignalSpec(2, 64, 3, grid=(8, 8))
    network = SpikeVGG(signal, depth=5, width=0.2, pool=pool, hidden=4, spiking=False).double()
    x = pictures(2, 3, 64, 3).requires_grad_()
    out = network(x)
    images = x.view(2, 3, 8, 8, 3).movedim(-1, 2)
    expected = plain(images, network, torch.relu, F.avg_pool2d if pool == "average" else F.max_pool2d)
    torch.testing.assert_close(out, expected, rtol=1e-9, atol=1e-9)
    leaves = [x, *network.parameters()]
    for mine, theirs in zip(gradients(out, leaves), gradients(expected, leaves), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-6, atol=1e-8)


def test_a_repeated_image_is_convolved_once() -> None:
    encoder = Repeat(SignalSpec(0, 64, 3, grid=(8, 8)), steps=4, neuron=None)
    network = SpikeVGG(encoder.output, depth=5, width=0.25, norm_gain=2.0).double()
    seen: list[int] = []
    for part in network.modules():
        if isinstance(part, ConvWeights):
            part.register_forward_pre_hook(lambda _m, args: seen.append(len(args[0])))
    found = []
    for copies in (False, True):
        x = pictures(5, 64, 3).requires_grad_()
        steps = encoder(x)
        seen.clear()
        out = network(steps.contiguous() if copies else steps)
        assert seen == [20 if copies else 5, 20, 20, 20]
        found.append([out.detach(), *gradients(out, [x, *network.parameters()])])
    assert found[0][0].any()
    assert torch.equal(found[0][0], found[1][0])
    for once, each in zip(*found, strict=True):
        torch.testing.assert_close(once, each, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("levels", [1, 15])
def test_what_comes_out_is_as_declared(levels: int) -> None:
    def neuron(channels: int) -> IF:
        return IF(channels, v_threshold=1e-9, reset="soft", spike=SpikeFormat(levels=levels))

    signal = SignalSpec(2, 64, 3, grid=(8, 8))
    for pool, depth, kind in (("average", 5, "real"), ("average", 9, "spikes"), ("max", 5, "spikes")):
        network = SpikeVGG(signal, depth=depth, pool=pool, width=0.1, neuron=neuron)  # type: ignore[arg-type]
        assert (network.output.kind, network.output.levels) == (kind, levels if kind == "spikes" else 1)
        for layer in network.features:
            if isinstance(layer, ImageLayer):
                nn.init.constant_(layer.norm.bias, 10.0)  # type: ignore[arg-type]
        assert network(torch.randn(2, 3, 64, 3)).unique().tolist() == [levels]


def test_pools_round_up() -> None:
    network = SpikeVGG(SignalSpec(2, 15, 2, grid=(3, 5)), depth=16, width=0.1, norm_gain=3.0)
    assert network.output.grid == (1, 1)
    assert network(torch.randn(2, 4, 15, 2)).shape == (2, 4, 1, 51)
    digits = SpikeVGG(SignalSpec(1, 784, 1, grid=(28, 28)), depth=9, width=0.1)
    assert digits.output.grid == (2, 2)  # 28, 14, 7, 4, 2


def test_averages_of_spikes_are_charged_as_spikes_of_more_levels() -> None:
    encoder = Repeat(SignalSpec(0, 36, 2, grid=(6, 6)), steps=2, neuron=None)
    spike = SpikeFormat(levels=3)
    body = SpikeVGG(encoder.output, depth=5, width=0.25, norm_gain=3.0, neuron=lambda c: IF(c, spike=spike))
    network = nn.Sequential(encoder, body)
    x = torch.randn(4, 36, 2)
    for _ in range(10):
        network(x)
    network.eval()
    inputs: list[Tensor] = []
    body.features[3].conv.register_forward_pre_hook(lambda _m, args: inputs.append(args[0]))  # type: ignore[operator, union-attr]
    with torch.no_grad():
        network(x)
    counts = OperationCounter(network, encoded=encoder.output).count(lambda: network(x), x, 4)
    (row,) = (row for row in counts.rows if row.layer == "1.features.3.conv")
    assert (row.source, row.products.bits) == ("spike", 4)  # 0 .. 4 * 3
    codes = inputs[0] * 4
    assert torch.equal(codes, codes.round())
    fan = F.conv_transpose2d(torch.ones(1, 16, 3, 3), torch.ones(16, 8, 3, 3), padding=1)[0]
    for found, counted in ((row.products.events, (codes > 0).float()), (row.products.unary, codes)):
        expected = (counted * fan).sum((1, 2, 3)).view(2, 4).sum(0)
        assert torch.allclose(torch.as_tensor(found), expected.double())
    # A max pool gives out what the neurons did.
    body.features[2].pool = nn.MaxPool2d(2, ceil_mode=True)  # type: ignore[union-attr]
    counts = OperationCounter(network, encoded=encoder.output).count(lambda: network(x), x, 4)
    (row,) = (row for row in counts.rows if row.layer == "1.features.3.conv")
    assert (row.source, row.products.bits) == ("spike", 2)


def test_what_is_refused() -> None:
    with pytest.raises(ShapeError, match="no grid") as caught:
        SpikeVGG(SignalSpec(4, 12, 6, kind="spikes"))
    assert "event_frames" in caught.value.help
    with pytest.raises(ShapeError, match="twin") as caught:
        SpikeVGG(CIFAR, levels=4)
    assert caught.value.knob == "levels"


def test_the_twin_has_an_activation_at_every_neurons_place() -> None:
    signal = SignalSpec(2, 64, 3, grid=(8, 8))
    places = []
    for kind, more in (
        (SpikingNeuron, {}),
        (Rectifier, {"spiking": False}),
        (Quantised, {"spiking": False, "levels": 7}),
    ):
        network = SpikeVGG(signal, depth=5, hidden=3, **more)  # type: ignore[arg-type]
        places.append([name for name, part in network.named_modules() if isinstance(part, kind)])
    assert places[0] == places[1] == places[2]
    assert len(places[0]) == 5
    assert network.convertible


def test_a_multibit_network_is_its_quantised_twin_at_one_step() -> None:
    """T = 1, start at half a quantum, highest code = levels, values given out: the same numbers, layer by layer."""
    signal = SignalSpec(1, 64, 3, grid=(8, 8))
    top, levels = 2.5, 7
    twin = SpikeVGG(signal, depth=5, width=0.25, hidden=6, spiking=False, levels=levels).double()
    for part in twin.modules():
        if isinstance(part, Quantised):
            nn.init.constant_(part.log_top, float(torch.tensor(top).log()))

    def neuron(channels: int) -> IF:
        spike = SpikeFormat(levels=levels, emit="value")
        return IF(channels, v_threshold=top / levels, reset="soft", start=0.5, spike=spike)

    network = SpikeVGG(signal, depth=5, width=0.25, hidden=6, neuron=neuron).double()
    x = pictures(1, 50, 64, 3)
    settle(twin, x)
    network.load_state_dict({k: v for k, v in twin.state_dict().items() if "log_top" not in k})
    found, expected = network.eval()(x), twin.eval()(x)
    assert expected.unique().numel() > 4
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)
