"""Models from Python, on rows without dates and on dates of all kinds; and runs that are none yet."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from engine.tiny_runs import codes, command, tiny, trained
from serving.forecast_runs import RECIPE, panel, plain, wave

import snnctl
from snnctl.core.diagnostic import DiagnosticError
from snnctl.serving import model as serving

RECIPES = Path(__file__).parents[2] / "recipes"


@pytest.fixture(autouse=True)
def no_flush(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda _: None)


def train(folder: Path, frame: pd.DataFrame, data: str = "", **how: object) -> Path:
    frame.to_csv(folder / "table.csv", index=False, **how)  # type: ignore[call-overload]
    (folder / "small.yaml").write_text(RECIPE.format(data=data), encoding="utf-8")
    snnctl.train(folder / "small.yaml", out=folder / "run", device="cpu")
    return folder / "run"


def test_rows_without_dates_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = trained(tiny(tmp_path), tmp_path / "run")
    forecaster = snnctl.load(run.path, device="cpu")
    assert (forecaster.columns, forecaster.recipe.name) == (("value",), "tiny")
    assert not forecaster.network.training
    assert forecaster.predict().ds.tolist() == [150, 151]
    every = forecaster.predict(every=True)
    assert (every.cutoff.min(), every.cutoff.max(), len(every)) == (11, 149, 2 * 139)
    _, document = command(capsys, "predict", run.path, "--from", "20", "--to", "21")
    assert [row["ds"] for row in document["forecast"]] == [21, 22, 22, 23]


def test_days_are_read_as_training_settled(tmp_path: Path) -> None:
    dates = pd.date_range("2023-01-01", periods=200, freq="D")
    frame = pd.DataFrame({"day": dates.strftime("%d/%m/%Y"), "y": wave(200)})
    run = train(tmp_path, frame)
    few = frame[(dates >= "2023-03-01") & (dates <= "2023-03-12")]  # each may be of another month
    assert len(few) == 12
    found = snnctl.load(run, device="cpu").predict(few)
    assert found.ds.astype(str).tolist() == ["2023-03-13", "2023-03-14", "2023-03-15"]


@pytest.mark.parametrize(
    ("freq", "following"),
    [("MS", ["2016-09-01", "2016-10-01", "2016-11-01"]), ("ME", ["2016-09-30", "2016-10-31", "2016-11-30"])],
)
def test_months_go_on_as_months(tmp_path: Path, freq: str, following: list[str]) -> None:
    frame = pd.DataFrame({"month": pd.date_range("2000-01-01", periods=200, freq=freq), "y": wave(200)})
    assert snnctl.load(train(tmp_path, frame), device="cpu").predict().ds.astype(str).tolist() == following


def test_business_days_leave_weekends_out(tmp_path: Path) -> None:
    frame = pd.DataFrame({"day": pd.bdate_range("2020-01-01", periods=200), "y": wave(200)})
    found = snnctl.load(train(tmp_path, frame), device="cpu").predict()
    assert found.ds.tolist() == pd.bdate_range("2020-01-01", periods=203)[200:].tolist()
    tail = snnctl.load(tmp_path / "run", device="cpu").predict(frame.tail(12))
    np.testing.assert_allclose(tail.snnctl, found.snnctl, rtol=1e-6)


def test_windows_beside_a_hole_that_cuts(tmp_path: Path) -> None:
    frame = plain().drop(index=range(100, 105))
    with pytest.warns(UserWarning, match="D242"):
        run = train(tmp_path, frame, ", rows: {order: sort, repeated: refuse, missing: cut}")
    with pytest.warns(UserWarning, match="D242"):
        found = snnctl.load(run, device="cpu").predict(frame, every=True)
    hole = pd.Timestamp("2024-01-05 04:00"), pd.Timestamp("2024-01-05 08:00")
    assert not found.ds.between(*hole).any()
    assert not found.cutoff.between(hole[0] - pd.Timedelta("3h"), hole[1] + pd.Timedelta("11h")).any()
    assert found.cutoff.nunique() == (100 - 12 + 1 - 3) + (95 - 12 + 1)


def test_the_training_file_may_have_grown(tmp_path: Path) -> None:
    run = train(tmp_path, plain())
    plain(220).to_csv(tmp_path / "table.csv", index=False)
    assert snnctl.load(run, device="cpu").predict().ds.min() == pd.Timestamp("2024-01-10 04:00")


def test_series_that_came_later_are_left_out_and_told(tmp_path: Path) -> None:
    run = train(tmp_path, panel(), ", id: site")
    grown = pd.concat([panel(), panel().query("site == 'west'").assign(site="east")])
    grown.to_csv(tmp_path / "table.csv", index=False)
    with pytest.warns(UserWarning, match=r"D293.*series `east` is not in training .*, and left out"):
        found = snnctl.load(run, device="cpu").predict()
    assert list(found.unique_id.unique()) == ["north", "south", "west"]


def test_a_task_of_a_plug_in_is_refused_clearly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = trained(tiny(tmp_path), tmp_path / "run", stop_after=1)
    monkeypatch.setattr(serving, "_MODELS", {})  # as of a task that is none of those that ship
    with pytest.raises(DiagnosticError, match=r"U500.*a run of the task forecasting cannot predict on new data"):
        snnctl.load(run.path)


def test_options_of_classifiers_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = trained(tiny(tmp_path), tmp_path / "run", stop_after=1)
    for words in (("--split", "test"), ("--top", "3"), ("--skip-bad",)):
        code, document = command(capsys, "predict", run.path, *words)
        assert (code, codes(document)) == (2, ["U504"])


def test_a_model_beside_another_recipe_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = trained(tiny(tmp_path), tmp_path / "run")
    run.recipe.write_text((RECIPES / "temporal-hierarchy" / "shd_conv.yaml").read_text(), encoding="utf-8")
    assert codes(command(capsys, "predict", run.path)[1]) == ["U424"]
    code, document = command(capsys, "predict", run.path, "--accept-changes")
    assert (code, codes(document)) == (2, ["U424", "U506"])
    assert "it is of forecasting, and the recipe's data of recordings" in document["diagnostics"][1]["message"]


def test_names_of_the_package_are_loaded_when_they_are_used() -> None:
    code = (
        "import sys, snnctl; snnctl.DiagnosticError, snnctl.Listener; before = 'torch' in sys.modules; "
        "print(before, set(snnctl.__all__) <= set(dir(snnctl)), callable(snnctl.validate), 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True", "True", "False"]
    with pytest.raises(AttributeError, match="has no attribute `lod`"):
        snnctl.lod  # noqa: B018
