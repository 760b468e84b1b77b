"""Neurons with synapses inside: the circuits of `stc` counted by hand, beside one row of updates."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from snnctl.backbones.parts.blocks import SpikingConv
from snnctl.core.shapes import SignalSpec
from snnctl.energy.count.counts import Counts, Row
from snnctl.energy.count.dispatch import OperationCounter
from snnctl.energy.count.neuron_work import work_per_update
from snnctl.energy.price.joules import price
from snnctl.energy.price.table import load_table
from snnctl.neurons import IF, STC, STCLIF


class Encoded(nn.Module):
    """Data [B, T, H, W, C] -> [T, B, H, W, C] -> the neuron."""

    def __init__(self, neuron: nn.Module) -> None:
        super().__init__()
        self.neuron = neuron

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.neuron(x.transpose(0, 1).contiguous())
        return found


def count(neuron: nn.Module, x: Tensor) -> Counts:
    network = Encoded(neuron).eval()
    counter = OperationCounter(network, encoded=SignalSpec(x.shape[1], 3, x.shape[-1]))
    return counter.count(lambda: network(x), x, len(x))


def only(counts: Counts, **wanted: Any) -> Row:
    found = [row for row in counts.rows if all(getattr(row, key) == value for key, value in wanted.items())]
    assert len(found) == 1, [(row.layer, row.op, row.kind, row.source) for row in counts.rows]
    return found[0]


def small(circuit: Any = "both") -> STCLIF:
    """2 channels, each its own group, kernels of 3 x 3 with no zero in them, next to no modulation."""
    neuron = STCLIF(2, groups=2, kernel=3, norm="none", axes=2, circuit=circuit)
    with torch.no_grad():
        for part in neuron.circuits:
            part.weight.fill_(1e-9)
    return neuron


# Images of one row and three columns. Sample 0 fires at step 1 in the middle of channel 0 and on the left of channel 1,
# and at step 2 on the right of channel 0, which drives nothing any more. Sample 1 is silent.
X = torch.zeros(2, 2, 1, 3, 2)
X[0, 0, 0, 1, 0] = X[0, 0, 0, 0, 1] = X[0, 1, 0, 2, 0] = 1.0


@pytest.mark.parametrize("circuit", ["both", "temporal", "spatial"])
def test_by_hand(circuit: str) -> None:
    """A spike in the middle reaches 3 positions of its own channel, one on the left 2: 5 operations for each circuit.

    Every output has 9 taps, 6 outputs and 2 steps: 108; within the image lie 2 + 3 + 2 taps per channel: 28.
    """
    counts = count(small(circuit), X)
    present = ("temporal", "spatial") if circuit == "both" else (circuit,)
    for part in present:
        row = only(counts, layer=f"neuron.{part}", kind="synapse")
        assert (row.op, row.source, row.steps, row.feeds) == ("conv2d", "spike", 2, "neuron")
        assert np.array_equal(row.products.events, [5.0, 0.0])
        assert np.array_equal(row.products.active_inputs, [2.0, 0.0])
        assert row.products.dense == 108.0
        assert row.products.inside == 28.0
        assert row.events_by_step == (0.0, 2.5)  # means over both samples
        assert row.geometry is not None
        assert (row.geometry.weights, row.geometry.groups, row.geometry.kernel) == (18, 2, 9)
        assert only(counts, layer=f"neuron.{part}", op="tanh").elementwise.special == 12.0
        assert only(counts, layer=f"neuron.{part}", op="add").elementwise.adds == 24.0  # the bias, and 1
    assert {row.layer for row in counts.rows} == {"neuron", *(f"neuron.{part}" for part in present)}
    place = only(counts, layer="neuron").neurons
    assert place is not None
    assert (place.name, place.updates, place.membranes, place.leaky) == ("stc_lif", 12.0, 6.0, False)
    assert np.array_equal(place.spikes, [3.0, 0.0])
    assert counts.coverage == 1.0
    assert not counts.uncounted


@pytest.mark.parametrize(("circuit", "more"), [("both", 2.0), ("temporal", 1.0), ("none", 0.0)])
def test_an_update_is_the_hosts_and_a_multiplication_per_circuit(circuit: Any, more: float) -> None:
    host = work_per_update(IF(4, reset="soft"), 4)
    found = work_per_update(STC(4, groups=1, circuit=circuit, host=lambda n: IF(n, reset="soft")), 4)
    assert found.muls == host.muls + more
    assert (found.adds, found.compares, found.special) == (host.adds, host.compares, host.special)


def test_the_synapses_inside_have_a_price() -> None:
    table = load_table("horowitz45_fp32")
    whole, bare = (price(count(neuron, X), table) for neuron in (small(), small("none")))
    events = [line for line in whole.lines if "neuron.temporal" in str(line)]
    assert events
    assert np.all(np.asarray(whole.joules) > np.asarray(bare.joules))


def test_streaming_counts_the_spikes_that_came_before() -> None:
    class Streamed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.neuron = small()

        def forward(self, x: Tensor) -> Tensor:
            first, state = self.neuron(x[:, :1].transpose(0, 1).contiguous(), return_state=True)
            second: Tensor = self.neuron(x[:, 1:].transpose(0, 1).contiguous(), state)
            return torch.cat((first, second))

    network = Streamed().eval()
    counts = OperationCounter(network, encoded=SignalSpec(2, 3, 2)).count(lambda: network(X), X, 2)
    assert np.array_equal(only(counts, layer="neuron.temporal", kind="synapse").products.events, [5.0, 0.0])
    place = only(counts, layer="neuron").neurons
    assert place is not None
    assert place.membranes == 6.0


def test_spikes_go_on_as_spikes() -> None:
    torch.manual_seed(0)
    layer = SpikingConv(2, 4, IF, norm_gain=None, bias=False)

    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.neuron, self.layer = small(), layer

        def forward(self, x: Tensor) -> Tensor:
            found: Tensor = self.layer(self.neuron(x.transpose(0, 1).contiguous()).permute(0, 1, 4, 2, 3))
            return found

    network = Two().eval()
    counts = OperationCounter(network, encoded=SignalSpec(2, 3, 2)).count(lambda: network(X), X, 2)
    row = only(counts, layer="layer.conv", kind="synapse")
    # 3 spikes: the middle has 3 columns, the left and the right 2 each, into 4 channels
    assert (row.source, row.feeds) == ("spike", "layer.neuron")
    assert np.array_equal(row.products.events, [28.0, 0.0])
