"""Spikformer: parameters, order blindness, what the position changes, levels, mixed precision."""

from typing import Any

import pytest
import torch
from torch import Tensor

from snnctl.backbones import Spikformer
from snnctl.core.shapes import ShapeError, SignalSpec
from snnctl.core.signature import broken_rules
from snnctl.neurons import LIF
from snnctl.positions import CPG, Position
from snnctl.readouts import MeanLinear

SIGNAL = SignalSpec(4, 10, 6, kind="spikes")


def spikes(seed: int = 0, batch: int = 3) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 2, (4, batch, 10, 6), generator=generator).double()


def warmed(**knobs: Any) -> Spikformer:
    """Float64, eval mode, BatchNorm statistics from data, attention scaled for narrow heads: all fire."""
    torch.manual_seed(0)
    model = Spikformer(SIGNAL, dim=16, heads=4, embed_norm=True, norm_gain=2.0, attention_scale=1.0, **knobs).double()
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm1d):
            module.momentum = None  # plain average
    for seed in range(3):
        model(spikes(100 + seed, batch=16))
    return model.eval()


def cpg(base: float) -> Any:
    return lambda signal: CPG(signal, neurons=10, base=base)


@pytest.mark.parametrize("embed_norm", [False, True])
@pytest.mark.parametrize(("position", "extra"), [("none", 0), ("cpg", 40)])
def test_parameter_count(position: str, extra: int, embed_norm: bool) -> None:
    F, D, H, depth = 6, 32, 48, 3
    model = Spikformer(SIGNAL, dim=D, depth=depth, heads=4, hidden=H, position=position, embed_norm=embed_norm)
    embed = (F + extra) * D + D + (2 * D if embed_norm else 0)
    attention = (D * 3 * D + 3 * D) + 2 * 3 * D + (D * D + D) + 2 * D
    mlp = (D * H + H) + 2 * H + (H * D + D) + 2 * D
    assert sum(p.numel() for p in model.parameters()) == embed + depth * (attention + mlp)


def test_hidden_is_four_times_dim_unless_given() -> None:
    model = Spikformer(SIGNAL, dim=16, heads=2)
    assert model.blocks[0].mlp.widen.linear.out_features == 64


def test_every_layer_of_the_test_network_fires() -> None:
    model = warmed()
    rates = []
    for module in model.modules():
        if isinstance(module, LIF):
            module.register_forward_hook(lambda _m, _i, out: rates.append(out.mean().item()))
    model(spikes())
    assert len(rates) == 1 + 2 * 5
    assert min(rates) > 0.01


def test_without_position_tokens_may_be_permuted() -> None:
    model, readout = warmed(), MeanLinear(SIGNAL.replace(features=16), 5).double()
    x, order = spikes(), torch.randperm(10, generator=torch.Generator().manual_seed(5))
    permuted = x[:, :, order]
    torch.testing.assert_close(model(permuted), model(x)[:, :, order], rtol=0, atol=1e-9)
    torch.testing.assert_close(readout(model(permuted)), readout(model(x)), rtol=0, atol=1e-9)


@pytest.mark.parametrize("position", [cpg(1000.0), "cpg", "sinusoid"])
def test_with_position_the_order_of_tokens_matters(position: Any) -> None:
    model, readout = warmed(position=position), MeanLinear(SIGNAL.replace(features=16), 5).double()
    x, order = spikes(), torch.randperm(10, generator=torch.Generator().manual_seed(5))
    assert (readout(model(x[:, :, order])) - readout(model(x))).abs().max() > 1e-6


def test_position_reaches_the_data() -> None:
    # An encoding that only adds a bias to the output would cancel in f(a) - f(b).
    one = warmed(position=cpg(1000.0))
    other = warmed(position=cpg(100.0))
    other.load_state_dict(one.state_dict())
    a, b = spikes(1), spikes(2)
    assert not torch.equal(one(a) - one(b), other(a) - other(b))


def test_position_is_built_from_the_encoders_signal() -> None:
    seen: list[SignalSpec] = []

    def factory(signal: SignalSpec) -> Position:
        seen.append(signal)
        return CPG(signal, neurons=4)

    model = Spikformer(SIGNAL, dim=16, heads=2, position=factory)
    assert seen == [SIGNAL]
    assert model.embed.linear.in_features == 10


def test_output_levels_count_the_residual_adds() -> None:
    model = Spikformer(SIGNAL, dim=16, heads=2, depth=3)
    assert model.output == SignalSpec(4, 10, 16, kind="spikes", levels=7)


def test_no_two_places_share_a_neuron() -> None:
    model = Spikformer(SIGNAL, dim=16, heads=2, depth=2)
    neurons = [m for m in model.modules() if isinstance(m, LIF)]
    assert len(neurons) == len({id(n) for n in neurons}) == 1 + 2 * 5


def test_heads_must_divide_dim() -> None:
    with pytest.raises(ShapeError, match="`heads` must divide `dim`") as caught:
        Spikformer(SIGNAL, dim=16, heads=3)
    assert caught.value.knob == "heads"
    assert list(broken_rules(Spikformer, {"dim": 16, "heads": 4})) == []


def test_trains_under_bfloat16_autocast() -> None:
    model = Spikformer(SIGNAL, dim=16, heads=2, position="cpg", norm_gain=2.0, embed_norm=True)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = model(spikes().float())
    assert torch.equal(out, out.round())
    out.float().mean().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
