"""Errors by column and in the data's own units: those of the values scaled back, however the split is cut."""

import dataclasses
import io
import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from torch import Tensor

from snnctl.data.series.scaling import StandardScaling
from snnctl.measure.classes import ClassificationMetrics
from snnctl.measure.columns import by_column, dominated, units
from snnctl.measure.items import add
from snnctl.measure.metrics import ForecastMetrics
from snnctl.measure.seeds import over_seeds
from snnctl.ui.results import show_results, show_seeds

NAMES = ["mse", "mae"]
SCALE = torch.tensor([10.0, 0.5, 3.0], dtype=torch.float64)
GENERATOR = torch.Generator().manual_seed(5)
P, Y = (torch.randn(40, 2, 3, generator=GENERATOR) for _ in range(2))
OBSERVED = torch.rand(40, 2, 3, generator=GENERATOR) > 0.3


def fresh(scale: Tensor | None = SCALE, scaler: str = "standard") -> ForecastMetrics:
    return ForecastMetrics(NAMES, 2, 3, columns=["a", "b", "c"], scaler=scaler, scale=scale)  # type: ignore[arg-type]


def whole(p: Tensor, y: Tensor, observed: Tensor | None = None, scale: Tensor | None = SCALE) -> ForecastMetrics:
    made = fresh(scale)
    made.update(p, y, observed)
    return made


def test_own_units_are_errors_of_values_that_are_scaled_back() -> None:
    rows = np.random.default_rng(3).normal(size=(50, 3)) * [10.0, 0.5, 3.0] + [100.0, -7.0, 0.0]
    scaler = StandardScaling().fit(rows, 50)
    p, y = (scaler.inverse(x.double()).numpy() for x in (P, Y))
    seen = OBSERVED.numpy()
    own = whole(P, Y, OBSERVED, torch.as_tensor(scaler.scale)).own_units()
    for c in range(3):
        error = (p - y)[..., c][seen[..., c]]
        assert own["mse"][c] == pytest.approx(np.mean(error**2), rel=1e-5)
        assert own["rmse"][c] == pytest.approx(np.sqrt(np.mean(error**2)), rel=1e-5)
        assert own["mae"][c] == pytest.approx(np.mean(np.abs(error)), rel=1e-5)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(0, 9), max_size=8), st.booleans(), st.booleans())
def test_cuts_and_merging_do_not_matter(cuts: list[int], masked: bool, merged: bool) -> None:
    observed = OBSERVED if masked else None
    sums, first = fresh(), 0
    for size in [*cuts, len(P)]:
        part = slice(first, first + size)
        mask = None if observed is None else observed[part]
        target = fresh() if merged else sums
        target.update(P[part], Y[part], mask)
        if merged:
            sums.merge(target)
        first += size
    at_once = whole(P, Y, observed)
    for found, wanted in ((sums.own_units(), at_once.own_units()), ({"s": sums.shares()}, {"s": at_once.shares()})):
        for name, values in wanted.items():
            assert found[name] == pytest.approx(values, rel=1e-12)
    assert sum(sums.shares()) == pytest.approx(1.0, rel=1e-12)


def test_items_may_be_scaled_each_in_its_own_way() -> None:
    @dataclasses.dataclass
    class Batch:
        targets: Tensor
        observed: Tensor | None
        scale: Tensor

    scale = torch.rand(40, 3, generator=GENERATOR) * 9 + 1
    meter = ForecastMetrics(NAMES, 2, 3)  # type: ignore[arg-type]
    for part in (slice(0, 7), slice(7, 40)):
        add(meter, P[part], Batch(Y[part], OBSERVED[part], scale[part]))
    error = ((P - Y).abs() * scale[:, None]).masked_fill(~OBSERVED, 0).double()
    wanted = error.sum((0, 1)) / OBSERVED.sum((0, 1))
    assert meter.own_units()["mae"] == pytest.approx(wanted.tolist(), rel=1e-6)
    assert meter.compute() == pytest.approx(whole(P, Y, OBSERVED).compute(), rel=1e-12)  # scaled ones as they are
    assert meter.own_units_of_all() == {}


def test_one_figure_for_all_columns_only_where_they_share_a_unit() -> None:
    assert whole(P, Y).own_units_of_all() == {}
    assert whole(P, Y, scale=None).own_units_of_all() == {}
    alike = whole(P, Y, scale=torch.full((3,), 4.0, dtype=torch.float64))
    error = (P - Y).double() * 4
    assert alike.own_units_of_all() == pytest.approx(
        {"mae": float(error.abs().mean()), "rmse": float(error.square().mean().sqrt())}, rel=1e-6
    )
    nothing = fresh(torch.ones(3, dtype=torch.float64))
    assert nothing.own_units_of_all() == {}


def test_by_column_beside_baselines() -> None:
    own, other = whole(P, Y), whole(Y + 1, Y)
    found = by_column(own, {"always_one_off": other})
    assert list(found) == ["a", "b", "c"]
    for at, row in enumerate(found.values()):
        assert row["mse"] == own.per_column()["mse"][at]
        assert row["share"] == own.shares()[at]
        theirs = row["baselines"]["always_one_off"]
        assert theirs["mae"] == pytest.approx(1.0, rel=1e-6)
        for name in ("mae_units", "rmse_units"):
            assert theirs[name] == pytest.approx(float(SCALE[at]), rel=1e-6)
    assert all(math.isnan(row["mae_units"]) for row in by_column(whole(P, Y, scale=None), {}).values())
    assert units(own, {"x": other}) == {"scaler": "standard", "metrics": {}, "baselines": {"x": {}}}


