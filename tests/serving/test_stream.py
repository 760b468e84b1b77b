"""Rows that come one by one are answered as `predict --all` answers them; bad ones are refused, and change nothing."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from serving.forecast_runs import covariates, holed, panel, plain

import snnctl
from snnctl.cli.app import run as cli
from snnctl.commands.stream import stream
from snnctl.core.diagnostic import DiagnosticError
from snnctl.engine.sliding import SlidingNetwork
from snnctl.serving.forecaster import Forecaster

WINDOW, HORIZON = 12, 3
RECIPE = """\
schema: 1
name: small
task: {{type: forecasting, metrics: [mse], baselines: [last_value]{task}}}
data:
  {{type: timeseries, source: ./table.csv, window: 12, horizon: 3, split: {{train: 0.6, val: 0.2, test: 0.2}}{data}}}
encoder: {{type: conv, steps: 2}}
model: {{type: spike_rnn, width: 12, layers: 1, norm_gain: 5}}
readout: {{type: mean_linear, skip: linear}}
optim: {{type: adamw, lr: 1.0e-2}}
schedule: constant
train: {{epochs: 2, batch_size: 16, seed: 3}}
"""
KINDS: dict[str, tuple[Callable[[], pd.DataFrame], str, str]] = {
    "plain": (plain, ", calendar: true", ""),
    "alone": (plain, "", ", channels: independent"),
    "panel": (panel, ", id: site", ""),
    "holed": (holed, "", ""),
    "held": (holed, ", missing: hold", ""),
    "cut": (holed, ", rows: {missing: cut}", ""),
    "seen": (covariates, ", targets: [load], past: [seen]", ""),
    "normed": (plain, ", window_norm: last", ""),
    "ahead": (covariates, ", targets: [load], known: [plan]", ""),
}
Models = Callable[[str], Forecaster]


@pytest.fixture(scope="session")
def run_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A run of a kind, trained when it is first asked for."""
    made: dict[str, Path] = {}

    def run(kind: str) -> Path:
        if kind not in made:
            folder = tmp_path_factory.mktemp(kind)
            make, data, task = KINDS[kind]
            make().to_csv(folder / "table.csv", index=False)
            (folder / "small.yaml").write_text(RECIPE.format(data=data, task=task), encoding="utf-8")
            with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
                warnings.simplefilter("ignore")
                patch.setattr(os, "fsync", lambda _: None)
                snnctl.train(folder / "small.yaml", out=folder / "run", device="cpu")
            made[kind] = folder / "run"
        return made[kind]

    return run


@pytest.fixture
def model(run_of: Callable[[str], Path]) -> Models:
    return lambda kind: snnctl.load(run_of(kind), device="cpu")


