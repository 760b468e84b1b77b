"""The networks of other libraries are the same networks: as many parameters, the same outputs and gradients."""

import pytest
import torch
from torch import Tensor, nn

from snnctl.backbones import Spikformer
from snnctl.backbones.parts.layers import SpikingLinear
from snnctl.bench.blocks import (
    TINY,
    feedforward,
    make_feedforward,
    make_fire,
    make_recurrent,
    make_spikformer,
    slow_lif,
    spikes,
)
from snnctl.bench.case import firing_rates
from snnctl.bench.neurons import neuron_cases
from snnctl.bench.peer_networks import (
    JellySpikformer,
    TorchFeedForward,
    TorchRecurrent,
    jelly_feedforward,
    jelly_recurrent,
    why_no_peer,
)
from snnctl.bench.peers import SnnTorch, SpikingJelly, snntorch, spikingjelly, torch_scan, why_not_lif
from snnctl.core.shapes import SignalSpec
from snnctl.neurons import IF, LIF

pytestmark = pytest.mark.filterwarnings("ignore")  # those of the other libraries


@pytest.fixture
def jelly() -> SpikingJelly:
    found = spikingjelly()
    if found is None:
        pytest.skip("spikingjelly is not installed")
    return found


@pytest.fixture
def leaky() -> SnnTorch:
    found = snntorch()
    if found is None:
        pytest.skip("snntorch is not installed")
    return found


