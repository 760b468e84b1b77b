"""Spikes of several bits: the binary one among them, bit for bit; conversion's identity; gradients of the window."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from snnctl.measure.spikes import SpikeMeter
from snnctl.neurons import IF, LIF, PLIF, Rectangle, SpikingNeuron, TauLIF
from snnctl.neurons.spike_format import SpikeFormat
from snnctl.neurons.surrogate import StraightThrough


def currents(seed: int = 0, steps: int = 7, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(steps, 5, 6, dtype=dtype, generator=torch.Generator().manual_seed(seed)) * 2


def run(neuron: SpikingNeuron, x: Tensor) -> tuple[Tensor, Tensor]:
    leaf = x.clone().requires_grad_()
    spikes: Tensor = neuron(leaf)  # type: ignore[assignment]
    (grad,) = torch.autograd.grad((spikes * torch.linspace(-1, 1, x.numel(), dtype=x.dtype).view(x.shape)).sum(), leaf)
    return spikes.detach(), grad


@pytest.mark.parametrize("make", [IF, LIF, PLIF, TauLIF])
@pytest.mark.parametrize("reset", ["hard", "soft"])
def test_one_bit_is_the_binary_neuron_bit_for_bit(make: Any, reset: str) -> None:
    for dtype in (torch.float32, torch.float64):
        x = currents(1, dtype=dtype)
        plain, spelled = run(make(6, reset=reset), x), run(make(6, reset=reset, spike=SpikeFormat(1, 0)), x)
        assert torch.equal(plain[0], spelled[0])
        assert torch.equal(plain[1], spelled[1])


def by_hand(x: Tensor, form: SpikeFormat, theta: float, tau: float, reset: str) -> Tensor:
    q, top = theta * 2.0**-form.fraction_bits, 2 ** (form.integer_bits + form.fraction_bits) - 1
    rounding = {"floor": torch.floor, "round": lambda h: torch.floor(h + 0.5), "ceil": torch.ceil}[form.quantizer]
    v, out = torch.zeros_like(x[0]), []
    for x_t in x:
        h = v + (x_t - v) / tau
        size = rounding(h.abs() / q if form.signed else h / q).clamp(0, top)
        c = size * h.sign() if form.signed else size
        v = h - c * q if reset == "soft" else torch.where(c == 0, h, torch.zeros_like(h))
        out.append(c)
    return torch.stack(out)


@settings(deadline=None, max_examples=60)
@given(
    st.integers(0, 3),
    st.integers(0, 3),
    st.sampled_from(["floor", "round", "ceil"]),
    st.booleans(),
    st.sampled_from(["hard", "soft"]),
    st.integers(0, 99),
)
def test_codes_by_hand(m: int, n: int, quantizer: Any, signed: bool, reset: Any, seed: int) -> None:
    if m + n == 0:
        return
    form = SpikeFormat(m, n, quantizer=quantizer, signed=signed)
    neuron = LIF(6, tau=1.7, v_threshold=0.9, reset=reset, spike=form)
    x = currents(seed)
    spikes: Tensor = neuron(x)  # type: ignore[assignment]
    assert torch.equal(spikes, by_hand(x, form, 0.9, 1.7, reset))
    assert neuron.levels == 2 ** (m + n) - 1


def qcfs(z: np.ndarray[Any, Any], levels: int, top: float) -> np.ndarray[Any, Any]:
    """The quantised activation that conversion starts from."""
    return top * np.clip(np.floor(z * levels / top + 0.5) / levels, 0, 1)


@pytest.mark.parametrize("bits", [1, 2, 3, 4])
@pytest.mark.parametrize("steps", range(1, 9))
def test_the_conversion_identity(bits: int, steps: int) -> None:
    """The mean of b-bit spikes over T steps of a constant input is the quantised activation of T (2^b - 1) levels."""
    top, most = 1.3, 2**bits - 1
    z = np.random.default_rng(bits * 10 + steps).uniform(-0.5 * top, 1.5 * top, 20_000)
    neuron = IF(1, v_threshold=top / most, reset="soft", start=0.5, spike=SpikeFormat(bits, 0))
    x = torch.from_numpy(z).view(1, -1, 1).expand(steps, -1, -1)
    mean = neuron(x).sum(0).view(-1).numpy() * (top / most) / steps  # type: ignore[union-attr]
    expected = qcfs(z, steps * most, top)
    assert np.abs(mean - expected).max() < 1e-12
    assert len(np.unique(np.round(mean * steps * most / top))) == steps * most + 1


def test_fraction_bits_lower_the_first_threshold() -> None:
    x = torch.tensor([[[0.26, 0.24, 1.2, 9.0]]], dtype=torch.float64)
    spikes: Tensor = IF(4, spike=SpikeFormat(1, 2), reset="soft")(x)  # type: ignore[assignment]
    assert spikes.flatten().tolist() == [1, 0, 4, 7]


@pytest.mark.parametrize("form", [SpikeFormat(1, 0), SpikeFormat(2, 0), SpikeFormat(1, 2), SpikeFormat(0, 3)])
@pytest.mark.parametrize("theta", [1.0, 0.7])
def test_straight_through_window(form: SpikeFormat, theta: float) -> None:
    """dc/dH is 1/q from half a quantum below the first threshold to half a quantum above the last, else 0."""
    q, top = theta * form.quantum, form.highest
    h = torch.linspace(-2 * q, (top + 2) * q, 997, dtype=torch.float64) + 1e-7  # off the ties between two thresholds
    neuron = IF(1, v_threshold=theta, surrogate=StraightThrough(), spike=form)
    leaf = h.view(1, -1, 1).clone().requires_grad_()
    (grad,) = torch.autograd.grad(neuron(leaf).sum(), leaf)  # type: ignore[union-attr]
    inside = (h > q / 2) & (h < (top + 0.5) * q)
    torch.testing.assert_close(grad.flatten(), inside.double() / q)
    area = float(grad.sum()) * float(h[1] - h[0])
    assert area == pytest.approx(top, rel=0.02)


def test_ternary_spikes_are_counted_by_size() -> None:
    neuron = LIF(6, spike=SpikeFormat(1, 0, signed=True, quantizer="round"))
    network = torch.nn.Sequential(neuron)
    with SpikeMeter(network) as meter:
        spikes = network(currents(3, dtype=torch.float32))
    assert set(spikes.unique().tolist()) == {-1.0, 0.0, 1.0}
    (layer,) = meter.summary()
    assert layer.rate == pytest.approx(float(spikes.abs().mean()))
    assert sum(layer.histogram) == spikes.numel()


def test_levels_that_are_no_power_of_two() -> None:
    neuron = IF(6, spike=SpikeFormat(3, 0, levels=4, quantizer="round"), reset="soft")
    assert neuron.levels == 4
    assert float(neuron(currents(2) * 3).max()) == 4  # type: ignore[union-attr]


def test_what_is_refused() -> None:
    for form in (SpikeFormat(0, 0), SpikeFormat(5, 4)):
        with pytest.raises(ValueError, match="1 to 8 together"):
            LIF(3, spike=form)


def test_the_start_is_where_the_membrane_begins() -> None:
    neuron = IF(1, v_threshold=0.8, reset="soft", start=0.5, spike=SpikeFormat(1, 1))
    assert float(neuron.initial_state(torch.zeros(2, 1))[0, 0]) == pytest.approx(0.2)
    x = torch.full((1, 1, 1), 0.2)
    assert neuron(x).item() == 1  # type: ignore[union-attr]
    assert math.isclose(float(neuron(x, return_state=True)[1]), 0.0, abs_tol=1e-7)
    assert isinstance(neuron.surrogate, type(LIF(1).surrogate))
    assert isinstance(IF(1, surrogate="straight_through").surrogate, Rectangle)


@pytest.mark.parametrize("make", [IF, LIF])
def test_values_are_codes_in_quanta(make: Any) -> None:
    x = currents(4)
    form = SpikeFormat(1, 2)
    code, value = make(6, v_threshold=0.9, spike=form), make(6, v_threshold=0.9, spike=SpikeFormat(1, 2, emit="value"))
    assert code.scale == 1.0
    assert value.scale == pytest.approx(0.225)
    torch.testing.assert_close(value(x), code(x) * 0.225)
    torch.testing.assert_close(value(x[:3], return_state=True)[1], code(x[:3], return_state=True)[1])
    spikes, _ = value.step(x[0], value.initial_state(x[0]))
    torch.testing.assert_close(spikes, value(x[:1])[0])
    summaries = []
    for neuron in (code, value):
        with SpikeMeter(torch.nn.Sequential(neuron)) as meter:
            neuron(x.float())
        summaries.append(meter.summary()[0].histogram)
    assert summaries[0] == summaries[1]
    with pytest.raises(ValueError, match="one threshold for the layer"):
        make(6, learn_threshold="channel", spike=SpikeFormat(emit="value"))


def test_a_learned_top_scales_what_is_given_out() -> None:
    """One step of values with a learned threshold is the quantised activation, gradients of its top included."""
    from snnctl.backbones.parts.units import Quantised

    x = torch.linspace(-0.5, 2.0, 401, dtype=torch.float64).view(1, -1, 1) + 1e-4
    bits, top = 3, 1.4
    form = SpikeFormat(bits, 0, emit="value")
    most = 2**bits - 1
    neuron = IF(
        1,
        v_threshold=top / most,
        learn_threshold="layer",
        reset="soft",
        start=0.5,
        surrogate="straight_through",
        spike=form,
    ).double()
    unit = Quantised(1, levels=most, top=top).double()
    ours, theirs = neuron(x), unit(x)
    torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-7)
