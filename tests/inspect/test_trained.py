"""Probe and attention maps on networks whose answer is known."""

import pytest
import torch
from torch import Tensor, nn

from snnctl.backbones.parts.attention import SpikingSelfAttention
from snnctl.inspect.positions.attention import AttentionMaps
from snnctl.inspect.positions.probe import probe
from snnctl.neurons import LIF

L = 6


class Relay(nn.Module):
    """Neurons that are fed currents strong enough to fire exactly where the input is 1."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.neuron = LIF(channels, tau=2.0, v_threshold=1.0)

    def forward(self, spikes: Tensor) -> Tensor:
        fired: Tensor = self.neuron(spikes * 10 - 5)
        return fired


def accuracy(make: object, length: int = L) -> float:
    network = Relay(8)

    def run() -> None:
        with torch.no_grad():
            network(make().float())  # type: ignore[operator]

    (score,) = probe(network, length, run, run)
    assert score.channels == 8
    return score.accuracy


def noise() -> Tensor:
    return torch.rand(3, 60, L, 8) < 0.4


def test_probe_reads_a_code_that_is_there() -> None:
    code = torch.tensor([[l >> bit & 1 for bit in range(3)] for l in range(L)])  # noqa: E741

    def coded() -> Tensor:
        spikes = noise()
        spikes[..., :3] = code
        return spikes

    assert accuracy(coded) == 1.0


def test_probe_is_at_chance_on_noise() -> None:
    assert accuracy(noise) == pytest.approx(1 / L, abs=0.08)


def test_probe_is_at_chance_on_silence() -> None:
    assert accuracy(lambda: torch.zeros(3, 20, L, 8)) == pytest.approx(1 / L)


def test_layers_of_another_length_are_passed_over() -> None:
    network = Relay(8)
    assert probe(network, L + 1, lambda: network(noise().float()), lambda: None) == []


def test_attention_maps_are_means_of_the_scores() -> None:
    attention = SpikingSelfAttention(8, 2, LIF, scale=0.125, threshold=0.5, norm_gain=3.0).eval()
    network = nn.Sequential(attention)
    maps = AttentionMaps(network)
    x = (torch.rand(2, 5, L, 8) < 0.5).float()
    with torch.no_grad(), maps:
        network(x)
        network(x)
    (found,) = maps.maps()
    with torch.no_grad():
        expected = attention.scores(attention.qkv(x)).double().mean((0, 1, 2))
    assert torch.from_numpy(found.matrix).allclose(expected)
    mean, _ = found.by_distance
    assert mean[0] == pytest.approx(expected.diagonal().mean().item())
    assert mean[L - 1] == pytest.approx((expected[0, -1] + expected[-1, 0]).item() / 2)
    assert len(mean) == L
    assert len(AttentionMaps(nn.Sequential(nn.Linear(2, 2)))) == 0
