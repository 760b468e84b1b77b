"""`snnctl eval --examples`: single items of a classifier, and its confusion."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from snnctl.cli.app import run
from snnctl.inspect.predictions.collect import Example
from snnctl.inspect.predictions.figures import confusion_picture, contact_sheet

RECIPE = """\
schema: 1
name: small-order
task: {type: classification, baselines: [majority]}
data: {type: order, length: 8, symbols: 5, classes: 3, train: 60, val: 20, test: 33}
encoder: {type: repeat, steps: 2, neuron: if}
model: {type: spikformer, dim: 8, depth: 1, heads: 2, hidden: 8, embed_norm: true, norm_gain: 3.0, position: cpg}
readout: mean_linear
train: {epochs: 1, batch_size: 20, seed: 3}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("os.fsync", lambda _: None)
    monkeypatch.setattr("snnctl.report.saving.render", lambda picture: (b"\x89PNG", b"<svg/>"))
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    assert run(["train", "recipe.yaml", "--out", "run", "--quiet"]) == 0
    return tmp_path / "run"


def evaluated(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    capsys.readouterr()
    assert run(["eval", *words, "--json"]) == 0
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    return document


def test_examples_and_confusion_agree_with_the_metrics(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = evaluated(capsys, str(folder), "--examples", "33")
    found = document["predictions"]
    confusion = np.array(found["confusion"])
    assert confusion.sum() == 33
    assert np.trace(confusion) / 33 == pytest.approx(document["metrics"]["test/accuracy"])
    items = found["examples"]
    assert sorted(item["index"] for item in items) == list(range(33))  # each item once
    counted = np.zeros((3, 3), int)
    for item in items:
        counted[item["target"], item["predicted"]] += 1
        assert item["right"] == (item["target"] == item["predicted"])
        assert 1 / 3 <= item["confidence"] <= 1
        assert item["target_confidence"] <= item["confidence"]
    assert (counted == confusion).all()
    assert [item["right"] for item in items] == sorted(item["right"] for item in items)
    # Spikes of single items add up to what the split's rates say.
    layers = document["spikes"]["layers"]
    whole = sum(sum(level * n for level, n in enumerate(layer["histogram"])) for layer in layers)
    assert sum(item["spikes"] for item in items) == whole
    assert found["per_class"]["recall"] == pytest.approx((np.diag(confusion) / confusion.sum(1)).tolist())


def test_files_and_a_page(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = evaluated(capsys, str(folder), "--examples", "5", "--no-baselines")["predictions"]
    out = folder / "predictions"
    assert {Path(name).name for name in found["files"]} == {path.name for path in out.iterdir()}
    with (out / "examples.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 5
    assert "Confusion" in (out / "report.html").read_text()


def test_without_the_option_nothing_changes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "predictions" not in evaluated(capsys, str(folder))
    assert not (folder / "predictions").exists()


def test_none_wanted_still_shows_the_confusion(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = evaluated(capsys, str(folder), "--examples", "0")["predictions"]
    assert found["examples"] == []
    assert run(["eval", str(folder), "--examples", "2"]) == 0
    assert "by class" in capsys.readouterr().out


@pytest.mark.parametrize("shape", [(8, 8, 1), (8, 8, 3), (8, 8, 2), (4, 8, 8, 2)])
def test_pictures_of_every_kind_are_drawn(shape: tuple[int, ...]) -> None:
    random = np.random.default_rng(0)
    items = [
        Example(i, i % 3, (i + i % 2) % 3, 0.8, 0.1, 1234, random.integers(0, 255, shape, dtype=np.uint8))
        for i in range(7)
    ]
    sheet = contact_sheet("net", "test", ("cat", "dog", "a-very-long-class-name"), items)
    assert sum(axes.has_data() for axes in sheet.figure.axes) == 7


def test_a_confusion_of_many_classes_has_no_numbers_in_it() -> None:
    few = confusion_picture("net", "test", ("a", "b"), np.array([[3, 1], [0, 4]]))
    assert [text.get_text() for text in few.figure.axes[0].texts] == ["3", "1", "0", "4"]
    many = confusion_picture("net", "test", [str(i) for i in range(30)], np.eye(30, dtype=np.int64))
    assert not any(text.get_text() for text in many.figure.axes[0].texts)
