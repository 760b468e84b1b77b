"""CLIF: golden trace, the deeper reset, gradients."""

import math

import pytest
import torch
from state_traces import Smooth, gradients_are_exact, random_current, trace

from snnctl.neurons import CLIF, LIF


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def test_golden() -> None:
    # tau 2: h = v/2 + x, m = m sigmoid(h/2) + s.   x = 1.5, 1, 1
    # t0 h = 1.5 fires        m = 1                         v = .5 - sigmoid(1) = -.2310586
    # t1 h = .8844707         m = sigmoid(.4422354)         v = h
    # t2 h = 1.4422354 fires  m = m sigmoid(.7211177) + 1   v = .4422354 - sigmoid(m)
    spikes, states = trace(CLIF(1), [1.5, 1.0, 1.0])
    assert spikes == [1, 0, 1]
    v0 = 0.5 - sigmoid(1.0)
    h1 = v0 / 2 + 1
    m1 = sigmoid(h1 / 2)
    h2 = h1 / 2 + 1
    m2 = m1 * sigmoid(h2 / 2) + 1
    expected = [(v0, 1.0), (h1, m1), (h2 - 1 - sigmoid(m2), m2)]
    assert states == [pytest.approx(state, rel=1e-12) for state in expected]
    assert (v0, h1, h2) == pytest.approx((-0.2310586, 0.8844707, 1.4422354), abs=1e-7)


def test_is_lif_until_the_first_spike_and_fires_less_afterwards() -> None:
    x = random_current(40, 4, 3).abs()
    spikes, lif = CLIF(3)(x), LIF(3, decay_input=False, reset="soft")(x)
    first = spikes.cumsum(0) == 0
    assert torch.equal(spikes[first], lif[first])
    assert torch.equal(spikes.argmax(0), lif.argmax(0))
    assert 20 < spikes.sum() < lif.sum()


def test_gradients_are_those_of_the_smooth_neuron() -> None:
    assert list(CLIF(2).parameters()) == []
    assert gradients_are_exact(CLIF(2, tau=1.7, surrogate=Smooth()))
