"""Recipes with STC neurons: published sizes and constants, and a step of training on files of the right layout."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from data.video_files import kth, taxi

from snnctl.build import build, build_network, check, make
from snnctl.core.shapes import SignalSpec
from snnctl.data.video.dataset import video_signal
from snnctl.engine.feed import training_batch
from snnctl.neurons import STC
from snnctl.recipe import load_recipe
from snnctl.recipe.shipped import shipped_folder

FOLDER = shipped_folder() / "stc"
IF = "model.neuron={type: if, reset: soft, detach_reset: false, surrogate: {type: sigmoid, alpha: 4.0}}"
LIF = IF.replace("type: if", "type: lif")
# Frames, those that are seen and follow; weights with and without circuits, counted in the published code (a preset of
# ours: by hand); sequences of an epoch; epochs; the step after which training shows no true frames any more.
VIDEOS: dict[str, Any] = {
    "moving_mnist": ((64, 64, 1), 10, 10, 3_922_432, 3_304_960, 10_000, 500, 50_000),
    "taxibj": ((32, 32, 2), 4, 4, 3_909_120, 3_291_648, 20_461, 200, 50_000),
    "kth": ((128, 128, 1), 10, 20, 4_002_304, 3_384_832, 5_200, 200, 50_000),
    "moving_digits_64": ((64, 64, 1), 10, 10, 270_976, 270_976 - 3 * 13_056, 2_000, 6, 600),
}


@pytest.mark.parametrize("name", VIDEOS)
def test_published_numbers(name: str) -> None:
    shape, seen, ahead, weights, without, sequences, epochs, stop = VIDEOS[name]
    for settings, wanted in (
        ([], weights),
        ([IF], without),
        ([LIF], without),
        (["model.neuron=stc_plif"], weights + 3),
    ):
        recipe = load_recipe(FOLDER / f"{name}.yaml", settings)
        with torch.device("meta"):
            network = build_network(recipe, video_signal(shape, seen, ahead), shape[2])
        assert sum(parameter.numel() for parameter in network.parameters()) == wanted
        assert network.signals["backbone"].steps == seen + ahead - 1
    data, train = recipe.values["data"], recipe.values["train"]
    assert (data["frames_in"], data["frames_out"], train["epochs"]) == (seen, ahead, epochs)
    steps = sequences // train["batch_size"] * epochs
    assert recipe.values["model"]["sampling"]["start"] == 1.0
    assert recipe.values["model"]["sampling"]["stop"] * steps == pytest.approx(stop, rel=3e-3)


@pytest.mark.parametrize("name", ["moving_mnist", "taxibj", "kth"])
def test_the_published_neuron_and_rates(name: str) -> None:
    recipe = load_recipe(FOLDER / f"{name}.yaml")
    with torch.device("meta"):
        network = build_network(recipe, video_signal(*VIDEOS[name][:3]), VIDEOS[name][0][2])
    neurons = [module for module in network.modules() if isinstance(module, STC)]
    assert len(neurons) == 3
    for neuron in neurons:
        knobs = neuron.autapses
        assert (neuron.channels, knobs.groups, knobs.norm_groups, knobs.kernel) == (256, 16, None, 5)
        assert [circuit.norm_groups for circuit in neuron.circuits] == [16, 16]
        assert neuron.detach == (name != "moving_mnist")
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=recipe.values["optim"]["lr"])
    epochs, per_epoch = recipe.values["train"]["epochs"], 5
    schedule = make("schedule", recipe.values["schedule"], optimizer, epochs, per_epoch)
    rates = []
    for _ in range(epochs * per_epoch):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    assert rates[0] == pytest.approx(1e-5 + 0.99e-3 / 50)
    assert max(rates) == pytest.approx(1e-3)
    assert rates.index(max(rates)) == 10 * per_epoch - 1
    assert optimizer.param_groups[0]["lr"] == pytest.approx(1e-5 if name == "moving_mnist" else 1e-4)


def stand_in(name: str, folder: Path) -> list[str]:
    if name == "moving_mnist":
        np.save(folder / "test.npy", np.zeros((20, 3, 64, 64), np.uint8))
        return ["data.source=builtin", f"data.test_file={folder / 'test.npy'}"]
    if name == "taxibj":
        taxi(folder / "taxi.npz")
        return [f"data.source={folder / 'taxi.npz'}", "task.metrics=[mse, psnr]"]  # 4 x 5 districts
    return [f"data.source={kth(folder / 'frames', (1, 2, 3, 16, 17), frames=30)}"]


@pytest.mark.parametrize("name", ["moving_mnist", "taxibj", "kth"])
def test_a_step_of_training(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    recipe = load_recipe(FOLDER / f"{name}.yaml", [*stand_in(name, tmp_path), "model.dim=16"])
    assert check(recipe) == []
    experiment = build(recipe)
    assert len(experiment.data.split("val"))
    assert len(experiment.data.split("test"))
    batch = training_batch(experiment.data.split("train"), torch.arange(2), 1, 0, 0)
    loss = experiment.task.loss(experiment.task.predict(experiment.network.train(), batch), batch)
    loss.backward()
    assert loss.isfinite()
    for parameter_name, parameter in experiment.network.named_parameters():
        assert parameter.grad is not None, parameter_name
        assert parameter.grad.isfinite().all(), parameter_name


def test_the_fully_connected_form() -> None:
    spoken = load_recipe(FOLDER / "fsdd_stc.yaml")
    series = load_recipe(FOLDER / "etth1_stc.yaml")
    for recipe, signal, outputs in (
        (spoken, SignalSpec(0, 1, 100, frames=100, dt_ms=10.0), 10),
        (series, SignalSpec(0, 96, 1), 96),
    ):
        with torch.device("meta"):
            network = build_network(recipe, signal, outputs)
        neurons = [module for module in network.modules() if isinstance(module, STC)]
        assert neurons
        for neuron in neurons:
            for circuit in neuron.circuits:
                assert circuit.axes == 0
                assert tuple(circuit.weight.shape) == (neuron.channels, neuron.channels // neuron.autapses.groups)