def gradients(network: nn.Module, x: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Outputs, and the gradient of the input."""
    x = x.clone().requires_grad_()
    out = network(x)
    (grad,) = torch.autograd.grad((out * weights).sum(), x)
    return out.detach(), grad


@pytest.mark.parametrize("embed_norm", [False, True])
@pytest.mark.parametrize("position", ["none", "cpg"])
@pytest.mark.parametrize("training", [True, False])
def test_spikformer(jelly: SpikingJelly, embed_norm: bool, position: str, training: bool) -> None:
    torch.manual_seed(0)
    ours = Spikformer(
        SignalSpec(3, 12, 6, kind="spikes"),
        dim=16,
        heads=4,
        hidden=32,
        position=position,
        attention_scale=4.0,
        norm_gain=3.0,
        embed_norm=embed_norm,
    ).double()
    x = spikes((3, 8, 12, 6), 0.4).double()
    if not embed_norm:
        with torch.no_grad():
            ours.embed.linear.weight.mul_(10)
    for _ in range(20):
        ours(x)  # running statistics that eval mode can use
    theirs = JellySpikformer(jelly, ours, 4.0)
    assert sum(p.numel() for p in theirs.parameters()) == sum(p.numel() for p in ours.parameters())
    ours.train(training)
    theirs.train(training)
    weights = torch.randn(3, 8, 12, 16, dtype=torch.float64)
    expected, expected_grad = gradients(ours, x, weights)
    found, grad = gradients(theirs, x, weights)
    rates = firing_rates(ours, lambda: ours(x))
    assert min(rates) > 0.005
    assert torch.equal(found, expected)
    torch.testing.assert_close(grad, expected_grad, rtol=1e-9, atol=1e-12)


def test_spikformer_of_the_benchmark_has_as_many_parameters(jelly: SpikingJelly) -> None:
    ours = make_spikformer(TINY)
    theirs = JellySpikformer(jelly, ours, 0.125)
    assert sum(p.numel() for p in theirs.parameters()) == sum(p.numel() for p in ours.parameters())


def test_feed_forward(jelly: SpikingJelly, leaky: SnnTorch) -> None:
    x = spikes((30, 6, 40), 0.1)  # float32: snntorch keeps its constants so
    torch.manual_seed(0)
    ours = feedforward((40, 24, 8), slow_lif)
    linears = [layer.linear for layer in ours if isinstance(layer, SpikingLinear)]
    with torch.no_grad():
        for linear in linears:
            linear.weight.mul_(5)
    weights = torch.randn(30, 6, 8)
    expected, expected_grad = gradients(ours, x, weights)
    assert expected.mean() > 0.05
    for theirs in (jelly_feedforward(jelly, linears, slow_lif(1)), TorchFeedForward(leaky, linears, slow_lif(1))):
        found, grad = gradients(theirs, x, weights)
        assert torch.equal(found, expected)
        torch.testing.assert_close(grad, expected_grad, rtol=1e-3, atol=1e-4)


def test_recurrent(jelly: SpikingJelly, leaky: SnnTorch) -> None:
    torch.manual_seed(0)
    ours = make_recurrent((40, 24, 24, 8), slow_lif).double()
    x = spikes((12, 4, 40), 0.2).double()
    make_fire(ours, x, 0.15)
    weights = torch.randn(8, dtype=torch.float64)
    expected = gradients(ours, x, weights)
    assert 0.02 < expected[0].mean() < 0.5
    found = gradients(jelly_recurrent(jelly, list(ours)), x, weights)
    assert torch.equal(found[0], expected[0])
    torch.testing.assert_close(found[1], expected[1], rtol=1e-9, atol=1e-12)
    x, weights = x.float(), weights.float()  # snntorch keeps its constants so
    expected = gradients(ours.float(), x, weights)
    found = gradients(TorchRecurrent(leaky, list(ours)), x, weights)
    assert torch.equal(found[0], expected[0])
    torch.testing.assert_close(found[1], expected[1], rtol=1e-3, atol=1e-4)


def test_layers_of_the_event_network_fire_between_a_twentieth_and_a_fifth() -> None:
    x = spikes((50, 16, 60), 0.05)
    network = make_feedforward(TINY, spikes((50, 16, TINY.layers[0]), 0.05))
    assert all(0.05 < rate < 0.2 for rate in firing_rates(network, lambda: network(x[..., : TINY.layers[0]])))


def test_leaky_is_the_same_neuron(leaky: SnnTorch) -> None:
    x = torch.randn(12, 5, 7, generator=torch.Generator().manual_seed(0)) * 2
    weights = torch.randn(12, 5, 7)
    lif = LIF(7)
    theirs = leaky.leaky(lif)
    expected, expected_grad = gradients(lif, x, weights)
    leaf = x.clone().requires_grad_()
    found = torch_scan(theirs, leaf)
    (grad,) = torch.autograd.grad((found * weights).sum(), leaf)
    assert expected.sum() > 20
    assert torch.equal(found.detach(), expected)
    torch.testing.assert_close(grad, expected_grad, rtol=1e-4, atol=1e-6)


def test_what_has_no_equal_is_named() -> None:
    assert why_not_lif(LIF(3)) == ""
    assert why_not_lif(IF(3)) == "the neuron is IF, not LIF"
    assert why_not_lif(LIF(3, surrogate="sigmoid")) == "the surrogate is Sigmoid, not ATan"
    assert "spread" in why_not_lif(LIF(3, tau_spread=0.1))
    assert "learned" in why_not_lif(LIF(3, learn_threshold="layer"))
    assert why_no_peer(nn.Linear(2, 2)) == "the backbone is Linear, not Spikformer"
    signal = SignalSpec(2, 3, 4, kind="spikes")
    assert why_no_peer(Spikformer(signal, dim=4, heads=2)) == ""
    assert why_no_peer(Spikformer(signal, dim=4, heads=2, neuron="if")) == "the neuron is IF, not LIF"


def test_engines_of_a_neuron_case() -> None:
    made = neuron_cases("lif", ["tiny"])[1].build()
    peers = [name for name, found in (("spikingjelly", spikingjelly()), ("snntorch", snntorch())) if found]
    assert [c.label for c in made] == [
        "snnctl fp32",
        "reference fp32",
        *(f"{name} fp32" for name in peers),
        "snnctl bf16",
    ]
    assert len({str(c.facts()["rates"]) for c in made if c.precision == "fp32"}) == 1
    assert [c.engine for c in neuron_cases("plif", ["tiny"])[0].build()] == ["snnctl", "reference"]


def test_neurons_with_circuits_are_measured_over_maps() -> None:
    from snnctl.bench.neurons import SHAPES, STANDARD, make_neuron, standard_cases

    assert standard_cases("stc_lif") == ("maps",)
    assert standard_cases("lif") == STANDARD
    assert make_neuron("stc_lif", SHAPES["maps"]).temporal.weight.shape == (64, 4, 5, 5)  # type: ignore[union-attr]
    assert make_neuron("stc_lif", SHAPES["short"]).temporal.weight.shape == (256, 16)  # type: ignore[union-attr]
