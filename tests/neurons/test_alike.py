"""Neurons that are alike share what was traced, and nothing else does."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from snnctl.neurons.alif import ALIF
from snnctl.neurons.kernels import compiled, use_kernel
from snnctl.neurons.kernels.alike import likeness
from snnctl.neurons.lif import LIF, PLIF
from snnctl.neurons.surrogate import ATan


@pytest.fixture
def traced(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Neurons that are traced from now on; nothing is known yet."""
    monkeypatch.setattr("snnctl.neurons.kernels.alike._shared", OrderedDict())
    seen: list[Any] = []
    anew = compiled._made_anew
    monkeypatch.setattr(compiled, "_made_anew", lambda neuron, *how: (seen.append(neuron), anew(neuron, *how))[1])
    return seen


def passed(neuron: Any, x: Tensor) -> list[Tensor]:
    """Spikes, and the gradients of the input and of all parameters."""
    given = x.clone().requires_grad_()
    spikes = neuron(given)
    (spikes * torch.linspace(0.5, 1.5, spikes.numel()).view_as(spikes)).sum().backward()
    found = [spikes.detach(), given.grad, *(parameter.grad for parameter in neuron.parameters())]
    assert all(each is not None for each in found)
    return found


def by_definition(neuron: Any, x: Tensor) -> list[Tensor]:
    for parameter in neuron.parameters():
        parameter.grad = None
    with use_kernel("reference"):
        return passed(neuron, x)


def test_each_has_its_own_parameters(traced: list[Any]) -> None:
    x = torch.randn(5, 3, 6, generator=torch.Generator().manual_seed(0)) * 2
    neurons = [PLIF(6, tau=tau, share="channel", learn_threshold="channel") for tau in (2.0, 2.0, 2.0)]
    with torch.no_grad():
        neurons[1].w.add_(torch.linspace(-1, 1, 6))
        neurons[2].w.sub_(0.7)
    for neuron in neurons:
        ours = passed(neuron, x)
        for own, theirs in zip(ours, by_definition(neuron, x), strict=True):
            torch.testing.assert_close(own, theirs, rtol=1e-4, atol=1e-5)
    assert traced == neurons[:1]


def test_other_settings_and_other_code_are_read_anew(traced: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    x = torch.randn(4, 2, 3)
    LIF(3)(x)
    for other in (LIF(3, tau=3.0), LIF(3, reset="soft"), LIF(3, surrogate=ATan(alpha=3.0)), ALIF(3), LIF(3).eval()):
        other(x)
        assert traced[-1] is other
    count = len(traced)
    LIF(3)(x)
    assert len(traced) == count
    step = LIF.step
    monkeypatch.setattr(LIF, "step", lambda self, x_t, state: step(self, x_t * 2, state))
    changed = LIF(3)
    assert torch.equal(changed(x), by_definition(changed, x)[0])
    assert traced[-1] is changed


def test_what_cannot_be_compared_is_like_no_other() -> None:
    def odd(value: Any) -> LIF:
        neuron = LIF(3)
        neuron.extra = value
        return neuron

    assert likeness(odd(2.0)) == likeness(odd(2.0))
    assert likeness(odd(1)) != likeness(odd(1.0))  # a whole number and a fraction are other constants
    assert likeness(odd((1, [2]))) == likeness(odd((1, [2])))
    assert likeness(odd((1, [2]))) != likeness(odd((1, [3])))
    for value in (np.ones(2), torch.ones(2), {1, 2}, (1, np.ones(1))):
        assert likeness(odd(value)) is None
    hooked = LIF(3)
    hooked.register_forward_hook(lambda *_: None)
    assert likeness(hooked) is None


def test_a_reason_is_shared_too(traced: list[Any]) -> None:
    class Reads(LIF):
        def step(self, x_t: Tensor, state: Any) -> Any:
            return super().step(x_t * float(x_t.sum()), state)

    for _ in range(3):
        assert compiled.why_not(Reads(3), torch.randn(4, 2, 3))
    assert len(traced) == 1
