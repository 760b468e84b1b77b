"""Convolutions along time and delays are counted by the tap; zeros laid around a signal are padding; data's own T."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from energy_rows import layer_of_codes, neurons
from torch import Tensor, nn

from snnctl.backbones import DelayMLP, SpikeTCN, TemporalConv
from snnctl.core.shapes import SignalSpec
from snnctl.encoders import Repeat
from snnctl.encoders.direct import NoEncoder
from snnctl.energy.count.counts import Counts, Row
from snnctl.energy.count.dispatch import OperationCounter
from snnctl.energy.judge.neurobench import connection_sparsity
from snnctl.energy.judge.thresholds import verdicts
from snnctl.energy.price.joules import price_dense
from snnctl.energy.price.table import load_table
from snnctl.readouts import MeanLinear

FRAMES = SignalSpec(0, 1, 4, kind="spikes", levels=3, frames=9)


class Network(nn.Module):
    def __init__(self, encoder: Any, backbone: Any) -> None:
        super().__init__()
        self.encoder, self.backbone = encoder, backbone
        self.readout = MeanLinear(backbone.output, 2)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.readout(self.backbone(self.encoder(x)))
        return found


def counted(backbone: str, batch: int = 3, **knobs: Any) -> tuple[Network, Tensor, Counts]:
    torch.manual_seed(0)
    encoder = NoEncoder(FRAMES)
    made = {"temporal_conv": TemporalConv, "delay_mlp": DelayMLP}[backbone]
    network = Network(encoder, made(encoder.output, norm_gain=3.0, **knobs))
    x = torch.randint(0, 4, FRAMES.shape(batch)).float() * (torch.rand(FRAMES.shape(batch)) < 0.4)
    network(x)
    network.eval()
    counter = OperationCounter(network, encoded=encoder.output, data_steps=9)
    return network, x, counter.count(lambda: network(x), x, batch)


def row(counts: Counts, layer: str, kind: str = "synapse") -> Row:
    (found,) = [r for r in counts.rows if r.layer == layer and r.kind == kind]
    return found


def by_hand(x: Tensor, kernel: Tensor, dilation: int) -> tuple[Tensor, Tensor, int]:
    """Operations by sample and step of the spike that causes them, units of its value, and places without padding."""
    steps, batch, channels = x.shape
    events, units, inside = torch.zeros(batch, steps), torch.zeros(batch, steps), 0
    for o in range(kernel.shape[0]):
        for k in range(kernel.shape[1]):
            for c in range(channels):
                for t in range(steps):
                    if t + k * dilation >= steps or kernel[o, k, c] == 0:
                        continue
                    inside += 1
                    for b in range(batch):
                        events[b, t] += float(x[t, b, c] != 0)
                        units[b, t] += float(x[t, b, c])
    return events, units, inside


@pytest.mark.parametrize(
    ("backbone", "knobs"),
    [
        ("temporal_conv", {"width": 5, "kernel": 3, "dilation": 2}),
        ("temporal_conv", {"width": 5, "kernels": [1, 2], "dilations": [3, 7]}),
        ("delay_mlp", {"width": 5, "max_delay": 6.0}),
    ],
)
def test_every_tap_of_every_spike_counts_once(backbone: str, knobs: dict[str, Any]) -> None:
    network, x, counts = counted(backbone, **knobs)
    assert counts.coverage == 1.0
    fired: list[Tensor] = [x.transpose(0, 1).flatten(2)]
    for layer in network.backbone.layers[:-1]:
        layer.register_forward_hook(lambda m, i, out: fired.append(out))
    with torch.no_grad():
        network(x)
    for number, (layer, spikes) in enumerate(zip(network.backbone.layers, fired, strict=True)):
        assert spikes.any()
        found = row(counts, f"backbone.layers.{number}.synapses")
        kernel = layer.synapses.kernel().detach()
        events, units, inside = by_hand(spikes, kernel, layer.synapses.dilation)
        products = found.products
        assert (found.op, found.source, found.steps) == ("conv1d", "spike", 9)
        assert np.allclose(products.events, events.sum(1))
        assert np.allclose(products.unary, units.sum(1))
        assert np.allclose(found.events_by_step, events.mean(0))
        assert products.inside == inside
        assert products.inputs == 9 * spikes.shape[2]
        assert np.allclose(products.active_inputs, (spikes != 0).sum((0, 2)))
        weights = int((kernel != 0).sum())
        # Taps that are further back than there are steps are not there at all.
        taps = sum(k * layer.synapses.dilation < 9 for k in range(kernel.shape[1]))
        cut = int((kernel[:, :taps] != 0).sum())
        assert products.dense == 9 * cut
        assert found.feeds == f"backbone.layers.{number}.neuron"
        place = found.geometry
        assert place is not None
        assert (place.inputs, place.outputs, place.weights) == (spikes.shape[2], 5, weights)
        if backbone == "delay_mlp":  # a weight per synapse, whatever its delay
            assert (place.form, place.kernel, place.weights) == ("fc", 1, 5 * spikes.shape[2])
        else:
            assert (place.form, place.kernel) == ("conv", taps)
        assert row(counts, f"backbone.layers.{number}.neuron", "neuron").steps == 9


def test_two_layers_whose_kernels_lie_at_the_same_place_are_told_apart() -> None:
    """Kernels with delays are made anew in every layer, so memory of the first may serve the second."""
    network, x, _ = counted("delay_mlp", width=4, max_delay=6.0, layers=4)
    with torch.no_grad():
        for number, layer in enumerate(network.backbone.layers):
            layer.synapses.delay.fill_(2.0 * number)
    counter = OperationCounter(network, encoded=network.encoder.output)
    for _ in range(3):
        counts = counter.count(lambda: network(x), x, len(x))
        insides = [row(counts, f"backbone.layers.{n}.synapses").products.inside for n in range(4)]
        assert insides == [16.0 * (9 - 2 * n) for n in range(4)]


@pytest.mark.parametrize("order", ["pad_last", "pad_then_move"])
def test_zeros_around_a_signal_are_padding_like_a_convolutions_own(order: str) -> None:
    class Padded(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(2, 3, 3, bias=False)

        def forward(self, x: Tensor) -> Tensor:
            if order == "pad_last":
                return self.conv(F.pad(x, (1, 1, 2, 2)))
            return self.conv(F.pad(x.permute(0, 2, 3, 1), (0, 0, 1, 1, 2, 2)).permute(0, 3, 1, 2))

    class Own(Padded):
        def forward(self, x: Tensor) -> Tensor:
            return F.conv2d(x, self.conv.weight, None, padding=(2, 1))

    torch.manual_seed(0)
    padded, own = Padded(), Own()
    own.load_state_dict(padded.state_dict())
    x = torch.randn(2, 2, 4, 5) * (torch.rand(2, 2, 4, 5) < 0.5)
    torch.testing.assert_close(padded(x), own(x))
    found, expected = (OperationCounter(n).count(lambda n=n: n(x), x, 2).rows[0] for n in (padded, own))
    for part in ("dense", "inside", "inputs", "events", "active_inputs"):
        assert np.allclose(getattr(found.products, part), getattr(expected.products, part)), part
    assert found.products.inside < found.products.dense
    assert found.geometry == expected.geometry


@pytest.mark.parametrize("between", ["value", "work", "join"])
def test_what_is_not_padding_any_more_is_counted_whole(between: str) -> None:
    class Other(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv1d(2, 3, 3, bias=False)

        def forward(self, x: Tensor) -> Tensor:
            if between == "value":
                return self.conv(F.pad(x, (2, 0), value=1.0))
            padded = F.pad(x, (2, 0))
            return self.conv(padded + 1.0 if between == "work" else torch.cat((padded, padded), 0))

    x = torch.ones(1, 2, 6)
    found = OperationCounter(Other()).count(lambda: Other()(x), x, 1).rows[-1].products
    assert found.inside == found.dense


def test_taps_of_spike_tcn_before_the_first_position_cost_nothing() -> None:
    torch.manual_seed(0)
    encoder = Repeat(SignalSpec(0, 6, 2), steps=2, neuron="if")
    network = Network(encoder, SpikeTCN(encoder.output, channels=3, levels=1, variables="mixed")).eval()
    x = torch.rand(1, 6, 2) * 2
    counts = OperationCounter(network, encoded=encoder.output).count(lambda: network(x), x, 1)
    first = row(counts, "backbone.blocks.0.first.conv")
    assert first.products.dense == 2 * 6 * 3 * 3 * 2  # steps, positions, taps, channels out and in
    assert first.products.inside == 2 * (6 + 5 + 4) * 3 * 2
    assert first.steps == 2


def test_a_twin_goes_through_every_step_that_the_data_bring() -> None:
    table = load_table("horowitz45_fp32")
    layer = layer_of_codes(np.array([[1, 0], [1, 1], [0, 1]]), 5, 1)
    rows = (layer, neurons(5, 3, 4.0))
    coded, own = Counts(rows, 3), Counts(rows, 3, data_steps=3)
    assert price_dense(own, table).joules == pytest.approx(3 * price_dense(coded, table).joules)
    assert price_dense(own, table).macs == 3 * 2 * 5
    assert any("all 3 steps of the data" in said for said in price_dense(own, table).policies())
    assert any("one step" in said for said in price_dense(coded, table).policies())
    by_width = load_table("int_scaled")  # two bits for 0..3 spikes, one bit for a spike of each step
    one_bit, two_bits = (by_width.arithmetic.mac(bits) for bits in (1, 2))  # type: ignore[union-attr]
    for counts, each in ((coded, two_bits), (own, one_bit)):
        assert price_dense(counts, by_width).lines[0].joules["mac"] == pytest.approx(
            (3 if counts is own else 1) * 10 * each * 1e-12
        )
    for device in ("cpu", "loihi"):  # connections, and updates where they have a price
        assert price_dense(own, load_table(device)).joules == pytest.approx(
            3 * price_dense(coded, load_table(device)).joules
        )


def test_verdicts_compare_with_a_twin_at_every_step_of_the_data() -> None:
    table = load_table("horowitz45_fp32")
    layer = layer_of_codes(np.array([[1, 1, 0, 0]] * 5), 5, 1)
    rows = (layer, neurons(5, 5, 1.0))
    found = verdicts(Counts(rows, 5, data_steps=5), table)
    assert [v.value for v in found[:2]] == [0.5, 0.5]
    assert found[0].sentence.startswith("0.5 spikes per synapse per step of the data: ")
    assert [v.threshold for v in found] == [1.38, 1.72, None, None]
    assert found[-1].value == 1


def test_zeros_of_a_kernel_are_sparse_connections_or_none() -> None:
    conv = TemporalConv(SignalSpec(9, 1, 4), width=2, layers=1, kernel=2, dilation=1)
    with torch.no_grad():
        conv.layers[0].synapses.weight[0, 0] = 0.0  # type: ignore[union-attr, index]
    assert connection_sparsity(conv) == 0.25
    assert connection_sparsity(DelayMLP(SignalSpec(9, 1, 4), width=2, max_delay=5.0)) == 0.0
