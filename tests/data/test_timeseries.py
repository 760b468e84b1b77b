"""The `timeseries` component: windows, calendar, leaks, probe, real files."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from snnctl.core.catalog import DATA
from snnctl.core.diagnostic import Diagnostic, DiagnosticError, ExitCode
from snnctl.core.shapes import SignalSpec
from snnctl.core.signature import defaults, knobs
from snnctl.data.cuts import SPLIT_NAMES
from snnctl.data.series.calendar import calendar_features
from snnctl.data.series.component import TimeSeries
from snnctl.data.series.known import KNOWN
from snnctl.data.series.scaling import StandardScaling
from snnctl.data.series.windows import SplitSpec

ROOT = Path(__file__).parents[2]
SHARED = ROOT / ".." / "shared" / "data"
ETTH1 = SHARED / "ETTh1" / "ETTh1.csv"
METR_LA_WEEK = SHARED / "METR-LA-week" / "los_speed.csv"
ETT_SPLIT = SplitSpec(8640, 2880, 2880)


def problem(call: Any) -> tuple[Diagnostic, ExitCode]:
    with pytest.raises(DiagnosticError) as caught:
        call()
    return caught.value.diagnostics[0], caught.value.exit_code


@settings(max_examples=40, deadline=None)
@given(
    rows=st.integers(30, 80),
    window=st.integers(1, 6),
    horizon=st.integers(1, 3),
    by=st.sampled_from(["rows", "windows"]),
)
def test_windows_are_slices_of_the_series(
    tmp_path_factory: pytest.TempPathFactory, rows: int, window: int, horizon: int, by: Any
) -> None:
    path = tmp_path_factory.mktemp("windows") / "a.npy"
    values = np.arange(2.0 * rows).reshape(rows, 2)
    np.save(path, values)
    split = SplitSpec(0.6, 0.2, 0.2, by=by)
    component = TimeSeries(source=str(path), window=window, horizon=horizon, split=split, scaler="none")
    data, probe = component.load(), component.probe()
    assert data.input_signal == probe.input_signal == SignalSpec(steps=0, length=window, features=2)
    for name in SPLIT_NAMES:
        windows = data.split(name)
        assert len(windows) == len(windows.starts) == probe.windows[name]
        batch = windows.batch(torch.arange(len(windows)))
        assert batch.observed is None
        assert (batch.inputs.dtype, batch.targets.dtype) == (torch.float32, torch.float32)
        for i, start in enumerate(windows.starts.tolist()):
            end = start + window
            np.testing.assert_array_equal(batch.inputs[i], values[start:end])
            np.testing.assert_array_equal(batch.targets[i], values[end : end + horizon])
    if by == "windows":
        total = rows - window - horizon + 1
        assert sum(probe.windows.values()) == total
        assert probe.windows["train"] == int(total * 0.6 + 1e-9)


def test_batches_follow_the_given_order() -> None:
    windows = TimeSeries(source="co2", window=8, horizon=2).load().split("train")
    batch = windows.batch(torch.tensor([5, 0, 5]))
    assert torch.equal(batch.inputs[0], batch.inputs[2])
    assert torch.equal(batch.inputs[1], windows.batch(torch.tensor([0])).inputs[0])
    assert len(batch) == 3
    assert batch.to("cpu").observed is not None


def test_leaks_are_stamped() -> None:
    clean = TimeSeries(source="sunspots", window=22, horizon=3).load()
    assert clean.leaks == ()
    assert not clean.leaky
    component = TimeSeries(
        source="sunspots",
        window=22,
        horizon=3,
        split=SplitSpec(by="windows"),
        scaler=StandardScaling(fit_on="all"),
    )
    reasons = (
        "scaler statistics include validation and test rows",
        "neighbouring splits share rows (cut by windows)",
    )
    assert component.probe().leaks == component.load().leaks == reasons
    assert component.load().leaky


def test_standard_scaling_uses_train_rows_only() -> None:
    data = TimeSeries(source="sunspots", window=22, horizon=3, split=SplitSpec(200, 50, 59)).load()
    train = data.split("train")
    inputs = train.batch(torch.arange(len(train))).inputs
    raw = data.scaler.inverse(inputs[0])
    assert raw[:2, 0].tolist() == pytest.approx([5.0, 11.0], abs=1e-5)  # 1700 and 1701
    rows = (raw[0, 0].item() - data.scaler.shift[0]) / data.scaler.scale[0]
    assert rows == pytest.approx(inputs[0, 0, 0].item(), abs=1e-6)


def test_calendar_features_by_hand() -> None:
    times = np.array(["2016-01-01T00:00", "2016-12-31T23:59", "1969-12-29T12:30"], dtype="datetime64[ms]")
    features = calendar_features(times)
    # Friday 1 January, first day of a leap year
    np.testing.assert_allclose(features[0], [-0.5, -0.5, 4 / 6 - 0.5, -0.5, -0.5])
    # Saturday 31 December, day 366
    np.testing.assert_allclose(features[1], [0.5, 0.5, 5 / 6 - 0.5, 0.5, 0.5])
    # a Monday, day 363, half past twelve
    np.testing.assert_allclose(features[2], [30 / 59 - 0.5, 12 / 23 - 0.5, -0.5, 28 / 30 - 0.5, 362 / 365 - 0.5])


def test_calendar_is_appended_to_inputs_alone(tmp_path: Path) -> None:
    data = TimeSeries(source="elnino", window=24, horizon=6, calendar=True).load()
    batch = data.split("test").batch(torch.arange(4))
    assert batch.inputs.shape == (4, 24, 6)
    assert batch.targets.shape == (4, 6, 1)
    assert (data.channels, data.calendar_features, data.input_signal.features) == (1, 5, 6)
    assert batch.inputs[..., 1:].abs().max() <= 0.5
    path = tmp_path / "a.csv"
    path.write_text("x\n" + "1\n2\n" * 50)
    component = TimeSeries(source=str(path), window=4, horizon=2, calendar=True)
    for call in (component.probe, component.load):
        found, _ = problem(call)
        assert (found.code, found.path) == ("D208", "data.calendar")


@pytest.mark.parametrize(
    ("name", "rows", "season", "missing"), [("co2", 2284, 52, 59), ("elnino", 732, 12, 0), ("sunspots", 309, 11, 0)]
)
def test_builtin_series(name: str, rows: int, season: int, missing: int) -> None:
    component = TimeSeries(source=name, window=22, horizon=3)
    probe, data = component.probe(), component.load()
    assert (probe.rows, probe.season, probe.format, probe.has_dates) == (rows, season, "builtin", True)
    assert (data.rows, data.missing_values, data.season) == (rows, missing, season)
    assert KNOWN[name].rows == rows
    assert TimeSeries(source=name, window=22, horizon=3, season=7).load().season == 7


def test_builtin_values_are_those_of_statsmodels() -> None:
    datasets = pytest.importorskip("statsmodels.datasets", reason="statsmodels is only an oracle here")
    for name in ("co2", "elnino", "sunspots"):
        frame = getattr(datasets, name).load_pandas().data
        expected = frame if name == "co2" else frame.iloc[:, 1:]
        found = TimeSeries(source=name, window=22, horizon=3, scaler="none").load()._series.values
        np.testing.assert_array_equal(found.ravel(), expected.to_numpy().ravel())


def test_describe_is_json_of_facts() -> None:
    facts = TimeSeries(source="co2", window=104, horizon=26).load().describe()
    assert facts["rows"] == 2284
    assert facts["missing_values"] == 59
    # floor(.7 * 2284) = 1598, floor(.2 * 2284) = 456, the rest 230
    assert [facts["splits"][name]["rows"] for name in SPLIT_NAMES] == [1598, 230, 456]
    assert [facts["splits"][name]["windows"] for name in SPLIT_NAMES] == [1598 - 129, 230 - 25, 456 - 25]
    assert facts["dates"] == {
        "first": "1958-03-29T00:00:00",
        "last": "2001-12-29T00:00:00",
        "step_seconds": 604800.0,
        "other_steps": 0,
    }
    assert facts["statistics"]["co2"]["min"] == 313.0
    assert facts["statistics"]["co2"]["missing"] == 59


def test_fingerprint_follows_values_and_names(tmp_path: Path) -> None:
    def fingerprint(name: str, text: str) -> str:
        path = tmp_path / name
        path.write_text(text)
        return TimeSeries(source=str(path), window=2, horizon=1).load().fingerprint

    body = "".join(f"{i},{i * 0.1!r}\n" for i in range(30))
    first = fingerprint("a.csv", "x,y\n" + body)
    assert len(first) == 64
    assert fingerprint("b.txt", "x\ty\n" + body.replace(",", "\t")) == first
    assert fingerprint("c.csv", "x,z\n" + body) != first
    assert fingerprint("d.csv", "x,y\n" + body.replace("29,", "29.5,")) != first


def test_sources_that_are_not_there() -> None:
    found, code = problem(TimeSeries(source="metr-la", window=12, horizon=6).probe)
    assert (found.code, code) == ("D101", ExitCode.DATA)
    assert found.help == "run: snnctl data prep metr-la --from FILE"
    found, _ = problem(TimeSeries(source="traffic", window=12, horizon=6).load)
    assert found.help == "run: snnctl data prep traffic"
    found, _ = problem(TimeSeries(source="co3", window=12, horizon=6).probe)
    assert "did you mean `co2`?" in found.help
    found, _ = problem(TimeSeries(source="./gone/ETTh1.csv", window=12, horizon=6).probe)
    assert "snnctl data prep etth1" in found.help


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_values_that_scaling_cannot_hold(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("x\n" + "1e-30\n2e-30\n" * 40 + "1e38\n" * 20)
    found, _ = problem(TimeSeries(source=str(path), window=2, horizon=1).load)
    assert found.code == "D205"
    assert "after scaling" in found.message


def test_rules_and_documentation_of_the_knobs() -> None:
    base = {**defaults(TimeSeries), "source": "co2", "window": 4, "horizon": 2}
    assert list(TimeSeries.rules(base)) == []
    for change, knob in (({"key": "df"}, "key"), ({"header": True}, "header"), ({"columns": ["a", "a"]}, "columns")):
        assert [name for name, _ in TimeSeries.rules({**base, **change})] == [knob]
    assert list(TimeSeries.rules({**base, "source": "a.h5", "key": "df"})) == []
    assert list(TimeSeries.rules({**base, "source": "a.txt.gz", "header": False})) == []
    assert all(knob.doc for knob in knobs(TimeSeries))
    assert DATA.get("timeseries") is TimeSeries


def test_what_ships_with_snnctl_is_read_without_pandas() -> None:
    code = (
        "import sys; from snnctl.data.series.component import TimeSeries;"
        "print(TimeSeries(source='co2', window=4, horizon=2).load().rows);"
        "print('pandas' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.split() == ["2284", "False"]


def test_preparing_imports_no_torch() -> None:
    code = (
        "import sys; from snnctl.data.kinds import KINDS;"
        "[kind.is_prepared(name) for kind in KINDS for name in kind.known];"
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.split() == ["False"]


@pytest.mark.skipif(not ETTH1.exists(), reason="../shared/data/ETTh1 is not there")
def test_etth1() -> None:
    component = TimeSeries(source=str(ETTH1), window=96, horizon=96, split=ETT_SPLIT, calendar=True)
    probe, data = component.probe(), component.load()
    assert probe.columns == data.columns == ("HUFL", "HULL", "MUFL", "MULL", "LUFL", "LULL", "OT")
    assert (probe.rows, data.rows, data.missing_values) == (17420, 17420, 0)
    assert [len(data.split(name)) for name in SPLIT_NAMES] == [8449, 2785, 2785]
    assert data.input_signal == SignalSpec(steps=0, length=96, features=12)
    facts = data.describe()["dates"]
    assert (facts["first"], facts["last"]) == ("2016-07-01T00:00:00", "2018-06-26T19:00:00")
    assert facts["step_seconds"] == 3600.0
    # the first row of the file, back in its own units
    first = data.scaler.inverse(data.split("train").batch(torch.tensor([0])).inputs[0, 0, :7].double())
    assert first.tolist() == pytest.approx([5.827, 2.009, 1.599, 0.462, 4.203, 1.340, 30.531], abs=1e-4)
    only = TimeSeries(source=str(ETTH1), window=96, horizon=96, split=ETT_SPLIT, columns=["OT"]).load()
    assert only.channels == 1
    assert only.fingerprint != data.fingerprint


@pytest.mark.skipif(not METR_LA_WEEK.exists(), reason="../shared/data/METR-LA-week is not there")
def test_metr_la_week() -> None:
    split = SplitSpec(0.7, 0.2, 0.1, by="windows")
    component = TimeSeries(source=str(METR_LA_WEEK), window=12, horizon=6, split=split)
    probe, data = component.probe(), component.load()
    assert (probe.rows, probe.channels) == (2016, 207)
    assert probe.columns[:2] == ("773869", "767541")  # the numeric header is recognised
    assert data.columns == probe.columns
    # 2016 - 12 - 6 + 1 = 1999 windows: floor(.7 n) = 1399, floor(.1 n) = 199, the rest 401
    assert [len(data.split(name)) for name in SPLIT_NAMES] == [1399, 401, 199]
    assert data.split("test").batch(torch.arange(3)).inputs.shape == (3, 12, 207)
    assert data.leaks == ("neighbouring splits share rows (cut by windows)",)
