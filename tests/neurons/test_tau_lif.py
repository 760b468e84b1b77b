"""tau_lif: hand-made traces, gains, bounds, learned leaks and what they cost."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from snnctl.neurons import LIF, PLIF, TauLIF
from snnctl.neurons.base import penalised
from snnctl.neurons.base import penalty as network_penalty
from snnctl.neurons.kernels import use_kernel


def potentials(neuron: TauLIF, x: float, steps: int) -> tuple[list[float], list[float]]:
    """h and s of one neuron under a constant current, from the definition."""
    state = neuron.initial_state(torch.zeros(1, 1))
    h, s = [], []
    dynamics = neuron.dynamics()
    for _ in range(steps):
        seen: Tensor = state + x if neuron.reset == "delayed" else dynamics.leak * state + x
        spikes, state = neuron.step(torch.full((1, 1), x), state)
        h.append(float(seen))
        s.append(float(spikes))
    return h, s


def test_the_late_reset_of_the_published_network() -> None:
    neuron = TauLIF(1, tau=-1 / math.log(0.5))
    h, s = potentials(neuron, 0.75, 8)
    expected = [0.75, 1.125, 0.3125, 0.90625, 1.203125, 0.351563, 0.925781, 1.212891]
    assert h == pytest.approx(expected, abs=1e-6)
    assert s == [0, 1, 0, 0, 1, 0, 0, 1]


def test_an_immediate_reset_leaks_with_the_membrane() -> None:
    neuron = TauLIF(1, tau=-1 / math.log(0.5), reset="soft")
    h, _ = potentials(neuron, 0.75, 4)
    assert h == pytest.approx([0.75, 1.125, 0.8125, 1.15625], abs=1e-6)


def test_the_threshold_itself_does_not_fire() -> None:
    neuron = TauLIF(1, tau=5.0)
    spikes = neuron(torch.ones(1, 1, 1))
    assert spikes.item() == 0
    assert neuron(torch.full((1, 1, 1), 1.0 + 1e-6)).item() == 1


@pytest.mark.parametrize("inside", [True, False])
def test_the_gradient_goes_through_the_reset(inside: bool) -> None:
    """dV[t+1]/dV[t] = alpha - 1 within the box around the threshold, alpha outside."""
    neuron = TauLIF(1, tau=-1 / math.log(0.5)).double()
    x = torch.tensor([[[1.2 if inside else 3.0]], [[0.0]]], dtype=torch.float64, requires_grad=True)
    with use_kernel("reference"):
        _, last = neuron(x, return_state=True)  # alpha h[1] - s[1], h[1] = alpha h[0] - s[0]
    (grad,) = torch.autograd.grad(last, x)
    second = -1.0 if inside and abs(0.5 * 1.2 - 1.0 - 1.0) < 0.5 else 0.0
    step = 0.5 - (1.0 if inside else 0.0)
    assert float(grad[0]) == pytest.approx(step * (0.5 + second))


@pytest.mark.parametrize(
    ("gain", "tau", "rests_at"),
    [
        ("one", 25 / 14, 2.33),
        ("one", 100 / 14, 7.65),
        ("one", 175 / 14, 13.0),
        ("leak", 25 / 14, 1),
        ("leak", 175 / 14, 1),
    ],
)
def test_where_a_constant_current_takes_the_membrane(gain: Any, tau: float, rests_at: float) -> None:
    neuron = TauLIF(1, tau=tau, input_gain=gain, v_threshold=1e9)
    _, last = neuron(torch.ones(1000, 1, 1), return_state=True)
    leak = float(neuron.leak_per_step())
    assert float(last) / leak == pytest.approx(rests_at, rel=2e-3)


def test_gains_by_their_formulas() -> None:
    leak = math.exp(-1 / 5.0)
    found = {
        g: float(TauLIF(1, tau=5.0, input_gain=g, gain_tau=20.0)._charge()[2])
        for g in ("one", "leak", "variance", "relative")
    }  # type: ignore[arg-type]
    assert found["one"] == 1.0
    assert found["leak"] == pytest.approx(1 - leak)
    assert found["variance"] == pytest.approx(math.sqrt(1 - leak**2))
    assert found["relative"] == pytest.approx((1 - leak) / (1 - math.exp(-1 / 20.0)))


@pytest.mark.parametrize(("dt", "longest"), [(14.0, 693.0), (10.0, 495.0), (7.0, 346.5)])
def test_the_leak_is_bounded(dt: float, longest: float) -> None:
    neuron = TauLIF(1, tau=5000.0 / dt)
    assert float(neuron.time_constants()) * dt == pytest.approx(longest, abs=1.0)  # type: ignore[arg-type]


def test_beyond_the_bound_a_learned_leak_has_no_gradient() -> None:
    for start, moves in ((0.985, False), (0.9, True)):
        neuron = TauLIF(1, tau=-1 / math.log(start), learn="layer")
        neuron(torch.rand(20, 3, 1)).sum().backward()
        assert (abs(float(neuron.raw.grad)) > 0) is moves


@pytest.mark.parametrize("parameter", ["alpha", "log_tau"])
@pytest.mark.parametrize("learn", ["layer", "channel"])
def test_learned_leaks_start_where_they_are_told_and_learn(parameter: Any, learn: Any) -> None:
    neuron = TauLIF(4, tau=6.0, learn=learn, parameter=parameter)
    assert neuron.raw.shape == ((4,) if learn == "channel" else ())
    assert torch.allclose(neuron.time_constants(), torch.tensor(6.0))  # type: ignore[arg-type]
    x = torch.randn(12, 5, 4, dtype=torch.float64) + 0.5
    neuron = neuron.double()
    grads = []
    for kernel in ("auto", "reference"):
        with use_kernel(kernel):  # type: ignore[arg-type]
            neuron(x).mul(torch.linspace(-1, 1, 240, dtype=torch.float64).view(12, 5, 4)).sum().backward()
        grads.append(neuron.raw.grad)
        neuron.raw.grad = None
    torch.testing.assert_close(*grads, rtol=1e-9, atol=1e-11)
    assert grads[0].abs().sum() > 0


def test_penalties_by_hand() -> None:
    first, second = TauLIF(2, learn="channel"), TauLIF(2, learn="channel")
    with torch.no_grad():
        first.raw.copy_(torch.tensor([0.96, 0.90]))
        second.raw.copy_(torch.tensor([0.97, 0.97]))
    long = math.sqrt(0.01**2 + 0.02**2 + 0.02**2)
    spread = math.sqrt(2 * 0.03**2)
    assert network_penalty([first, second]).item() == pytest.approx(0.1 * long + 0.01 * spread, rel=1e-4)


def test_penalties_at_zero_have_a_gradient_that_is_a_number() -> None:
    network = nn.Sequential(TauLIF(3, learn="layer"), TauLIF(3, learn="channel"), TauLIF(3))
    found = penalised(network)
    assert len(found) == 2
    penalty = network_penalty(found)
    penalty.backward()
    assert penalty.item() == pytest.approx(0.0, abs=1e-8)
    assert all(torch.isfinite(neuron.raw.grad).all() for neuron in found)


def test_a_leak_that_is_set() -> None:
    leak = torch.tensor([0.5, 0.7, 0.9])
    for neuron in (TauLIF(3), LIF(3), PLIF(3, share="channel"), TauLIF(3, learn="channel")):
        neuron.set_leak(leak)
        torch.testing.assert_close(neuron.leak_per_step(), leak, rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(neuron.time_constants(), -1 / leak.log(), rtol=1e-4, atol=1e-4)
        x = torch.zeros(2, 1, 3)
        x[0] = 0.5
        _, last = neuron(x, return_state=True)
        gain = 1 - leak if isinstance(neuron, LIF | PLIF) else torch.ones(3)
        behind = leak * leak if isinstance(neuron, TauLIF) else leak  # its state has leaked already
        torch.testing.assert_close(last[0], 0.5 * gain * behind, rtol=1e-4, atol=1e-5)
    for shared in (PLIF(3), TauLIF(3, learn="layer")):
        with pytest.raises(ValueError, match="per channel"):
            shared.set_leak(leak)


def test_what_is_refused() -> None:
    with pytest.raises(ValueError, match="gain_tau"):
        TauLIF(1, input_gain="relative")
    with pytest.raises(ValueError, match="leak_min"):
        TauLIF(1, leak_min=0.9, leak_max=0.8)
    with pytest.raises(ValueError, match="unknown parameter"):
        TauLIF(1, parameter="beta")  # type: ignore[arg-type]
