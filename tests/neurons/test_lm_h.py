"""LM-H: golden traces, integrate-and-fire at the start, the soma's start, gradients."""

import pytest
import torch
from state_traces import random_current, trace

from snnctl.neurons import IF, LMH, Triangle


def set_factors(neuron: LMH, *values: float) -> LMH:
    with torch.no_grad():
        for parameter, value in zip((neuron.p1, neuron.p2, neuron.p3, neuron.p4), values, strict=True):
            parameter.fill_(value)
    return neuron


def test_golden() -> None:
    # sigmoid(.4, -.3) - 1/2 = .0986877, -.0744425; sigmoid(.2, -.1) + 1/2 = 1.0498340, .9750208
    # t0 d = .75                                             u = .75 * 1.0498340         = .7873755
    # t1 d = .75 + .75 * .0986877 - .7873755 * .0744425      u = 1.049834 d + .9750208 h = 1.571252 fires
    membrane = [0.787375, 1.571252, 1.379013, 1.208425, 1.057092, 0.922847, 1.700628, 1.494779]
    spikes, states = trace(set_factors(LMH(1).double(), 0.4, -0.3, 0.2, -0.1), [0.75] * 8)
    assert spikes == [0, 1, 1, 1, 1, 0, 1, 1]
    assert [h + s for (_, h), s in zip(states, spikes, strict=True)] == pytest.approx(membrane, abs=1e-6)


def test_starts_as_integrate_and_fire() -> None:
    # IF with soft reset: .75, 1.5 fires, 1.25 fires, 1.0 fires, .75, ...
    spikes, states = trace(LMH(1), [0.75] * 8)
    assert spikes == [0, 1, 1, 1, 0, 1, 1, 1]
    assert [h for _, h in states] == [0.75, 0.5, 0.25, 0.0, 0.75, 0.5, 0.25, 0.0]


def test_starts_with_the_gradient_of_integrate_and_fire() -> None:
    grads = []
    for neuron in (LMH(3), IF(3, reset="soft", surrogate="triangle")):
        x = random_current(8, 4, 3).requires_grad_()
        (neuron(x) * torch.linspace(-1, 1, 96, dtype=torch.float64).view(8, 4, 3)).sum().backward()
        grads.append(x.grad)
    torch.testing.assert_close(grads[0], grads[1], rtol=1e-12, atol=1e-14)


def test_soma_may_start_half_way() -> None:
    # u = .5 + .25, 1.0 fires, .25
    spikes, states = trace(LMH(1, start=0.5), [0.25, 0.25, 0.25])
    assert spikes == [0, 1, 0]
    assert [h for _, h in states] == [0.75, 0.0, 0.25]
    assert not LMH(3, start=0.5, v_threshold=0.3)(torch.zeros(50, 2, 3)).any()


def test_factors_have_the_gradient_by_hand() -> None:
    # one step from d = 0, h = 1/2, x = .3, all p = 0: d = x, u = x + h = .8, and sigmoid'(0) = 1/4, so
    # du/dp1 = 0, du/dp2 = h/4, du/dp3 = x/4, du/dp4 = h/4, times g(-.2) = .8
    neuron = LMH(1, start=0.5).double()
    neuron(torch.full((1, 1, 1), 0.3, dtype=torch.float64)).sum().backward()
    slope = Triangle().gradient(torch.tensor(-0.2)).item()
    assert slope == pytest.approx(0.8)
    grads = [p.grad.item() for p in (neuron.p1, neuron.p2, neuron.p3, neuron.p4) if p.grad is not None]
    assert grads == pytest.approx([0.0, slope / 8, slope * 0.3 / 4, slope / 8], rel=1e-6)
