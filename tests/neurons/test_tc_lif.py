"""TC-LIF: golden traces of both forms, which of them learns and detaches what, gradients."""

from typing import Any

import pytest
import torch
from state_traces import Smooth, gradients_are_exact, trace

from snnctl.neurons import TCLIF

FORK: dict[str, Any] = {"late_reset": True, "learn_gamma": True, "detach_reset": True}


def test_golden() -> None:
    # d = d - h/2 + .75, h = h + d/2; a spike takes .5 from d and 1 from h
    # t0 d = .75      h = .375
    # t1 d = 1.3125   h = 1.03125 fires, leaves d = .8125, h = .03125
    # t2 d = 1.546875 h = .8046875
    soma = [0.375, 1.03125, 0.804688, 1.751953, 1.63623, 1.48645, 1.340057, 1.23365]
    spikes, states = trace(TCLIF(1), [0.75] * 8)
    assert spikes == [0, 1, 0, 1, 1, 1, 1, 1]
    assert [h + s for (_, h), s in zip(states, spikes, strict=True)] == pytest.approx(soma, abs=1e-6)
    assert states[1] == (0.8125, 0.03125)


def test_golden_late_reset() -> None:
    # t1 d = 1.3125 h = 1.03125 fires
    # t2 d = 1.3125 - .515625 + .75 - .5 = 1.046875; h = 1.03125 + .5234375 - 1 = .5546875
    soma = [0.375, 1.03125, 0.554688, 1.314453, 0.870605, 1.584106, 1.026581, 0.33741]
    spikes, states = trace(TCLIF(1, **FORK), [0.75] * 8)
    assert spikes == [0, 1, 0, 1, 0, 1, 1, 0]
    assert [h for _, h, _ in states] == pytest.approx(soma, abs=1e-6)


def test_what_is_learned() -> None:
    assert {name for name, _ in TCLIF(5).named_parameters()} == {"c1", "c2"}
    assert {name for name, _ in TCLIF(5, **FORK).named_parameters()} == {"c1", "c2", "gamma"}
    assert set(TCLIF(5).state_dict()) == {"c1", "c2"}


def test_gamma_gets_the_gradient_by_hand() -> None:
    # x = 3, 0: t0 d = 3, h = 1.5 fires; the reset takes gamma from d, so t1 h has -gamma/2: ds/dgamma = -g(h1 - 1)/2
    # t1 d = 2.5 - .25 = 2.25, h = .5 + 1.125 = 1.625: with a triangle of half-width 1, g = .375
    neuron = TCLIF(1, learn_gamma=True, detach_reset=True).double()
    neuron(torch.tensor([3.0, 0.0], dtype=torch.float64).view(2, 1, 1))[1].sum().backward()
    assert neuron.gamma.grad is not None
    assert neuron.gamma.grad.item() == pytest.approx(-0.375 / 2, rel=1e-12)


@pytest.mark.parametrize("late_reset", [True, False])
def test_gradients_are_those_of_the_smooth_neuron(late_reset: bool) -> None:
    assert gradients_are_exact(TCLIF(2, late_reset=late_reset, learn_gamma=True, surrogate=Smooth()))
    with pytest.raises(RuntimeError, match="Jacobian mismatch"):
        gradients_are_exact(TCLIF(2, late_reset=late_reset, detach_reset=True, surrogate=Smooth()))
