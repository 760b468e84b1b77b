"""The meter of modulators: counts, means and spread by hand and against a plain loop, step by step."""

import math
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from snnctl.measure.circuits import BINS, ModulatorMeter, Modulators
from snnctl.neurons import LIF, STC, STCLIF


def fixed(circuit: Any = "both", beta: float = 1.5, gamma: float = 0.5) -> STC:
    """Kernels of 0: both factors are the same everywhere."""
    neuron = STCLIF(2, groups=1, norm="none", circuit=circuit)
    with torch.no_grad():
        for part, factor in ((neuron.temporal, beta), (neuron.spatial, gamma)):
            if part is not None:
                part.weight.zero_()
                part.shift.fill_(math.atanh(factor - 1))
    return neuron


def measured(network: nn.Module, *inputs: Tensor) -> list[Modulators]:
    with ModulatorMeter(network) as meter:
        for x in inputs:
            with meter.batch():
                network(x)
    return meter.summary()


def test_by_hand() -> None:
    network = nn.Sequential(LIF(2), nn.Identity(), fixed())
    with ModulatorMeter(network) as meter:
        for steps in (3, 2):
            with meter.batch():
                network[2](torch.tensor([0.75, -4.0]).expand(steps, 1, 2))
    fixed()(torch.full((9, 1, 2), 100.0))  # not watched any more
    (layer,) = meter.summary()
    assert layer.name == "2"
    assert layer.largest.tolist() == [2.0, 5.0, 9.5]  # -4 x 1/2, then 1.5 x what there was on top
    for factor, place in ((1.5, 30), (0.5, 10)):  # of 41 bins over 0..2
        one = layer.factors["beta" if factor > 1 else "gamma"]
        assert one.counts.sum(1).tolist() == [4, 4, 2]
        assert one.counts[:, place].tolist() == [4, 4, 2]
        assert one.mean.tolist() == pytest.approx([factor] * 3)
        assert one.sd.tolist() == pytest.approx([0.0] * 3, abs=1e-6)
        assert one.total == pytest.approx((factor, 0.0), abs=1e-6)
    totals = layer.totals
    assert (totals.largest_membrane, totals.mean_beta, totals.mean_gamma) == pytest.approx((9.5, 1.5, 0.5))


def test_circuits_of_zero_leave_everything_at_one() -> None:
    neuron = STCLIF(32, groups=16)
    neuron.over_space(2)
    with torch.no_grad():
        for circuit in neuron.circuits:
            circuit.weight.zero_()
    (layer,) = measured(nn.Sequential(neuron), torch.randn(5, 3, 4, 6, 32))
    for one in layer.factors.values():
        assert one.counts[:, BINS // 2].tolist() == [3 * 4 * 6 * 32] * 5
        assert int(one.counts.sum()) == 5 * 3 * 4 * 6 * 32
        assert one.mean.tolist() == [1.0] * 5
        assert one.sd.tolist() == [0.0] * 5


@pytest.mark.parametrize("circuit", ["temporal", "spatial"])
def test_a_circuit_that_is_not_there(circuit: str) -> None:
    (layer,) = measured(nn.Sequential(fixed(circuit)), torch.ones(2, 1, 2))
    assert list(layer.factors) == ["beta" if circuit == "temporal" else "gamma"]
    assert (layer.totals.mean_beta is None) == (circuit == "spatial")
    assert (layer.totals.mean_gamma is None) == (circuit == "temporal")


def test_factors_that_reach_their_bounds_are_counted() -> None:
    neuron = fixed()
    with torch.no_grad():
        neuron.temporal.shift.fill_(50.0)  # type: ignore[union-attr]
        neuron.spatial.shift.fill_(-50.0)  # type: ignore[union-attr]
    (layer,) = measured(nn.Sequential(neuron), torch.ones(2, 3, 2))
    assert layer.beta is not None
    assert layer.gamma is not None
    assert layer.beta.counts[:, -1].tolist() == [6, 6]
    assert layer.gamma.counts[:, 0].tolist() == [6, 6]


def plain(neuron: STC, x: Tensor) -> tuple[dict[str, list[Tensor]], list[float]]:
    """Factors and the largest membrane of each step, of integrate-and-fire with soft reset."""
    h, s = torch.zeros_like(x[0]), torch.zeros_like(x[0])
    factors: dict[str, list[Tensor]] = {"beta": [], "gamma": []}
    largest = []
    for x_t in x:
        for name, circuit in (("beta", neuron.temporal), ("gamma", neuron.spatial)):
            assert circuit is not None
            y = F.conv2d(s.movedim(-1, 1), circuit.weight, padding=circuit.kernel // 2, groups=circuit.groups)
            y = F.group_norm(y, circuit.groups, circuit.gain, circuit.shift, 1e-5)
            factors[name].append(1 + y.tanh().movedim(1, -1))
        u = factors["beta"][-1] * h + factors["gamma"][-1] * x_t
        s = (u >= 1).to(x.dtype)
        h = u - s
        largest.append(float(u.abs().max()))
    return factors, largest


@pytest.mark.parametrize(("steps", "batch"), [(1, 1), (6, 1), (4, 3)])
@torch.no_grad()
def test_against_a_plain_loop(steps: int, batch: int) -> None:
    torch.manual_seed(steps + batch)
    neuron = STCLIF(8, groups=4, kernel=3).double()
    neuron.over_space(2)
    neuron = neuron.double()
    for circuit in neuron.circuits:
        circuit.shift.normal_()
    parts = [2 * torch.randn(steps, batch, 3, 5, 8, dtype=torch.float64) for _ in range(2)]
    (layer,) = measured(nn.Sequential(neuron), *parts)
    factors, _ = plain(neuron, torch.cat(parts, 1))  # samples know nothing of each other
    edges = np.linspace(0, 2, BINS + 1)
    for name, one in layer.factors.items():
        for t, values in enumerate(factors[name]):
            counts, _ = np.histogram(values.float().numpy(), bins=edges)
            assert np.abs(one.counts[t].numpy() - counts).sum() <= 2  # a value on an edge
            assert float(one.mean[t]) == pytest.approx(float(values.mean()), abs=1e-9)
            assert float(one.sd[t]) == pytest.approx(float(values.std(correction=0)), abs=1e-7)
        together = torch.stack(factors[name])
        assert one.total == pytest.approx((float(together.mean()), float(together.std(correction=0))), abs=1e-7)
    both = [max(pair) for pair in zip(*(plain(neuron, part)[1] for part in parts), strict=True)]
    assert layer.largest.tolist() == pytest.approx(both, rel=1e-9)


@torch.no_grad()
def test_calls_of_one_pass_are_strung_together() -> None:
    torch.manual_seed(0)
    neuron = STCLIF(16, groups=4)
    x = torch.randn(5, 2, 3, 16)

    class Frames(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.neuron = neuron

        def forward(self, x: Tensor) -> None:
            _, state = self.neuron(x[:2], return_state=True)
            for x_t in x[2:]:
                _, state = self.neuron(x_t[None], state, return_state=True)

    (whole,), (pieces,) = measured(nn.Sequential(neuron), x, x), measured(Frames(), x, x)
    assert torch.equal(whole.largest, pieces.largest)
    for name, one in whole.factors.items():
        assert all(
            torch.equal(a, b) for a, b in zip(vars(one).values(), vars(pieces.factors[name]).values(), strict=True)
        )


def test_networks_without_circuits_are_left_alone() -> None:
    assert measured(nn.Sequential(LIF(2), STC(2, circuit="none")), torch.ones(2, 1, 2)) == []
