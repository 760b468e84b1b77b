"""Spike-GRU: its equation in a plain loop, binary hidden state, what recurrence reaches, and the released form."""

import pytest
import torch
from sequence_networks import NEURONS, SIGNAL, lif_spikes, make, rates, reach, spikes, warmed
from torch import Tensor

from snnctl.backbones.spike_gru import SequenceLinear, SpikingGRUCell
from snnctl.neurons import LIF
from snnctl.neurons.surrogate import ATan


def cell(form: str = "recurrent") -> SpikingGRUCell:
    torch.manual_seed(0)
    return SpikingGRUCell(6, 12, form=form, surrogate=ATan()).double()  # type: ignore[arg-type]


def fires(current: Tensor) -> Tensor:
    return (current >= 0).to(current)


@torch.no_grad()
def test_cell_equals_a_plain_loop() -> None:
    gates, x = cell(), spikes(batch=5)
    W, b = gates.linear.weight, gates.linear.bias
    U = gates.recurrent.weight  # type: ignore[union-attr]
    D = 12
    expected = torch.zeros(4, 5, 10, D, dtype=x.dtype)
    for t in range(4):
        h = torch.zeros(5, D, dtype=x.dtype)
        for at in range(10):
            i, k = x[t, :, at] @ W.T + b, h @ U.T
            r = fires(i[:, :D] + k[:, :D])
            z = fires(i[:, D : 2 * D] + k[:, D : 2 * D])
            n = fires(i[:, 2 * D :] + r * k[:, 2 * D :])
            h = (1 - z) * n + z * h
            expected[t, :, at] = h
    found = gates(x)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-9)
    assert set(found.unique().tolist()) == {0.0, 1.0}


@torch.no_grad()
def test_released_cell_forgets() -> None:
    gates, x = cell("released"), spikes(batch=5)
    current = x @ gates.linear.weight.T + gates.linear.bias
    expected = (1 - fires(current[..., :12])) * fires(current[..., 12:])
    torch.testing.assert_close(gates(x), expected, rtol=0, atol=1e-9)
    assert reach(gates, 3) == {3}


@torch.no_grad()
def test_membranes_of_the_layer_behind_go_on_along_positions() -> None:
    torch.manual_seed(0)
    layer, x = SequenceLinear(6, 12, LIF, norm_gain=None).double(), spikes(batch=5)
    layer.linear.weight.mul_(6)
    expected = torch.zeros(4, 5, 10, 12, dtype=x.dtype)
    v = torch.zeros(5, 12, dtype=x.dtype)
    for at in range(10):
        for t in range(4):
            expected[t, :, at], v = lif_spikes(x[t, :, at] @ layer.linear.weight.T + layer.linear.bias, v)
    assert expected.mean() > 0.05
    torch.testing.assert_close(layer(x), expected, rtol=0, atol=1e-9)
    first, state = layer(x[:, :, :4], return_state=True)
    assert torch.equal(torch.cat((first, layer(x[:, :, 4:], state)), dim=2), layer(x))


@torch.no_grad()
def test_network_is_embedding_cell_and_layer() -> None:
    network, x = warmed("spike_gru", width=12, layers=2), spikes(batch=5)
    expected = network.embed(x)
    for layer in network.layers:
        expected = layer.out(layer.cell(expected))
    assert torch.equal(network(x), expected)
    assert 0.02 < expected.mean() < 0.5


@pytest.mark.parametrize("neuron", NEURONS)
def test_gates_reach_later_positions(neuron: str) -> None:
    assert {0, 1, 2} <= reach(warmed("spike_gru", width=64, neuron=NEURONS[neuron]), 0)
    assert min(reach(warmed("spike_gru", width=64, neuron=NEURONS[neuron]), 6)) == 6


def test_released_form_connects_positions_by_membranes_alone() -> None:
    assert {0, 1} <= reach(warmed("spike_gru", width=64, form="released"), 0)
    assert reach(warmed("spike_gru", width=64, form="released", neuron=NEURONS["psn"]), 0) == {0}


def test_meters_count_the_gates() -> None:
    found = rates(make("spike_gru", width=32), spikes(batch=16))
    assert list(found) == [
        "embed.neuron",
        "layers.0.cell.reset",
        "layers.0.cell.update",
        "layers.0.cell.candidate",
        "layers.0.out.neuron",
    ]
    assert all(0.3 < rate < 0.7 for name, rate in found.items() if "cell" in name)


@torch.no_grad()
def test_twin_is_an_ordinary_gru() -> None:
    twin = make("spike_gru", width=12, spiking=False)
    oracle = torch.nn.GRU(12, 12, batch_first=True).double()
    gates = twin.layers[0].cell
    oracle.weight_ih_l0.copy_(gates.linear.weight)
    oracle.weight_hh_l0.copy_(gates.recurrent.weight)
    oracle.bias_ih_l0.copy_(gates.linear.bias)
    oracle.bias_hh_l0.zero_()
    x = torch.randn(SIGNAL.replace(features=12).shape(3), dtype=torch.float64)
    expected = torch.stack([oracle(x[t])[0] for t in range(4)])
    torch.testing.assert_close(gates(x), expected)


def test_surrogate_is_that_of_the_gates() -> None:
    x = spikes()
    grads = []
    for alpha in (2.0, 20.0):
        network = make("spike_gru", width=12, surrogate=ATan(alpha=alpha))
        network(x).sum().backward()
        grads.append(network.layers[0].cell.linear.weight.grad)
    assert not torch.allclose(*grads)


def test_parameter_count() -> None:
    F, D = 6, 12
    around = (F * D + 3 * D) + (D * D + 3 * D)
    count = sum(p.numel() for p in make("spike_gru", width=D).parameters())
    assert count == around + 3 * (2 * D * D + D)
    count = sum(p.numel() for p in make("spike_gru", width=D, form="released").parameters())
    assert count == around + 2 * (D * D + D)
