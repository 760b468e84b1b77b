"""Leaky read-outs: closed forms, decoders by hand, and the loop as the definition."""

import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from snnctl.core.shapes import SignalSpec
from snnctl.neurons import TauLIF
from snnctl.neurons.kernels import use_kernel
from snnctl.readouts.leaky import Leaky, LeakyStep, SpikeCount, leaky_integral

SIGNAL = SignalSpec(6, 2, 3, kind="spikes", dt_ms=14.0)
VOLTAGES = torch.tensor([[[0.0, 0.0]], [[2.0, 0.0]], [[0.0, 1.0]]])


def test_a_constant_input() -> None:
    v = leaky_integral(torch.ones(100, 1, 1, dtype=torch.float64), math.exp(-14 / 200))
    assert float(v[0]) == pytest.approx(0.0676, abs=1e-4)
    assert float(v[99]) == pytest.approx(0.99909, abs=1e-5)


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 40), st.integers(1, 4), st.integers(1, 5), st.floats(0.01, 0.999), st.integers(0, 99))
def test_the_product_is_the_loop(steps: int, batch: int, outputs: int, leak: float, seed: int) -> None:
    x = torch.randn(steps, batch, outputs, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    found = []
    for kernel in ("auto", "reference"):
        leaf = x.clone().requires_grad_()
        with use_kernel(kernel):  # type: ignore[arg-type]
            y = leaky_integral(leaf, leak)
        (grad,) = torch.autograd.grad((y * x).sum(), leaf)
        found.append((y, grad))
    torch.testing.assert_close(found[0], found[1], rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(
    ("decoder", "expected"), [("cum", 0.574315), ("last", 0.268941), ("mean", 0.582570), ("max", 0.731059)]
)
def test_decoders_by_hand(decoder: Any, expected: float) -> None:
    scores = Leaky(SIGNAL, 2, decoder=decoder).decode(VOLTAGES)
    assert scores.shape == (1, 2)
    assert float(scores.softmax(-1)[0, 0]) == pytest.approx(expected, abs=1e-6)


def test_per_step_by_hand() -> None:
    scores = LeakyStep(SIGNAL, 2).decode(VOLTAGES)
    assert scores.shape == (1, 3, 2)
    assert scores.softmax(-1)[0, :, 0].tolist() == pytest.approx([0.5, 0.880797, 0.268941], abs=1e-6)


def test_spike_counts() -> None:
    readout = SpikeCount(SIGNAL, 2, neuron=lambda channels: TauLIF(channels, leak_max=0.02, leak_min=0.01), norm="none")
    with torch.no_grad():
        readout.linear.weight.copy_(torch.tensor([[2.0, 0, 0, 0, 0, 0], [0, 2.0, 0, 0, 0, 0]]))
        readout.linear.bias.zero_()
    spikes = torch.zeros(6, 1, 2, 3)
    spikes[[0, 3], 0, 0, 0] = 1
    spikes[1, 0, 0, 1] = 1
    counts = readout(spikes)
    assert counts.tolist() == [[2.0, 1.0]]
    assert counts.softmax(-1)[0, 0].item() == pytest.approx(0.731059, abs=1e-6)


def test_time_constants_are_in_the_unit_of_the_data() -> None:
    assert LeakyStep(SIGNAL, 2, tau=50.0).leak == pytest.approx(math.exp(-14 / 50))
    assert LeakyStep(SIGNAL.replace(dt_ms=0.0), 2, tau=50.0).leak == pytest.approx(math.exp(-1 / 50))


@pytest.mark.parametrize("norm", ["running", "batch", "layer", "none"])
def test_shapes_and_gradients(norm: Any) -> None:
    spikes = (torch.rand(6, 5, 2, 3) < 0.4).float()
    for readout in (Leaky(SIGNAL, 4, norm=norm), LeakyStep(SIGNAL, 4, norm=norm), SpikeCount(SIGNAL, 4, norm=norm)):
        y: Tensor = readout(spikes)
        assert y.shape == ((5, 6, 4) if isinstance(readout, LeakyStep) else (5, 4))
        (y * torch.randn_like(y)).sum().backward()
        weight = readout.linear.weight.grad
        assert weight is not None
        assert weight.abs().sum() > 0
