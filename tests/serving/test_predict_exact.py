"""Forecasts of the test windows, scored by pandas and NumPy alone, are the metrics of `results.json`."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from serving.forecast_runs import HORIZON, KINDS, scores, write

import snnctl
from snnctl.commands.predict import predict
from snnctl.core.diagnostic import DiagnosticError
from snnctl.data.series.fitted import FittedSeries

UNITS = ("mae_units", "rmse_units")
TARGETS = {kind: ["a", "b"] for kind in KINDS} | {"panel": ["y"], "panel_covariates": ["y"], "covariates": ["load"]}


@pytest.fixture(scope="module", params=KINDS)
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path, Path]:
    """Kind, the run moved elsewhere, and the table that was brought along; the training data is deleted."""
    kind = request.param
    folder = tmp_path_factory.mktemp(kind)
    patch = pytest.MonkeyPatch()
    patch.setattr(os, "fsync", lambda _: None)
    with pytest.warns(UserWarning, match="D242") if kind == "holed" else patch.context():
        snnctl.train(write(folder, kind), out=folder / "run", device="cpu")
    patch.undo()
    elsewhere = tmp_path_factory.mktemp(f"{kind}-elsewhere")
    shutil.move(folder / "run", elsewhere / "moved")
    (folder / "table.csv").rename(elsewhere / "brought.csv")
    return kind, elsewhere / "moved", elsewhere / "brought.csv"


def results(run: Path) -> dict[str, float]:
    found = json.loads((run / "results.json").read_text())
    units = {f"{column}/{name}": own[name] for column, own in found["columns"].items() for name in UNITS}
    return {**found["metrics"], **units}


@pytest.mark.filterwarnings("ignore:.*D2")
@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".jsonl"])
def test_all_windows_score_as_the_run_says(case: tuple[str, Path, Path], tmp_path: Path, suffix: str) -> None:
    kind, run, table = case
    out = tmp_path / f"forecast{suffix}"
    document = predict(run, table, out, every=True, device="cpu")
    readers: dict[str, Any] = {
        ".csv": lambda: pd.read_csv(out, parse_dates=["ds", "cutoff"]),
        ".parquet": lambda: pd.read_parquet(out),
        ".jsonl": lambda: pd.DataFrame(map(json.loads, out.read_text().splitlines())),
    }
    found = readers[suffix]().astype({"ds": "datetime64[us]", "cutoff": "datetime64[us]"})
    assert list(found) == ["unique_id", "ds", "cutoff", "snnctl"]
    assert len(found) == document["rows"] == document["windows"] * HORIZON * len(TARGETS[kind])
    site = "site" if kind.startswith("panel") else None
    told = scores(KINDS[kind][0](), found, TARGETS[kind], site)
    known = results(run)
    assert told == pytest.approx({name: known[name] for name in told}, rel=1e-6, abs=1e-6)


@pytest.mark.filterwarnings("ignore:.*D2")
def test_the_last_window_alone_is_the_last_of_all(case: tuple[str, Path, Path]) -> None:
    kind, run, table = case
    model = snnctl.load(run, device="cpu")
    frame = pd.read_csv(table, parse_dates=["date"])
    known = None
    if kind == "covariates":
        ahead = pd.date_range(frame.date.max(), periods=HORIZON + 1, freq="h")[1:]
        known = pd.DataFrame({"date": ahead, "plan": [0.0, 1.0, 2.0]})
    if kind == "panel_covariates":
        ahead = pd.date_range(frame.date.max(), periods=HORIZON + 1, freq="h")[1:]
        known = pd.DataFrame({"site": np.repeat(["north", "south", "west"], HORIZON), "date": [*ahead] * 3})
        known["plan"] = [0.0, 1.0, 2.0] * 3
    alone = model.predict(frame, known=known)
    every = model.predict(frame, known=known, every=True)
    last = every[every.cutoff == every.cutoff.max()].reset_index(drop=True)
    assert list(alone) == ["unique_id", "ds", "snnctl"]
    pd.testing.assert_frame_equal(alone, last[list(alone)], rtol=1e-6)
    assert alone.ds.min() == frame.date.max() + pd.Timedelta(hours=1)
    # Nothing before the window matters, but for holes that are filled from what lies before them.
    if kind != "holed":
        tail = frame.groupby("site").tail(12) if kind.startswith("panel") else frame.tail(12)
        pd.testing.assert_frame_equal(model.predict(tail, known=known), alone, rtol=1e-6)


def test_what_is_remembered_is_json_and_comes_back(case: tuple[str, Path, Path]) -> None:
    _, run, _ = case
    assert sorted(path.name for path in (run / "model").iterdir()) == ["bands.safetensors", "model.json"]
    document = json.loads((run / "model" / "model.json").read_text())
    again = FittedSeries.of_json(document).to_json()
    assert again == {name: document[name] for name in again}
    assert len(document["fingerprint"]) == 64


def test_scalers_are_those_of_pandas(case: tuple[str, Path, Path]) -> None:
    kind, run, table = case
    if not kind.startswith("panel"):
        return
    document = json.loads((run / "model" / "model.json").read_text())
    train = pd.read_csv(table).groupby("site").head(90).groupby("site").y
    assert document["series"] == ["north", "south", "west"]
    np.testing.assert_allclose(np.ravel(document["scaler"]["shift"]), train.mean(), rtol=1e-12)
    np.testing.assert_allclose(np.ravel(document["scaler"]["scale"]), train.std(ddof=0), rtol=1e-12)
    np.testing.assert_allclose(np.array(document["range"]["low"])[:, 0], train.min())


def test_without_rows_and_without_training_data_it_is_refused(case: tuple[str, Path, Path]) -> None:
    with pytest.raises(DiagnosticError, match=r"U501.*not there.*--input FILE"):
        snnctl.load(case[1], device="cpu").predict()
