"""Bands of a trained run: against pandas and NumPy, in every format, from the run alone; what cannot be is refused."""

from __future__ import annotations

import json
import math
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from serving.forecast_runs import HORIZON, panel, plain, write

import snnctl
from snnctl.commands.evaluate import evaluate
from snnctl.commands.predict import predict
from snnctl.core.diagnostic import DiagnosticError
from snnctl.engine.bands import read_bands
from snnctl.report.style import render
from snnctl.serving.figure import LastOnes, figure
from snnctl.serving.windows import Asked

pytestmark = pytest.mark.filterwarnings("ignore:.*U522")
BOUNDS = ["snnctl-lo-80", "snnctl-hi-80", "snnctl-lo-95", "snnctl-hi-95"]
TABLES: dict[str, Callable[[], pd.DataFrame]] = {"plain": plain, "panel": panel}


@pytest.fixture(autouse=True)
def _no_sync(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda _: None)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Kind -> the folder with its table, recipe and run."""
    found = {}
    for kind in TABLES:
        folder = found[kind] = tmp_path_factory.mktemp(kind)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(os, "fsync", lambda _: None)
            snnctl.train(write(folder, kind), out=folder / "run", device="cpu")
    return found


@pytest.fixture(params=["plain", "panel"])
def case(request: pytest.FixtureRequest, folders: dict[str, Path]) -> tuple[str, Path]:
    """Kind, and its folder."""
    return request.param, folders[request.param]


@pytest.fixture
def plain_run(folders: dict[str, Path]) -> Path:
    return folders["plain"] / "run"


def misses(kind: str, forecast: pd.DataFrame, first: float, last: float) -> pd.DataFrame:
    """Forecasts of windows whose targets lie within shares of each series' rows, with `y`, `error` and `step`."""
    frame = TABLES[kind]()
    if kind == "panel":
        long = frame.rename(columns={"site": "unique_id"})
    else:
        long = frame.melt(["date"], ["a", "b"], "unique_id", "y")
    rows = long.groupby("unique_id").size().iloc[0]
    number = {date: place for place, date in enumerate(sorted(frame.date.unique()))}
    found = forecast.merge(long, left_on=["unique_id", "ds"], right_on=["unique_id", "date"])
    cutoff = found.cutoff.map(number)
    found = found[(cutoff >= rows * first - 1) & (cutoff + HORIZON < rows * last)].copy()
    found["error"], found["step"] = found.y - found.snnctl, found.ds.map(number) - found.cutoff.map(number)
    return found


def test_half_widths_are_order_statistics_of_validation_errors(case: tuple[str, Path]) -> None:
    kind, folder = case
    found = snnctl.load(folder / "run", device="cpu").predict(every=True, levels=[95, 80])
    assert list(found) == ["unique_id", "ds", "cutoff", "snnctl", *BOUNDS]
    val = misses(kind, found, 0.6, 0.8)
    for (_, _), own in val.groupby(["unique_id", "step"]):
        ordered = np.sort(own.error.abs())
        assert len(ordered) == (38 if kind == "plain" else 28)
        for level in (80, 95):
            half = ordered[math.ceil((len(ordered) + 1) * level / 100) - 1]
            np.testing.assert_allclose(own[f"snnctl-hi-{level}"] - own.snnctl, half, rtol=1e-4)
            np.testing.assert_allclose(own.snnctl - own[f"snnctl-lo-{level}"], half, rtol=1e-4)


def test_eval_counts_what_pandas_counts(case: tuple[str, Path]) -> None:
    kind, folder = case
    told = json.loads((folder / "run" / "results.json").read_text())["intervals"]
    assert told["in_sample"] == ""
    assert told["own_series"] == {"80": 1.0, "95": 1.0}
    test = misses(kind, snnctl.load(folder / "run", device="cpu").predict(every=True, levels=[80, 95]), 0.8, 1.0)
    # Halves are of the windows of each series.
    test["place"] = test.groupby("unique_id").cutoff.rank("dense")
    first = test.place <= math.ceil(test.place.max() / 2)
    for level in (80, 95):
        low, high = test[f"snnctl-lo-{level}"], test[f"snnctl-hi-{level}"]
        inside, row = (low <= test.y) & (test.y <= high), told["levels"][str(level)]
        assert row["coverage"] == pytest.approx(inside.mean(), abs=1e-9)
        assert row["first_half"] == pytest.approx(inside[first].mean(), abs=1e-9)
        assert row["second_half"] == pytest.approx(inside[~first].mean(), abs=1e-9)
        for name, width in row["width_units"].items():
            assert width == pytest.approx((high - low)[(test.unique_id == name) | (kind == "panel")].mean(), rel=1e-4)


