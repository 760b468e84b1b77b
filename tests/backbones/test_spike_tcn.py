"""Spike-TCN: its equation in a plain loop, causality and reach, variables that share kernels, rates between layers."""

from typing import Any

import pytest
import torch
from sequence_networks import SIGNAL, cpg, lif_spikes, make, position, reach, spikes, warmed
from torch import Tensor

from snnctl.core.shapes import ShapeError, SignalSpec
from snnctl.neurons import LIF
from snnctl.positions import CPG, Position

LONG = SignalSpec(4, 40, 3, kind="spikes")


def lif(current: Tensor) -> Tensor:
    """The default LIF along T."""
    v, out = torch.zeros_like(current[0]), []
    for now in current:
        s, v = lif_spikes(now, v)
        out.append(s)
    return torch.stack(out)


def convolved(layer: Any, x: Tensor, dilation: int) -> Tensor:
    """Causal convolution of [T, B, L, F], one sum per position and tap, then the norm in evaluation."""
    W = layer.conv.weight  # [outputs, inputs, kernel]
    taps = W.shape[2]
    out = layer.conv.bias.expand(*x.shape[:-1], -1).clone()
    for at in range(x.shape[2]):
        for j in range(taps):
            back = at - (taps - 1 - j) * dilation
            if back >= 0:
                out[:, :, at] += x[:, :, back] @ W[:, :, j].T
    return layer.norm(out)


def block(layer: Any, x: Tensor, dilation: int, rates: bool = False) -> Tensor:
    def passed(s: Tensor) -> Tensor:
        return s.mean(0, keepdim=True).expand_as(s) if rates else s

    x = passed(x)
    y = passed(lif(convolved(layer.first, x, dilation)))
    y = passed(lif(convolved(layer.second, y, dilation)))
    return lif(layer.join(y + (x if layer.residual is None else x @ layer.residual.weight.T + layer.residual.bias)))


@pytest.mark.parametrize("between", ["spikes", "rates"])
@torch.no_grad()
def test_mixed_network_equals_a_plain_loop(between: str) -> None:
    network = warmed("spike_tcn", channels=5, variables="mixed", between=between, position=cpg(100.0))
    x = spikes(batch=3)
    expected = network.position(x)
    for i, layer in enumerate(network.blocks):
        expected = block(layer, expected, 2**i, between == "rates")
    torch.testing.assert_close(network(x), expected, rtol=0, atol=1e-9)
    assert 0.05 < expected.mean() < 0.5


@torch.no_grad()
def test_shared_network_runs_every_variable_alone() -> None:
    network = warmed("spike_tcn", channels=5, levels=2, position=cpg(100.0))
    x = spikes(batch=3)
    columns = []
    for c in range(6):
        y = network.position(x[..., c : c + 1])
        for i, layer in enumerate(network.blocks):
            y = block(layer, y, 2**i)
        columns.append(y)
    expected = torch.cat(columns, dim=-1)
    assert network.output.features == expected.shape[-1] == 6
    torch.testing.assert_close(network(x), expected, rtol=0, atol=1e-9)
    assert expected.any()


@pytest.mark.parametrize("variables", ["shared", "mixed"])
@pytest.mark.parametrize("placed", ["none", "cpg_linear", "sinusoid"])
def test_causal_and_reaches_as_far_as_documented(variables: str, placed: str) -> None:
    network = warmed("spike_tcn", LONG, channels=16, levels=2, kernel=3, variables=variables, position=position(placed))
    blocks = 3 if variables == "shared" else 2
    field = 1 + 2 * 2 * sum(2**i for i in range(blocks))
    for place in (0, 9, 39):
        found = reach(network, place, LONG)
        assert found <= set(range(place, min(place + field, 40)))
    assert max(reach(network, 0, LONG)) > field / 2


def test_variables_do_not_see_each_other_unless_mixed() -> None:
    for variables, alone in (("shared", True), ("mixed", False)):
        network = warmed("spike_tcn", channels=8, variables=variables)
        x = spikes(batch=16)
        other = x.clone()
        other[..., 2] = 1 - other[..., 2]
        changed = (network(x) - network(other)).abs().amax(dim=(0, 1, 2)).nonzero().flatten().tolist()
        assert (changed == [2]) is alone


def test_shared_kernels_do_not_depend_on_the_number_of_variables() -> None:
    few, many = (make("spike_tcn", SIGNAL.replace(features=n)) for n in (2, 200))
    assert sum(p.numel() for p in few.parameters()) == sum(p.numel() for p in many.parameters())


def test_parameter_count() -> None:
    h, k, n = 5, 3, 8  # channels, taps, code
    network = make("spike_tcn", channels=h, levels=2, kernel=k, position=cpg(100.0))

    def conv(inputs: int, outputs: int) -> int:
        return inputs * outputs * k + outputs + 2 * outputs

    first = conv(1 + n, h) + conv(h, h) + ((1 + n) * h + h) + 2 * h
    second = 2 * conv(h, h) + 2 * h
    last = conv(h, 1) + conv(1, 1) + (h + 1) + 2
    assert sum(p.numel() for p in network.parameters()) == first + second + last


def test_position_is_built_for_one_variable_where_they_share_kernels() -> None:
    seen: list[SignalSpec] = []

    def factory(signal: SignalSpec) -> Position:
        seen.append(signal)
        return CPG(signal, neurons=1, combine="add")

    make("spike_tcn", position=factory)
    assert seen == [SIGNAL.replace(features=1)]


def test_a_code_too_wide_to_add_is_refused_with_the_reason() -> None:
    added = cpg(100.0, combine="add")
    with pytest.raises(ShapeError, match="must equal the width 1") as caught:
        make("spike_tcn", position=added)
    assert caught.value.knob == "neurons"
    assert caught.value.help.endswith("with `variables: shared` a variable is a sequence of width 1")
    with pytest.raises(ShapeError, match="must equal the width 6") as caught:
        make("spike_tcn", position=added, variables="mixed")
    assert "shared" not in caught.value.help


def test_residual_neurons_fall_silent_without_a_norm_unless_the_neuron_is_the_published_one() -> None:
    def published(channels: int) -> LIF:
        return LIF(channels, tau=100.0, decay_input=False, reset="soft")

    x = spikes(batch=16)
    assert make("spike_tcn")(x).mean() > 0.05
    assert make("spike_tcn", norm_join=False)(x).mean() < 0.02
    assert 0.1 < make("spike_tcn", norm_join=False, norm_gain=1.0, neuron=published)(x).mean() < 0.6
