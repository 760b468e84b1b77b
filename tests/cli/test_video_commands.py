"""Videos from the shell: preparing by name and by recipe, looking, what is missing or broken, exit codes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from snnctl.cli.app import run
from snnctl.cli.data import _complete

RECIPE = """
schema: 1
name: tiny-clips
task: {type: video_prediction, metrics: [mse, mae, psnr], baselines: [copy_last, black]}
data: {type: video, source: ./clips.npy, layout: nthw, frames_in: 2, frames_out: 2}
encoder: none
model: {type: video_stack, dim: 8, layers: 1, patch: 2, norm_groups: 2, kernel: 3}
readout: frames
train: {epochs: 1, batch_size: 4, early_stop: {metric: val/mse, mode: min}}
"""
DIGITS = """
schema: 1
name: tiny-digits
task: {type: video_prediction}
data: {type: moving_digits, canvas: 16, digit_size: 8, train: 4, val: 4, test: 4}
encoder: none
model: {type: video_stack, dim: 8, layers: 1, patch: 2, norm_groups: 2, kernel: 3}
readout: frames
"""


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("os.fsync", lambda _: None)
    monkeypatch.chdir(tmp_path)
    np.save(tmp_path / "clips.npy", np.random.default_rng(0).integers(0, 256, (10, 4, 8, 12), dtype=np.uint8))
    (tmp_path / "clips.yaml").write_text(RECIPE)
    (tmp_path / "digits.yaml").write_text(DIGITS)
    return tmp_path / "clips.yaml"


def answer(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out)


def failed(capsys: pytest.CaptureFixture[str], code: int, *words: str) -> Any:
    capsys.readouterr()
    assert run(["--json", *words]) == code
    (problem,) = answer(capsys)["diagnostics"]
    return problem


def kth(root: Path) -> Path:
    for person in (1, 2, 17):
        folder = root / "walking" / f"person{person:02d}_walking_d1_uncomp"
        folder.mkdir(parents=True)
        for number in range(1, 5):
            Image.fromarray(np.full((6, 8), 9 * number, np.uint8)).save(folder / f"image_{number:04d}.jpg")
    return root


def test_a_recipe_from_data_to_scores(recipe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--json", "data", "prep", str(recipe)]) == 0
    (row,) = answer(capsys)["prepared"]
    assert (row["parts"], row["frames"], row["frame"]) == ({"all": 10}, 40, "8 x 12 x 1")
    assert run(["data", "prep", str(recipe)]) == 0
    assert "10 clips, 40 frames of 8 x 12 x 1" in capsys.readouterr().out
    assert run(["--json", "data", "info", str(recipe)]) == 0
    facts = answer(capsys)["data"]
    assert {name: part["sequences"] for name, part in facts["splits"].items()} == {"train": 7, "val": 1, "test": 2}
    assert run(["data", "info", str(recipe)]) == 0
    assert "7 sequences of 7 clips" in capsys.readouterr().out
    assert run(["--json", "train", str(recipe), "--out", "run"]) == 0
    found = answer(capsys)
    assert {name: list(scores) for name, scores in found["baselines"].items()} == {
        "copy_last": ["mse", "mae", "psnr"],
        "black": ["mse", "mae", "psnr"],
    }
    assert found["metrics"]["test/mse"] > 0
    np.save(recipe.parent / "clips.npy", np.random.default_rng(1).integers(0, 256, (10, 4, 8, 12), dtype=np.uint8))
    assert run(["eval", "run", "--no-baselines"]) == 3
    capsys.readouterr()
    assert run(["eval", "run", "--no-baselines", "--accept-changes"]) == 0
    assert "the data is not the data that this run began with" in capsys.readouterr().err


def test_named_sets(recipe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("taxibj", "kth"):
        problem = failed(capsys, 3, "data", "prep", name)
        assert problem["code"] == "D101"
        assert f"snnctl data prep {name} --from PATH" in problem["help"]
    named = ("--set", "data.source=kth", "--unset", "data.layout")
    assert "snnctl data prep kth" in failed(capsys, 3, "validate", str(recipe), *named)["help"]
    assert failed(capsys, 3, "data", "info", "kth")["code"] == "D101"
    assert run(["--json", "data", "prep", "kth", "--from", str(kth(recipe.parent / "frames"))]) == 0
    (row,) = answer(capsys)["prepared"]
    assert (row["parts"], row["frame"], row["licence"]) == ({"test": 1, "train": 2}, "128 x 128 x 1", "none stated")
    assert run(["--json", "data", "info", "kth"]) == 0
    assert answer(capsys)["data"]["clips"] == {"test": 1, "train": 2}
    assert run(["--json", "doctor"]) == 0
    assert answer(capsys)["prepared"] == ["kth"]
    assert run(["validate", str(recipe), *named]) == 0
    assert {"moving_mnist", "mnist"} <= {*_complete("m")}


def test_digits_of_a_recipe(recipe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = failed(capsys, 2, "data", "prep", "digits.yaml")
    assert (made["code"], "makes its data `moving_digits` itself" in made["message"]) == ("U431", True)
    assert run(["--json", "data", "info", "digits.yaml"]) == 0
    assert answer(capsys)["data"]["splits"]["val"] == {"sequences": 4, "digit_images": 160}
    images = np.random.default_rng(0).integers(0, 256, (40, 8, 8), dtype=np.uint8)
    np.savez(recipe.parent / "own.npz", images=images, labels=np.arange(40) % 4)
    (recipe.parent / "own.yaml").write_text(DIGITS.replace("canvas: 16", "source: ./own.npz, canvas: 16"))
    assert run(["--json", "data", "prep", "own.yaml"]) == 0
    (row,) = answer(capsys)["prepared"]
    assert (row["items"], row["shape"]) == (40, "8 x 8 x 1")
    missing = failed(capsys, 3, "validate", "digits.yaml", "--set", "data.test_file=moving_mnist")
    assert "snnctl data prep moving_mnist" in missing["help"]
    file = ("--set", "data.test_file=./elsewhere.npy")
    assert failed(capsys, 3, "validate", "digits.yaml", *file)["code"] == "D101"


def test_broken_recipes(recipe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def found(code: int, *changes: str, file: str = "clips.yaml") -> tuple[str, str]:
        sets = [word for change in changes for word in ("--set", change)]
        problem = failed(capsys, code, "validate", file, *sets)
        return problem["code"], problem["path"]

    assert found(3, "data.frames_out=9") == ("D233", "data.frames_in")
    assert found(3, "data.layout=ntchw") == ("D230", "data.layout")
    assert found(2, "data.layout=null") == ("R333", "data.layout")
    assert found(2, "data.val=9") == ("R320", "data.val")
    assert found(2, "data.size=[8, 8]") == ("R301", "data.size")
    assert found(2, "data.layout=xyz")[1] == "data.layout"
    assert found(2, "data.canvas=8", "data.digit_size=null", file="digits.yaml") == ("R331", "data.canvas")
    assert found(2, "data.canvas=8", file="digits.yaml") == ("R301", "data.digit_size")
    small = ("data.canvas=[6, 6]", "data.digit_size=3")
    assert found(2, *small, file="digits.yaml") == ("R332", "task.metrics")
    for metrics in ("", ", metrics: [mse, ssim]"):  # the default metrics stand nowhere: their section is shown
        text = DIGITS.replace("canvas: 16, digit_size: 8", "canvas: [6, 6], digit_size: 3")
        (recipe.parent / "small.yaml").write_text(text.replace("video_prediction", f"video_prediction{metrics}"))
        for command in ("validate", "train"):
            problem = failed(capsys, 2, command, "small.yaml")
            assert (problem["code"], problem["file"], problem["line"]) == ("R332", "small.yaml", 4)
    assert found(2, "task=classification", "readout=mean_linear", file="digits.yaml")[1] == "task.type"
    assert found(2, "readout=mean_linear", file="digits.yaml")[1] == "readout.type"
    assert found(2, "train.early_stop.metric=test/mse", file="digits.yaml")[1] == "train.early_stop.metric"
    assert found(2, "train.early_stop={metric: val/ssim, mode: min}", file="digits.yaml")[1] == "train.early_stop.mode"


def test_validation_cannot_be_the_test_set(recipe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """There is no knob for it, and a share or count always takes other clips."""
    assert run(["--json", "data", "info", str(recipe), "--set", "data.val=3", "--set", "data.test=4"]) == 0
    splits = answer(capsys)["data"]["splits"]
    assert {name: part["clips"] for name, part in splits.items()} == {"train": 3, "val": 3, "test": 4}
    problem = failed(capsys, 2, "validate", str(recipe), "--set", "data.val=test")
    assert problem["path"] == "data.val"
