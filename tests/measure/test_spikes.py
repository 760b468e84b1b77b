import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from neuron_fakes import Floor
from torch import nn

from snnctl.measure.spikes import SpikeMeter


class Two(nn.Module):
    """A binary layer, then a layer of three levels fed with twice the spikes plus the input."""

    def __init__(self) -> None:
        super().__init__()
        self.first = Floor(3)
        self.block = nn.ModuleDict({"second": Floor(3, levels=3)})

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.block["second"](2 * self.first(x) + x)


# [T = 2, B = 2, C = 3]: channel 0 always fires, channel 1 once, channel 2 never
INPUT = torch.tensor([[[1.0, 0.0, 0.5], [1.0, 1.0, 0.5]], [[1.0, 0.0, 0.5], [1.0, 0.0, 0.5]]])


def test_hand_counted():
    network = Two()
    with SpikeMeter(network) as meter:
        network(INPUT)
    first, second = meter.summary()
    assert (first.name, first.channels, first.levels, first.neuron_steps) == ("first", 3, 1, 12)
    # 4 spikes of channel 0 + 1 of channel 1, over 12 neuron-steps
    assert first.rate == first.nonzero == pytest.approx(5 / 12)
    assert first.histogram == (7, 5)
    assert first.silent_share == pytest.approx(1 / 3)
    assert first.saturated_share == pytest.approx(1 / 3)
    # second: channel 0 gets 3 always, channel 1 gets 3 once, channel 2 gets 0.5 -> 0
    assert (second.name, second.levels, second.histogram) == ("block.second", 3, (7, 0, 0, 5))
    assert second.rate == pytest.approx(15 / 12)
    assert second.nonzero == pytest.approx(5 / 12)
    assert second.saturated_share == pytest.approx(1 / 3)
    totals = meter.totals()
    assert totals.mean_rate == pytest.approx(20 / 24)
    assert totals.silent_share == totals.saturated_share == pytest.approx(1 / 3)


def test_totals_weigh_layers_by_their_neuron_steps():
    network = nn.ModuleList([Floor(1), Floor(3)])
    with SpikeMeter(network) as meter:
        network[0](torch.ones(2, 1, 1))  # 2 of 2
        network[1](torch.zeros(2, 1, 3))  # 0 of 6
    assert meter.totals().mean_rate == pytest.approx(2 / 8)
    assert meter.totals().silent_share == pytest.approx(3 / 4)


def test_a_channel_is_saturated_from_95_percent_on():
    x = torch.ones(20, 1, 2)
    x[0, 0, 0] = 0.0  # 19 of 20 = 0.95
    x[:2, 0, 1] = 0.0  # 18 of 20
    neuron = nn.ModuleList([Floor(2)])
    with SpikeMeter(neuron) as meter:
        neuron[0](x)
    assert meter.summary()[0].saturated_share == 0.5


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 999), levels=st.sampled_from([1, 2, 4]), cut=st.integers(1, 5))
def test_counts_equal_the_whole_tensor_and_resume_is_exact(seed, levels, cut):
    x = torch.rand(4, 6, 5, 3, generator=torch.Generator().manual_seed(seed)) * (levels + 1)
    network = nn.ModuleDict({"n": Floor(3, levels=levels)})
    spikes = network["n"](x)
    with SpikeMeter(network) as whole:
        network["n"](x)
    with SpikeMeter(network) as begun:
        network["n"](x[:, :cut])
    resumed = SpikeMeter(network)
    resumed.load_state(begun.state_dict())
    with resumed:
        network["n"](x[:, cut:])
    assert resumed.summary() == whole.summary()
    (layer,) = whole.summary()
    assert layer.rate == pytest.approx(spikes.double().mean().item(), rel=1e-12)
    assert layer.nonzero == pytest.approx((spikes > 0).double().mean().item(), rel=1e-12)
    assert layer.histogram == tuple(int((spikes == k).sum()) for k in range(levels + 1))
    assert layer.silent_share == pytest.approx((spikes.amax((0, 1, 2)) == 0).double().mean().item())


def test_the_state_is_small_whole_and_a_copy():
    network = nn.ModuleDict({"n": Floor(3)})
    with SpikeMeter(network) as meter:
        network["n"](torch.ones(8, 100, 3))
        state = meter.state_dict()
        network["n"](torch.ones(8, 100, 3))
    assert {k: (v.dtype, v.numel()) for k, v in state["n"].items()} == {
        "spikes": (torch.int64, 3),
        "histogram": (torch.int64, 2),
        "positions": (torch.int64, 1),
    }
    assert state["n"]["spikes"].tolist() == [800, 800, 800]
    with pytest.raises(ValueError, match="unknown layers: n"):
        SpikeMeter(Two()).load_state(state)


def test_half_precision_sums_are_exact():
    network = nn.ModuleDict({"n": Floor(1)})
    with SpikeMeter(network) as meter:
        network["n"](torch.ones(3, 1001, 1, dtype=torch.bfloat16))  # 3003 is no bfloat16 number
    assert meter.state_dict()["n"]["spikes"].item() == 3003


def test_hooks_are_gone_after_the_block_and_streaming_output_is_understood():
    network = Two()
    with SpikeMeter(network) as meter:
        network.first(INPUT, return_state=True)
        with pytest.raises(RuntimeError, match="already attached"):
            meter.__enter__()
    network(INPUT)
    assert [(layer.name, layer.neuron_steps) for layer in meter.summary()] == [("first", 12)]
    assert not network.first._forward_hooks


def test_nothing_has_run():
    meter = SpikeMeter(nn.Linear(2, 2))
    assert meter.summary() == []
    assert math.isnan(meter.totals().mean_rate)


def test_a_spike_above_its_levels_is_a_contract_break():
    neuron = Floor(1, levels=7)
    network = nn.ModuleDict({"n": neuron})
    with SpikeMeter(network):
        neuron(torch.full((1, 1, 1), 7.0))
        neuron.levels = 2
        neuron.step = lambda x, s: (x, s)
        with pytest.raises(ValueError, match=r"`n` gave a spike of 7, above its levels = 2"):
            neuron(torch.full((1, 1, 1), 7.0))
