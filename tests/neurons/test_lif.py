"""LIF and IF: golden traces, the kernel against the definition, streaming, gradients, dtypes."""

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from snnctl.neurons import IF, LIF, ATan, SpikingNeuron

NEURONS = [
    LIF(3),
    LIF(3, reset="soft"),
    LIF(3, tau=5.0, decay_input=False, v_threshold=0.7),
    LIF(3, tau=1.5, decay_input=False, reset="soft", detach_reset=False, surrogate="triangle"),
    IF(3),
    IF(3, reset="soft", v_threshold=1.3),
]


def trace(neuron: SpikingNeuron, current: list[float]) -> tuple[list[float], list[float]]:
    """Spikes and membrane after each step for one neuron, through the public call."""
    state = None
    spikes, membranes = [], []
    for value in current:
        x = torch.full((1, 1, 1), value, dtype=torch.float64)
        out, state = neuron(x, state, return_state=True)
        spikes.append(out.item())
        membranes.append(state.item())
    return spikes, membranes


def loop(neuron: SpikingNeuron, x: Tensor) -> tuple[Tensor, Any]:
    state = neuron.initial_state(x[0])
    out = []
    for x_t in x:
        spikes, state = neuron.step(x_t, state)
        out.append(spikes)
    return torch.stack(out), state


def test_golden_hard_reset_decayed_input() -> None:
    # tau 2: h = v + (x - v)/2.   x = 1.5 throughout
    # t0 h = .75          v .75
    # t1 h = 1.125 fires  v 0
    # t2 h = .75          v .75
    # t3 h = 1.125 fires  v 0
    assert trace(LIF(1), [1.5] * 4) == ([0, 1, 0, 1], [0.75, 0, 0.75, 0])


def test_golden_soft_reset_decayed_input() -> None:
    # t0 h = .75             v .75
    # t1 h = 1.125 fires     v .125
    # t2 h = .8125           v .8125
    # t3 h = 1.15625 fires   v .15625
    assert trace(LIF(1, reset="soft"), [1.5] * 4) == ([0, 1, 0, 1], [0.75, 0.125, 0.8125, 0.15625])


def test_golden_hard_reset_undecayed_input() -> None:
    # tau 4: h = .75 v + x.   x = .5, .5, .25, 0, 1
    # t0 h = .5                            v .5
    # t1 h = .375 + .5 = .875              v .875
    # t2 h = .65625 + .25 = .90625         v .90625
    # t3 h = .6796875                      v .6796875
    # t4 h = .509765625 + 1 fires          v 0
    neuron = LIF(1, tau=4.0, decay_input=False)
    expected = ([0, 0, 0, 0, 1], [0.5, 0.875, 0.90625, 0.6796875, 0])
    assert trace(neuron, [0.5, 0.5, 0.25, 0.0, 1.0]) == expected


def test_golden_soft_reset_undecayed_input() -> None:
    # tau 2, threshold .5: h = v/2 + x.   x = 1.5, 0, 0
    # t0 h = 1.5 fires once only   v 1.0
    # t1 h = .5 fires (h = thr)    v 0
    # t2 h = 0                     v 0
    neuron = LIF(1, decay_input=False, v_threshold=0.5, reset="soft")
    assert trace(neuron, [1.5, 0.0, 0.0]) == ([1, 1, 0], [1.0, 0, 0])


@pytest.mark.parametrize(
    ("reset", "membranes"),
    # x = .75: h = .75; 1.5 fires; then hard: .75, 1.5 fires;  soft: 1.25 fires, 1.0 fires
    [("hard", [0.75, 0, 0.75, 0]), ("soft", [0.75, 0.5, 0.25, 0.0])],
)
def test_golden_integrate_and_fire(reset: Any, membranes: list[float]) -> None:
    spikes = [0, 1, 0, 1] if reset == "hard" else [0, 1, 1, 1]
    assert trace(IF(1, reset=reset), [0.75] * 4) == (spikes, membranes)


def test_fires_exactly_at_threshold() -> None:
    # A constant input of tau * v_threshold reaches the threshold at the first step, for any tau.
    for tau in (1.5, 2.0, 3.0, 7.0, 49.0):
        assert LIF(1, tau=tau)(torch.full((1, 1, 1), tau)).item() == 1.0


@pytest.mark.parametrize("neuron", NEURONS, ids=repr)
@pytest.mark.parametrize("shape", [(6, 4, 3), (1, 4, 3), (6, 1, 3), (5, 2, 7, 3)])
def test_scan_is_the_step_loop(neuron: SpikingNeuron, shape: tuple[int, ...]) -> None:
    x = torch.randn(shape, generator=torch.Generator().manual_seed(1)) * 2
    spikes, state = neuron(x, return_state=True)
    expected, expected_state = loop(neuron, x)
    assert torch.equal(spikes, expected)
    assert torch.equal(state, expected_state)
    assert torch.equal(spikes, neuron(x))


@settings(deadline=None)
@given(st.sampled_from(NEURONS), st.integers(1, 9), st.integers(1, 8), st.integers(0, 2**31))
def test_streaming_in_chunks_is_the_whole(neuron: SpikingNeuron, steps: int, cut: int, seed: int) -> None:
    x = torch.randn(steps, 2, 3, generator=torch.Generator().manual_seed(seed)) * 2
    whole, end = neuron(x, return_state=True)
    parts, state = [], None
    for chunk in x.split(cut):
        spikes, state = neuron(chunk, state, return_state=True)
        parts.append(spikes)
    assert torch.equal(torch.cat(parts), whole)
    assert torch.equal(state, end)


