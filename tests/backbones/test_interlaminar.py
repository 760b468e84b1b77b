"""Connections from layer to layer against the equations written out, their parameters, and what they cost."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from plain_images import attended, connected, convolved, gradients, lif, pictures, settle, tokens
from torch import Tensor, nn

from snnctl.backbones import SpikeResNet, SpikeVGG
from snnctl.backbones.parts.blocks import fold_norms
from snnctl.backbones.parts.interlaminar import (
    ChannelAttention,
    Connection,
    Interlaminar,
    attention_kernel,
    extra_parameters,
)
from snnctl.core.shapes import SignalSpec
from snnctl.core.signature import params_model
from snnctl.encoders import Repeat
from snnctl.energy.count.counts import Row
from snnctl.energy.count.dispatch import OperationCounter
from snnctl.neurons import IF


@pytest.mark.parametrize(("channels", "kernel"), [(1, 3), (16, 3), (32, 3), (64, 3), (128, 5), (256, 5), (512, 5)])
def test_kernel_by_channels(channels: int, kernel: int) -> None:
    assert attention_kernel(channels) == kernel
    attention = ChannelAttention(channels)
    assert sum(parameter.numel() for parameter in attention.parameters()) == kernel


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("shape", [(2, 2, 128, 2, 1), (1, 2, 6, 3, 3), (3, 1, 2, 1, 7), (1, 1, 1, 2, 2)])
def test_attention_channel_by_channel(shape: tuple[int, ...], shared: bool) -> None:
    attention = ChannelAttention(shape[2], shared_over_time=shared).double()
    x = pictures(*shape).requires_grad_()
    found, expected = attention(x), attended(x, attention, shared)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
    leaves = [x, attention.conv.weight]
    for mine, theirs in zip(gradients(found, leaves), gradients(expected, leaves), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("tapped", [(6, 4), (3, 2)])
@pytest.mark.parametrize("outputs", [5, 7])
@pytest.mark.parametrize(("steps", "batch"), [(3, 2), (1, 4), (2, 1)])
def test_connection_fits_grid_and_width(tapped: tuple[int, int], outputs: int, steps: int, batch: int) -> None:
    made = Connection(Interlaminar(), 5, outputs, tapped, (3, 2), norm_gain=1.5).double()
    x = pictures(steps, batch, 5, *tapped).requires_grad_()
    found = made(x)
    expected = connected(x, made, shared=False, halve=tapped == (6, 4))
    assert found.shape == (steps, batch, outputs, 3, 2)
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)
    leaves = [x, *made.parameters()]
    for mine, theirs in zip(gradients(found, leaves), gradients(expected, leaves), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-8, atol=1e-10)
    own = 3 + (0 if outputs == 5 else 5 * 7 + 2 * 7)  # kernel; weights, gain and shift
    assert made.extra_parameters == sum(parameter.numel() for parameter in made.parameters()) == own
    assert f"extra_parameters={own}" in repr(made)


def vgg(x: Tensor, network: Any, wanted: Interlaminar) -> Tensor:
    """A network of depth 5, as written: 32, 32, pool, 64, 64, pool."""
    shared = wanted.shared_over_time
    first, second, _, third, fourth, _ = network.features
    current = convolved(x, first)
    spikes = lif(current)
    for layer, pooled in ((second, False), (third, True), (fourth, False)):
        seen = mean_of_four(spikes) if pooled else spikes
        tapped = {"spike": seen, "current": current, "membrane": membranes(current)}[wanted.tap]
        halve = pooled and wanted.tap != "spike"
        current = convolved(seen, layer) + connected(tapped, layer.connection, shared=shared, halve=halve)
        spikes = lif(current)
    return tokens(mean_of_four(spikes))


def mean_of_four(x: Tensor) -> Tensor:
    return (x[..., ::2, ::2] + x[..., 1::2, ::2] + x[..., ::2, 1::2] + x[..., 1::2, 1::2]) / 4


def membranes(current: Tensor) -> Tensor:
    """What the LIF of `lif` keeps after each step: its membrane of tau 2, or nothing where it has fired."""
    v, kept = torch.zeros_like(current[0]), []
    for x in current:
        h = v + (x - v) / 2
        v = torch.where(h >= 1, 0.0, h)
        kept.append(v)
    return torch.stack(kept)


WANTED = [Interlaminar(tap, shared) for tap in ("spike", "current", "membrane") for shared in (False, True)]  # type: ignore[arg-type]


@pytest.mark.parametrize("wanted", WANTED)
@pytest.mark.parametrize(("steps", "batch"), [(3, 2), (1, 3), (4, 1)])
def test_network_against_its_equations(wanted: Interlaminar, steps: int, batch: int) -> None:
    signal = SignalSpec(steps, 32, 3, grid=(4, 8))
    network = SpikeVGG(signal, depth=5, width=0.25, norm_gain=3.0, interlaminar=wanted).double()
    x = pictures(steps, batch, 32, 3)
    images = x.view(steps, batch, 4, 8, 3).movedim(-1, 2)
    settle(network, x)
    for training in (True, False):
        network.train(training)
        with torch.no_grad():
            out, expected = network(x), vgg(images, network, wanted)
        assert out.any()
        assert torch.equal(out, expected)
        if not training:
            torch.testing.assert_close(fold_norms(network)(x), out, rtol=0, atol=1e-9)


def residual(x: Tensor, network: Any, wanted: Interlaminar, adds_spikes: bool) -> Tensor:
    """A network of depth 20 whose first block of a stage halves the grid, but for the first stage."""
    shared = wanted.shared_over_time
    current = convolved(x, network.stem)
    state = lif(current) if adds_spikes else current
    for number, block in enumerate(network.blocks):
        stride = 2 if number in (3, 6) else 1
        spikes = state if adds_spikes else lif(state)
        if not adds_spikes:
            current = state
        tapped = {"spike": spikes, "current": current, "membrane": membranes(current)}[wanted.tap]
        added = connected(tapped, block.first.connection, shared=shared, halve=stride == 2)
        current = convolved(spikes, block.first, stride) + added
        inner = lif(current)
        tapped = {"spike": inner, "current": current, "membrane": membranes(current)}[wanted.tap]
        added = connected(tapped, block.second.connection, shared=shared, halve=False)
        current = convolved(inner, block.second) + added
        past = state
        if block.shortcut is not None:
            past = convolved(state, block.shortcut, stride)
            past = lif(past) if adds_spikes else past
        state = (lif(current) if adds_spikes else current) + past
    return tokens(state if adds_spikes else lif(state))


@pytest.mark.parametrize("wanted", [WANTED[0], WANTED[2], WANTED[4]])
@pytest.mark.parametrize("kind", ["sew", "membrane"])
@pytest.mark.parametrize(("steps", "batch"), [(2, 3), (1, 2), (3, 1)])
def test_residual_network_against_its_equations(wanted: Interlaminar, kind: Any, steps: int, batch: int) -> None:
    signal = SignalSpec(steps, 32, 2, grid=(8, 4))
    network = SpikeResNet(
        signal, depth=20, width=0.25, residual=kind, norm_gain=3.0, interlaminar=wanted, neuron="lif"
    ).double()
    x = pictures(steps, batch, 32, 2)
    images = x.view(steps, batch, 8, 4, 2).movedim(-1, 2)
    with torch.no_grad():
        out, expected = network(x), residual(images, network, wanted, kind == "sew")
    assert out.any()
    assert torch.equal(out, expected)


@pytest.mark.parametrize("tap", ["spike", "current", "membrane"])
def test_every_connection_learns_and_matters(tap: Any) -> None:
    signal = SignalSpec(3, 64, 3, grid=(8, 8))
    for make, depth in ((SpikeVGG, 9), (SpikeResNet, 20)):
        network = make(signal, depth=depth, width=0.1, norm_gain=3.0, interlaminar=Interlaminar(tap)).double()
        x = pictures(3, 4, 64, 3)
        connections = [part for part in network.modules() if isinstance(part, Connection)]
        convolutions = [
            part for part in network.modules() if isinstance(part, nn.Conv2d) and part.kernel_size == (3, 3)
        ]
        assert len(connections) == len(convolutions) - 1  # none at the first
        whole = network(x)
        assert all(bool(g.any()) for g in gradients(whole, [one.attention.conv.weight for one in connections]))
        for one in connections:
            one.attention.conv.weight.data.add_(1.0)
            assert not torch.equal(network(x), whole)
            one.attention.conv.weight.data.sub_(1.0)


def test_parameters_of_a_network() -> None:
    signal = SignalSpec(2, 1024, 3, grid=(32, 32))
    with torch.device("meta"):
        plain = SpikeResNet(signal, depth=18)
        network = SpikeResNet(signal, depth=18, interlaminar=Interlaminar())
    # Sixteen convolutions: four see 64 channels and give 64, and so on; three in between change the width.
    kernels = (4 + 1) * 3 + (3 + 1) * 5 + (3 + 1) * 5 + 3 * 5
    matches = sum(a * 2 * a + 2 * 2 * a for a in (64, 128, 256))
    assert network.extra_parameters == extra_parameters(network) == kernels + matches
    assert count(network) - count(plain) == network.extra_parameters
    assert f"extra_parameters={kernels + matches}" in repr(network)
    assert (plain.extra_parameters, plain.convertible, network.convertible) == (0, True, False)


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def test_the_recipe_key_is_nested() -> None:
    read = params_model(SpikeVGG).model_validate_json
    given = read('{"interlaminar": {"tap": "current", "shared_over_time": true}}')
    assert given.interlaminar == Interlaminar("current", True)  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match="tap"):
        read('{"interlaminar": {"tap": "reset"}}')


class Net(nn.Module):
    """An encoder and one network of two steps."""

    def __init__(self, wanted: Interlaminar | None) -> None:
        super().__init__()
        self.encoder = Repeat(SignalSpec(0, 16, 1, grid=(4, 4)), steps=2, neuron=None)
        self.backbone = SpikeVGG(
            self.encoder.output, depth=5, width=0.25, norm_gain=3.0, interlaminar=wanted, neuron=IF
        )

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.backbone(self.encoder(x))
        return found


def rows_of(network: Net, x: Tensor, layer: str) -> dict[str, Row]:
    counts = OperationCounter(network, encoded=network.encoder.output).count(lambda: network(x), x, len(x))
    assert (counts.uncounted, counts.coverage) == ((), 1.0)
    return {f"{row.layer.removeprefix(layer)}:{row.op}": row for row in counts.rows if row.layer.startswith(layer)}


def test_what_a_connection_costs() -> None:
    """Per step: C H W additions for means, C k products, C sigmoids, one multiplication per spike, all additions."""
    network = Net(Interlaminar())
    x = pictures(5, 16, 1).float()
    for _ in range(20):
        network(x)
    network.eval()
    with torch.no_grad():
        seen = network.backbone.features[0](_passed(network, x)).images  # [2, 5, 8, 4, 4]
    rows = rows_of(network, x, "backbone.features.1")
    spikes = seen.sum((0, 2, 3, 4)).numpy()
    assert spikes.max() > spikes.min() >= 0
    attention = ".connection.attention"
    assert rows[f"{attention}:mean"].elementwise.adds == 2 * 8 * (16 - 1)
    conv = rows[f"{attention}.conv:conv1d"]
    assert (conv.source, conv.products.dense, conv.products.inside) == ("real", 2 * 8 * 3, 2 * (8 * 3 - 2))
    assert rows[f"{attention}:sigmoid"].elementwise.special == 2 * 8
    assert np.array_equal(rows[f"{attention}:mul"].elementwise.muls, spikes)
    assert rows[":add"].elementwise.adds == 2 * 8 * 16
    # The third layer has another width: weights see what the gates have made of spikes, real numbers.
    match = rows_of(network, x, "backbone.features.3")[".connection.match.conv:conv2d"]
    assert (match.source, match.products.dense) == ("real", 2 * 4 * 8 * 16)
    plain = rows_of(Net(None).eval(), x, "backbone.features.1")
    assert set(plain) == {".conv:conv2d", ".neuron:batch_norm", ".neuron:neuron"}


def _passed(network: Net, x: Tensor) -> Any:
    from snnctl.backbones.parts.images import Passed, to_images

    return Passed(to_images(network.encoder(x), (4, 4)))


@pytest.mark.parametrize("tap", ["current", "membrane"])
def test_what_is_no_spike_is_multiplied_everywhere(tap: Any) -> None:
    network = Net(Interlaminar(tap))
    x = pictures(5, 16, 1).float()
    network(x)
    rows = rows_of(network.eval(), x, "backbone.features.1")
    attention = ".connection.attention"
    assert rows[f"{attention}:mean"].elementwise.adds == 2 * 8 * (16 - 1)
    assert rows[f"{attention}.conv:conv1d"].products.dense == 2 * 8 * 3
    assert rows[f"{attention}:mul"].elementwise.muls == 2 * 8 * 16
