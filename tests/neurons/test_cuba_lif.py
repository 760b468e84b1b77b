"""Current-based LIF: golden traces, the synapse, gradients."""

from typing import Any

import pytest
import torch
from state_traces import Smooth, gradients_are_exact, random_current, trace

from snnctl.neurons import LIF, CubaLIF


@pytest.mark.parametrize(("reset", "after"), [("hard", [0.0, 0.25]), ("soft", [0.125, 0.34375])])
def test_golden(reset: Any, after: list[float]) -> None:
    # i = i/2 + x, h = .75 v + i, threshold 1.125.   x = 1, 0, 0
    # t0 i = 1    h = 1
    # t1 i = .5   h = .75 + .5 = 1.25 fires      v = 0, or .125
    # t2 i = .25  h = .25, or .09375 + .25
    spikes, states = trace(CubaLIF(1, v_threshold=1.125, reset=reset), [1.0, 0.0, 0.0])
    assert spikes == [0, 1, 0]
    assert states == [(1.0, 1.0), (0.5, after[0]), (0.25, after[1])]


@pytest.mark.parametrize("reset", ["hard", "soft"])
def test_without_a_memory_in_the_synapse_it_is_lif(reset: Any) -> None:
    x = random_current(20, 4, 3)
    spikes = CubaLIF(3, tau_syn=1.0, tau=3.0, reset=reset)(x)
    assert spikes.sum() > 20
    assert torch.equal(spikes, LIF(3, tau=3.0, decay_input=False, v_threshold=0.5, reset=reset)(x))


def test_below_threshold_it_is_a_sum_of_two_exponentials() -> None:
    # an impulse gives v[t] = sum of a^j b^(t-j) = (b^(t+1) - a^(t+1)) / (b - a) with a = 2/3, b = 4/5
    x = torch.zeros(12, 1, 1, dtype=torch.float64)
    x[0] = 1.0
    neuron = CubaLIF(1, tau_syn=3.0, tau=5.0, v_threshold=10.0)
    a, b = 2 / 3, 4 / 5
    for t in range(12):
        _, (_, v) = neuron(x[: t + 1], return_state=True)
        assert v.item() == pytest.approx((b ** (t + 1) - a ** (t + 1)) / (b - a), rel=1e-12)


@pytest.mark.parametrize("reset", ["hard", "soft"])
def test_gradients_are_those_of_the_smooth_neuron(reset: Any) -> None:
    assert gradients_are_exact(CubaLIF(2, reset=reset, surrogate=Smooth()))
    with pytest.raises(RuntimeError, match="Jacobian mismatch"):
        gradients_are_exact(CubaLIF(2, reset=reset, detach_reset=True, surrogate=Smooth()))


def test_unknown_reset_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown reset `zero`; known: hard, soft"):
        CubaLIF(4, reset="zero")  # type: ignore[arg-type]
