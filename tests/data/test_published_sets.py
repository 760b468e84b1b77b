"""The published forecasting sets: layouts, splits, scalings, calendars and missing values, by name and by path."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import published_files as files
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from snnctl.core.diagnostic import DiagnosticError
from snnctl.data.cuts import SPLIT_NAMES
from snnctl.data.series.arranging import Arrangement
from snnctl.data.series.axis import AS_THEY_ARE
from snnctl.data.series.component import TimeSeries
from snnctl.data.series.dataset import ForecastData
from snnctl.data.series.known import KNOWN
from snnctl.data.series.prepare import prepare
from snnctl.data.series.roles import Wanted
from snnctl.data.series.scaling import ColumnMaxScaling, GlobalStandardScaling, MaxScaling, Scaler
from snnctl.data.series.series import ReadOptions
from snnctl.data.series.sources import PLAIN, read_file
from snnctl.data.series.windows import SplitSpec, plan_splits
from snnctl.measure.metrics import ForecastMetrics
from snnctl.tasks.forecasting import Forecasting

PUBLISHED: dict[str, Callable[[Path], Path]] = {
    "metr-la": files.metr_la,
    "pems-bay": files.pems_bay,
    "solar": files.solar,
    "electricity": files.electricity,
    "exchange_rate": files.exchange_rate,
    "ettm1": files.ett,
}
AS_PUBLISHED = Arrangement(rows=AS_THEY_ARE)
DATED = {"metr-la", "pems-bay", "ettm1"}


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def bring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Prepare a tiny stand-in under its known name; the file it came from."""

    def call(name: str) -> Path:
        path = PUBLISHED[name](tmp_path)
        rows, columns = read_file(path, PLAIN, AS_PUBLISHED).values.shape
        genuine = replace(KNOWN[name], rows=rows, columns=columns, sha256="")
        monkeypatch.setitem(KNOWN, name, genuine)
        prepare(name, source=path)
        return path

    return call


def everything(data: ForecastData, name: Any) -> Any:
    windows = data.split(name)
    return windows.batch(torch.arange(len(windows)))


@pytest.mark.parametrize("name", PUBLISHED)
def test_by_name_is_by_path(name: str, bring: Callable[[str], Path]) -> None:
    path = bring(name)
    sizes: Any = {"window": 12, "horizon": 6}
    by_name, by_path = TimeSeries(source=name, **sizes), TimeSeries(source=str(path), **sizes)
    assert by_name.load().fingerprint == by_path.load().fingerprint
    assert by_name.probe().columns == by_path.probe().columns == by_name.load().columns
    assert by_name.probe().has_dates == by_path.probe().has_dates == (name in DATED)
    assert by_name.load().missing_values == 0  # zeros are values unless the recipe says otherwise
    assert by_name.season == KNOWN[name].season


@pytest.mark.parametrize("name", [name for name in PUBLISHED if name != "ettm1"])  # whose length is not certain
def test_another_shape_is_not_the_published_set(name: str, tmp_path: Path) -> None:
    with pytest.raises(DiagnosticError, match="D107"):
        prepare(name, source=PUBLISHED[name](tmp_path))


@pytest.mark.parametrize("unit", ["datetime64", "datetime64[us]"])
def test_metr_la_as_it_is_passed_on(unit: str, tmp_path: Path) -> None:
    values = files.speeds(30, 2)
    labels = np.array([b"773869", b"767541"])
    path = files.pandas_fixed(tmp_path / "metr-la.h5", "df", labels, "2012-03-01", values, unit)
    series = read_file(path, ReadOptions(key="df"))
    np.testing.assert_array_equal(series.values, values)
    assert series.columns == ("773869", "767541")
    assert series.times is not None
    assert [str(t) for t in series.times[[0, 1, -1]]] == [
        "2012-03-01T00:00:00.000",
        "2012-03-01T00:05:00.000",
        "2012-03-01T02:25:00.000",
    ]


