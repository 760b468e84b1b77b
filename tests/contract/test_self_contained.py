"""A run of any kind of data predicts in another folder and process, once its training data and the cache have gone."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from serving.item_runs import KINDS, QUIET, write

import snnctl
from snnctl.commands.predict import predict
from snnctl.core.catalog import DATA
from snnctl.data.anew import fitted_of
from snnctl.data.cache import caching_in

pytestmark = pytest.mark.slow  # runs are trained for each kind
ELSEWHERE = """
import json, sys
from pathlib import Path
import snnctl.data.cache
from snnctl.commands.predict import predict

found = {}
for line in sys.stdin:
    name, run, items, output = json.loads(line)
    found[name] = predict(run, items, output, device="cpu")
print(json.dumps(found))
"""
VIDEOS = ("moving_digits", "video")
Case = tuple[str, Path, dict[str, Any]]


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, dict[str, Any]]]:
    """Of each component the folder with the moved run, and what another process found there."""
    home, away = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("away")
    asked = []
    with pytest.MonkeyPatch.context() as patch, caching_in(home / "cache"):
        patch.setattr(os, "fsync", lambda _: None)
        for name in KINDS:
            recipe, items = write(home / name, name, away / name)
            snnctl.train(recipe, out=home / name / "run", device="cpu", listener=QUIET)
            output = _output(away / name, name, "split")
            document = predict(home / name / "run", split="test", output=output, listener=QUIET)
            assert document["items"] > 0
            shutil.move(home / name / "run", away / name / "run")
            asked.append((name, str(away / name / "run"), str(items), str(_output(away / name, name, "answer"))))
    shutil.rmtree(home)
    lines = "".join(json.dumps(one) + "\n" for one in asked)
    environment = {**os.environ, "XDG_CACHE_HOME": str(away / "empty"), "PYTHONWARNINGS": "error::UserWarning:snnctl"}
    done = subprocess.run(
        [sys.executable, "-c", ELSEWHERE], input=lines, capture_output=True, text=True, cwd=away, env=environment
    )
    assert done.returncode == 0, done.stderr
    assert not list((away / "empty").rglob("manifest.json"))  # no set is taken in
    return {name: (away / name, document) for name, document in json.loads(done.stdout).items()}


def _output(folder: Path, name: str, stem: str) -> Path:
    return folder / f"{stem}.{'npy' if name in VIDEOS else 'csv'}"


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def known(folder: Path) -> Any:
    return json.loads((folder / "run" / "results.json").read_text())["metrics"]


def test_every_component_is_tried() -> None:
    own = {name for name in DATA.names() if DATA.source(name) == "snnctl"}
    assert own == {*KINDS, "timeseries"}  # of which tests/serving/test_predict_exact.py tells the same


@pytest.mark.parametrize("name", KINDS)
def test_what_is_remembered_is_json_and_comes_back(name: str, answers: Any) -> None:
    document = json.loads((answers[name][0] / "run" / "model" / "model.json").read_text())
    assert len(document.pop("fingerprint")) == 64
    assert fitted_of(document).to_json() == document


@pytest.mark.parametrize("name", [name for name in KINDS if name not in (*VIDEOS, "mts_xor")])
def test_classes_score_as_the_run_says(name: str, answers: Any) -> None:
    folder, document = answers[name]
    found = rows(folder / "answer.csv")
    assert list(found[0]) == [
        "item", "label", "class", "probability", "second", "second_probability", "spikes"
    ]  # fmt: skip
    assert len(found) == document["items"] == document["rows"] == sum(document["predicted"].values())
    accuracy = np.mean([row["label"] == row["class"] for row in found])
    assert accuracy == pytest.approx(known(folder)["test/accuracy"], abs=1e-6)
    assert len({row["class"] for row in found}) > 1 or accuracy == 0.5
    # The same items by --split test, when the training data was there.
    same = sorted((row["label"], row["probability"][:6], row["spikes"]) for row in rows(folder / "split.csv"))
    assert sorted((row["label"], row["probability"][:6], row["spikes"]) for row in found) == same
    for row in found:
        assert float(row["probability"]) + float(row["second_probability"]) == pytest.approx(1.0)
        assert int(row["spikes"]) >= 0


def test_steps_score_as_the_run_says(answers: Any) -> None:
    folder, document = answers["mts_xor"]
    found, truth = rows(folder / "answer.csv"), np.load(folder / "truth.npz")
    items, steps = truth["targets"].shape
    assert list(found[0])[:4] == ["item", "step", "class", "probability"]
    assert (document["items"], document["rows"]) == (items, items * steps)
    chosen = np.array([int(row["class"]) for row in found]).reshape(items, steps)
    right = (chosen == truth["targets"])[truth["scored"]]
    assert right.mean() == pytest.approx(known(folder)["test/accuracy"], abs=1e-6)
    labelled = [row for row in rows(folder / "split.csv") if row["label"]]
    assert len(labelled) == truth["scored"].sum()
    right_again = np.mean([row["label"] == row["class"] for row in labelled])
    assert right_again == pytest.approx(known(folder)["test/accuracy"], abs=1e-6)


@pytest.mark.parametrize("name", VIDEOS)
def test_frames_score_as_the_run_says(name: str, answers: Any) -> None:
    folder, document = answers[name]
    frames, truth = np.load(folder / "answer.npy"), np.load(folder / "truth.npy")
    truth = truth / 255 if truth.dtype == np.uint8 else truth
    assert frames.shape == (*truth.shape, 1)
    assert (document["frames_in"], document["frames_out"], document["items"]) == (2, 2, len(truth))
    error = np.square(frames[..., 0].astype(np.float64) - truth).sum((2, 3)).mean()
    assert error == pytest.approx(known(folder)["test/mse"], rel=1e-5)
    np.testing.assert_allclose(np.load(folder / "split.npy"), frames, atol=1e-5)
