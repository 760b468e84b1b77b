"""The published grid: every cell is there, says what papers and SeqSNN say, and trains on files of the right layout."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import published_files as files
import pytest
import torch

from snnctl.build import build, check
from snnctl.data.series.known import KNOWN
from snnctl.data.series.prepare import prepare
from snnctl.data.series.sources import read_file
from snnctl.recipe import load_recipe
from snnctl.recipe.shipped import shipped_folder

GRID = shipped_folder() / "cpg-pe" / "grid"
SETS: dict[str, Callable[[Path], Path]] = {
    "metr-la": files.metr_la,
    "pems-bay": files.pems_bay,
    "solar": files.solar,
    "electricity": files.electricity,
}
BACKBONES = ("spikformer", "spike_rnn", "spike_tcn")
POSITIONS = ("none", "conv", "cpg")
CELLS = list(product(SETS, BACKBONES, POSITIONS))
# `normalize` of the released recipes, by set in the order of SETS.
SCALERS = {
    "spikformer": ("column_max", "column_max", "max", "global_standard"),
    "spike_rnn": ("column_max", "column_max", "global_standard", "global_standard"),
    "spike_tcn": ("column_max", "column_max", "column_max", "global_standard"),
}
BASES = {
    "spikformer": (10000.0, 10000.0, 10000.0, 10000.0),
    "spike_rnn": (1000.0, 1000.0, 1000.0, 1000.0),
    "spike_tcn": (10000.0, 10000.0, 10000.0, 1000.0),
}


def path_of(source: str, backbone: str, position: str) -> Path:
    return GRID / f"{backbone}_{position}_{source}.yaml"


def test_every_cell_and_no_other() -> None:
    assert {path_of(*cell) for cell in CELLS} == set(GRID.iterdir())


@pytest.mark.parametrize(("source", "backbone", "position"), CELLS)
class TestCell:
    def test_the_protocol(self, source: str, backbone: str, position: str) -> None:
        values = load_recipe(path_of(source, backbone, position)).values
        place = list(SETS).index(source)
        roads = source in ("metr-la", "pems-bay")
        data, train = values["data"], values["train"]
        assert (data["source"], data["window"], data["horizon"]) == (source, 12 if roads else 168, 24)
        shares = (0.7, 0.2, 0.1) if roads else (0.6, 0.2, 0.2)
        assert data["split"] == dict(zip(("train", "val", "test"), shares, strict=True)) | {"by": "windows"}
        assert data["scaler"] == {"type": SCALERS[backbone][place], "fit_on": "all"}
        assert (data["calendar"], data["missing"], data["window_norm"]) == (roads, "interpolate", "none")
        assert (values["encoder"]["type"], values["encoder"]["steps"], values["encoder"]["kernel"]) == ("conv", 4, 3)
        assert (values["optim"]["type"], values["optim"]["lr"], values["optim"]["weight_decay"]) == ("adam", 1e-3, 0.0)
        assert values["schedule"]["type"] == "constant"
        odd = {("spike_tcn", "electricity"): 24, ("spike_tcn", "metr-la"): 256}
        assert train["batch_size"] == odd.get((backbone, source), 64)
        assert (train["epochs"], train["clip_norm"], train["early_stop"]["patience"]) == (1000, 1.0, 30)
        assert (train["early_stop"]["metric"], train["early_stop"]["mode"]) == ("val/loss", "min")
        assert values["task"]["loss"] == "mse"
        assert values["task"]["metrics"][:2] == ["r2", "rse"]

    def test_the_model(self, source: str, backbone: str, position: str) -> None:
        values = load_recipe(path_of(source, backbone, position)).values
        model, place = values["model"], list(SETS).index(source)
        assert (model["type"], model["position"]["type"]) == (backbone, position)
        expected: dict[str, dict[str, Any]] = {
            "spikformer": {"dim": 256, "depth": 2, "heads": 8, "hidden": 1024, "attention_scale": 0.125},
            "spike_rnn": {"width": 128, "layers": 2, "form": "pooled"},
            "spike_tcn": {"channels": 16, "levels": 3, "dilation": 2, "kernel": (3, 3, 64, 16)[place]},
        }
        assert {knob: model[knob] for knob in expected[backbone]} == expected[backbone]
        if position == "cpg":
            code = model["position"]
            assert (code["neurons"], code["base"], code["threshold"]) == (40, BASES[backbone][place], 0.8)
            assert (code["combine"], code["index"]) == ("concat", "TL")
        neuron = model["neuron"]
        leak = (100.0, False, "soft") if backbone == "spike_tcn" else (2.0, True, "hard")
        assert (neuron["tau"], neuron["decay_input"], neuron["reset"]) == leak
        assert (neuron["v_threshold"], neuron["surrogate"]["type"], neuron["surrogate"]["alpha"]) == (1.0, "atan", 2.0)

    def test_cells_of_a_row_differ_by_their_position_alone(self, source: str, backbone: str, position: str) -> None:
        def rest(which: str) -> dict[str, Any]:
            values = load_recipe(path_of(source, backbone, which)).values
            return {**values, "name": "", "summary": "", "model": {**values["model"], "position": {}}}

        assert rest(position) == rest("none")


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Prepare a tiny file of the right layout under the published name."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def call(name: str) -> None:
        file = SETS[name](tmp_path)
        rows, columns = read_file(file).values.shape
        monkeypatch.setitem(KNOWN, name, replace(KNOWN[name], rows=rows, columns=columns))
        prepare(name, source=file)

    return call


@pytest.mark.parametrize(("source", "backbone", "position"), CELLS)
@pytest.mark.slow
def test_a_step_of_training(source: str, backbone: str, position: str, stand_in: Callable[[str], None]) -> None:
    stand_in(source)
    path = path_of(source, backbone, position)
    assert [d.to_line() for d in check(load_recipe(path))] == []
    assert [d.to_line() for d in check(load_recipe(path, ["data.horizon=96"]))] == []
    experiment = build(load_recipe(path))
    assert len(experiment.data.leaks) == 2
    channels = experiment.data.channels
    roads = source in ("metr-la", "pems-bay")
    assert experiment.task.input_signal.features == channels + (5 if roads else 0)
    assert experiment.task.outputs == 24 * channels
    batch = experiment.data.split("train").batch(torch.arange(0, 100, 25))
    loss = experiment.task.loss(experiment.task.predict(experiment.network, batch), batch)
    loss.backward()
    assert loss.isfinite()
    for name, parameter in experiment.network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name


@pytest.mark.parametrize("source", ["metr-la", "electricity"])
def test_the_honest_variant(source: str, stand_in: Callable[[str], None]) -> None:
    """The last command at the top of each file."""
    stand_in(source)
    path = path_of(source, "spike_rnn", "cpg")
    sets = ["data.split.by=rows", "data.scaler.fit_on=train"]
    if source == "metr-la":
        sets.append("data.missing=zero_is_missing")
    (command,) = [line for line in path.read_text().splitlines() if line.startswith("# snnctl") and "by=rows" in line]
    assert command.split("--set ")[1:] == [f"{text} " for text in sets[:-1]] + sets[-1:]
    data = build(load_recipe(path, sets)).data
    assert data.leaks == ()
    assert (data.missing_values > 0) == (source == "metr-la")
