"""Backtests of tiny runs: the errors that the run says, the rows that libraries read, and nothing of the future."""

from __future__ import annotations

import json
import os
import shutil
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from serving.forecast_runs import HORIZON, plain

from snnctl.backtest import statistical
from snnctl.cli.app import run as cli
from snnctl.commands.backtest import backtest
from snnctl.commands.listener import Listener
from snnctl.core.diagnostic import DiagnosticError
from snnctl.core.files import finite
from snnctl.report.page import Page

pytestmark = [pytest.mark.filterwarnings("ignore:.*D2"), pytest.mark.slow]


@pytest.fixture(autouse=True)
def no_fsync(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda _: None)


@pytest.fixture(autouse=True)
def no_drawings(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are of one test, and slow."""
    if "on_the_command_line" not in request.node.name:
        monkeypatch.setattr("snnctl.backtest.page.page", lambda *_: Page("none", "", []))


def rows(document: dict[str, Any]) -> pd.DataFrame:
    return pd.read_csv(document["forecasts"], parse_dates=["ds", "cutoff"])


def refused(code: str, subject: Path, **options: Any) -> str:
    with pytest.raises(DiagnosticError) as caught:
        backtest(subject, **{"device": "cpu", **options})
    assert [one.code for one in caught.value.diagnostics] == [code]
    return caught.value.diagnostics[0].message


def test_all_test_windows_score_as_the_run_says(kind_of_run: tuple[str, Path], tmp_path: Path) -> None:
    _, folder = kind_of_run
    document = backtest(folder / "run", out=tmp_path, device="cpu").document
    known = json.loads((folder / "run" / "results.json").read_text())
    assert document["windows"] == known["items"] == document["splits"]["test"]
    own = document["metrics"]["snnctl"]
    assert own["mae"] == pytest.approx(known["metrics"]["test/mae"], abs=1e-6)
    assert own["rmse"] ** 2 == pytest.approx(known["metrics"]["test/mse"], abs=1e-6)
    last = document["metrics"]["last_value"]
    assert last["mae"] == pytest.approx(known["baselines"]["last_value"]["mae"], abs=1e-6)
    assert document["models"][:4] == ["snnctl", "last_value", "ridge", "dlinear"]
    assert document["omitted"] == {"seasonal_naive": "the data names no season"}
    assert json.loads((tmp_path / "backtest.json").read_text()) == finite(document)


def test_rows_are_as_libraries_read_them(kind_of_run: tuple[str, Path], tmp_path: Path) -> None:
    kind, folder = kind_of_run
    document = backtest(folder / "run", n_windows=4, step_size=2, out=tmp_path, device="cpu").document
    found = rows(document)
    ids = {
        "plain": ["a", "b"],
        "holed": ["a", "b"],
        "panel": ["north", "south", "west"],
        "panel_covariates": ["north", "south", "west"],
        "covariates": ["load"],
    }[kind]
    models = ["snnctl", "last_value", "ridge", "dlinear"]
    bands = [f"{name}-{end}-{level}" for name in models for level in (80, 95) for end in ("lo", "hi")]
    assert list(found) == ["unique_id", "ds", "cutoff", "y", *models, *bands]
    assert len(found) == 4 * HORIZON * len(ids)
    assert list(found.unique_id.unique()) == ids
    steps = (found.ds - found.cutoff) / pd.Timedelta(hours=1)
    assert sorted(set(steps)) == [1, 2, 3]
    cutoffs = found.cutoff.drop_duplicates().sort_values()
    assert (cutoffs.diff().dropna() == pd.Timedelta(hours=2)).all()
    table = pd.read_csv(folder / "table.csv", parse_dates=["date"])
    truth = (
        table.set_index(["site", "date"]).y
        if kind.startswith("panel")
        else table.melt("date", ids, "site").set_index(["site", "date"])["value"]
    )
    wanted = truth.reindex(pd.MultiIndex.from_frame(found[["unique_id", "ds"]])).to_numpy()
    np.testing.assert_allclose(found.y, wanted)
    own = document["by_series"][ids[0]]["snnctl"]
    first = found[found.unique_id == ids[0]]
    assert own["mae_units"] == pytest.approx((first.y - first.snnctl).abs().mean())
    if kind == "plain":
        assert found.ds.max() == table.date.max()
        for level in (80, 95):
            inside = first.y.between(first[f"snnctl-lo-{level}"], first[f"snnctl-hi-{level}"]).mean()
            assert own[f"coverage-{level}"] == pytest.approx(inside)


def test_mase_is_divided_by_the_training_rows(plain_run: Path, tmp_path: Path) -> None:
    document = backtest(plain_run / "run", season=24, out=tmp_path, device="cpu", intervals=()).document
    train = plain().a[:120]
    naive = (train - train.shift(24)).abs().mean()
    found = document["by_series"]["a"]["snnctl"]
    assert found["mase"] == pytest.approx(found["mae_units"] / naive)
    assert document["season"] == 24
    assert "coverage" not in document["definitions"]


def test_windows_that_a_run_was_trained_on_are_told(plain_run: Path, tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="U575") as told:
        document = backtest(plain_run / "run", n_windows=90, out=tmp_path, device="cpu").document
    # Rows 120 to 159 are validation: the last 90 windows begin at row 108.
    assert document["splits"] == {"train": 12, "val": 40, "test": 38}
    assert any("12 on rows that the network was trained on and 40 on rows" in str(one.message) for one in told)
    assert document["notes"][0].startswith("Of 90 windows")


def test_other_rows_need_no_training_data(plain_run: Path, tmp_path: Path) -> None:
    shutil.copytree(plain_run / "run", tmp_path / "run")
    recipe = tmp_path / "run" / "recipe.yaml"
    recipe.write_text(recipe.read_text().replace("table.csv", "gone.csv"))
    frame = plain(300)
    frame.iloc[200:].to_csv(tmp_path / "new.csv", index=False)
    assert "is not there" in refused("U501", tmp_path / "run")
    document = backtest(tmp_path / "run", input=tmp_path / "new.csv", device="cpu").document
    assert document["windows"] == 100 - 12 - HORIZON + 1
    assert document["splits"] is None
    assert document["models"] == ["snnctl", "last_value"]
    assert set(document["omitted"]) == {"seasonal_naive", "ridge", "dlinear"}
    assert np.isnan(document["metrics"]["snnctl"]["mase"])
    assert document["metrics"]["snnctl"]["mae"] > 0


def test_rows_of_training_that_come_again_are_told(plain_run: Path, tmp_path: Path) -> None:
    plain().to_csv(tmp_path / "again.csv", index=False)
    with pytest.warns(UserWarning, match="U575"):
        document = backtest(plain_run / "run", input=tmp_path / "again.csv", out=tmp_path, device="cpu").document
    assert document["splits"] == {"train": 108, "val": 40, "test": 38}
    plain(300).iloc[200:].to_csv(tmp_path / "later.csv", index=False)
    document = backtest(plain_run / "run", input=tmp_path / "later.csv", out=tmp_path, device="cpu").document
    assert document["splits"] == {"train": 0, "val": 0, "test": 86}


def with_a_future(folder: Path, out: Path, first: int) -> Path:
    """The recipe, with another table from a row on."""
    out.mkdir()
    frame = pd.read_csv(folder / "table.csv")
    frame.loc[first:, ["a", "b"]] += 50.0
    frame.to_csv(out / "table.csv", index=False)
    shutil.copy(folder / "small.yaml", out / "small.yaml")
    return out / "small.yaml"


def test_a_recipe_is_trained_on_what_lies_before_each_origin(plain_run: Path, tmp_path: Path) -> None:
    asked = {"n_windows": 2, "refit": 1, "device": "cpu"}
    document = backtest(plain_run / "small.yaml", out=tmp_path / "out", **asked).document
    assert [Path(run).name for run in document["refits"]] == ["cutoff-0000194", "cutoff-0000197"]
    assert document["step_size"] == HORIZON
    other = with_a_future(plain_run, tmp_path / "other", 194)
    second = backtest(other, out=tmp_path / "second", **asked).document
    before, after = rows(document), rows(second)
    early = before.cutoff == before.cutoff.min()
    said = [name for name in before if name not in ("unique_id", "ds", "cutoff", "y")]
    pd.testing.assert_frame_equal(before[early][said], after[early][said])  # forecasts and bands
    assert (before[early].y != after[early].y).all()
    assert (before[~early].snnctl != after[~early].snnctl).all()


class StopsInTheSecond(Listener):
    """Ctrl-C while the second training runs."""

    def work(self) -> Any:
        from contextlib import nullcontext

        def tell(text: str, done: float) -> None:
            if text.startswith("[2/2]") and done > 0.6:
                raise KeyboardInterrupt

        return nullcontext(tell)


def test_the_same_command_goes_on(plain_run: Path, tmp_path: Path) -> None:
    asked = {"n_windows": 2, "refit": 1, "device": "cpu", "out": tmp_path / "out"}
    found = backtest(plain_run / "run", listener=StopsInTheSecond(), **asked)
    assert found.interrupted
    assert (found.document["refits_done"], found.document["refits"]) == (1, 2)
    done = tmp_path / "out" / "refits" / "cutoff-0000194" / "results.json"
    stamp = done.stat().st_mtime_ns
    whole = backtest(plain_run / "run", **asked)
    assert not whole.interrupted
    assert done.stat().st_mtime_ns == stamp
    fresh = backtest(plain_run / "run", **{**asked, "out": tmp_path / "fresh"})
    pd.testing.assert_frame_equal(rows(whole.document), rows(fresh.document))
    assert refused("U405", plain_run / "run", sets=["train.epochs=2"], **asked)


def test_what_does_not_go_together_is_refused(plain_run: Path, tmp_path: Path) -> None:
    run, recipe = plain_run / "run", plain_run / "small.yaml"
    assert "--input" in refused("U570", recipe, input=plain_run / "table.csv")
    assert "--set" in refused("U570", run, sets=["train.epochs=1"])
    assert "percents" in refused("U570", run, intervals=[100])
    assert "--n-windows" in refused("U570", run, n_windows=0)
    assert "186 origins" in refused("U571", run, n_windows=187)
    assert "too few to train" in refused("U574", run, n_windows=62, refit=100, out=tmp_path)
    assert refused("U505", run, format="xlsx")
    assert "knows no method" in refused("U573", run, against=["AutoETSS"])
    assert "needs a season" in refused("U573", run, against=["MSTL"])
    assert not (run / "backtest" / "backtest.json").exists()


class Library:
    """Stands for the library: its methods forecast the mean of what they are given, and note what that was."""

    seen: list[Any] = []  # noqa: RUF012

    def __init__(self, season_length: int) -> None:
        self.season = season_length

    def forecast(self, y: Any, h: int, level: list[int] | None) -> dict[str, Any]:
        Library.seen.append(y)
        bands = {
            f"{end}-{one}": np.full(h, y.mean() + sign * one)
            for one in level or ()
            for end, sign in (("lo", -1), ("hi", 1))
        }
        return {"mean": np.full(h, y.mean()), **bands}


def library(monkeypatch: pytest.MonkeyPatch, made: Any) -> None:
    module = types.ModuleType("statsforecast")
    module.models = types.SimpleNamespace(AutoETS=made, AutoTheta=made)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "statsforecast", module)
    Library.seen = []


def test_statistical_methods_see_the_history_alone(
    plain_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library(monkeypatch, Library)
    asked = {"n_windows": 2, "step_size": 3, "out": tmp_path, "device": "cpu"}
    document = backtest(plain_run / "run", against=["AutoETS"], **asked).document
    assert [len(one) for one in Library.seen] == [194, 194, 197, 197]
    np.testing.assert_array_equal(Library.seen[2], plain().a[:197])
    found = rows(document)
    assert found.AutoETS.iloc[0] == pytest.approx(plain().a[:194].mean())
    assert (found["AutoETS-hi-95"] - found["AutoETS"]).to_numpy() == pytest.approx(95.0)
    assert document["metrics"]["AutoETS"]["coverage-95"] == 1.0


def test_statistical_methods_that_fail_or_take_too_long_are_left_out(
    plain_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Fails(Library):
        def forecast(self, y: Any, h: int, level: list[int] | None) -> dict[str, Any]:
            if len(y) > 194:
                raise ZeroDivisionError("no variance")
            return super().forecast(y, h, level)

    library(monkeypatch, Fails)
    asked = {"n_windows": 6, "step_size": 3, "out": tmp_path, "device": "cpu"}
    with pytest.warns(UserWarning, match="U578"):
        document = backtest(plain_run / "run", against=["AutoETS"], **asked).document
    assert document["omitted"]["AutoETS"] == "it failed at origin 6 of 6: ZeroDivisionError: no variance"
    assert "AutoETS" not in document["models"]
    library(monkeypatch, Library)
    with pytest.warns(UserWarning, match="U578"):
        document = backtest(plain_run / "run", against=["AutoTheta"], against_minutes=0, **asked).document
    assert "raise --against-minutes" in document["omitted"]["AutoTheta"]
    assert len(Library.seen) == 2 * statistical._TRIED


def test_the_library_is_an_extra(plain_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "statsforecast", None)
    with pytest.raises(DiagnosticError) as caught:
        backtest(plain_run / "run", against=["AutoETS"], device="cpu")
    (said,) = caught.value.diagnostics
    assert said.code == "U572"
    assert said.message.startswith("AutoETS")
    assert "snnctl[statistical]" in said.help


def test_on_the_command_line(
    plain_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = ["backtest", str(plain_run / "run"), "--n-windows", "5", "--out", str(tmp_path), "--device", "cpu"]
    assert cli([*asked, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["ok"]
    assert document["windows"] == 5
    assert {Path(name).name for name in document["files"]} >= {"by_step.csv", "by_cutoff.csv", "over_time.png"}
    assert (tmp_path / "forecasts.csv").exists()
    assert "Definitions" in (tmp_path / "report.html").read_text()
    monkeypatch.setattr("snnctl.backtest.page.page", lambda *_: Page("none", "", []))
    assert cli([*asked, "--format", "parquet"]) == 0
    said = capsys.readouterr().out
    assert "5 windows, 1 row apart, 3 steps ahead" in said
    assert "season of MASE: 1 (none)" in said
    assert not (tmp_path / "forecasts.csv").exists()  # of the call before
    assert list(pd.read_parquet(tmp_path / "forecasts.parquet"))[:5] == ["unique_id", "ds", "cutoff", "y", "snnctl"]
    assert cli([*asked, "--intervals", "eighty"]) == 2