@settings(deadline=None)
@given(st.lists(st.floats(-4, 4), min_size=1, max_size=20))
def test_soft_reset_conserves_charge_without_a_leak(current: list[float]) -> None:
    # IF with soft reset: what came in is in the spikes or still in the membrane.
    x = torch.tensor(current, dtype=torch.float64).view(-1, 1, 1)
    spikes, membrane = IF(1, reset="soft")(x, return_state=True)
    assert (spikes.sum() + membrane).item() == pytest.approx(sum(current), abs=1e-9)


@pytest.mark.parametrize("decay_input", [True, False])
@pytest.mark.parametrize("reset", ["hard", "soft"])
@pytest.mark.parametrize("detach_reset", [True, False])
def test_gradients_against_a_loop_by_hand(decay_input: bool, reset: Any, detach_reset: bool) -> None:
    tau, threshold, surrogate = 3.0, 0.8, ATan(alpha=2.0)
    generator = torch.Generator().manual_seed(7)
    x = torch.randn(6, 2, 3, generator=generator, dtype=torch.float64) * 2
    weights = torch.randn(6, 2, 3, generator=generator, dtype=torch.float64)
    neuron = LIF(3, tau=tau, v_threshold=threshold, reset=reset, decay_input=decay_input, detach_reset=detach_reset)

    # From the last step back: dh = w g + dv (dv/dh), then dx = gain dh and dv of the step before = leak dh.
    leak, gain = 1 - 1 / tau, 1 / tau if decay_input else 1.0
    v, hs, spikes = torch.zeros(2, 3, dtype=torch.float64), [], []
    for x_t in x:
        h = leak * v + gain * x_t
        s = (h >= threshold).double()
        v = h * (1 - s) if reset == "hard" else h - threshold * s
        hs.append(h)
        spikes.append(s)
    dv = torch.zeros(2, 3, dtype=torch.float64)
    expected = torch.zeros_like(x)
    for t in reversed(range(6)):
        g = surrogate.gradient(hs[t] - threshold)
        through = (1 - spikes[t]) if reset == "hard" else torch.ones_like(g)
        if not detach_reset:
            through = through - g * (hs[t] if reset == "hard" else threshold)
        dh = weights[t] * g + dv * through
        expected[t] = dh * gain
        dv = dh * leak

    x.requires_grad_()
    out = neuron(x)
    (out * weights).sum().backward()
    assert torch.equal(out, torch.stack(spikes))
    assert out.sum() > 3
    torch.testing.assert_close(x.grad, expected, rtol=1e-12, atol=1e-14)


def test_detach_reset_changes_the_gradient_after_a_spike() -> None:
    grads = []
    for detach in (True, False):
        x = torch.tensor([1.5, 0.2], dtype=torch.float64).view(2, 1, 1).requires_grad_()
        IF(1, detach_reset=detach)(x)[1].sum().backward()  # fires at t0, asks about t1
        assert x.grad is not None
        grads.append(x.grad[0].item())
    # hard, fired: dv/dh = 1 - s = 0 when detached, else 0 - h * g(h - 1) = -1.5 / (1 + (pi/2)^2);
    # times g(.2 - 1) = 1 / (1 + (.8 pi)^2)
    assert grads[0] == 0.0
    assert grads[1] == pytest.approx(-1.5 / (1 + torch.pi**2 / 4) / (1 + (0.8 * torch.pi) ** 2), rel=1e-12)


@pytest.mark.parametrize(
    ("dtype", "state_dtype"),
    [
        (torch.bfloat16, torch.float32),
        (torch.float16, torch.float32),
        (torch.float32, torch.float32),
        (torch.float64, torch.float64),
    ],
)
def test_spikes_keep_the_input_dtype_and_the_state_is_wide(dtype: torch.dtype, state_dtype: torch.dtype) -> None:
    x = (torch.randn(4, 2, 3) * 2).to(dtype).requires_grad_()
    spikes, state = LIF(3)(x, return_state=True)
    assert (spikes.dtype, state.dtype) == (dtype, state_dtype)
    spikes.sum().backward()
    assert x.grad is not None
    assert x.grad.dtype == dtype
    # The low-precision input is widened once, so the spikes are those of the widened input.
    assert torch.equal(spikes.to(state_dtype), LIF(3)(x.to(state_dtype)))


def test_state_stays_wide_under_autocast() -> None:
    linear = torch.nn.Linear(3, 3)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        current = linear(torch.randn(4, 2, 3))
        spikes, state = LIF(3, tau=100.0)(current, return_state=True)
    assert (current.dtype, spikes.dtype, state.dtype) == (torch.bfloat16, torch.bfloat16, torch.float32)


def test_nothing_is_kept_between_calls() -> None:
    neuron = LIF(3)
    assert list(neuron.parameters()) == []
    assert neuron.state_dict() == {}
    x = torch.full((3, 1, 3), 0.9)
    assert torch.equal(neuron(x), neuron(x))


def test_repr_shows_the_knobs_and_an_unknown_reset_is_refused() -> None:
    assert "tau=3.0" in repr(LIF(4, tau=3.0))
    with pytest.raises(ValueError, match="unknown reset `zero`; known: hard, soft"):
        LIF(4, reset="zero")  # type: ignore[arg-type]
