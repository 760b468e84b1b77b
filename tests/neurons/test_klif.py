"""KLIF: golden traces, the slope, gradients."""

from typing import Any

import pytest
import torch
from state_traces import Smooth, gradients_are_exact, random_current, trace

from snnctl.neurons import KLIF, LIF, Sigmoid


@pytest.mark.parametrize(
    ("knobs", "membranes"),
    [
        # tau 2, k 2: h = (v + x)/2, f = max(2 h, 0).   x = .75, .75, .75, -3
        # t0 h = .375 f = .75; t1 h = .75 f = 1.5 fires; t2 as t0; t3 h = -1.125 f = 0
        ({}, [0.75, 0.0, 0.75, 0.0]),
        # t1 leaves .5; t2 h = .625 f = 1.25 fires; t3 h = -1.375 f = 0
        ({"reset": "soft"}, [0.75, 0.5, 0.25, 0.0]),
        # v = f/2: t0 .375; t1 h = .5625 f = 1.125 fires; t2 h = .375 f = .75; t3 h = -1.3125 f = 0
        ({"scale_reset": True}, [0.375, 0.0, 0.375, 0.0]),
        # v = (f - s)/2: t0 .375; t1 f = 1.125 fires, .0625; t2 h = .40625 f = .8125; t3 f = 0
        ({"reset": "soft", "scale_reset": True}, [0.375, 0.0625, 0.40625, 0.0]),
    ],
)
def test_golden(knobs: dict[str, Any], membranes: list[float]) -> None:
    spikes, states = trace(KLIF(1, k=2.0, **knobs), [0.75, 0.75, 0.75, -3.0])
    assert spikes == [0, 1, int(knobs == {"reset": "soft"}), 0]
    assert [v for (v,) in states] == membranes


@pytest.mark.parametrize("reset", ["hard", "soft"])
@pytest.mark.parametrize("decay_input", [True, False])
def test_slope_one_is_lif_while_the_membrane_is_positive(reset: Any, decay_input: bool) -> None:
    x = random_current(20, 4, 3).abs()
    spikes = KLIF(3, reset=reset, decay_input=decay_input)(x)
    assert spikes.sum() > 20
    assert torch.equal(spikes, LIF(3, reset=reset, decay_input=decay_input)(x))


def test_slope_has_the_gradient_by_hand() -> None:
    # one step: s = step(k x/2 - 1), so ds/dk = g(k x/2 - 1) x/2
    neuron = KLIF(1, k=1.2).double()
    neuron(torch.full((1, 1, 1), 1.5, dtype=torch.float64)).sum().backward()
    assert neuron.k.grad is not None
    x = torch.tensor(neuron.k.item() * 0.75 - 1, dtype=torch.float64)
    assert neuron.k.grad.item() == pytest.approx(Sigmoid().gradient(x).item() * 0.75, rel=1e-12)


@pytest.mark.parametrize("reset", ["hard", "soft"])
@pytest.mark.parametrize("scale_reset", [True, False])
def test_gradients_are_those_of_the_smooth_neuron(reset: Any, scale_reset: bool) -> None:
    assert gradients_are_exact(KLIF(2, k=1.3, reset=reset, scale_reset=scale_reset, surrogate=Smooth()))
    with pytest.raises(RuntimeError, match="Jacobian mismatch"):
        gradients_are_exact(KLIF(2, k=1.3, reset=reset, scale_reset=scale_reset, detach_reset=True, surrogate=Smooth()))


def test_unknown_reset_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown reset `zero`; known: hard, soft"):
        KLIF(4, reset="zero")  # type: ignore[arg-type]