def texts(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as a file has them."""
    return [
        dict(row)
        for row in pd.read_csv(io.StringIO(frame.to_csv(index=False)), dtype=str).fillna("").to_dict("records")
    ]


def answers(forecaster: Forecaster, frame: pd.DataFrame, **how: Any) -> pd.DataFrame:
    taking = forecaster.stream(**how)
    found = [row for cells in texts(frame) for row in taking.push(cells) or []]
    return pd.DataFrame(found).astype({"ds": "datetime64[us]", "cutoff": "datetime64[us]"})


def by_all(forecaster: Forecaster, frame: pd.DataFrame) -> pd.DataFrame:
    return forecaster.predict(frame, every=True).astype({"ds": "datetime64[us]", "cutoff": "datetime64[us]"})


@pytest.mark.filterwarnings("ignore:.*D2")
@pytest.mark.parametrize(
    ("kind", "whole"),
    [
        ("plain", False),
        ("alone", False),
        ("panel", False),
        ("holed", False),
        ("holed", True),
        ("held", False),
        ("cut", False),
        ("seen", False),
        ("normed", False),
    ],
)
def test_each_row_is_answered_as_all_windows_are(model: Models, kind: str, whole: bool) -> None:
    forecaster, frame = model(kind), KINDS[kind][0]()
    frame = frame[frame.date < "2024-01-03 08:00:00"]
    if kind == "panel":  # as such rows come: all sites of an hour, then those of the next
        frame = frame.sort_values(["date", "site"], kind="stable")
    found, wanted = answers(forecaster, frame, whole=whole), by_all(forecaster, frame)
    came = wanted[wanted.cutoff.isin(pd.to_datetime(frame.date))]
    keys = ["unique_id", "cutoff", "ds"]
    if kind == "cut":  # windows whose horizon a hole cuts are none of all; who streams does not know yet of the hole
        before_it = found.cutoff.between("2024-01-02 13:00:00", "2024-01-02 15:00:00")
        assert before_it.sum() == len(found) - len(came)
        found = found[~before_it]
    found, came = (each.sort_values(keys).reset_index(drop=True) for each in (found, came))
    assert len(found) > 60
    pd.testing.assert_frame_equal(found[keys], came[keys])
    pd.testing.assert_series_equal(found.snnctl, came.snnctl, rtol=1e-5)
    assert found.snnctl.std() > 0.1
    taking = forecaster.stream(whole=whole)
    assert bool(taking.why_whole) == (whole or kind == "normed")


def test_a_network_that_is_not_what_it_says_is_called_on_windows(
    model: Models, monkeypatch: pytest.MonkeyPatch
) -> None:
    forecaster = model("plain")
    answer = SlidingNetwork.answer
    monkeypatch.setattr(SlidingNetwork, "answer", lambda self, data: answer(self, data) + 0.1)
    with pytest.warns(UserWarning, match="U561.*came out otherwise"):
        found = answers(forecaster, plain(30))
    pd.testing.assert_series_equal(found.snnctl, by_all(forecaster, plain(30)).snnctl, rtol=1e-5)


def test_what_lies_ahead_no_row_brings(model: Models) -> None:
    with pytest.raises(DiagnosticError, match=r"U560.*plan"):
        model("ahead").stream()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"a": "warm"}, r"D320.*`a` is not a number: `warm`"),
        ({"a": "1e39"}, r"D320.*beyond float32"),
        ({"a": "inf"}, r"D320.*infinite"),
        ({"date": "2024-01-02 11:00:00"}, r"D320.*2024-01-02 11:00:00 came before"),
        ({"date": "2024-01-01 03:00:00"}, r"D320.*is earlier than the row before"),
        ({"date": "2024-01-02 12:30:00"}, r"D320.*not where a step of 1 hour expects"),
        ({"date": "2224-01-02 12:00:00"}, r"D320.*rows are missing between"),
        ({"date": "soon"}, r"D249"),
        ({"date": ""}, r"D320.*no stamp|D249"),
        ({"a": None, "b": {}}, r"D320.*`b` is not a number"),
    ],
)
def test_a_bad_row_is_refused_and_changes_nothing(model: Models, change: dict[str, Any], message: str) -> None:
    rows = texts(plain(40))
    taking, other = model("plain").stream(), model("plain").stream()
    for cells in rows[:36]:
        taking.push(cells)
        other.push(cells)
    with pytest.raises(DiagnosticError, match=message):
        taking.push({**rows[36], **change})
    lacking = {name: cell for name, cell in rows[36].items() if name != "b"}
    with pytest.raises(DiagnosticError, match=r"D320.*`b` of training not there"):
        taking.push(lacking)
    for cells in rows[36:]:
        assert taking.push(cells) == other.push(cells)
    assert taking.rows == other.rows == 40


def test_series_that_training_did_not_know(model: Models) -> None:
    taking = model("panel").stream()
    with pytest.raises(DiagnosticError, match=r"D293.*`east`"):
        taking.push({"site": "east", "date": "2024-01-01 00:00:00", "y": "1"})
    with pytest.raises(DiagnosticError, match=r"D320.*names no series"):
        taking.push({"site": " ", "date": "2024-01-01 00:00:00", "y": "1"})
    assert taking.series == []


def test_odd_values_are_told_once(model: Models) -> None:
    taking = model("plain").stream()
    first, second = texts(plain(2))
    with pytest.warns(UserWarning, match="D294"):
        taking.push({**first, "a": "9000"})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        taking.push({**second, "a": "9000"})


def test_numbers_and_dates_of_python_are_taken(model: Models) -> None:
    taking, other = model("plain").stream(), model("plain").stream()
    frame = plain(20)
    for typed, text in zip(frame.to_dict("records"), texts(frame), strict=True):
        assert taking.push(typed) == other.push(text)


def as_lines(frame: pd.DataFrame, form: str) -> bytes:
    if form == "csv":
        return frame.to_csv(index=False).encode()
    return frame.astype({"date": str}).to_json(orient="records", lines=True).encode()


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_lines_in_lines_out(run_of: Callable[[str], Path], model: Models, form: str, tmp_path: Path) -> None:
    frame, out = plain(40), io.StringIO()
    warm = tmp_path / f"warm.{form}"
    warm.write_bytes(as_lines(frame[:10], form))
    with pytest.warns(UserWarning, match="D292.*1 more rows are needed"):
        document = stream(run_of("plain"), warm, source=io.BytesIO(as_lines(frame[10:], form)), out=out, device="cpu")
    lines = out.getvalue().splitlines()
    found = pd.read_csv(io.StringIO(out.getvalue())) if form == "csv" else pd.DataFrame(map(json.loads, lines))
    assert list(found) == ["unique_id", "ds", "cutoff", "snnctl"]
    pd.testing.assert_series_equal(found.snnctl, by_all(model("plain"), frame).snnctl, rtol=1e-5)
    assert (document["rows"], document["warmed_up_by"], document["answers"]) == (30, 10, 29)
    assert document["carried"]
    assert document["why_whole"] is None
    assert not document["stopped"]
    assert 0 < document["milliseconds"]["p50"] <= document["milliseconds"]["p99"]
    assert document["rows_per_second"] > 0


def test_bad_lines_end_the_stream_or_are_told(run_of: Callable[[str], Path]) -> None:
    lines = as_lines(plain(20), "csv").splitlines(keepends=True)
    lines[5] = b"2024-01-01 04:00:00,1\n"
    lines[7] = b"\xff\xfe\n"
    raw, out = b"".join(lines), io.StringIO()
    with pytest.warns(UserWarning, match="D292"), pytest.raises(DiagnosticError, match=r"stdin:6: .*2 fields.*names 3"):
        stream(run_of("plain"), source=io.BytesIO(raw), out=out, device="cpu")
    with pytest.warns(UserWarning, match="D292|D320") as told:
        document = stream(run_of("plain"), source=io.BytesIO(raw), out=out, on_bad="skip", device="cpu")
    assert (document["refused"], document["inserted"], document["rows"]) == (2, 2, 18)
    assert sum("D320" in str(one.message) for one in told) == 2
    with pytest.raises(DiagnosticError, match=r"D290.*`b`"):
        stream(run_of("plain"), source=io.BytesIO(b"date;a\n1;2\n"), out=out, on_bad="skip", device="cpu")


@pytest.mark.parametrize("option", [["--all"], ["--output", "x.csv"], ["--plot", "x.png"], ["--input", "-"]])
def test_options_that_do_not_go_with_it(
    run_of: Callable[[str], Path], option: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli(["predict", str(run_of("plain")), "--stream", *option, "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["diagnostics"][0]["code"] == "U504"


def test_answers_come_at_once_and_a_signal_ends_it(run_of: Callable[[str], Path]) -> None:
    lines = as_lines(plain(20), "csv").splitlines(keepends=True)
    command = [sys.executable, "-m", "snnctl", "predict", str(run_of("plain")), "--stream", "--json", "--device", "cpu"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    stuck = threading.Timer(120, process.kill)
    stuck.start()
    try:
        process.stdin.writelines(lines[: WINDOW + 1])
        process.stdin.flush()
        first = [json.loads(process.stdout.readline()) for _ in range(2 * HORIZON)]  # while stdin stays open
        assert {row["cutoff"] for row in first} == {"2024-01-01T11:00:00"}
        time.sleep(0.1)
        process.send_signal(signal.SIGTERM)
        document = json.loads(process.stdout.read())
        assert (document["stopped"], document["answers"], document["ok"]) == (True, 1, False)
        assert process.wait() == document["exit_code"] == 75
    finally:
        stuck.cancel()
        process.kill()
        process.communicate()
