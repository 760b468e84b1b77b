"""Images from the shell: what is missing and how to get it, preparing, looking, training beside baselines."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from snnctl.cli.app import run

RECIPE = """
schema: 1
name: tiny-images
task: {type: classification, label_smoothing: 0.1, metrics: [accuracy], baselines: [majority, linear, cnn]}
data: {type: image, source: ./pictures, val: 0.2, augment: {crop: 1, flip: true, cutmix: 1.0}}
encoder: {type: patch_split, dim: 8, stages: 2, pools: [1], norm_gain: 2.0}
model: {type: spikformer, dim: 8, depth: 1, heads: 2, embed: needed, embed_norm: true, position: cpg}
optim: adam
train: {epochs: 1, batch_size: 8, early_stop: {metric: val/accuracy, mode: max}}
"""


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)
    for part, count in (("train", 40), ("test", 12)):
        for index in range(count):
            folder = tmp_path / "pictures" / part / ("dark", "bright")[index % 2]
            folder.mkdir(parents=True, exist_ok=True)
            pixels = random.integers(0, 100, (8, 6, 3), dtype=np.uint8) + 100 * (index % 2)
            Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{index}.png")
    path = tmp_path / "tiny.yaml"
    path.write_text(RECIPE)
    return path


def answer(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out)


def test_what_is_missing_is_named(recipe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for source, command in (("cifar10", "snnctl data prep cifar10"), ("./nowhere", "")):
        assert run(["--json", "train", str(recipe), "--set", f"data.source={source}"]) == 3
        (problem,) = answer(capsys)["diagnostics"]
        assert problem["code"] == "D101"
        assert command in problem["help"]
    assert run(["data", "prep", "tiny_imagenet"]) == 3
    assert "--from FOLDER" in capsys.readouterr().err
    assert run(["validate", str(recipe), "--set", "data.sorce=x"]) == 2
    assert run(["validate", str(recipe), "--set", "data.hub=uoft-cs/cifar10"]) == 2
    assert "`hub` names a set where `source` is hub" in capsys.readouterr().err
    assert run(["validate", str(recipe), "--set", "data.source=hub", "--set", "data.hub=uoft-cs/cifar10"]) == 3
    assert "fetches `uoft-cs/cifar10`" in capsys.readouterr().err


def test_preparing_by_recipe_and_by_name(recipe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--json", "data", "prep", str(recipe)]) == 0
    (row,) = answer(capsys)["prepared"]
    assert (row["items"], row["parts"], row["shape"], row["classes"]) == (52, {"test": 12, "train": 40}, "8 x 6 x 3", 2)
    assert Path(row["path"]).is_dir()
    assert run(["data", "prep", str(recipe)]) == 0
    assert "52 images of 8 x 6 x 3 in 2 classes" in capsys.readouterr().out
    raw = recipe.parent / "mnist" / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for stem in ("train", "t10k"):
        (raw / f"{stem}-images-idx3-ubyte").write_bytes(struct.pack(">4I", 0x803, 3, 28, 28) + bytes(3 * 784))
        (raw / f"{stem}-labels-idx1-ubyte").write_bytes(struct.pack(">2I", 0x801, 3) + bytes([0, 1, 2]))
    assert run(["data", "prep", "mnist", "--from", str(recipe.parent / "mnist")]) == 3
    assert "a genuine `mnist` has 60,000" in capsys.readouterr().err


def test_looking_at_the_data(recipe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--json", "data", "info", str(recipe)]) == 0
    facts = answer(capsys)["data"]
    assert facts["class_names"] == ["bright", "dark"]
    assert facts["splits"]["train"] == {"items": 32, "per_class": [16, 16]}
    assert run(["data", "info", str(recipe)]) == 0
    assert "8 x 6 x 3" in capsys.readouterr().out


def test_training_beside_baselines(recipe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--json", "train", str(recipe), "--dry-run"]) == 0
    forecast = answer(capsys)
    assert "L=48 (8 x 6) D=3" in json.dumps(forecast)
    assert run(["--json", "train", str(recipe), "--out", str(recipe.parent / "run")]) == 0
    found = answer(capsys)
    assert set(found["baselines"]) == {"majority", "linear", "cnn"}
    assert found["baselines"]["linear"]["accuracy"] == 1.0
    assert "steps of 32" in found["baselines_chosen"]["cnn"]
    assert run(["--json", "eval", str(recipe.parent / "run"), "--split", "val"]) == 0
    again = answer(capsys)
    assert run(["--json", "eval", str(recipe.parent / "run"), "--split", "val"]) == 0
    assert answer(capsys)["metrics"] == again["metrics"]  # evaluation draws nothing
