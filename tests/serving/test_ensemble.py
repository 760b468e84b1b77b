"""Several runs as one: the mean in own units, the spread, the mean of their bands; runs that differ are refused."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from engine.tiny_runs import command
from serving.forecast_runs import plain, write

import snnctl
from snnctl.commands.predict import predict
from snnctl.core.diagnostic import DiagnosticError

pytestmark = pytest.mark.filterwarnings("ignore:.*U522")


@pytest.fixture(autouse=True)
def _no_sync(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda _: None)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Two seeds, and others that see a longer window or forecast otherwise."""
    folder = tmp_path_factory.mktemp("seeds")
    recipe = write(folder, "plain")
    changes = {
        "one": ["train.seed=1"],
        "two": ["train.seed=2", "train.batch_size=16"],
        "longer": ["data.window=16"],
        "fewer": ["data.columns=[a]"],
        "nearer": ["data.horizon=2"],
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)
        for name, sets in changes.items():
            snnctl.train(recipe, sets=sets, out=folder / name, device="cpu")
    return {name: folder / name for name in changes}


def test_mean_and_spread_are_those_of_pandas(runs: dict[str, Path]) -> None:
    both = [runs["one"], runs["two"]]
    each = [snnctl.load(run, device="cpu").predict(every=True, levels=[80]) for run in both]
    found = snnctl.load(both, device="cpu").predict(every=True, levels=[80])
    assert list(found) == [*each[0], "snnctl-spread"]
    stacked = np.stack([one.snnctl for one in each])
    np.testing.assert_allclose(found.snnctl, stacked.mean(0), rtol=1e-6)
    np.testing.assert_allclose(found["snnctl-spread"], stacked.std(0, ddof=1), rtol=1e-3, atol=1e-6)
    widths = np.mean([one["snnctl-hi-80"] - one["snnctl-lo-80"] for one in each], axis=0)
    np.testing.assert_allclose(found["snnctl-hi-80"] - found["snnctl-lo-80"], widths, rtol=1e-6)
    assert (found["snnctl-spread"] > 0).any()


def test_another_window_may_stand_beside(runs: dict[str, Path]) -> None:
    found = snnctl.load([runs["one"], runs["longer"]], device="cpu").predict(plain())
    assert len(found) == 6
    with pytest.raises(DiagnosticError, match=r"U523.*other rows.*189 windows.*185"):
        snnctl.load([runs["one"], runs["longer"]], device="cpu").predict(plain(), every=True)


@pytest.mark.parametrize(
    ("other", "words"),
    [("fewer", r"columns: a, b in .*one`, a in"), ("nearer", r"horizon: 3 in .*one`, 2 in"), ("one", "named twice")],
)
def test_runs_that_differ_are_refused(runs: dict[str, Path], other: str, words: str) -> None:
    with pytest.raises(DiagnosticError, match=rf"U523.*{words}"):
        snnctl.load([runs["one"], runs[other]], device="cpu")


def test_from_the_shell(runs: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "forecast.csv"
    names = [str(runs["one"]), str(runs["two"])]
    options = ["--intervals", "80", "--output", str(out), "--plot", str(tmp_path / "both.png"), "--device", "cpu"]
    code, document = command(capsys, "predict", *names, *options)
    assert code == 0
    assert document["run"] == names
    assert len(document["checkpoint"]) == 2
    assert list(pd.read_csv(out)) == ["unique_id", "ds", "snnctl", "snnctl-lo-80", "snnctl-hi-80", "snnctl-spread"]
    alone = predict(runs["one"], device="cpu")
    assert alone["run"] == names[0]
    assert list(alone["forecast"][0]) == ["unique_id", "ds", "snnctl"]
