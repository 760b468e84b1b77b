"""Resonate-and-fire: golden traces, complex arithmetic, resonance, gradients."""

import cmath
import math
from typing import Any

import pytest
import torch
from state_traces import Smooth, gradients_are_exact, random_current, trace

from snnctl.neurons import ResonateFire

HALF = 1 / math.log(2)  # the time constant with a damping of 1/2 per step


@pytest.mark.parametrize(
    ("reset", "states"),
    [
        ("hard", [(4, 0), (0, 0), (0, 0), (0, 0)]),
        ("soft", [(4, 0), (0, 1), (-0.5, 0), (0, -0.25)]),
    ],
)
def test_golden(reset: Any, states: list[tuple[float, float]]) -> None:
    # r = 1/2 and a quarter turn per step: w = -v/2 + x, h = u/2.   x = 4, 0, 0, 0
    # t0 u = 4,  h = 0
    # t1 u = 0,  h = 2 fires     v = 0, or 1
    # t2 u = 0, or -.5           h = 0
    # t3 u = 0                   h = 0, or -.25
    spikes, found = trace(ResonateFire(1, tau=HALF, omega=math.pi / 2, reset=reset), [4.0, 0.0, 0.0, 0.0])
    assert spikes == [0, 1, 0, 0]
    assert found == [pytest.approx(state, abs=1e-12) for state in states]


def test_below_threshold_it_is_a_complex_exponential() -> None:
    current = random_current(20).tolist()
    _, states = trace(ResonateFire(1, tau=7.0, omega=0.6, v_threshold=1e3), current)
    z = 0j
    for x, state in zip(current, states, strict=True):
        z = z * cmath.exp(-1 / 7 + 0.6j) + x
        assert state == pytest.approx((z.real, z.imag), rel=1e-12)


def test_fires_for_pulses_at_its_own_period_only() -> None:
    neuron = ResonateFire(1, tau=50.0, omega=math.pi / 2, v_threshold=1.5)  # a period of 4 steps
    counts = {}
    for period in (2, 3, 4):
        x = torch.zeros(24, 1, 1)
        x[::period] = 1.0
        counts[period] = neuron(x).sum().item()
    assert counts[4] > 0
    assert counts[2] == counts[3] == 0


def test_inhibition_makes_it_fire_half_a_period_later() -> None:
    x = torch.zeros(8, 1, 1)
    x[0] = -1.5
    spikes = ResonateFire(1, tau=50.0, omega=math.pi / 4)(x).flatten()
    assert spikes[:5].sum() == 0
    assert spikes.sum() == 1


@pytest.mark.parametrize("reset", ["hard", "soft"])
def test_gradients_are_those_of_the_smooth_neuron(reset: Any) -> None:
    assert gradients_are_exact(ResonateFire(2, reset=reset, surrogate=Smooth()))
    with pytest.raises(RuntimeError, match="Jacobian mismatch"):
        gradients_are_exact(ResonateFire(2, reset=reset, detach_reset=True, surrogate=Smooth()))


def test_unknown_reset_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown reset `zero`; known: hard, soft"):
        ResonateFire(4, reset="zero")  # type: ignore[arg-type]
