"""The meter of autaptic circuits: numbers by hand, in evaluation, and the verdict on membranes that run away."""

import math
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from snnctl.inspect.membranes.collect import distances
from snnctl.measure.circuits import CircuitMeter, LayerCircuits
from snnctl.measure.health import verdicts
from snnctl.neurons import IF, LIF, STC, STCLIF
from snnctl.neurons.spike_format import SpikeFormat
from snnctl.neurons.stc import watch_circuits


def fixed(circuit: Any = "both") -> STC:
    """Kernels of 0; beta 1.5, gamma 1/2."""
    neuron = STCLIF(2, groups=1, norm="none", circuit=circuit)
    with torch.no_grad():
        for part, factor in ((neuron.temporal, 1.5), (neuron.spatial, 0.5)):
            if part is not None:
                part.weight.zero_()
                part.shift.fill_(math.atanh(factor - 1))
    return neuron


def test_by_hand() -> None:
    network = nn.Sequential(LIF(2), fixed(), nn.Identity(), fixed("temporal"))
    meter = CircuitMeter(network)
    with meter:
        network[1](torch.tensor([0.75, -4.0]).expand(3, 1, 2))
        network[3](torch.full((2, 1, 2), 0.25))
    fixed()(torch.full((9, 1, 2), 100.0))  # not watched any more
    with meter:  # sums go on
        network[1](torch.tensor([0.75, -4.0]).expand(2, 1, 2))
    # u = -2, -5, -9.5 for a current of -4 x 1/2; .25, 1.5 x .25 + .25 for the other
    first, second = meter.summary()
    assert (first.name, second.name) == ("1", "3")
    assert first.largest_membrane == 9.5
    assert second.largest_membrane == 0.625
    assert (first.mean_beta, first.mean_gamma) == pytest.approx((1.5, 0.5))
    assert second.mean_beta == pytest.approx(1.5)
    assert second.mean_gamma is None


def test_networks_without_circuits_are_left_alone() -> None:
    network = nn.Sequential(LIF(2), STC(2, circuit="none"))
    with CircuitMeter(network) as meter:
        network(torch.ones(2, 1, 2))
    assert meter.summary() == []


def test_evaluation_says_what_circuits_do() -> None:
    from snnctl.engine.evaluate import evaluate

    network = nn.Sequential(fixed())
    task: Any = SimpleNamespace(
        predict=lambda network, batch: network(batch).sum(0),
        loss=lambda prediction, batch: prediction.sum(),
        loss_weight=lambda batch: 1,
        meter=lambda: SimpleNamespace(update=lambda *_: None, compute=dict),
    )

    class Batch(torch.Tensor):
        targets = observed = None

    class Split:
        def __len__(self) -> int:
            return 1

        def batch(self, _: Any) -> torch.Tensor:
            return torch.tensor([0.75, -4.0]).expand(3, 1, 2).as_subclass(Batch)

    runtime: Any = SimpleNamespace(device="cpu", forward_pass=torch.no_grad)
    found = evaluate(network, task, Split(), 1, runtime)
    (layer,) = found.per_layer()
    assert layer["name"] == "0"
    assert layer["largest_membrane"] == 9.5
    assert layer["mean_beta"] == pytest.approx(1.5)
    assert layer["rate"] == pytest.approx(1 / 6)  # .375, .9375, 1.78 fires; the other never


@pytest.mark.parametrize(("largest", "ill"), [(65504.0, False), (65505.0, True), (math.inf, True), (math.nan, True)])
def test_membranes_beyond_float16_are_named(largest: float, ill: bool) -> None:
    found = verdicts([], None, [LayerCircuits("cells.0.neuron", largest, 1.0, None)])
    assert [(one.code, one.severity, one.path) for one in found] == [("E505", "warning", "cells.0.neuron")] * ill
    if ill:
        assert "cells.0.neuron" in found[0].message
        assert "65504" in found[0].message
        assert "`model.neuron`" in found[0].help


def test_membranes_of_several_levels_within_circuits() -> None:
    torch.manual_seed(0)
    neuron = STC(4, host=lambda n: IF(n, reset="soft", spike=SpikeFormat(2, 0)), groups=1).eval()
    x = 3 * torch.randn(5, 2, 3, 4, generator=torch.Generator().manual_seed(0))
    told: list[torch.Tensor] = []
    with watch_circuits(lambda _neuron, _beta, _gamma, u: told.append(u)):
        found = distances(neuron, x)
    assert not isinstance(found, str)
    assert found[1].max() > 1
    torch.testing.assert_close(found[0], torch.stack(told).detach() - 1.0)
