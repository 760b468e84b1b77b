"""A plug-in in a network for videos: a batch is pushed through, and frames are what has to come out."""

import json
from pathlib import Path
from typing import Any

import pytest

from snnctl.cli.app import run

PLUGIN = '''
"""A neuron and a backbone that are not part of snnctl."""

import torch
from torch import nn

from snnctl.core.catalog import BACKBONES, NEURONS
from snnctl.core.shapes import SignalSpec
from snnctl.neurons import SpikingNeuron, make_surrogate


@NEURONS.register("plain")
class Plain(SpikingNeuron):
    """It fires where its current is positive.

    Args:
        channels: size of the last axis.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.surrogate = make_surrogate("atan")

    def initial_state(self, x0):
        return torch.zeros_like(x0)

    def step(self, x_t, v):
        spikes = self.surrogate.spike(v + x_t)
        return spikes, v + x_t - spikes


@BACKBONES.register("repeating")
class Repeating(nn.Module):
    """The last frame, again and again.

    Args:
        signal: frames.
        more: how many too many there are.
    """

    makes_frames = True

    def __init__(self, signal: SignalSpec, *, more: int = 0) -> None:
        super().__init__()
        self.count = signal.ahead + more
        self.output = signal.replace(steps=self.count, ahead=0, kind="real", levels=1)

    def forward(self, x):
        return x[-1:].expand(self.count, -1, -1, -1)
'''
RECIPE = """\
schema: 1
name: pushed
task: {type: video_prediction, metrics: [mse]}
data: {type: moving_digits, canvas: 16, digit_size: 8, frames_in: 3, frames_out: 2, train: 4, val: 4, test: 4}
encoder: none
model: MODEL
readout: frames
plugins: [./own.py]
"""
STACK = "{type: video_stack, dim: 8, layers: 1, norm_groups: 2, neuron: plain}"


@pytest.mark.parametrize(
    ("model", "codes"),
    [
        (STACK, []),  # frames 2 to 5
        ("repeating", []),  # frames 4 and 5
        ("{type: repeating, more: 1}", ["R402"]),
        ("{type: repeating, more: 2}", []),
    ],
)
def test_frames_that_come_out(
    model: str, codes: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.dont_write_bytecode", True)
    (tmp_path / "own.py").write_text(PLUGIN)
    path = tmp_path / "pushed.yaml"
    path.write_text(RECIPE.replace("MODEL", model))
    code = run(["--json", "validate", str(path)])
    (found,) = json.loads(capsys.readouterr().out)["files"]
    problems: list[Any] = [problem for problem in found["diagnostics"] if problem["severity"] == "error"]
    assert [problem["code"] for problem in problems] == codes
    assert code == (2 if codes else 0)
    if codes:
        assert "(2, 3, 256, 1), the task needs (2, 2, 256, 1) or (2, 4, 256, 1)" in problems[0]["message"]
