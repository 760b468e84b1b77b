"""Baselines are components like the others: listed, shown, and added by a plug-in that a recipe names."""

import json
from pathlib import Path

import pytest

from snnctl.cli.app import run
from snnctl.core.catalog import BASELINES, TASKS
from snnctl.core.signature import knobs
from snnctl.recipe.shipped import shipped_folder

QUICKSTART = str(shipped_folder() / "quickstart.yaml")
WINDOW_MEAN = '''
from snnctl.baselines.base import Baseline, Fitted
from snnctl.core.catalog import BASELINES


@BASELINES.register("window_mean")
class WindowMean(Baseline):
    """The mean of the window, repeated."""

    serves = ("series",)

    def fit(self, data, *, batch_size, seed, progress):
        """Nothing is fitted."""
        return Fitted(lambda x: x[..., : data.channels].mean(1, keepdim=True).expand(-1, data.horizon, -1))
'''


@pytest.mark.parametrize("name", BASELINES.names())
def test_each_serves_a_task_that_names_it(name: str) -> None:
    needs = {TASKS.get(task).needs: TASKS.get(task) for task in TASKS.names()}
    for purpose in BASELINES.get(name).serves:
        (knob,) = [knob for knob in knobs(needs[purpose]) if knob.name == "baselines"]
        assert name in knob.type_name


def test_they_are_listed_and_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["list", "baseline", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["components"]
    assert {row["name"] for row in rows} == set(BASELINES.names())
    assert run(["show", "baseline", "ridge"]) == 0
    assert "  baselines:\n  - ridge" in capsys.readouterr().out


def test_a_plug_in_adds_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plugin = tmp_path / "mean.py"
    plugin.write_text(WINDOW_MEAN, encoding="utf-8")
    recipe = tmp_path / "recipe.yaml"
    text = Path(QUICKSTART).read_text(encoding="utf-8")
    recipe.write_text(text.replace("schema: 1", "schema: 1\nplugins: [./mean.py]"), encoding="utf-8")
    chosen = ["--set", "task.baselines=[last_value, window_mean]", "--set", "train.epochs=1"]
    assert run(["train", str(recipe), *chosen, "--out", str(tmp_path / "run"), "--json"]) == 0
    scores = json.loads(capsys.readouterr().out)["baselines"]
    assert scores["window_mean"]["mse"] > 0
    assert scores["window_mean"] != scores["last_value"]


def test_a_name_of_another_task_is_refused_with_those_that_fit(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["validate", QUICKSTART, "--set", "task.baselines=[ridge, cnn]", "--json"]) == 2
    (problem,) = json.loads(capsys.readouterr().out)["files"][0]["diagnostics"]
    assert problem["code"] == "R205"
    assert "last_value, seasonal_naive, ridge or dlinear" in problem["message"]


def test_a_plug_in_that_fails_costs_no_trained_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plugin = tmp_path / "mean.py"
    plugin.write_text(WINDOW_MEAN.replace(".mean(1,", ".nope(1,"), encoding="utf-8")
    recipe = tmp_path / "recipe.yaml"
    text = Path(QUICKSTART).read_text(encoding="utf-8")
    recipe.write_text(text.replace("schema: 1", "schema: 1\nplugins: [./mean.py]"), encoding="utf-8")
    chosen = ["--set", "task.baselines=[last_value, window_mean]", "--set", "train.epochs=1"]
    assert run(["train", str(recipe), *chosen, "--out", str(tmp_path / "run"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert set(found["baselines"]) == {"skip_alone", "last_value"}
    assert "nope" in found["baselines_omitted"]["window_mean"]
    line = 1 + next(i for i, text in enumerate(plugin.read_text().splitlines()) if ".nope" in text)
    assert f"mean.py:{line}" in found["baselines_omitted"]["window_mean"]


@pytest.mark.parametrize("serves", ["()", '("nonsense",)'])
def test_a_class_that_no_task_could_name_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], serves: str
) -> None:
    (tmp_path / "mean.py").write_text(WINDOW_MEAN.replace('("series",)', serves), encoding="utf-8")
    recipe = tmp_path / "recipe.yaml"
    text = Path(QUICKSTART).read_text(encoding="utf-8")
    recipe.write_text(text.replace("schema: 1", "schema: 1\nplugins: [./mean.py]"), encoding="utf-8")
    assert run(["validate", str(recipe), "--json"]) == 2
    (problem,) = json.loads(capsys.readouterr().out)["files"][0]["diagnostics"]
    assert problem["code"] == "R122"
    assert "series, classes, step_classes, video" in problem["message"]
