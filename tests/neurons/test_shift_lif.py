"""ShiftLIF: spikes are powers of two, one octave is LIF, gradients by hand."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from state_traces import Smooth, gradients_are_exact, random_current, trace

from snnctl.neurons import LIF, ATan, ShiftLIF


@pytest.mark.parametrize(
    ("knobs", "codes", "membranes"),
    [
        # tau 2: h = (v + x) / 2.  x = 1, 9, 4, -3: h = .5; 4.75 -> 4, .75; 2.375 -> 2, .375; -1.3125
        ({}, [0, 4, 2, 0], [0.5, 0.75, 0.375, -1.3125]),
        # h = .5; 4.75 -> 4, 0; 2 -> 2, 0; -1.5
        ({"reset": "hard"}, [0, 4, 2, 0], [0.5, 0.0, 0.0, -1.5]),
        # two octaves end at 2: .5; 4.75 -> 2, 2.75; 3.375 -> 2, 1.375; -.8125
        ({"octaves": 2}, [0, 2, 2, 0], [0.5, 2.75, 1.375, -0.8125]),
        # one fraction bit, q = .5: .5 -> 1, 0; 4.5 -> 4 (= 2), 2.5; 3.25 -> 4, 1.25; -.875
        ({"fraction_bits": 1}, [1, 4, 4, 0], [0.0, 2.5, 1.25, -0.875]),
    ],
)
def test_golden(knobs: dict[str, Any], codes: list[int], membranes: list[float]) -> None:
    spikes, states = trace(ShiftLIF(1, **knobs), [1.0, 9.0, 4.0, -3.0])
    assert spikes == codes
    assert [v for (v,) in states] == membranes


@settings(max_examples=40, deadline=None)
@given(
    octaves=st.integers(1, 8),
    fraction_bits=st.integers(0, 4),
    v_threshold=st.sampled_from([0.5, 1.0, 2.0]),
    membrane=st.floats(-4, 300),
)
def test_a_spike_is_the_largest_power_of_two_below(
    octaves: int, fraction_bits: int, v_threshold: float, membrane: float
) -> None:
    neuron = ShiftLIF(1, octaves=octaves, fraction_bits=fraction_bits, v_threshold=v_threshold, decay_input=False)
    x = torch.tensor([[[membrane]]], dtype=torch.float64)
    quanta = membrane / (v_threshold * 2.0**-fraction_bits)
    expected = 0 if quanta < 1 else 2 ** min(math.frexp(quanta)[1] - 1, octaves - 1)
    assert float(neuron(x)) == expected
    assert neuron.levels == 2 ** (octaves - 1)


@pytest.mark.parametrize("reset", ["hard", "soft"])
@pytest.mark.parametrize("decay_input", [True, False])
def test_one_octave_is_lif(reset: Any, decay_input: bool) -> None:
    x = random_current(20, 4, 3)
    spikes = ShiftLIF(3, octaves=1, reset=reset, decay_input=decay_input)(x)
    assert spikes.sum() > 20
    assert torch.equal(spikes, LIF(3, reset=reset, decay_input=decay_input)(x))


def test_the_gradient_has_a_share_of_every_threshold() -> None:
    x = torch.full((1, 1, 1), 2.5, dtype=torch.float64, requires_grad=True)
    ShiftLIF(1, decay_input=False)(x).sum().backward()
    assert x.grad is not None
    at = torch.tensor([1.5, 0.5, -1.5], dtype=torch.float64)
    expected = (ATan().gradient(at) * torch.tensor([1.0, 1.0, 2.0])).sum()
    assert float(x.grad) == pytest.approx(float(expected), rel=1e-12)


@pytest.mark.parametrize("reset", ["hard", "soft"])
@pytest.mark.parametrize("detach_reset", [True, False])
def test_gradients_through_time(reset: Any, detach_reset: bool) -> None:
    if not detach_reset:
        gradients_are_exact(ShiftLIF(2, reset=reset, detach_reset=False, surrogate=Smooth()))
    spikes = ShiftLIF(2, reset=reset, detach_reset=detach_reset)(random_current(9, 3, 2).requires_grad_())
    spikes.sum().backward()


def test_an_unknown_reset_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown reset"):
        ShiftLIF(1, reset="firm")  # type: ignore[arg-type]
