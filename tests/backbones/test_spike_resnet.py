"""Spiking ResNets: sizes by hand and as torchvision has them, forward passes and gradients written out, levels."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from plain_images import convolved, gradients, lif, pictures, settle, tokens
from torch import Tensor, nn

from snnctl.backbones import SpikeResNet
from snnctl.backbones.parts.layers import fold_norms
from snnctl.backbones.parts.weights import ConvWeights
from snnctl.core.shapes import ShapeError, SignalSpec
from snnctl.core.signature import broken_rules
from snnctl.encoders import Repeat
from snnctl.energy.count.dispatch import OperationCounter
from snnctl.neurons import IF, LIF
from snnctl.neurons.spike_format import SpikeFormat
from snnctl.readouts import MeanLinear

CIFAR = SignalSpec(4, 1024, 3, grid=(32, 32))


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def on_meta(**knobs: Any) -> SpikeResNet:
    with torch.device("meta"):
        return SpikeResNet(CIFAR, **knobs)


@pytest.mark.parametrize("spiking", [True, False])
@pytest.mark.parametrize("residual", ["sew", "membrane"])
@pytest.mark.parametrize("depth", [18, 34])
def test_parameters_are_those_of_torchvision(depth: Any, residual: Any, spiking: bool) -> None:
    from torchvision.models import resnet18, resnet34

    with torch.device("meta"):
        oracle = {18: resnet18, 34: resnet34}[depth]()
    body = count(oracle) - count(oracle.fc)
    made = on_meta(depth=depth, stem="large", residual=residual, spiking=spiking)
    assert count(made) == body
    shapes = sorted(tuple(p.shape) for name, p in oracle.named_parameters() if not name.startswith("fc"))
    assert sorted(tuple(p.shape) for p in made.parameters()) == shapes
    assert made.output.grid == (1, 1)


def by_hand(channels: list[int], blocks: list[int], inputs: int = 3, kernel: int = 3) -> int:
    """Weights, gains and shifts, convolution by convolution; no biases."""
    total = kernel**2 * inputs * channels[0] + 2 * channels[0]
    for before, (own, number) in zip([channels[0], *channels], zip(channels, blocks, strict=True), strict=False):
        total += 9 * before * own + (2 * number - 1) * 9 * own * own + 2 * number * 2 * own
        total += before * own + 2 * own if before != own else 0
    return total


@pytest.mark.parametrize(
    ("depth", "channels", "blocks"),
    [
        (18, [64, 128, 256, 512], [2, 2, 2, 2]),
        (19, [128, 256, 512], [3, 3, 2]),
        (20, [16, 32, 64], [3, 3, 3]),
        (34, [64, 128, 256, 512], [3, 4, 6, 3]),
    ],
)
def test_parameters_by_hand(depth: Any, channels: list[int], blocks: list[int]) -> None:
    made = on_meta(depth=depth)
    assert count(made) == by_hand(channels, blocks)
    assert made.output.grid == ((4, 4) if len(channels) == 4 else (8, 8))
    assert made.output.features == channels[-1]
    narrow = on_meta(depth=depth, width=0.25)
    assert count(narrow) == by_hand([c // 4 for c in channels], blocks)
    layers = sum(isinstance(part, nn.Conv2d) and part.kernel_size[0] > 1 for part in made.modules())
    assert layers == 1 + 2 * sum(blocks) == depth - (2 if depth == 19 else 1)  # and a read-out; 19 has a hidden layer
    hidden = on_meta(depth=depth, hidden=256)
    assert count(hidden) - count(made) == channels[-1] * 256 + 256 + 2 * 256
    assert hidden.output == SignalSpec(4, 1, 256, kind="spikes")


@pytest.mark.parametrize(("width", "expected"), [(0.25, 16), (1.5, 96), (0.001, 1), (0.3, 19)])
def test_width(width: float, expected: int) -> None:
    assert on_meta(width=width).stem.conv.out_channels == expected


def plain(x: Tensor, network: Any, unit: Any, *, strides: list[int], large: bool) -> Tensor:
    """The network with `unit` for neurons, layer by layer."""
    spikes_are_added = network.adds_spikes
    state = convolved(x, network.stem, 2 if large else 1)
    state = unit(state) if spikes_are_added else state
    if large:
        state = torch.stack([F.max_pool2d(x_t, 3, 2, 1) for x_t in state])
    for block, stride in zip(network.blocks, strides, strict=True):
        seen = state if spikes_are_added else unit(state)
        found = convolved(unit(convolved(seen, block.first, stride)), block.second)
        past = state
        if block.shortcut is not None:
            past = convolved(state, block.shortcut, stride)
            past = unit(past) if spikes_are_added else past
        state = (unit(found) if spikes_are_added else found) + past
    return tokens(state if spikes_are_added else unit(state))


STRIDES = {18: [1, 1, 2, 1, 2, 1, 2, 1], 20: [1, 1, 1, 2, 1, 1, 2, 1, 1]}


@pytest.mark.parametrize("residual", ["sew", "membrane"])
@pytest.mark.parametrize("stem", ["small", "large"])
@pytest.mark.parametrize(("depth", "steps", "batch"), [(18, 3, 2), (20, 1, 3), (20, 2, 1)])
def test_spikes_written_out(residual: Any, stem: Any, depth: Any, steps: int, batch: int) -> None:
    signal = SignalSpec(steps, 16 * 20, 3, grid=(16, 20))
    network = SpikeResNet(signal, depth=depth, width=0.1, residual=residual, stem=stem, norm_gain=3.0).double()
    x = pictures(steps, batch, 320, 3)
    images = x.view(steps, batch, 16, 20, 3).movedim(-1, 2)
    settle(network, x)
    for training in (True, False):
        network.train(training)
        with torch.no_grad():
            out, expected = network(x), plain(images, network, lif, strides=STRIDES[depth], large=stem == "large")
        assert out.any()
        assert tuple(out.shape) == network.output.shape(batch)
        assert torch.equal(out, expected)
        if not training:
            torch.testing.assert_close(fold_norms(network)(x), out, rtol=0, atol=1e-9)


@pytest.mark.parametrize("residual", ["sew", "membrane"])
def test_gradients_of_the_twin_written_out(residual: Any) -> None:
    signal = SignalSpec(2, 64, 3, grid=(8, 8))
    network = SpikeResNet(signal, depth=20, width=0.2, residual=residual, spiking=False).double()
    x = pictures(2, 3, 64, 3).requires_grad_()
    out = network(x)
    images = x.view(2, 3, 8, 8, 3).movedim(-1, 2)
    expected = plain(images, network, torch.relu, strides=STRIDES[20], large=False)
    torch.testing.assert_close(out, expected, rtol=1e-9, atol=1e-9)
    leaves = [x, *network.parameters()]
    for mine, theirs in zip(gradients(out, leaves), gradients(expected, leaves), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("residual", ["sew", "membrane"])
def test_a_repeated_image_is_convolved_once(residual: Any) -> None:
    encoder = Repeat(SignalSpec(0, 64, 3, grid=(8, 8)), steps=4, neuron=None)
    network = SpikeResNet(encoder.output, depth=20, width=0.2, residual=residual, norm_gain=2.0).double()
    seen: list[tuple[int, int]] = []
    for part in network.modules():
        if isinstance(part, ConvWeights):
            part.register_forward_pre_hook(lambda m, args: seen.append((m.in_channels, len(args[0]))))
    found = []
    for copies in (False, True):
        x = pictures(5, 64, 3).requires_grad_()
        steps = encoder(x)
        seen.clear()
        out = network(steps.contiguous() if copies else steps)
        assert seen[0] == (3, 20 if copies else 5)
        assert {number for _, number in seen[1:]} == {20}
        found.append([out.detach(), *gradients(out, [x, *network.parameters()])])
    assert found[0][0].any()
    assert torch.equal(found[0][0], found[1][0])
    for once, each in zip(*found, strict=True):
        torch.testing.assert_close(once, each, rtol=1e-9, atol=1e-10)


def test_running_statistics_do_not_depend_on_how_often_it_is_convolved() -> None:
    encoder = Repeat(SignalSpec(0, 16, 3, grid=(4, 4)), steps=3, neuron=None)
    x = pictures(2, 16, 3)
    states = []
    for copies in (False, True):
        torch.manual_seed(0)
        network = SpikeResNet(encoder.output, depth=20, width=0.1).double()
        steps = encoder(x)
        network(steps.contiguous() if copies else steps)
        states.append(network.stem.norm.state_dict())
    for key, value in states[0].items():
        torch.testing.assert_close(value, states[1][key], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("residual", ["sew", "membrane"])
def test_channels_lie_last_in_memory_all_the_way(residual: Any) -> None:
    network = SpikeResNet(SignalSpec(2, 256, 3, grid=(16, 16)), depth=18, width=0.25, residual=residual, stem="large")
    copied: list[bool] = []
    for block in network.blocks:
        block.register_forward_hook(
            lambda _m, _a, out: copied.append(
                not out.images.flatten(0, 1).is_contiguous(memory_format=torch.channels_last)
            )
        )
    out = network(torch.randn(2, 3, 256, 3))
    assert copied == [False] * 8
    assert out.is_contiguous()


def always(levels: int, **more: Any) -> Any:
    """Neurons that give their highest value at every step: the threshold is next to nothing."""
    return lambda channels: IF(channels, v_threshold=1e-9, reset="soft", spike=SpikeFormat(levels=levels, **more))


@pytest.mark.parametrize("levels", [1, 4, 15])
def test_declared_levels_are_reached_and_not_passed(levels: int) -> None:
    """The last stage adds: shortcut, then one branch per block; earlier stages end at a neuron of the shortcut."""
    signal = SignalSpec(2, 64, 3, grid=(8, 8))
    for depth, branches in ((18, 3), (19, 3), (20, 4), (34, 4)):
        network = SpikeResNet(signal, depth=depth, width=0.05, neuron=always(levels))  # type: ignore[arg-type]
        assert network.output.levels == branches * levels
    for part in network.modules():
        if isinstance(part, nn.BatchNorm1d):
            nn.init.constant_(part.bias, 10.0)
    out = network(torch.randn(2, 3, 64, 3))
    assert out.unique().tolist() == [network.output.levels]
    membrane = SpikeResNet(signal, depth=20, width=0.2, residual="membrane", neuron=always(levels))
    assert membrane.output.levels == levels


def test_first_stage_adds_to_the_stem() -> None:
    """No shortcut has weights where shapes agree: each block adds its branch to the spikes of the stem."""
    network = SpikeResNet(SignalSpec(2, 16, 3, grid=(4, 4)), depth=20, width=0.25, neuron=always(3))
    highest = 3
    for block in network.blocks[:3]:
        highest = block.highest(highest)  # type: ignore[operator]
    assert highest == 4 * 3
    assert network.blocks[3].highest(highest) == 2 * 3  # type: ignore[operator]


def test_values_stay_multiples_of_the_quantum() -> None:
    spike = SpikeFormat(integer_bits=1, fraction_bits=2, emit="value")
    encoder = Repeat(SignalSpec(0, 64, 3, grid=(8, 8)), steps=2, neuron=None)
    network = SpikeResNet(
        encoder.output,
        depth=20,
        width=0.2,
        norm_gain=2.0,
        neuron=lambda c: IF(c, v_threshold=0.5, reset="soft", spike=spike),
    )
    x = torch.randn(3, 64, 3)
    codes = network(encoder(x)) / (0.5 / 4)
    assert torch.equal(codes, codes.round())
    assert 7 < codes.max() <= network.output.levels == 4 * 7
    whole = nn.Sequential(encoder, network).eval()
    counts = OperationCounter(whole, encoded=encoder.output).count(lambda: whole(x), x, 3)
    bits = {row.layer.removeprefix("1.blocks."): row.products.bits for row in counts.rows if row.kind == "synapse"}
    assert (bits["0.first.conv"], bits["0.second.conv"], bits["1.first.conv"]) == (3, 3, 4)  # 7, 7, 14
    assert (bits["2.first.conv"], bits["3.first.conv"], bits["4.first.conv"]) == (5, 5, 4)  # 21, 28, 14


def test_mean_linear_is_global_average_pooling() -> None:
    network = SpikeResNet(SignalSpec(2, 64, 3, grid=(8, 8)), depth=20, width=0.25, norm_gain=2.0)
    readout = MeanLinear(network.output, 4)
    x = torch.randn(2, 3, 64, 3)
    out = network(x)
    images = out.unflatten(2, network.output.grid or ()).movedim(-1, 2)
    pooled = F.adaptive_avg_pool2d(images.flatten(0, 1), 1).view(2, 3, -1).mean(0)
    torch.testing.assert_close(readout(out), readout.linear(pooled))


def test_hidden_layer_sees_the_mean_over_positions() -> None:
    network = SpikeResNet(SignalSpec(2, 96, 3, grid=(8, 12)), depth=20, width=0.25, norm_gain=2.0, hidden=5)
    bare = SpikeResNet(SignalSpec(2, 96, 3, grid=(8, 12)), depth=20, width=0.25, norm_gain=2.0)
    bare.load_state_dict({k: v for k, v in network.state_dict().items() if not k.startswith("hidden")})
    x = torch.randn(2, 3, 96, 3)
    assert network.hidden is not None
    expected = network.hidden(bare(x).mean(2, keepdim=True))
    torch.testing.assert_close(network(x), expected)
    assert network.output.describe() == "T=2 L=1 D=5 spikes"


@pytest.mark.parametrize("depth", [18, 34])
def test_small_images_do_not_vanish(depth: Any) -> None:
    network = SpikeResNet(SignalSpec(2, 15, 2, grid=(3, 5)), depth=depth, width=0.05, stem="large")
    assert network.output.grid == (1, 1)
    assert network(torch.randn(2, 4, 15, 2)).shape == (2, 4, 1, 26)


def test_what_is_refused() -> None:
    with pytest.raises(ShapeError, match="no grid") as caught:
        SpikeResNet(SignalSpec(4, 12, 6, kind="spikes"))
    assert "event_frames" in caught.value.help
    with pytest.raises(ShapeError, match="twin") as caught:
        SpikeResNet(CIFAR, levels=4)
    assert caught.value.knob == "levels"
    assert [knob for knob, _ in broken_rules(SpikeResNet, {"spiking": False, "levels": 4})] == []


def test_the_twin_in_steps_has_an_activation_at_every_neurons_place() -> None:
    from snnctl.backbones.parts.units import Quantised, Rectifier
    from snnctl.neurons.base import SpikingNeuron

    for residual in ("sew", "membrane"):
        knobs: dict[str, Any] = {"depth": 20, "width": 0.25, "residual": residual, "hidden": 6}
        signal = SignalSpec(2, 64, 3, grid=(8, 8))
        places = []
        for kind, more in (
            (SpikingNeuron, {"neuron": LIF}),
            (Rectifier, {"spiking": False}),
            (Quantised, {"spiking": False, "levels": 7}),
        ):
            network = SpikeResNet(signal, **knobs, **more)  # type: ignore[arg-type]
            places.append([name for name, part in network.named_modules() if isinstance(part, kind)])
        assert places[0] == places[1] == places[2]
        # A stem, two in each block, two shortcuts; or two in each block and one at the end; and the hidden layer.
        assert len(places[0]) == {"sew": 1 + 18 + 2 + 1, "membrane": 18 + 1 + 1}[residual]
        assert network.output.kind == "real"