@pytest.mark.parametrize(("split", "words"), [("train", "fitted on"), ("val", "by construction")])
def test_splits_that_tell_nothing_are_said_to(plain_run: Path, split: Any, words: str) -> None:
    told = evaluate(plain_run, split, baselines=False)["intervals"]
    assert words in told["in_sample"]
    if split == "val":
        assert told["levels"]["80"]["coverage"] == pytest.approx(math.ceil(39 * 0.8) / 38, abs=0.03)


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".jsonl"])
def test_bounds_stand_behind_the_forecast_in_every_format(plain_run: Path, tmp_path: Path, suffix: str) -> None:
    out = tmp_path / f"forecast{suffix}"
    document = predict(plain_run, output=out, intervals=[80, 95], device="cpu")
    readers: dict[str, Callable[[Path], pd.DataFrame]] = {
        ".csv": pd.read_csv,
        ".parquet": pd.read_parquet,
        ".jsonl": lambda path: pd.DataFrame(map(json.loads, path.read_text().splitlines())),
    }
    found = readers[suffix](out)
    assert list(found) == ["unique_id", "ds", "snnctl", *BOUNDS]
    assert [*document["forecast"][0]] == list(found)
    assert document["levels"] == [80, 95]
    assert (found["snnctl-lo-95"] <= found["snnctl-lo-80"]).all()


def test_bands_are_drawn(plain_run: Path) -> None:
    forecast = snnctl.load(plain_run, device="cpu").forecast(None, Asked(levels=(80, 95)))
    seen = LastOnes(forecast, 12)
    frame = pd.concat([pd.DataFrame(table) for table in forecast.tables(seen.see)])
    lines = seen.lines()
    assert [one.name for one in lines] == ["a", "b"]
    np.testing.assert_allclose(lines[1].bands[95][0], frame[frame.unique_id == "b"]["snnctl-lo-95"])
    np.testing.assert_allclose(lines[1].bands[80][1], frame[frame.unique_id == "b"]["snnctl-hi-80"])
    drawn = figure(lines, "bands")
    assert "95 %" in render(drawn)[1].decode()


def test_the_run_alone_is_enough_and_what_it_lacks_is_made_once(plain_run: Path, tmp_path: Path) -> None:
    whole = snnctl.load(plain_run, device="cpu").predict(levels=[80])
    moved = tmp_path / "deep" / "run"
    shutil.copytree(plain_run, moved)
    rows = plain().tail(40)
    pd.testing.assert_frame_equal(snnctl.load(moved, device="cpu").predict(rows, levels=[80]), whole, rtol=1e-6)
    bands = moved / "model" / "bands.safetensors"
    before = bands.read_bytes()
    bands.unlink()
    table = plain_run.parent / "table.csv"
    away = table.rename(tmp_path / "away.csv")
    with pytest.raises(DiagnosticError, match=r"U520"):
        snnctl.load(moved, device="cpu").predict(rows, levels=[80])
    away.rename(table)
    assert not bands.exists()
    snnctl.load(moved, device="cpu").predict(rows)
    assert not bands.exists()
    again = snnctl.load(moved, device="cpu").predict(rows, levels=[80])
    pd.testing.assert_frame_equal(again, whole, rtol=1e-5)
    assert bands.read_bytes() == before


def test_bands_of_other_weights_are_not_taken(plain_run: Path) -> None:
    file = plain_run / "model" / "bands.safetensors"
    facts = json.loads((plain_run / "results.json").read_text())["checkpoint"]
    own = {"epoch": facts["epoch"], "step": facts["step"]}
    assert read_bands(file, own) is not None
    assert read_bands(file, own | {"step": own["step"] + 1}) is None


@pytest.mark.parametrize("damage", [b"", b"not a file of tensors", None])
def test_damaged_bands_are_refused(plain_run: Path, tmp_path: Path, damage: bytes | None) -> None:
    shutil.copytree(plain_run, tmp_path / "run")
    bands = tmp_path / "run" / "model" / "bands.safetensors"
    bands.write_bytes(bands.read_bytes()[:-40] if damage is None else damage)
    with pytest.raises(DiagnosticError, match=r"U506"):
        snnctl.load(tmp_path / "run", device="cpu").predict(plain().tail(40), levels=[80])


def test_what_cannot_be_is_refused(plain_run: Path) -> None:
    model = snnctl.load(plain_run, device="cpu")
    for levels, horizon, words in (
        ([80], HORIZON + 1, r"U521.*of the 3 steps.*not of 4"),
        ([98], None, r"U521.*38 validation windows are too few.*up to 97 %"),
        ([0], None, r"U504.*1 to 99"),
    ):
        with pytest.raises(DiagnosticError, match=words):
            model.predict(levels=levels, horizon=horizon)
    assert list(model.predict(levels=[80], horizon=2)) == ["unique_id", "ds", "snnctl", *BOUNDS[:2]]


def test_few_independent_horizons_are_told(plain_run: Path) -> None:
    with pytest.warns(UserWarning, match=r"U522.*38 validation windows.*13 independent"):
        snnctl.load(plain_run, device="cpu").predict(levels=[80])
