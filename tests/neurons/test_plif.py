"""PLIF, spread time constants and learned thresholds: golden traces, parametrisation, gradients."""

from typing import Any

import pytest
import torch
from torch import Tensor

from snnctl.neurons import IF, LIF, PLIF, SpikingNeuron


def potentials(neuron: SpikingNeuron, current: float, steps: int) -> list[float]:
    """The membrane after each step while nothing fires."""
    state, found = None, []
    for _ in range(steps):
        x = torch.full((1, 1, 1), current, dtype=torch.float64)
        spikes, state = neuron(x, state, return_state=True)
        assert not spikes.any()
        found.append(state.item())
    return found


def test_golden_trace() -> None:
    # w = .4: rate = sigmoid(.4) = .598688;  h = (1 - rate) v + rate * .75, towards .75 without a spike
    neuron = PLIF(1).double()
    torch.nn.init.constant_(neuron.w, 0.4)
    expected = [0.449016, 0.629211, 0.701526, 0.730547, 0.742193, 0.746867, 0.748743, 0.749495]
    assert potentials(neuron, 0.75, 8) == pytest.approx(expected, abs=1e-6)


def test_golden_spikes() -> None:
    # tau 4: rate .25, undecayed input: h = .75 v + .75 -> .75; .5625 + .75 = 1.3125 fires -> 0; .75; fires
    neuron = PLIF(1, tau=4.0, decay_input=False)
    assert neuron(torch.full((4, 1, 1), 0.75)).flatten().tolist() == [0, 1, 0, 1]


@pytest.mark.parametrize("decay_input", [True, False])
@pytest.mark.parametrize("share", ["layer", "channel"])
def test_starts_as_lif_of_that_tau(share: Any, decay_input: bool) -> None:
    x = torch.randn(7, 4, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 2
    neuron = PLIF(5, tau=3.0, share=share, decay_input=decay_input).double()
    assert neuron.w.shape == (() if share == "layer" else (5,))
    assert torch.equal(neuron(x), LIF(5, tau=3.0, decay_input=decay_input)(x))


def test_gradient_of_w_by_hand() -> None:
    # One step from rest: h = r x, dL/dw = g(h - 1) x dr/dw with r = sigmoid(w), dr/dw = r (1 - r)
    neuron = PLIF(1, tau=2.0, surrogate="triangle").double()
    x = 1.6  # h = .8, 0.2 below threshold: triangle of width 2 gives g = .8
    neuron(torch.full((1, 1, 1), x, dtype=torch.float64)).sum().backward()
    assert neuron.w.grad is not None
    assert neuron.w.grad.item() == pytest.approx(0.8 * x * 0.25, rel=1e-12)


def test_every_channel_learns_its_own() -> None:
    torch.manual_seed(0)
    neuron = PLIF(6, tau=4.0, share="channel", tau_spread=0.5)
    taus = 1 / neuron.w.sigmoid()
    assert 2.0 <= taus.min() < taus.max() <= 6.0
    neuron(torch.rand(5, 3, 6) * 3).sum().backward()
    assert neuron.w.grad is not None
    assert (neuron.w.grad != 0).all()
    with pytest.raises(ValueError, match="needs `share: channel`"):
        PLIF(6, tau_spread=0.5)


def test_spread_taus_stay_with_the_weights() -> None:
    torch.manual_seed(0)
    first, second = LIF(50, tau=10.0, tau_spread=0.8), LIF(50, tau=10.0, tau_spread=0.8)
    assert first.taus is not None
    assert second.taus is not None
    assert 2.0 <= first.taus.min() < 4.0
    assert 16.0 < first.taus.max() <= 18.0
    assert not torch.equal(first.taus, second.taus)
    second.load_state_dict(first.state_dict())
    assert torch.equal(first.taus, second.taus)
    assert list(first.parameters()) == []
    assert LIF(50).state_dict() == {}


def test_spread_taus_act_channel_by_channel() -> None:
    torch.manual_seed(0)
    x = torch.randn(9, 4, 3, dtype=torch.float64) * 3
    for decay_input in (True, False):
        neuron = LIF(3, tau=5.0, tau_spread=0.6, decay_input=decay_input).double()
        assert neuron.taus is not None
        for channel, tau in enumerate(neuron.taus.tolist()):
            alone = LIF(1, tau=tau, decay_input=decay_input)(x[..., channel : channel + 1])
            assert torch.equal(neuron(x)[..., channel : channel + 1], alone)
    assert LIF(1000, tau=1.1, tau_spread=0.9).taus.min() > 1.0  # type: ignore[union-attr]


@pytest.mark.parametrize("kind", [LIF, IF, PLIF])
@pytest.mark.parametrize("learn", ["layer", "channel"])
def test_learned_thresholds(kind: Any, learn: Any) -> None:
    x = torch.randn(7, 4, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 2
    neuron = kind(5, v_threshold=0.7, learn_threshold=learn).double()
    assert torch.equal(neuron(x), kind(5, v_threshold=0.7).double()(x))
    neuron(x).sum().backward()
    grad: Tensor = neuron.log_threshold.grad
    assert grad.shape == (() if learn == "layer" else (5,))
    assert (grad < 0).all()  # a higher threshold, fewer spikes


def test_unknown_names_are_refused() -> None:
    with pytest.raises(ValueError, match="unknown share `all`; known: layer, channel"):
        PLIF(3, share="all")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="unknown learn_threshold `yes`"):
        LIF(3, learn_threshold="yes")  # type: ignore[arg-type]
