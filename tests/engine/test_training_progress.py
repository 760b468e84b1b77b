"""Modules that change while training are told what share is done: the same values whenever a run was stopped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from engine.tiny_runs import RECIPE as TINY
from engine.tiny_runs import command, go_on, outcome, start, trained, write_recipe
from torch import nn

from snnctl.build import build
from snnctl.core.run_events import EpochDone, Event
from snnctl.engine.loop import Trainer
from snnctl.engine.runtime import Runtime
from snnctl.recipe import Recipe, load_recipe

RECIPE = """\
schema: 1
name: delays
task: {type: step_classification, baselines: []}
data: {type: mts_xor, train: 48, val: 16, test: 16}
encoder: none
model: {type: delay_mlp, width: 6, max_delay: 40, anneal: 0.5}
readout: step_linear
optim: {type: adam, lr: 1.0e-2}
train:
  epochs: 4
  batch_size: 16
  average: 0.5
  groups: [{match: "*.delay", lr_scale: 10, weight_decay_scale: 0}]
"""


def recipe_in(folder: Path) -> Recipe:
    return load_recipe(write_recipe(folder, RECIPE), ())


class Listener(nn.Module):
    """Writes down what it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[float] = []

    def training_progress(self, share: float) -> None:
        self.told.append(share)


def test_each_epoch_begins_with_the_share_that_is_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = recipe_in(tmp_path)
    listener, sigmas = Listener(), []
    at_start = Trainer.__init__

    def listening(self: Trainer, *arguments: Any) -> None:
        at_start(self, *arguments)
        self.network.add_module("listener", listener)

    class Watching:
        def notify(self, event: Event) -> None:
            if isinstance(event, EpochDone):
                sigmas.append(experiment.network.backbone.layers[1].synapses.sigma)  # type: ignore[union-attr, index]

    from snnctl.engine.train import train_run

    experiment = build(recipe)
    run = start(recipe, tmp_path / "run")
    monkeypatch.setattr(Trainer, "__init__", listening)
    train_run(experiment, run, Watching(), Runtime.of(recipe.train, "cpu"))
    assert listener.told == [0.0, 0.25, 0.5, 0.75]
    assert sigmas == pytest.approx([2.0, 1.0, 0.5, 0.5])  # from 40 ms / 2 in steps of 10 ms to .5, halfway


def test_a_run_with_delays_is_the_same_when_it_is_resumed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopped within the second epoch, while sigma is on its way, and between two epochs; dropout is at work too."""
    from engine.test_resume import stop_after_steps

    recipe = recipe_in(tmp_path)
    straight = trained(recipe, tmp_path / "straight")
    torn = start(recipe, tmp_path / "torn")
    with monkeypatch.context() as patch:
        stop_after_steps(patch, 4)
        assert go_on(recipe, torn)["status"] == "interrupted"
    assert go_on(recipe, torn, resume=True, stop_after=1)["epochs_done"] == 2
    go_on(recipe, torn, resume=True)
    assert outcome(torn) == outcome(straight)


def test_the_width_of_delays_matters_to_the_test_above(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = recipe_in(tmp_path)
    straight = trained(recipe, tmp_path / "straight")
    monkeypatch.setattr(Trainer, "_tell_progress", lambda self: None)
    deaf = trained(recipe, tmp_path / "deaf")
    losses = [[row["train/loss"] for row in run.metrics()] for run in (straight, deaf)]
    assert losses[0][0] == losses[1][0]
    assert losses[0][1:] != losses[1][1:]


def test_a_run_whose_surrogates_get_steeper_is_the_same_when_it_is_resumed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = TINY.replace("v_threshold: 0.5}", "v_threshold: 0.5, surrogate: {type: atan, sharpen: 8.0}}")
    path, flat = write_recipe(tmp_path, text), "model.neuron.surrogate.sharpen=1.0"
    for name, more in (("straight", ()), ("torn", ("--stop-after", 2)), ("flat", ("--set", flat))):
        command(capsys, "train", path, "--out", tmp_path / name, *more)
    command(capsys, "train", "--resume", tmp_path / "torn")
    weights = {
        name: (tmp_path / name / "checkpoints/last/weights.safetensors").read_bytes()
        for name in ("straight", "torn", "flat")
    }
    assert weights["straight"] == weights["torn"]
    assert weights["straight"] != weights["flat"]
