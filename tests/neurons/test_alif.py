"""ALIF: golden trace, adaptation, scale, gradients."""

import math

import pytest
import torch
from state_traces import Smooth, gradients_are_exact, random_current, trace

from snnctl.neurons import ALIF, Triangle

HALF = 1 / math.log(2)  # the time constant with a decay of 1/2 per step


def test_golden() -> None:
    # alpha = rho = 1/2, threshold 1 + 2 a.   x = 5, 5, 5, 5, 0
    #    h = v + x/2         A       v = h/2 - s A     a = (a + s)/2
    # t0 2.5        fires    1       .25               .5
    # t1 2.75       fires    2       -.625             .75
    # t2 1.875               2.5     .9375             .375
    # t3 3.4375     fires    1.75    -.03125           .6875
    # t4 -.03125             2.375   -.015625          .34375
    neuron = ALIF(1, tau=HALF, tau_adapt=HALF, v_threshold=1.0, beta=2.0)
    spikes, states = trace(neuron, [5.0, 5.0, 5.0, 5.0, 0.0])
    assert spikes == [1, 1, 0, 1, 0]
    expected = [(0.25, 0.5), (-0.625, 0.75), (0.9375, 0.375), (-0.03125, 0.6875), (-0.015625, 0.34375)]
    assert states == [pytest.approx(state, abs=1e-12) for state in expected]


def test_constant_current_fires_less_and_less() -> None:
    spikes = ALIF(1)(torch.full((600, 1, 1), 1.0)).flatten(1).sum(1)
    counts = spikes.view(3, 200).sum(1).tolist()
    assert counts[0] > counts[1] > counts[2] > 0


def test_only_ratios_of_input_threshold_and_beta_matter() -> None:
    x = random_current(50, 4, 3)
    small, large = ALIF(3, v_threshold=0.01, beta=1.6), ALIF(3, v_threshold=0.01 * 128, beta=1.6 * 128)
    assert small(x).sum() > 20
    assert torch.equal(small(x), large(x * 128))


def test_gradient_of_one_step_by_hand() -> None:
    # ds/dx = dampening * g((h - A)/A) / A * (1 - alpha) with h = (1 - alpha) x and A = v_threshold
    x = torch.tensor([[[2.0]], [[0.0]]], dtype=torch.float64).requires_grad_()
    neuron = ALIF(1, tau=HALF, v_threshold=0.8, dampening=0.3)
    neuron(x)[0].sum().backward()
    expected = 0.3 * Triangle().gradient(torch.tensor((1.0 - 0.8) / 0.8)).item() / 0.8 * 0.5
    assert x.grad is not None
    assert x.grad.flatten().tolist() == pytest.approx([expected, 0.0], rel=1e-12)


def test_gradients_are_those_of_the_smooth_neuron() -> None:
    knobs = {"tau": 3.0, "tau_adapt": 4.0, "v_threshold": 1.0, "beta": 0.7, "surrogate": Smooth()}
    assert gradients_are_exact(ALIF(2, dampening=1.0, **knobs))  # type: ignore[arg-type]
    with pytest.raises(RuntimeError, match="Jacobian mismatch"):
        gradients_are_exact(ALIF(2, dampening=1.0, detach_reset=True, **knobs))  # type: ignore[arg-type]
