"""Spiking patch splitting: the same as plain layers over every step, the grid it declares, frames, refusals."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from snnctl.core.shapes import ShapeError, SignalSpec
from snnctl.encoders.direct import Repeat
from snnctl.encoders.patch_split import PatchSplit
from snnctl.neurons.lif import LIF

IMAGE = SignalSpec(0, 12 * 16, 3, grid=(12, 16))


def sample(signal: SignalSpec, batch: int = 3, seed: int = 0) -> Tensor:
    return torch.randn(signal.shape(batch), generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * 2


def settle(encoder: PatchSplit, x: Tensor) -> None:
    """Statistics of the norms are those of `x`; evaluation mode."""
    for part in encoder.modules():
        if isinstance(part, nn.BatchNorm1d):
            part.momentum = 1.0
    with torch.no_grad():
        encoder(x)
    encoder.eval()


def by_plain_layers(encoder: PatchSplit, x: Tensor, steps: int) -> Tensor:
    """The definition: images [B, C, H, W] at every step through conv, BatchNorm2d, neuron and pool, one by one."""
    rows, columns = encoder.grid
    images = x.unflatten(-2, (rows, columns))
    images = (
        images.permute(1, 0, 4, 2, 3) if images.dim() == 5 else images.permute(0, 3, 1, 2).repeat(steps, 1, 1, 1, 1)
    )
    for number, stage in enumerate(encoder.stages, start=1):
        part: Any = stage
        norm = nn.BatchNorm2d(part.norm.num_features).double().eval()
        norm.load_state_dict(part.norm.state_dict())
        current = norm(nn.functional.conv2d(images.flatten(0, 1), part.conv.weight, padding=1)).unflatten(
            0, images.shape[:2]
        )
        images = part.neuron(current.movedim(2, -1)).movedim(-1, 2)
        if number in encoder.pools:
            images = nn.MaxPool2d(3, 2, 1)(images.flatten(0, 1)).unflatten(0, images.shape[:2])
    return images.flatten(3).transpose(2, 3)


@pytest.mark.parametrize("pools", [[1, 2], [3], []])
def test_equals_plain_layers(pools: list[int]) -> None:
    torch.manual_seed(0)
    encoder = PatchSplit(IMAGE, dim=16, stages=3, pools=pools, norm_gain=2.0).double()
    settle(encoder, sample(IMAGE, 8))
    x = sample(IMAGE, 3, 1)
    out = encoder(x)
    assert torch.equal(out, by_plain_layers(encoder, x, 4))
    assert out.any()
    rows, columns = {2: (3, 4), 1: (6, 8), 0: (12, 16)}[len(pools)]
    assert encoder.output == SignalSpec(4, rows * columns, 16, kind="spikes", grid=(rows, columns))
    assert tuple(out.shape) == encoder.output.shape(3)


def test_frames_are_the_steps() -> None:
    torch.manual_seed(0)
    signal = SignalSpec(0, 10 * 10, 2, grid=(10, 10), frames=5)
    encoder = PatchSplit(signal, dim=8, stages=2, pools=[1, 2], norm_gain=2.0).double()
    x = torch.randint(0, 4, signal.shape(3), generator=torch.Generator().manual_seed(0)).double()
    settle(encoder, x)
    assert encoder.output.steps == 5
    assert encoder.output.grid == (3, 3)
    assert torch.equal(encoder(x), by_plain_layers(encoder, x, 5))
    assert not torch.equal(encoder(x), encoder(x.flip(1)))


def test_training_statistics_are_those_of_every_step() -> None:
    torch.manual_seed(0)
    encoder = PatchSplit(IMAGE, dim=8, stages=1, pools=[], steps=6).double()
    stage: Any = encoder.stages[0]
    x = sample(IMAGE)
    repeated = encoder(x)
    current = stage.conv(x.unflatten(1, (12, 16)).permute(0, 3, 1, 2).repeat(6, 1, 1, 1))
    norm = nn.BatchNorm2d(8).double()
    expected = stage.neuron(norm(current).unflatten(0, (6, 3)).movedim(2, -1)).flatten(2, 3)
    torch.testing.assert_close(repeated, expected)
    torch.testing.assert_close(stage.norm.running_mean, norm.running_mean)


def test_what_stands_in_the_place_of_neurons() -> None:
    twin = PatchSplit(IMAGE, dim=8, stages=2, pools=[2], neuron=None)
    assert twin.output.kind == "real"
    assert twin(sample(IMAGE).float()).min() >= 0
    current = PatchSplit(IMAGE, dim=8, stages=2, pools=[2], ends_with="current")
    assert current.output.kind == "real"
    assert current(sample(IMAGE).float()).min() < 0
    assert sum(isinstance(part, LIF) for part in current.modules()) == 1


def test_there_is_no_bias_and_widths_double() -> None:
    encoder = PatchSplit(SignalSpec(0, 1024, 3, grid=(32, 32)))
    assert [tuple(p.shape) for name, p in encoder.named_parameters() if "conv" in name] == [
        (48, 3, 3, 3),
        (96, 48, 3, 3),
        (192, 96, 3, 3),
        (384, 192, 3, 3),
    ]
    assert encoder.output.length == 64


@pytest.mark.parametrize(
    ("signal", "knobs", "knob"),
    [
        (SignalSpec(0, 12, 3), {}, "type"),
        (SignalSpec(4, 16, 3, kind="spikes", grid=(4, 4)), {}, "type"),
        (IMAGE, {"dim": 12}, "dim"),
        (IMAGE, {"dim": 16, "stages": 2, "pools": [3]}, "pools"),
        (IMAGE, {"dim": 16, "pools": [1, 1]}, "pools"),
        (SignalSpec(0, 16, 2, grid=(4, 4), frames=5), {"dim": 16, "steps": 4}, "steps"),
    ],
)
def test_refusals(signal: SignalSpec, knobs: dict[str, Any], knob: str) -> None:
    with pytest.raises(ShapeError) as caught:
        PatchSplit(signal, **knobs)
    assert caught.value.knob == knob


def test_other_encoders_keep_the_grid_and_refuse_frames() -> None:
    assert Repeat(IMAGE).output.grid == (12, 16)
    with pytest.raises(ShapeError, match="steps of their own") as caught:
        Repeat(IMAGE.replace(frames=3))
    assert "patch_split" in caught.value.help
