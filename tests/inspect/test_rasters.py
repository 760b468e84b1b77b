"""What is recorded is what was fired, and what is left out is told."""

from typing import Any

import torch
from torch import Tensor, nn

from snnctl.inspect.activity.collect import COLUMNS_SHOWN, Recorder
from snnctl.inspect.chosen import chosen_channels, shown_name, spread
from snnctl.neurons import IF
from snnctl.positions.ragged import Ragged


def test_spread() -> None:
    assert spread(3, 5) == [0, 1, 2]
    assert spread(9, 3) == [0, 4, 8]
    assert spread(0, 3) == []


def test_channels_are_spread_over_their_ranks() -> None:
    assert chosen_channels(torch.tensor([0.0, 0.9, 0.5, 0.1, 0.0]), 3) == [1, 3, 4]
    assert chosen_channels(torch.tensor([0.2, 0.4]), 3) == [1, 0]


def test_recorded_spikes() -> None:
    network = nn.ModuleDict({"n": IF(3)})
    x = torch.rand(4, 2, 5, 3, generator=torch.Generator().manual_seed(1))
    with Recorder(network, {"n": [2, 0]}) as recorder:
        spikes = network["n"](x)
    (raster,) = recorder.rasters()
    assert raster.spikes.shape == (2, 2, 4, 5)
    expected = spikes.permute(1, 3, 0, 2)[:, [2, 0]]
    assert torch.equal(torch.from_numpy(raster.spikes).float(), expected)
    assert 0 < expected.mean() < 1
    assert (raster.of_channels, raster.of_places, raster.of_steps) == (3, 5, 4)


def test_packed_tokens_are_told_apart_by_sample() -> None:
    network = nn.ModuleDict({"n": IF(3)})
    tokens = Ragged(torch.tensor([[True, True, False, False], [True, True, True, True]]), 4)
    x = torch.rand(4, 2, 4, 3, generator=torch.Generator().manual_seed(2))
    with Recorder(network, {"n": [0, 1, 2]}, tokens) as recorder:
        spikes = network["n"](tokens.pack(x))
    (raster,) = recorder.rasters()
    assert raster.spikes.shape == (2, 3, 4, 4)
    assert torch.equal(torch.from_numpy(raster.spikes).float(), tokens.unpack(spikes).permute(1, 3, 0, 2))
    assert raster.spikes[0, :, :, :2].mean() > 0
    assert raster.spikes[0, :, :, 2:].sum() == 0  # padding


def test_calls_are_steps_and_long_ones_are_cut() -> None:
    class Calls(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.n = IF(1)

        def forward(self, x: Tensor) -> Any:
            return [self.n(part) for part in x.split(100)]

    network = Calls()
    x = (torch.arange(300) % 3 == 0).float().reshape(300, 1, 1)
    with Recorder(network, {"n": [0]}) as recorder:
        network(x)
    (raster,) = recorder.rasters()
    assert raster.of_steps == 300
    assert raster.spikes.shape == (1, 1, COLUMNS_SHOWN, 1)
    assert raster.spikes.ravel().tolist() == x.ravel()[:COLUMNS_SHOWN].tolist()


def test_names_keep_their_end() -> None:
    assert shown_name("backbone.blocks.0.attention.qkv.neuron", 30) == "blocks.0.attention.qkv"
    assert shown_name("backbone.blocks.0.attention.projection.neuron", 22) == "…attention.projection"
