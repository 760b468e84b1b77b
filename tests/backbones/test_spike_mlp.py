"""Spike-MLP against plain loops over steps and neurons."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from snnctl.backbones.parts.hierarchy import Hierarchy, Within
from snnctl.backbones.parts.time_layers import SpikeDropout
from snnctl.backbones.spike_mlp import SpikeMLP
from snnctl.core.shapes import ShapeError, SignalSpec
from snnctl.neurons import LIF, PSN, TauLIF, TokenNorm

SIGNAL = SignalSpec(9, 2, 3, kind="spikes")


def spikes(seed: int = 0, steps: int = 9, batch: int = 4) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return (torch.rand(steps, batch, 2, 3, generator=generator) < 0.5).double()


def by_hand(network: SpikeMLP, x: Tensor) -> Tensor:
    """The published equations, one step and one layer at a time, batch statistics over batch and steps."""
    steps, batch = x.shape[:2]
    x = x.reshape(steps, batch, 6)
    for layer in network.layers:
        current = torch.einsum("tbi,oi->tbo", x, layer.linear.weight)  # type: ignore[union-attr, arg-type]
        mean, var = current.mean((0, 1)), current.var((0, 1), unbiased=False)
        current = (current - mean) / (var + 1e-5).sqrt() * layer.norm.weight + layer.norm.bias  # type: ignore[union-attr, operator]
        leak = layer.neuron.leak_per_step()  # type: ignore[union-attr, operator]
        v = torch.zeros_like(current[0])
        s, out = torch.zeros_like(v), []
        for t in range(steps):
            drive = current[t]
            if hasattr(layer, "recurrent"):
                weight = layer.recurrent.detach().clone()  # type: ignore[union-attr, operator]
                weight.fill_diagonal_(0.0)
                drive = drive + s @ weight.t()
            v = leak * v + drive - s
            s = (v > 1.0).to(v)
            out.append(s)
        x = torch.stack(out)
    return x.unsqueeze(2)


@pytest.mark.parametrize("recurrent", [False, True])
@pytest.mark.parametrize(("steps", "batch"), [(9, 4), (1, 5), (12, 1)])
def test_the_published_equations(recurrent: bool, steps: int, batch: int) -> None:
    torch.manual_seed(1)
    hierarchy = Hierarchy(tau_mean=5.0, delta=6.0, within=Within("uniform", 0.2))
    network = SpikeMLP(
        SIGNAL, width=7, layers=3, recurrent=recurrent, dropout=0.0, norm="batch", neuron=TauLIF, hierarchy=hierarchy
    ).double()
    x = spikes(2, steps, batch)
    expected = by_hand(network, x)
    for training in (True, False):
        assert torch.equal(network.train(training)(x), expected)
    if steps > 1:
        assert 0 < expected.mean() < 1


def test_running_statistics_score_a_sample_alone_as_in_a_batch() -> None:
    torch.manual_seed(0)
    x = spikes(1, batch=8)
    for norm, alike in (("running", True), ("layer", True), ("none", True), ("batch", False)):
        network = SpikeMLP(SIGNAL, width=16, layers=2, norm=norm).double()  # type: ignore[arg-type]
        for _ in range(30):
            network(x)
        network.eval()
        assert torch.equal(network(x)[:, :1], network(x[:, :1])) is alike, norm


def test_norm_in_evaluation_by_batch_is_torchs() -> None:
    x = torch.randn(5, 4, 3)
    ours, theirs = TokenNorm(3, always_batch=True).eval(), nn.BatchNorm1d(3).train()
    torch.testing.assert_close(ours(x), theirs(x.view(-1, 3)).view_as(x))
    assert ours.running_mean.abs().sum() == 0  # type: ignore[union-attr]


def test_recurrence_goes_on_from_a_state() -> None:
    torch.manual_seed(3)
    layer = SpikeMLP(SIGNAL, width=5, layers=1, recurrent=True, norm="none").double().layers[0]
    x = torch.randn(8, 3, 1, 6, dtype=torch.float64) * 3
    whole = layer(x)
    first, state = layer(x[:3], return_state=True)
    assert torch.equal(torch.cat([first, layer(x[3:], state)]), whole)
    assert whole.any()


def test_parameters_by_formula() -> None:
    """The published counts for 40-10-10(-10)-2 without the read-out, biases that a norm makes idle left out."""
    for layers, weights in ((2, 500), (3, 600)):
        network = SpikeMLP(SignalSpec(100, 1, 40, kind="spikes"), width=10, layers=layers)
        assert sum(layer.linear.weight.numel() for layer in network.layers) == weights  # type: ignore[union-attr, operator, misc]


def test_recurrent_weights_start_alike_in_all_layers() -> None:
    torch.manual_seed(0)
    network = SpikeMLP(SIGNAL, width=64, layers=3, recurrent=True)
    radii = [
        float(torch.linalg.eigvals((layer.recurrent * layer.others).detach()).abs().max())  # type: ignore[union-attr, operator]
        for layer in network.layers
    ]
    assert max(radii) < 1.3 * min(radii)


def test_weight_scale() -> None:
    network = SpikeMLP(SIGNAL, width=50, layers=2, weight_scale=0.0757)
    for layer in network.layers:
        weight: Any = layer.linear.weight  # type: ignore[union-attr]
        assert 0.07 < float(weight.detach().abs().max()) <= 0.0757


def test_a_neuron_without_state_cannot_be_recurrent() -> None:
    with pytest.raises(ShapeError, match="cannot be recurrent"):
        SpikeMLP(SIGNAL, recurrent=True, neuron=lambda channels: PSN(channels, steps=9))
    assert SpikeMLP(SIGNAL, neuron=lambda channels: PSN(channels, steps=9))(spikes().float()).shape == (9, 4, 1, 128)


def test_twins() -> None:
    for recurrent in (False, True):
        torch.manual_seed(0)
        network = SpikeMLP(SIGNAL, width=6, recurrent=recurrent, neuron=LIF, spiking=False, norm="none")
        y = network(spikes().float())
        assert y.unique().numel() > 20
        assert network.output.kind == "real"


def test_without_threshold_the_order_of_time_constants_cannot_matter() -> None:
    x = torch.randn(30, 4, 2, 3, dtype=torch.float64)
    found = []
    for order in ([1, 2, 3], [3, 1, 2], [2, 3, 1]):
        hierarchy = Hierarchy(tau_mean=6.0, delta=9.0, within=Within("none"), order=order)
        network = SpikeMLP(
            SIGNAL, width=6, layers=3, dropout=0.0, norm="none", spiking=False, twin="integrator", hierarchy=hierarchy
        ).double()
        for layer in network.layers:
            nn.init.eye_(layer.linear.weight)  # type: ignore[union-attr, arg-type]
            nn.init.zeros_(layer.linear.bias)  # type: ignore[union-attr, arg-type]
        found.append(network(x))
    torch.testing.assert_close(found[0], found[1], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(found[0], found[2], rtol=1e-5, atol=1e-5)
    assert found[0].std() > 1


def test_cautions() -> None:
    assert SpikeMLP(SIGNAL).cautions == ()
    assert "test batch" in SpikeMLP(SIGNAL, norm="batch").cautions[0]
    with pytest.raises(ShapeError, match="no recurrent weights"):
        SpikeMLP(SIGNAL, recurrent=True, spiking=False, twin="integrator")


@pytest.mark.parametrize("p", [0.0, 0.1, 0.4])
def test_dropout(p: float) -> None:
    torch.manual_seed(0)
    dropout = SpikeDropout(p)
    x = torch.ones(100, 500, 1, 7, requires_grad=True)
    y = dropout(x)
    kept = (y > 0).double()
    assert abs(float(1 - kept.mean()) - p) < 4 * math.sqrt(p * (1 - p) / x.numel()) + 1e-4
    assert torch.allclose(y[y > 0], torch.tensor(1 / (1 - p)), rtol=1e-3)
    assert abs(y.mean().item() - 1) < 0.01
    y.sum().backward()
    assert torch.equal(x.grad, y)
    if p:  # four decisions from a number: neighbours are independent
        flat = kept.flatten()
        for lag in (1, 2, 3, 4):
            together = float((flat[:-lag] * flat[lag:]).mean())
            assert together == pytest.approx((1 - p) ** 2, abs=4e-3)
        assert not torch.equal(dropout(x), y)
    assert dropout.eval()(x) is x
