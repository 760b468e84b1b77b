"""New rows that do not fit are refused or warned of with a code; those that do go through whatever their form."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from engine.tiny_runs import codes, command
from serving.forecast_runs import HORIZON, WINDOW, covariates, panel, plain, write

import snnctl
from snnctl.core.diagnostic import DiagnosticError
from snnctl.serving.forecaster import Forecaster

Runs = Callable[[str], Path]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """A run of a kind, trained when it is first asked for."""
    made: dict[str, Path] = {}

    def run(kind: str) -> Path:
        if kind not in made:
            folder = tmp_path_factory.mktemp(kind)
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(os, "fsync", lambda _: None)
                snnctl.train(write(folder, kind), out=folder / "run", device="cpu")
            made[kind] = folder / "run"
        return made[kind]

    return run


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "fsync", lambda _: None)
    yield
    assert not list(tmp_path.glob(".*.tmp"))


def model(runs: Runs, kind: str) -> Forecaster:
    return snnctl.load(runs(kind), device="cpu")


def refused(call: Callable[[], Any]) -> tuple[str, str, int]:
    with pytest.raises(DiagnosticError) as caught:
        call()
    first = caught.value.diagnostics[0]
    return first.code, first.message, int(caught.value.exit_code)


def test_columns_that_are_missing(runs: Runs) -> None:
    frame = plain().rename(columns={"b": "beta"})
    assert refused(lambda: model(runs, "plain").predict(frame)) == ("D290", "column `b` of training not there", 3)
    code, message, _ = refused(lambda: model(runs, "panel").predict(plain()))
    assert (code, message) == ("D290", "columns `site`, `y` of training not there")
    assert refused(lambda: model(runs, "plain").predict(plain().drop(columns="date")))[0] == "D290"


@pytest.mark.parametrize("step", ["2h", "15min", "30min", "D", "ME"])
def test_another_step(runs: Runs, step: str) -> None:
    frame = plain().assign(date=pd.date_range("2024-01-01", periods=200, freq=step))
    code, message, exit_code = refused(lambda: model(runs, "plain").predict(frame))
    assert (code, exit_code) == ("D291", 3)
    assert "trained at a step of 1 hour" in message


def test_another_clock_is_warned_of(runs: Runs) -> None:
    frame = plain().assign(date=lambda frame: frame.date.dt.tz_localize("Europe/Berlin"))
    with pytest.warns(UserWarning, match=r"D296.*Europe/Berlin.*in training it was the file's own, without"):
        found = model(runs, "plain").predict(frame)
    assert found.ds.min() == pd.Timestamp("2024-01-09 08:00")


def test_a_hole_is_no_other_step(runs: Runs) -> None:
    frame = plain().drop(index=[180, 190, 191])
    with pytest.warns(UserWarning, match="D242"):
        found = model(runs, "plain").predict(frame)
    whole = model(runs, "plain").predict(plain())
    assert (found.ds == whole.ds).all()
    assert not np.allclose(found.snnctl, whole.snnctl)  # two of the rows are in the window


def test_too_few_rows(runs: Runs) -> None:
    code, message, _ = refused(lambda: model(runs, "plain").predict(plain().head(WINDOW - 1)))
    assert (code, message) == ("D292", "11 rows without a break; a window takes 12")
    assert len(model(runs, "plain").predict(plain().head(WINDOW))) == 2 * HORIZON
    frame = pd.concat([panel().query("site != 'west'"), panel().query("site == 'west'").head(5)])
    with pytest.warns(UserWarning, match=r"D292.*series `west` is shorter than a window"):
        found = model(runs, "panel").predict(frame)
    assert set(found.unique_id) == {"north", "south"}


def test_series_that_training_did_not_know(runs: Runs) -> None:
    frame = panel().replace({"site": {"west": "east"}})
    code, message, _ = refused(lambda: model(runs, "panel").predict(frame))
    assert (code, message) == ("D293", "series `east` is not in training, so there is no scaler for it")


def test_under_one_scaler_for_all_they_are_forecast_and_told(tmp_path: Path) -> None:
    path = write(tmp_path, "panel")
    snnctl.train(path, ["data.scaler_by=all"], out=tmp_path / "run", device="cpu")
    frame = panel().replace({"site": {"west": "east"}})
    with pytest.warns(UserWarning, match=r"D293.*series `east` is not in training, and scaled as all are"):
        found = snnctl.load(tmp_path / "run", device="cpu").predict(frame)
    assert list(found.unique_id.unique()) == ["north", "south", "east"]


def test_values_far_outside_the_range_of_training_are_warned_of(runs: Runs) -> None:
    celsius = plain().assign(a=lambda frame: frame.a - 273.15)
    with pytest.warns(UserWarning, match=r"D294.*`a` is .* in training it was .*200 values far outside"):
        model(runs, "plain").predict(celsius)
    other = panel().assign(y=lambda frame: frame.y.where(frame.site != "west", frame.y * 10))
    with pytest.warns(UserWarning, match=r"D294.*`y` of series `west`"):
        model(runs, "panel").predict(other)


def test_known_covariates_have_to_be_known(runs: Runs) -> None:
    forecaster = model(runs, "covariates")
    frame = covariates()
    code, message, exit_code = refused(lambda: forecaster.predict(frame))
    assert (code, message, exit_code) == (
        "D295",
        "not known ahead: `plan` at 2024-01-09 08:00:00 and 2 more rows",
        3,
    )
    ahead = pd.date_range("2024-01-09 08:00", periods=HORIZON, freq="h")
    known = pd.DataFrame({"date": ahead, "plan": [3.0, np.nan, 0.0]})
    assert refused(lambda: forecaster.predict(frame, known=known))[1].startswith(
        "not known ahead: `plan` at 2024-01-09 09"
    )
    # What is known matters, wherever it stands in a longer file.
    low, high = (
        forecaster.predict(
            frame,
            known=pd.DataFrame({"date": pd.date_range("2024-01-01", periods=300, freq="h"), "plan": plan}),
        )
        for plan in (0.0, 3.0)
    )
    assert (low.ds == ahead).all()
    assert not np.allclose(low.snnctl, high.snnctl)


def test_known_covariates_in_a_file(runs: Runs, capsys: pytest.CaptureFixture[str]) -> None:
    run, dates = runs("covariates"), pd.date_range("2024-01-09 08:00", periods=HORIZON, freq="h")
    known = pd.DataFrame({"date": dates, "plan": [3.0, 1.0, 0.0]})
    known.to_csv("plan.csv", index=False)
    _, document = command(capsys, "predict", run, "--known", "plan.csv")
    expected = snnctl.load(run, device="cpu").predict(known=known).snnctl
    assert [row["snnctl"] for row in document["forecast"]] == pytest.approx(expected.tolist())
    known.rename(columns={"plan": "plans"}).to_csv("plan.csv", index=False)
    assert codes(command(capsys, "predict", run, "--known", "plan.csv")[1]) == ["D290"]
    known.iloc[1:].to_csv("plan.csv", index=False)
    code, document = command(capsys, "predict", run, "--known", "plan.csv", "--output", "f.csv")
    assert (code, codes(document), Path("f.csv").exists()) == (3, ["D295"], False)
    assert codes(command(capsys, "predict", runs("plain"), "--known", "plan.csv")[1]) == ["U504"]


def test_all_windows_whose_covariates_are_known(runs: Runs) -> None:
    with pytest.warns(UserWarning, match=r"D295.*3 windows are left out"):
        found = model(runs, "covariates").predict(covariates(), every=True)
    assert found.ds.max() == covariates().date.max()
    assert found.cutoff.nunique() == 200 - WINDOW + 1 - HORIZON


def test_beyond_the_horizon_it_goes_on_from_its_own_forecast(runs: Runs) -> None:
    forecaster = model(runs, "plain")
    with pytest.warns(UserWarning, match=r"U502.*steps 4 to 8 go on"):
        longer = forecaster.predict(plain(), horizon=8)
    first = forecaster.predict(plain())
    for column in ("a", "b"):
        told = longer[longer.unique_id == column].reset_index(drop=True)
        assert len(told) == 8
        pd.testing.assert_frame_equal(told.head(HORIZON), first[first.unique_id == column].reset_index(drop=True))
    # The oracle: its own forecasts are appended as rows, and it is asked again.
    wide = first.pivot(index="ds", columns="unique_id", values="snnctl").rename_axis("date").reset_index()
    again = forecaster.predict(pd.concat([plain(), wide], ignore_index=True))
    second = longer[longer.ds.isin(again.ds)].reset_index(drop=True)
    np.testing.assert_allclose(second.snnctl, again.snnctl, rtol=1e-5)
    assert len(forecaster.predict(plain(), horizon=2)) == 4
    assert refused(lambda: forecaster.predict(plain(), horizon=301))[0] == "U503"


def test_past_covariates_end_the_horizon(runs: Runs) -> None:
    code, message, exit_code = refused(lambda: model(runs, "covariates").predict(covariates(), horizon=4))
    assert (code, message, exit_code) == (
        "U503",
        "beyond the trained 3 steps past covariates (seen) are not known there",
        2,
    )


def test_windows_of_a_time(runs: Runs, capsys: pytest.CaptureFixture[str]) -> None:
    run = runs("plain")
    _, document = command(capsys, "predict", run, "--from", "2024-01-05", "--to", "2024-01-05")
    cutoffs = sorted({row["cutoff"] for row in document["forecast"]})
    assert (document["windows"], cutoffs[0], cutoffs[-1]) == (24, "2024-01-05T00:00:00", "2024-01-05T23:00:00")
    _, document = command(capsys, "predict", run, "--last", "2")
    assert [row["cutoff"][-8:-6] for row in document["forecast"]] == ["06"] * 6 + ["07"] * 6
    assert codes(command(capsys, "predict", run, "--from", "2031")[1]) == ["U507"]
    assert codes(command(capsys, "predict", run, "--from", "noon")[1]) == ["U504"]
    assert codes(command(capsys, "predict", run, "--last", "2", "--all")[1]) == ["U504"]
    assert codes(command(capsys, "predict", run, "--horizon", "0")[1]) == ["U504"]


def test_stdin_files_and_frames_say_the_same(
    runs: Runs, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    run, frame = runs("plain"), plain().assign(comment="text that is not used")
    expected = model(runs, "plain").predict(frame).snnctl.tolist()
    frame.to_csv("rows.csv", index=False, sep=";", decimal=",")
    frame.to_parquet("rows.parquet")
    for given in ("rows.csv", "rows.parquet"):
        _, document = command(capsys, "predict", run, "--input", given)
        assert [row["snnctl"] for row in document["forecast"]] == pytest.approx(expected)
    text = io.TextIOWrapper(io.BytesIO(frame.to_csv(index=False).encode()))
    monkeypatch.setattr("sys.stdin", text)
    _, document = command(capsys, "predict", run, "--input", "-")
    assert [row["snnctl"] for row in document["forecast"]] == pytest.approx(expected)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"")))
    code, document = command(capsys, "predict", run, "--input", "-")
    assert (code, codes(document), document["diagnostics"][0]["file"]) == (3, ["D102"], "stdin")
    indexed = plain().set_index("date").rename_axis(None)
    assert model(runs, "plain").predict(indexed).snnctl.tolist() == pytest.approx(expected)


def test_files_are_whole_or_not_there(runs: Runs, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    run = runs("plain")
    code, document = command(capsys, "predict", run, "--output", "f.csv", "--plot", "new/f.png", "--all")
    assert (code, document["output"], document["plot"]) == (0, "f.csv", "new/f.png")
    before = Path("f.csv").read_text()
    assert before.startswith("unique_id,ds,cutoff,snnctl\na,2024-01-01T12:00:00,2024-01-01T11:00:00,")
    assert Path("new/f.png").read_bytes().startswith(b"\x89PNG")
    assert codes(command(capsys, "predict", run, "--output", "f.xlsx")[1]) == ["U505"]
    assert codes(command(capsys, "predict", run, "--plot", "f.pdf")[1]) == ["U505"]
    assert codes(command(capsys, "predict", run, "--output", "f.csv/x.csv")[1]) == ["U453"]
    plain().head(3).to_csv("short.csv", index=False)
    assert codes(command(capsys, "predict", run, "--input", "short.csv", "--output", "f.csv")[1]) == ["D292"]
    assert Path("f.csv").read_text() == before


def test_files_whose_columns_are_called_otherwise(runs: Runs, capsys: pytest.CaptureFixture[str]) -> None:
    run = runs("plain")
    for suffix, write_file in ((".csv", pd.DataFrame.to_csv), (".parquet", pd.DataFrame.to_parquet)):
        for renamed in ({"b": "beta"}, {"a": "alpha", "b": "beta"}, {"date": "when"}):
            write_file(plain().rename(columns=renamed), f"other{suffix}", index=False)
            code, document = command(capsys, "predict", run, "--input", f"other{suffix}")
            assert (code, codes(document)) == (3, ["D290"]), (suffix, renamed)
            assert all(name in document["diagnostics"][0]["help"] for name in renamed.values())


def test_a_run_without_a_model_takes_it_from_its_data(runs: Runs, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(runs("plain").parent, "copy")
    run = Path("copy/run")
    expected = snnctl.load(run, device="cpu").predict()
    shutil.rmtree(run / "model")
    pd.testing.assert_frame_equal(snnctl.load(run, device="cpu").predict(), expected)
    assert not (run / "model").exists()
    (Path("copy") / "table.csv").rename("kept.csv")  # the recipe names the table where it was trained
    document = run / "recipe.yaml"
    document.write_text(document.read_text().replace(str(runs("plain").parent), str(Path("copy").resolve())))
    assert refused(lambda: snnctl.load(run, device="cpu"))[0] == "D101"
    Path("copy/table.csv").write_text(plain().assign(a=1.0 + plain().a).to_csv(index=False))
    assert refused(lambda: snnctl.load(run, device="cpu"))[0] == "D401"
    (run / "model").mkdir()
    for text in ("{", "[]", "{}", '{"schema": 2, "kind": "forecasting"}'):
        (run / "model" / "model.json").write_text(text)
        assert refused(lambda: snnctl.load(run))[0] == "U506"
    whole = json.loads((runs("plain") / "model" / "model.json").read_text())
    for name, value in (
        ("window", 10**9),
        ("scaler", {"kind": "standard", "shift": [1.0], "scale": [1.0]}),
        ("known_fallback", [0.0]),
        ("format", 3),
        ("columns", [1, 2]),
        ("range", {"low": [0.0], "high": [0.0, 1.0]}),
        ("step", {"kind": "time", "count": 1, "other": 2}),
    ):
        (run / "model" / "model.json").write_text(json.dumps({**whole, name: value}))
        assert refused(lambda: snnctl.load(run))[0] == "U506", name


def test_values_missing_at_the_end_are_told(runs: Runs) -> None:
    """The forecast goes on from what stands in for them, which nobody has seen."""
    frame = plain(40)
    frame.loc[frame.index[-3:], "a"] = np.nan
    with pytest.warns(UserWarning, match="D297.*`a` lacks its last 3 values") as told:
        model(runs, "plain").predict(frame)
    assert "`b`" not in str([one.message for one in told])