def test_pems_bay_has_whole_numbers_as_ids(tmp_path: Path) -> None:
    series = read_file(files.pems_bay(tmp_path), PLAIN, Arrangement(Wanted(targets=("400030", "400001"))))
    np.testing.assert_array_equal(series.values, files.speeds(400, 3, 1)[:, [2, 0]])
    assert series.columns == ("400030", "400001")
    assert series.times is not None
    assert str(series.times[0]) == "2017-01-01T00:00:00.000"


def test_text_of_the_lstnet_collection(tmp_path: Path) -> None:
    for make, rows, columns in (
        (files.solar, 1000, 3),
        (files.electricity, 1000, 4),
        (files.exchange_rate, 300, 8),
    ):
        path = make(tmp_path)
        series = read_file(path)
        assert series.times is None
        assert series.columns == tuple(f"c{i}" for i in range(columns))
        assert series.values.shape == (rows, columns)
        assert np.isfinite(series.values).all()
    assert read_file(files.electricity(tmp_path), PLAIN).values[0].tolist() == [14, 69, 234, 1088]
    assert (read_file(files.solar(tmp_path), PLAIN).values == 0).mean() > 0.4  # nights


def test_ett_csv(tmp_path: Path) -> None:
    series = read_file(files.ett(tmp_path), PLAIN)
    assert series.columns == ("HUFL", "HULL", "MUFL", "MULL", "LUFL", "LULL", "OT")
    assert series.times is not None
    assert str(series.times[1]) == "2016-07-01T00:15:00.000"


# The three normalisations of SeqSNN, as its reader computes them: over the whole series.
SEQSNN: list[tuple[Scaler, Callable[[Any], Any]]] = [
    (MaxScaling(fit_on="all"), lambda x: x / x.max()),
    (ColumnMaxScaling(fit_on="all"), lambda x: x / np.abs(x).max(axis=0)),
    (GlobalStandardScaling(fit_on="all"), lambda x: (x - x.mean()) / x.std()),
]


