"""iSpikformer: tokens are variables, order in time is in the first layer, positions are refused unless they name."""

from typing import Any

import pytest
import torch
from sequence_networks import NEURONS, SIGNAL, cpg, make, rates, spikes, warmed

from snnctl.backbones import ISpikformer
from snnctl.core.shapes import ShapeError
from snnctl.core.signature import broken_rules
from snnctl.positions import CPG, NoPosition

SMALL: dict[str, Any] = {"dim": 16, "heads": 4, "norm_gain": 2.0, "attention_scale": 1.0}
ORDER = torch.randperm(6, generator=torch.Generator().manual_seed(5))


def test_tokens_are_variables() -> None:
    network = make("ispikformer", **SMALL)
    assert network.output == SIGNAL.replace(length=6, features=16, levels=5)
    assert network.embed.linear.weight.shape == (16, 10)
    assert network(spikes()).shape == (4, 3, 6, 16)


@torch.no_grad()
def test_first_layer_reads_the_window_of_one_variable() -> None:
    network, x = warmed("ispikformer", **SMALL), spikes()
    expected = torch.stack([network.embed(x[..., c]) for c in range(6)], dim=2)
    assert torch.equal(network.embed(x.transpose(2, 3)), expected)
    for block in network.blocks:
        expected = block(expected, network.position.place(expected))
    torch.testing.assert_close(network(x), expected, rtol=0, atol=1e-9)


@torch.no_grad()
def test_variables_have_no_order_but_time_has() -> None:
    network, x = warmed("ispikformer", **SMALL), spikes()
    torch.testing.assert_close(network(x[..., ORDER]), network(x)[:, :, ORDER], rtol=0, atol=1e-9)
    assert not torch.equal(network(x.flip(2)), network(x))


@torch.no_grad()
def test_named_variables_are_told_apart() -> None:
    network, x = warmed("ispikformer", position=cpg(100.0), code_variables=True, **SMALL), spikes()
    assert network.embed.linear.weight.shape == (16, 10 + 8)
    assert not torch.equal(network(x[..., ORDER]), network(x)[:, :, ORDER])
    same = x[..., :1].expand_as(x)
    out = network(same)
    assert not torch.equal(out[:, :, 0], out[:, :, 1])


@pytest.mark.parametrize("placed", ["cpg", "sinusoid", "log", cpg(100.0)])
def test_a_position_is_refused_with_the_reason(placed: Any) -> None:
    with pytest.raises(ShapeError, match="variables, which have no order; order in time is in the weights") as caught:
        make("ispikformer", position=placed, **SMALL)
    assert caught.value.knob == "position"
    assert "code_variables" in caught.value.message + caught.value.help
    make("ispikformer", position=lambda signal: NoPosition(signal), **SMALL)


def test_the_recipe_is_told_before_anything_is_built() -> None:
    knobs = {"dim": 16, "heads": 4, "code_variables": False}
    for given in ("cpg", {"type": "cpg", "neurons": 4}):
        ((knob, message),) = broken_rules(ISpikformer, {**knobs, "position": given})
        assert knob == "position"
        assert "no order" in message
    assert list(broken_rules(ISpikformer, {**knobs, "position": {"type": "none"}})) == []
    assert list(broken_rules(ISpikformer, {**knobs, "position": {"type": "cpg"}, "code_variables": True})) == []
    assert [knob for knob, _ in broken_rules(ISpikformer, {**knobs, "heads": 3, "position": "none"})] == ["heads"]


def test_position_reaches_the_data() -> None:
    one, other = (warmed("ispikformer", position=cpg(base), code_variables=True, **SMALL) for base in (100.0, 5.0))
    other.load_state_dict(one.state_dict())
    a, b = spikes(1, 8), spikes(2, 8)
    assert not torch.equal(one(a) - one(b), other(a) - other(b))


def test_every_layer_fires() -> None:
    found = rates(warmed("ispikformer", **SMALL), spikes(batch=16))
    assert len(found) == 1 + 2 * 5
    assert min(found.values()) > 0.01


@pytest.mark.parametrize("neuron", NEURONS)
def test_takes_any_neuron(neuron: str) -> None:
    network = make("ispikformer", neuron=NEURONS[neuron], **SMALL)
    out = network(spikes())
    assert torch.equal(out, out.round())
    (out * torch.linspace(-1, 1, out.numel()).view_as(out)).sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())


def test_a_sample_does_not_depend_on_its_batch() -> None:
    network, x = warmed("ispikformer", **SMALL), spikes(batch=5)
    alone = torch.cat([network(x[:, i : i + 1]) for i in range(5)], dim=1)
    torch.testing.assert_close(network(x), alone, rtol=0, atol=1e-9)


def test_twin_has_the_same_parameters_and_all_learn() -> None:
    twin = make("ispikformer", spiking=False, **SMALL)
    spiking = make("ispikformer", **SMALL)
    shapes = [{key: value.shape for key, value in n.named_parameters()} for n in (spiking, twin)]
    assert shapes[0] == shapes[1]
    assert rates(twin, spikes()) == {}
    out = twin(torch.randn(SIGNAL.shape(4), dtype=torch.float64))
    (out * torch.linspace(-1, 1, out.numel()).view_as(out)).sum().backward()
    assert all(p.grad is not None and p.grad.any() for p in twin.parameters())


def test_codes_are_those_of_variables() -> None:
    network = make("ispikformer", position=cpg(100.0, index="L"), code_variables=True, **SMALL)
    x = spikes().transpose(2, 3)
    code = CPG(neurons=8, base=100.0, index="L").code(6)
    assert torch.equal(network.position(x)[2, 1, :, 10:], code.double())