def test_what_is_no_forecast_has_none() -> None:
    meter = ClassificationMetrics(["accuracy"], 3)
    assert (by_column(meter, {}), units(meter, {}), dominated(meter, "test")) == ({}, None, [])


def made_of(*sse: float) -> ForecastMetrics:
    meter = ForecastMetrics(["mse"], 1, len(sse), columns=[f"c{n}" for n in range(len(sse))])
    errors = torch.tensor(sse).sqrt()[None, None]
    meter.update(errors, torch.zeros_like(errors))
    return meter


@pytest.mark.parametrize(
    ("sse", "named"),
    [
        ([5.0], None),
        ([0.8, 0.2], None),  # of two columns one has most of it anyway
        ([0.08, 0.92], "c1"),
        ([0.2, 0.55, 0.25], None),
        ([0.1, 0.7, 0.2], "c1"),
        ([1.0, 1.0, 1.0, 2.9], None),
        ([3.2, 1.0, 1.0, 1.0], "c0"),
        ([1.0] * 320 + [300.0], None),
        ([1.0] * 320 + [330.0], "c320"),
        ([0.0, 0.0], None),
    ],
)
def test_a_column_that_is_most_of_the_error_is_named(sse: list[float], named: str | None) -> None:
    found = dominated(made_of(*sse), "test")
    assert [one.message.split("`")[1] for one in found] == ([] if named is None else [named])
    for one in found:
        assert (one.code, one.severity, one.path) == ("D246", "warning", "data.columns")
        assert f"{max(sse) / sum(sse):.1%} of it" in one.notes[0]


def results(scaler: str, scale: Tensor | None, channels: int = 3) -> dict[str, Any]:
    meter = ForecastMetrics(NAMES, 1, channels, columns=[f"c{n}" for n in range(channels)], scaler=scaler, scale=scale)  # type: ignore[arg-type]
    meter.update(torch.arange(1.0, channels + 1)[None, None], torch.zeros(1, 1, channels))
    others = {"last_value": meter}
    return {
        "run": "r",
        "name": "n",
        "status": "done",
        "split": "test",
        "seed": 1,
        "parameters": 1,
        "spiking": True,
        "skip": False,
        "leaky": False,
        "leaks": [],
        "data_warnings": [one.to_json() for one in dominated(meter, "test")],
        "metrics": {"test/loss": 0.5, **{f"test/{name}": value for name, value in meter.compute().items()}},
        "units": units(meter, others),
        "columns": by_column(meter, others),
        "baselines": {"last_value": meter.compute()},
        "baselines_omitted": {},
        "spikes": {"layers": [], "mean_rate": 0.1, "silent_share": 0.0, "saturated_share": 0.0},
        "health": [],
        "seconds": 1.0,
        "training_seconds": 1.0,
        "samples_per_second": 1.0,
        "epochs_done": 1,
        "best_epoch": 1,
    }


def drawn(show: Any, document: dict[str, Any]) -> str:
    stream = io.StringIO()
    show(Console(file=stream, width=120, highlight=False), document)
    return stream.getvalue()


def test_the_table_says_what_metrics_are_of() -> None:
    one = drawn(show_results, results("standard", torch.full((1,), 7.0), 1))
    assert "values that the scaler `standard` has scaled" in one
    assert [word for word in one.splitlines()[2].split() if word == "7"] == ["7", "7"]  # mae and rmse of an error of 1
    assert "by column" not in one
    plain = drawn(show_results, results("none", torch.ones(3)))
    assert "metrics are in the data's own units" in plain
    assert "rmse, own units" not in plain.splitlines()[1]
    assert "data's own units" not in drawn(show_results, results("", None, 1))


def test_the_worst_columns_of_many_are_shown() -> None:
    shown = drawn(show_results, results("standard", torch.arange(1.0, 322.0), 321)).splitlines()
    first = next(n for n, line in enumerate(shown) if line.startswith("column"))
    assert shown[first + 1].split()[0] == "c320"
    assert shown[first + 8].split()[0] == "c313"
    assert shown[first + 9] == "and 313 more columns; --json lists all; baselines: their mae in own units"
    assert len(shown) < 40


def test_over_seeds_each_figure_is_summarised() -> None:
    document = over_seeds([results("standard", SCALE), results("standard", SCALE)])
    assert document["units"] == {"scaler": "standard", "metrics": {}, "baselines": {"last_value": {}}}
    mae = document["columns"]["c1"]["baselines"]["last_value"]["mae_units"]
    assert mae == {"mean": 1.0, "sd": 0.0, "values": [1.0, 1.0]}
    assert "by column" in drawn(show_seeds, {**document, "run": ["a", "b"]})
    one = over_seeds([results("max", torch.full((1,), 7.0), 1)] * 2)
    assert one["units"]["metrics"]["rmse"]["mean"] == 7.0
    assert "rmse, own units" in drawn(show_seeds, one)
    old = {key: value for key, value in results("standard", SCALE).items() if key not in ("units", "columns")}
    assert (over_seeds([old, old])["units"], over_seeds([old, old])["columns"]) == (None, None)
    drawn(show_seeds, over_seeds([old, old]))
    drawn(show_results, old)
