"""Spike-RNN: its equation in a plain loop, what recurrence reaches, and the order-blind form."""

from typing import Any

import pytest
import torch
from sequence_networks import NEURONS, SIGNAL, cpg, lif_spikes, make, reach, spikes, warmed
from torch import Tensor

from snnctl.backbones.spike_rnn import SpikingRecurrent
from snnctl.core.shapes import SignalSpec
from snnctl.neurons import LIF, PSN
from snnctl.readouts import MeanLinear

ORDER = torch.randperm(10, generator=torch.Generator().manual_seed(5))


def by_hand(layer: Any, x: Tensor) -> Tensor:
    """The recurrent layer without a norm, over l and then t."""
    T, B, L, _ = x.shape
    W, b, U = layer.linear.weight, layer.linear.bias, layer.recurrent.weight
    out = torch.zeros(T, B, L, len(W), dtype=x.dtype)
    v = torch.zeros(B, len(W), dtype=x.dtype)
    for at in range(L):
        for t in range(T):
            current = x[t, :, at] @ W.T + b
            if at:
                current = current + out[t, :, at - 1] @ U.T
            out[t, :, at], v = lif_spikes(current, v)
    return out


@torch.no_grad()
def test_recurrent_layer_equals_a_plain_loop() -> None:
    layer = SpikingRecurrent(6, 12, LIF, norm_gain=None).double()
    layer.linear.weight.mul_(6)
    x = spikes(batch=5)
    found = layer(x)
    assert found.mean() > 0.05
    torch.testing.assert_close(found, by_hand(layer, x), rtol=0, atol=1e-9)


@torch.no_grad()
def test_recurrent_network_equals_a_plain_loop() -> None:
    network = warmed("spike_rnn", width=12)
    x = spikes(batch=5)
    expected = network.embed(x)
    for layer in network.layers:
        layer.fold_norm()
        expected = by_hand(layer, expected)
    torch.testing.assert_close(network(x), expected, rtol=0, atol=1e-9)
    assert 0.05 < expected.mean() < 0.5


@torch.no_grad()
def test_pooled_network_is_a_stack_of_layers() -> None:
    network = warmed("spike_rnn", width=12, form="pooled")
    x = spikes(batch=5)
    expected = network.layers[1](network.layers[0](network.embed(x)))
    assert torch.equal(network(x), expected)


@pytest.mark.parametrize("neuron", NEURONS)
def test_recurrence_reaches_all_later_positions(neuron: str) -> None:
    network = warmed("spike_rnn", width=32, neuron=NEURONS[neuron])
    found = reach(network, 0)
    assert {0, 1, 2, 3} <= found
    assert found == set(range(10)) or neuron == "masked_psn"  # which fires too rarely here
    assert min(reach(network, 6)) == 6


def test_membranes_alone_connect_positions() -> None:
    network = warmed("spike_rnn", width=32, neuron=lambda channels: LIF(channels, tau=50.0, decay_input=False))
    for layer in network.layers:
        torch.nn.init.zeros_(layer.recurrent.weight)
    assert len(reach(network, 0)) > 3
    no_state = warmed("spike_rnn", width=32, neuron=lambda channels: PSN(channels, steps=4))
    for layer in no_state.layers:
        torch.nn.init.zeros_(layer.recurrent.weight)
    assert reach(no_state, 0) == {0}


def test_pooled_positions_stand_alone() -> None:
    assert reach(warmed("spike_rnn", width=32, form="pooled"), 3) == {3}


def test_pooled_form_is_blind_to_order_without_a_position() -> None:
    network, readout = warmed("spike_rnn", width=12, form="pooled"), MeanLinear(SIGNAL.replace(features=12), 5).double()
    x = spikes()
    torch.testing.assert_close(readout(network(x[:, :, ORDER])), readout(network(x)), rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    "knobs", [{"form": "pooled", "position": cpg(100.0)}, {"form": "recurrent"}, {"position": cpg(100.0)}]
)
def test_else_order_matters(knobs: dict[str, Any]) -> None:
    network, readout = warmed("spike_rnn", width=12, **knobs), MeanLinear(SIGNAL.replace(features=12), 5).double()
    x = spikes()
    assert (readout(network(x[:, :, ORDER])) - readout(network(x))).abs().max() > 1e-6


def test_a_layer_can_go_on_from_a_position() -> None:
    layer = SpikingRecurrent(6, 12, LIF).double().eval()
    torch.nn.init.normal_(layer.linear.weight, std=2.0)
    x = spikes()
    whole = layer(x)
    first, state = layer(x[:, :, :4], return_state=True)
    rest = layer(x[:, :, 4:], state)
    assert whole.any()
    assert torch.equal(torch.cat((first, rest), dim=2), whole)


@torch.no_grad()
def test_twin_is_a_tanh_rnn() -> None:
    twin = make("spike_rnn", width=12, layers=1, spiking=False, norm_gain=None)
    oracle = torch.nn.RNN(12, 12, batch_first=True).double()
    layer = twin.layers[0]
    oracle.weight_ih_l0.copy_(layer.linear.weight)
    oracle.weight_hh_l0.copy_(layer.recurrent.weight)
    oracle.bias_ih_l0.copy_(layer.linear.bias)
    oracle.bias_hh_l0.zero_()
    x = torch.randn(SIGNAL.shape(3), dtype=torch.float64)
    embedded = twin.embed(x)
    expected = torch.stack([oracle(embedded[t])[0] for t in range(4)])
    torch.testing.assert_close(twin(x), expected)


def test_it_neither_dies_nor_saturates_over_a_long_window() -> None:
    signal = SignalSpec(4, 168, 6, kind="spikes")
    out = make("spike_rnn", signal, width=64)(spikes(batch=4, signal=signal))
    along = out.mean(dim=(0, 1, 3))
    assert 0.05 < along[-50:].mean() < 0.3
    assert abs(along[-50:].mean() - along[:50].mean()) < 0.05


def test_parameter_count() -> None:
    F, D = 6, 12
    count = sum(p.numel() for p in make("spike_rnn", width=D, layers=3).parameters())
    assert count == (F * D + 3 * D) + 3 * (D * D + 3 * D + D * D)
    count = sum(p.numel() for p in make("spike_rnn", width=D, layers=3, form="pooled", norm_gain=None).parameters())
    assert count == (F * D + D) + 3 * (D * D + D)