@pytest.mark.parametrize(("scaler", "published"), SEQSNN, ids=["max", "column_max", "global_standard"])
def test_published_normalisation(scaler: Scaler, published: Callable[[Any], Any], tmp_path: Path) -> None:
    raw = files.speeds(400, 4)
    raw[-1, 0] = 200.0  # the largest value stands in the test rows
    path = tmp_path / "a.npy"
    np.save(path, raw)
    split = SplitSpec(0.7, 0.2, 0.1, by="windows")

    def load(scaler: Scaler) -> ForecastData:
        return TimeSeries(source=str(path), window=12, horizon=6, split=split, scaler=scaler).load()

    data = load(scaler)
    expected = published(raw)
    first, last = everything(data, "train"), everything(data, "test")
    np.testing.assert_allclose(first.inputs[0], expected[:12], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(last.targets[-1], expected[-6:], rtol=1e-5, atol=1e-6)  # targets are scaled, too
    assert data.leaks[0] == "scaler statistics include validation and test rows"
    honest = load(type(scaler)())
    assert honest.leaks == ("neighbouring splits share rows (cut by windows)",)
    train = raw[: plan_splits(split, 400, 12, 6).train.last_row]
    np.testing.assert_allclose(everything(honest, "train").inputs[0], published(train)[:12], rtol=1e-5, atol=1e-6)


@given(
    rows=st.integers(60, 300),
    window=st.integers(1, 20),
    horizon=st.sampled_from([6, 24]),
    shares=st.sampled_from([(0.7, 0.2, 0.1), (0.6, 0.2, 0.2)]),
)
def test_windows_are_counted_and_cut_as_published(
    rows: int, window: int, horizon: int, shares: tuple[float, float, float]
) -> None:
    """count = samples - window - horizon + 1; floor for train and test, the rest is validation."""
    plan = plan_splits(SplitSpec(*shares, by="windows"), rows, window, horizon)
    count = rows - window - horizon + 1
    train, test = round(count * shares[0] * 10) // 10, round(count * shares[2] * 10) // 10
    assert [plan[name].windows for name in SPLIT_NAMES] == [train, count - train - test, test]
    assert [plan[name].start for name in SPLIT_NAMES] == [0, train, count - test]
    assert plan.shares_rows


@pytest.mark.parametrize(
    ("name", "rows", "window", "shares", "counts"),
    [
        ("metr-la", 34272, 12, (0.7, 0.2, 0.1), (23965, 6849, 3423)),
        ("pems-bay", 52116, 12, (0.7, 0.2, 0.1), (36456, 10417, 5208)),
        ("solar", 52560, 168, (0.6, 0.2, 0.2), (31421, 10475, 10473)),
        ("electricity", 26304, 168, (0.6, 0.2, 0.2), (15667, 5224, 5222)),
    ],
)
def test_window_counts_of_the_genuine_sets(
    name: str, rows: int, window: int, shares: tuple[float, float, float], counts: tuple[int, int, int]
) -> None:
    assert KNOWN[name].rows == rows
    plan = plan_splits(SplitSpec(*shares, by="windows"), rows, window, 24)
    assert tuple(plan[part].windows for part in SPLIT_NAMES) == counts
    assert sum(counts) == rows - window - 24 + 1


@pytest.mark.parametrize(("name", "channels"), [("metr-la", 4), ("pems-bay", 3)])
def test_five_calendar_features_are_inputs_and_never_targets(
    name: str, channels: int, bring: Callable[[str], Path]
) -> None:
    bring(name)
    split = SplitSpec(0.7, 0.2, 0.1, by="windows")
    component = TimeSeries(source=name, window=12, horizon=6, split=split, scaler="column_max", calendar=True)
    data = component.load()
    assert component.probe().input_signal == data.input_signal
    assert (data.channels, data.calendar_features, data.input_signal.features) == (channels, 5, channels + 5)
    batch = everything(data, "train")
    assert batch.inputs.shape[1:] == (12, channels + 5)
    assert batch.targets.shape[1:] == (6, channels)
    clock = batch.inputs[..., channels:]
    assert clock.min() >= -0.5
    assert clock.max() <= 0.5
    # row 13 stands at 01:05 on the first day: minute 5 of 59, hour 1 of 23
    np.testing.assert_allclose(batch.inputs[13, 0, channels : channels + 2], [5 / 59 - 0.5, 1 / 23 - 0.5], atol=1e-6)
    task = Forecasting(data)
    assert task.outputs == 6 * channels
    assert task.input_signal.features == channels + 5


class TestZerosAsMissing:
    @pytest.fixture
    def data(self, bring: Callable[[str], Path]) -> ForecastData:
        bring("metr-la")
        return TimeSeries(
            source="metr-la", window=12, horizon=6, scaler=ColumnMaxScaling(), missing="zero_is_missing"
        ).load()

    def test_every_zero_is_masked_and_nothing_else(self, data: ForecastData) -> None:
        raw = files.speeds(400, 4)
        assert data.missing_values == (raw == 0).sum() > 100
        for name in SPLIT_NAMES:
            windows = data.split(name)
            batch = everything(data, name)
            for i, start in enumerate(windows.starts.tolist()):
                following = raw[start + 12 : start + 18]
                np.testing.assert_array_equal(batch.observed[i], following != 0)
            assert batch.inputs.min() > 0  # filled, not zero
            assert batch.inputs.isfinite().all()

    @pytest.mark.usefixtures("data")
    def test_zeros_stay_out_of_the_scale(self) -> None:
        raw = files.speeds(400, 4)
        standard = TimeSeries(
            source="metr-la", window=12, horizon=6, scaler="standard", missing="zero_is_missing"
        ).load()
        train = np.where(raw == 0, np.nan, raw)[:280]
        np.testing.assert_allclose(standard.scaler.shift, np.nanmean(train, axis=0))
        np.testing.assert_allclose(standard.scaler.scale, np.nanstd(train, axis=0))

    def test_loss_and_metrics_count_what_was_observed(self, data: ForecastData) -> None:
        task = Forecasting(data, metrics=["mse", "mae", "r2", "rse"], channels="joint")
        batch = everything(data, "test")
        observed = batch.observed
        assert 0.02 < float((~observed).float().mean()) < 0.3
        prediction = torch.rand(batch.targets.shape, generator=torch.Generator().manual_seed(0))
        wild = torch.where(observed, prediction, torch.full_like(prediction, 1e6))

        def measured(values: Tensor) -> tuple[float, float, dict[str, float], dict[str, list[float]]]:
            meter = task.meter()
            meter.update(values, batch.targets, batch.observed)
            return float(task.loss(values, batch)), task.loss_weight(batch), meter.compute(), meter.per_column()

        assert measured(wild) == measured(prediction)
        error = (prediction - batch.targets)[observed].double()
        assert measured(prediction)[0] == pytest.approx(float(error.square().mean()), rel=1e-5)
        assert measured(prediction)[1] == int(observed.sum())
        assert measured(prediction)[2]["mae"] == pytest.approx(float(error.abs().mean()), rel=1e-6)

    def test_no_gradient_comes_from_what_was_not_observed(self, data: ForecastData) -> None:
        batch = everything(data, "test")
        prediction = torch.zeros_like(batch.targets, requires_grad=True)
        Forecasting(data).loss(prediction, batch).backward()
        assert prediction.grad is not None
        assert not prediction.grad[~batch.observed].any()
        assert prediction.grad[batch.observed].any()

    def test_baselines_are_scored_on_the_same_values(self, data: ForecastData) -> None:
        report = Forecasting(data, metrics=["mse"], baselines=["last_value", "ridge"]).run_baselines()
        batch = everything(data, "test")
        error = (batch.inputs[:, -1:] - batch.targets)[batch.observed].double()
        assert report.scores["last_value"]["mse"] == pytest.approx(float(error.square().mean()), rel=1e-5)
        assert report.scores["ridge"]["mse"] < report.scores["last_value"]["mse"]

    def test_as_published_zeros_are_values(self, bring: Callable[[str], Path]) -> None:
        bring("metr-la")
        data = TimeSeries(source="metr-la", window=12, horizon=6, scaler="column_max").load()
        batch = everything(data, "test")
        assert batch.observed is None
        assert batch.targets.min() == 0


def test_r2_and_rse_are_those_of_seqsnn() -> None:
    """Its `rse`: one mean per output cell; its `r2`: scikit-learn on flattened arrays, one mean for all."""
    random = np.random.default_rng(0)
    y = random.normal(size=(50, 6, 4)) + np.array([0.0, 5.0, 10.0, 20.0])
    p = y + random.normal(size=y.shape)
    metrics = ForecastMetrics(["r2", "rse"], 6, 4)
    metrics.update(torch.from_numpy(p), torch.from_numpy(y))
    rse = np.sqrt(((p - y) ** 2).sum() / ((y - y.mean(axis=0)) ** 2).sum())
    r2 = 1 - ((p - y) ** 2).sum() / ((y - y.mean()) ** 2).sum()
    assert metrics.compute() == {"r2": pytest.approx(r2), "rse": pytest.approx(rse)}
    # The mean of each column looks good by the pooled r2 where levels differ, and is worth nothing by rse.
    flat = ForecastMetrics(["r2", "rse"], 6, 4)
    flat.update(torch.from_numpy(np.broadcast_to(y.mean(axis=0), y.shape).copy()), torch.from_numpy(y))
    assert flat.compute()["r2"] > 0.9
    assert flat.compute()["rse"] == pytest.approx(1.0)


def test_any_csv_by_path(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text(
        "time;a;b\n" + "".join(f"2020-01-01 00:{i:02d}:00;{3 * i};{i * i if i % 7 else 'NA'}\n" for i in range(60))
    )
    data = TimeSeries(source=str(path), window=8, horizon=2, calendar=True).load()
    assert (data.columns, data.calendar_features, data.missing_values) == (("a", "b"), 5, 9)
    assert everything(data, "test").observed is not None
