"""Several classifiers as one: mean probabilities, and how far they are apart."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from engine.tiny_runs import command
from serving.item_runs import QUIET, write

import snnctl
from snnctl.core.diagnostic import DiagnosticError


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seeds of classifiers of texts."""
    home = tmp_path_factory.mktemp("vote")
    recipe, _ = write(home, "text", home / "brought")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)
        for seed in (1, 2):
            snnctl.train(recipe, {"train.seed": seed}, out=home / f"run{seed}", device="cpu", listener=QUIET)
    return home


def test_the_mean_of_probabilities_and_their_spread(home: Path) -> None:
    runs, given = (
        [home / "run1", home / "run2"],
        ["the film a fine plot", "dull actors", "awful awful film", "of a plot"],
    )
    each = [snnctl.load(run, device="cpu").predict(given) for run in runs]
    both = snnctl.load(runs, device="cpu").predict(given)
    classes = snnctl.load(runs[0], device="cpu").classes
    shares = np.zeros((2, len(given), len(classes)))
    for number, found in enumerate(each):
        for row in range(len(given)):
            for name, share in (("class", "probability"), ("second", "second_probability")):
                shares[number, row, classes.index(found.loc[row, name])] = found.loc[row, share]
    mean = shares.mean(0)
    assert both["class"].tolist() == [classes[k] for k in mean.argmax(1)]
    np.testing.assert_allclose(both["probability"], mean.max(1), rtol=1e-12)
    np.testing.assert_allclose(both["spread"], np.abs(shares[0] - shares[1])[:, 0] / np.sqrt(2), rtol=1e-9)
    assert (both["spread"] > 0).all()
    expected = (each[0]["spikes"] + each[1]["spikes"]) / 2
    assert (both["spikes"] - expected).abs().max() <= 0.5


def test_from_the_shell(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "new.txt").write_text("fine film\ndull plot\n")
    code, found = command(capsys, "predict", home / "run1", home / "run2", "--input", tmp_path / "new.txt")
    assert code == 0
    assert found["run"] == [str(home / "run1"), str(home / "run2")]
    assert len(found["checkpoint"]) == 2
    assert list(found["predictions"][0])[:4] == ["item", "class", "probability", "spread"]


def test_runs_that_read_other_items_are_refused(home: Path, tmp_path: Path) -> None:
    other = shutil.copytree(home / "run2", tmp_path / "other")
    document = (other / "model" / "model.json").read_text()
    assert '"good"' in document
    (other / "model" / "model.json").write_text(document.replace('"good"', '"great"'))
    with pytest.raises(DiagnosticError, match=r"U523.*cannot be averaged"):
        snnctl.load([home / "run1", other], device="cpu")
    with pytest.raises(DiagnosticError, match=r"U523.*named twice"):
        snnctl.load([home / "run1", home / "run1"], device="cpu")
    with pytest.raises(DiagnosticError, match=r"U523.*at least two"):
        snnctl.load([home / "run1"], device="cpu")
