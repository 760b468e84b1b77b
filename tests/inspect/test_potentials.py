"""Distances from the threshold: by hand for LIF, consistent with the spikes for every registered neuron."""

import pytest
import torch
from measure.neuron_fakes import Floor
from torch import nn

from snnctl.backbones.parts.recurrence import Gate
from snnctl.core.catalog import NEURONS
from snnctl.inspect.membranes.collect import NO_MEMBRANE, NO_STATE, NO_SURROGATE, PotentialMeter, distances
from snnctl.neurons import IF, LIF
from snnctl.neurons.norm import TokenNorm
from snnctl.neurons.surrogate import make_surrogate

REASONS = {"psn": NO_STATE, "masked_psn": NO_MEMBRANE}
KNOBS = {
    "psn": {"steps": 5},
    "masked_psn": {"steps": 5},
    **{name: {"groups": 2} for name in ("stc", "stc_lif", "stc_plif", "stc_lmh")},
}


def test_by_hand() -> None:
    x = torch.tensor([1.0, 3.0, 1.0]).reshape(3, 1, 1)
    # tau 2: h = .5, fires not, v = .5; h = .5 + 1.25 = 1.75 fires, v = 0; h = .5
    found = distances(LIF(1), x)
    assert not isinstance(found, str)
    assert found[0].flatten().tolist() == [-0.5, 0.75, -0.5]
    assert found[1].flatten().tolist() == [0, 1, 0]


def test_several_levels_are_measured_from_the_first_threshold() -> None:
    neuron = IF(1, v_threshold=2.0, reset="soft")
    neuron.levels = 3
    x = torch.tensor([1.0, 4.5, 9.0]).reshape(3, 1, 1)
    # h = 1; 5.5 -> 2 spikes, v = 1.5; 10.5 -> 3 spikes
    found = distances(neuron, x)
    assert not isinstance(found, str)
    assert found[1].flatten().tolist() == [0, 2, 3]
    assert found[0].flatten().tolist() == [-1.0, 3.5, 8.5]


@pytest.mark.parametrize("name", list(NEURONS.builtin))
def test_every_neuron_is_measured_or_named(name: str) -> None:
    neuron = NEURONS.get(name)(4, **KNOBS.get(name, {})).eval()
    x = 3 * torch.randn(5, 2, 3, 4, generator=torch.Generator().manual_seed(0))
    before = dict(vars(neuron))
    found = distances(neuron, x)
    assert dict(vars(neuron)) == before  # the surrogate is back
    if name in REASONS:
        assert found == REASONS[name]
        return
    assert not isinstance(found, str), found
    spikes = neuron(x).detach()
    assert torch.equal(found[1], spikes)
    assert torch.equal(found[0] > 0, spikes > 0)
    assert 0 < spikes.mean() < 1


def test_what_has_no_membrane_says_so() -> None:
    x = torch.ones(2, 1, 3)
    assert distances(Gate(3, surrogate=make_surrogate("atan")), x) == NO_STATE
    assert distances(Floor(3), x) == NO_SURROGATE


def test_meter_sees_the_norm_in_front_and_a_state() -> None:
    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm, self.first, self.gate = TokenNorm(2, gain=2.0), LIF(2), Floor(2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            spikes = self.first(x, x.new_full((1, 2), 0.5), norm=self.norm, offset=torch.ones(2))
            return self.gate(spikes)

    network = Network().eval()
    with PotentialMeter(network) as meter, torch.no_grad():
        network(torch.full((1, 1, 2), 0.25))
    first, gate = meter.summary()
    # the norm in evaluation at rest doubles 0.25 + 1; h = 0.5 + (2.5 - 0.5) / 2 = 1.5
    assert first.distances.tolist() == pytest.approx([0.5, 0.5], abs=1e-4)
    assert (first.agreement, first.reason) == (1.0, "")
    assert (gate.name, gate.neuron, gate.reason, len(gate.distances)) == ("gate", "Floor", NO_SURROGATE, 0)
