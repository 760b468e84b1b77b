"""Every command on a recipe whose task is classification, and whose data is no series."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from snnctl.cli.app import run
from snnctl.recipe.shipped import shipped_folder

RECIPE = """\
schema: 1
name: tiny-order
task: {type: classification, metrics: [accuracy, balanced_accuracy, macro_f1]}
data: {type: order, length: 7, symbols: 5, train: 96, val: 32, test: 32}
encoder: {type: repeat, steps: 2, neuron: if}
model:
  {type: spikformer, dim: 8, depth: 1, heads: 2, hidden: 16, norm_gain: 3.0, embed_norm: true,
   position: {type: cpg, neurons: 8}}
train: {epochs: 2, batch_size: 32, seed: 3, early_stop: {metric: val/accuracy, mode: max}}
"""
ORDER = str(shipped_folder() / "cpg-pe" / "order.yaml")


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    Path("order.yaml").write_text(RECIPE)
    return "order.yaml"


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Any:
    def call(*words: str, code: int = 0) -> str:
        assert run(list(words)) == code
        out, err = capsys.readouterr()
        return out if code == 0 else out + err

    return call


def test_train_and_eval(recipe: str, say: Any) -> None:
    out = say("train", recipe, "--out", "one")
    lines = [line.split() for line in out.splitlines() if line.strip()]
    assert lines[0] == ["tiny-order:", "test", "split,", "seed", "3"]
    assert lines[1] == ["accuracy", "balanced_accuracy", "macro_f1"]
    assert [line[0] for line in lines[2:6]] == ["spiking", "majority", "linear", "linear_pooled"]
    assert lines[3][1] == lines[5][1] == "0.5"  # order-blind
    results = json.loads(say("eval", "one", "--json"))
    assert set(results["metrics"]) == {"test/loss", "test/accuracy", "test/balanced_accuracy", "test/macro_f1"}
    assert results["baselines"]["linear_pooled"]["accuracy"] == 0.5
    assert set(results["baselines_chosen"]) == {"linear", "linear_pooled"}
    assert (results["leaky"], results["leaks"]) == (False, [])
    assert json.loads(say("eval", "one", "--split", "val", "--no-baselines", "--json"))["baselines"] == {}
    metrics = [json.loads(line) for line in Path("one/metrics.jsonl").read_text().splitlines()]
    assert [row["epoch"] for row in metrics] == [0, 1]
    assert "val/macro_f1" in metrics[0]


def test_train_as_json_and_over_seeds(recipe: str, say: Any) -> None:
    document = json.loads(say("train", recipe, "--seeds", "1,2", "--out", "many", "--json"))
    assert 0 <= document["metrics"]["test/accuracy"]["mean"] <= 1
    assert document["baselines"]["majority"]["accuracy"]["mean"] == 0.5
    assert "accuracy" in say("train", recipe, "--seeds", "1,2", "--out", "many", "--continue")


def test_interrupted_and_resumed_is_the_same_run(recipe: str, say: Any) -> None:
    say("train", recipe, "--out", "whole")
    say("train", recipe, "--out", "halves", "--stop-after", "1", code=75)
    say("train", "--resume", "halves")
    for file in ("metrics.jsonl", "checkpoints/last/weights.safetensors"):
        assert Path("whole", file).read_bytes() == Path("halves", file).read_bytes()


def test_dry_run(recipe: str, say: Any) -> None:
    found = json.loads(say("train", recipe, "--dry-run", "--json"))
    assert found["items"] == {"train": 96, "val": 32, "test": 32}
    assert found["signals"]["outputs"] == 2
    assert "outputs (2)" in " ".join(say("train", recipe, "--dry-run").split())


def test_data(recipe: str, say: Any) -> None:
    assert "96 items, by class: 48, 48" in say("data", "info", recipe)
    assert json.loads(say("data", "info", recipe, "--json"))["data"]["splits"]["val"]["per_class"] == [16, 16]
    assert "error[U431]" in say("data", "prep", recipe, code=2)


def test_changed_data_is_refused(recipe: str, say: Any) -> None:
    say("train", recipe, "--out", "run", "--stop-after", "1", code=75)
    kept = Path("run/recipe.yaml")
    kept.write_text(kept.read_text().replace("  seed: 0\n", "  seed: 1\n", 1))
    assert "error[U424]" in say("train", "--resume", "run", code=2)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("task=forecasting", "task `forecasting` needs data with series, data `order` gives classes"),
        ("train.early_stop.mode=min", "`val/accuracy` is better when higher"),
        ("train.early_stop.metric=val/mse", "`val/mse` is not measured"),
        ("data.classes=5", "`symbols` must be at least 6"),
        ("data.train=6000", "there are 1,260 such sequences"),
        ("task.metrics=[f1]", "f1"),
        ("task.label_smoothing=1.0", "label_smoothing"),
    ],
)
def test_what_is_refused(change: str, words: str, recipe: str, say: Any) -> None:
    assert words in say("validate", recipe, "--set", change, code=2)


@pytest.mark.slow
@pytest.mark.parametrize(("change", "low", "high"), [("train.seed=1", 0.95, 1.0), ("model.position=none", 0.5, 0.5)])
def test_order_is_seen_with_cpg_alone(change: str, low: float, high: float, recipe: str, say: Any) -> None:
    document = json.loads(say("train", ORDER, "--set", change, "--json"))
    assert low <= document["metrics"]["test/accuracy"] <= high
    assert document["baselines"]["linear_pooled"]["accuracy"] == 0.5
