import itertools
import math
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import mean_absolute_error, mean_squared_error, r2_score

from snnctl.measure.metrics import METRIC_NAMES, ForecastMetrics


def whole(prediction, target, observed=None, names=METRIC_NAMES):
    metrics = ForecastMetrics(names, *target.shape[1:])
    metrics.update(prediction, target, observed)
    return metrics


def example(seed=0, n=200, horizon=3, channels=4, offset=0.0):
    generator = torch.Generator().manual_seed(seed)
    target = torch.randn(n, horizon, channels, generator=generator, dtype=torch.float64)
    target = target * torch.tensor([1.0, 3.0, 0.2, 10.0]) + torch.tensor([0.0, 5.0, -2.0, 1.0]) + offset
    noise = torch.randn(n, horizon, channels, generator=generator, dtype=torch.float64)
    return target + 0.5 * noise, target


def test_hand_computed():
    # one step, one channel: y = 1 2 4, p = 1 3 3; errors 0 -1 1
    y = torch.tensor([1.0, 2.0, 4.0]).view(3, 1, 1)
    p = torch.tensor([1.0, 3.0, 3.0]).view(3, 1, 1)
    got = whole(p, y).compute()
    # SSE = 2, mean 7/3, SST = (16 + 1 + 25)/9 = 14/3
    assert got["mse"] == pytest.approx(2 / 3)
    assert got["rmse"] == pytest.approx(math.sqrt(2 / 3))
    assert got["mae"] == pytest.approx(2 / 3)
    assert got["r2"] == got["r2_cell"] == got["r2_column"] == pytest.approx(1 - 2 / (14 / 3))
    assert got["rse"] == pytest.approx(math.sqrt(2 / (14 / 3)))
    assert got["mape"] == pytest.approx((0 + 1 / 2 + 1 / 4) / 3)
    assert got["mape_share"] == 1.0


def test_scikit_learn_agrees():
    p, y = example()
    got = whole(p, y).compute()
    flat_p, flat_y = p.flatten().numpy(), y.flatten().numpy()
    cells_p, cells_y = p.flatten(1).numpy(), y.flatten(1).numpy()
    columns_p, columns_y = p.flatten(0, 1).numpy(), y.flatten(0, 1).numpy()
    assert got["mse"] == pytest.approx(mean_squared_error(flat_y, flat_p), rel=1e-12)
    assert got["mae"] == pytest.approx(mean_absolute_error(flat_y, flat_p), rel=1e-12)
    assert got["r2"] == pytest.approx(r2_score(flat_y, flat_p), rel=1e-12)
    assert got["r2_cell"] == pytest.approx(r2_score(cells_y, cells_p), rel=1e-12)
    assert got["r2_column"] == pytest.approx(r2_score(columns_y, columns_p), rel=1e-12)
    per_column = r2_score(columns_y, columns_p, multioutput="raw_values")
    np.testing.assert_allclose(whole(p, y).per_column()["r2"], per_column, rtol=1e-12)
    rse = np.sqrt(((cells_y - cells_p) ** 2).sum() / ((cells_y - cells_y.mean(0)) ** 2).sum())
    assert got["rse"] == pytest.approx(rse, rel=1e-12)


def test_torchmetrics_agrees():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        functional = pytest.importorskip("torchmetrics.functional.regression")
        p, y = example(n=64)
        got = whole(p, y).compute()
        assert got["r2"] == pytest.approx(float(functional.r2_score(p.flatten(), y.flatten())), rel=1e-9)
        cells = functional.r2_score(p.flatten(1), y.flatten(1), multioutput="uniform_average")
        assert got["r2_cell"] == pytest.approx(float(cells), rel=1e-9)
        mape = functional.mean_absolute_percentage_error(p, y)
        assert got["mape"] == pytest.approx(float(mape), rel=1e-6)
        flat_rse = functional.relative_squared_error(p[:, :1, 0].flatten(), y[:, :1, 0].flatten(), squared=False)
        one = whole(p[:, :1, :1], y[:, :1, :1], names=["rse"]).compute()["rse"]
        assert one == pytest.approx(float(flat_rse), rel=1e-9)


def test_the_three_r2_differ_when_columns_have_different_levels():
    p, y = example()
    got = whole(p, y).compute()
    assert len({round(got[name], 4) for name in ("r2", "r2_cell", "r2_column")}) == 3


def test_per_step_and_per_column_average_to_the_whole():
    p, y = example()
    metrics = whole(p, y)
    for name in ("mse", "mae"):
        assert np.mean(metrics.per_step()[name]) == pytest.approx(metrics.compute()[name], rel=1e-12)
        assert np.mean(metrics.per_column()[name]) == pytest.approx(metrics.compute()[name], rel=1e-12)
    assert metrics.per_step()["mse"][1] == pytest.approx(float((p - y)[:, 1].square().mean()), rel=1e-12)


@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 1000),
    cuts=st.lists(st.integers(0, 50), max_size=5),
    masked=st.booleans(),
    offset=st.sampled_from([0.0, 1e6]),
)
def test_any_cut_into_batches_and_any_merge_gives_the_same(seed, cuts, masked, offset):
    p, y = example(seed=seed, n=50, offset=offset)
    mask = torch.rand(y.shape, generator=torch.Generator().manual_seed(seed)) > 0.3 if masked else None
    reference = whole(p, y, mask).compute()
    borders = [0, *sorted(cuts), 50]
    streamed = ForecastMetrics(METRIC_NAMES, 3, 4)
    merged = ForecastMetrics(METRIC_NAMES, 3, 4)
    for a, b in itertools.pairwise(borders):
        part = None if mask is None else mask[a:b]
        streamed.update(p[a:b], y[a:b], part)
        merged.merge(whole(p[a:b], y[a:b], part))
    for name, value in reference.items():
        assert streamed.compute()[name] == pytest.approx(value, rel=1e-7), name
        assert merged.compute()[name] == pytest.approx(value, rel=1e-7), name


def test_an_offset_of_a_hundred_million_costs_no_accuracy():
    # sums of squares of y ~ 1e8 + N(0, 1) would lose all digits of the variance
    generator = torch.Generator().manual_seed(3)
    y = torch.randn(4000, 1, 1, generator=generator, dtype=torch.float64)
    p = y + 0.1
    plain = whole(p, y, names=["r2", "rse"]).compute()
    metrics = ForecastMetrics(["r2", "rse"], 1, 1)
    for i in range(0, 4000, 100):
        metrics.update(p[i : i + 100] + 1e8, y[i : i + 100] + 1e8)
    assert metrics.compute()["r2"] == pytest.approx(plain["r2"], abs=1e-7)
    assert metrics.compute()["rse"] == pytest.approx(plain["rse"], abs=1e-7)


def test_masked_values_do_not_count_even_as_nan():
    p, y = example()
    observed = torch.rand(y.shape, generator=torch.Generator().manual_seed(1)) > 0.4
    dirty_y, dirty_p = y.clone(), p.clone()
    dirty_y[~observed] = torch.nan
    dirty_p[~observed] = torch.inf
    got = whole(dirty_p, dirty_y, observed).compute()
    kept_y, kept_p = y[observed].numpy(), p[observed].numpy()
    assert got["mse"] == pytest.approx(mean_squared_error(kept_y, kept_p), rel=1e-12)
    assert got["mae"] == pytest.approx(mean_absolute_error(kept_y, kept_p), rel=1e-12)
    assert got["r2"] == pytest.approx(r2_score(kept_y, kept_p), rel=1e-12)
    columns = [r2_score(y[..., c][m := observed[..., c]], p[..., c][m]) for c in range(4)]
    np.testing.assert_allclose(whole(dirty_p, dirty_y, observed).per_column()["r2"], columns, rtol=1e-12)
    assert got["r2_column"] == pytest.approx(np.mean(columns), rel=1e-12)
    assert got["mape"] == pytest.approx(np.mean(np.abs((kept_p - kept_y) / kept_y)), rel=1e-12)
    assert got["mape_share"] == 1.0


def test_rse_is_one_for_the_mean_of_each_cell():
    _, y = example()
    got = whole(y.mean(0).expand_as(y), y).compute()
    assert got["rse"] == pytest.approx(1.0, rel=1e-12)
    assert got["r2_cell"] == pytest.approx(0.0, abs=1e-12)
    assert got["r2"] > 0.1  # one global mean flatters: the columns' levels alone explain this much


@pytest.mark.parametrize("value", [0.0, 0.1, 1e8])
def test_a_constant_target_is_undefined_not_a_crash(value):
    y = torch.full((30, 2, 2), value, dtype=torch.float64)
    metrics = ForecastMetrics(METRIC_NAMES, 2, 2)
    for part in y.split(7):
        metrics.update(part + 1.0, part)
    got = metrics.compute()
    assert got["mse"] == pytest.approx(1.0)
    for name in ("r2", "r2_cell", "r2_column", "rse"):
        assert math.isnan(got[name]), name
    assert all(math.isnan(v) for v in metrics.per_column()["r2"])


def test_one_constant_column_is_left_out_of_the_means():
    p, y = example()
    y[..., 0] = 7.0
    got, rest = whole(p, y).compute(), whole(p[..., 1:], y[..., 1:]).compute()
    assert got["r2_column"] == pytest.approx(rest["r2_column"])
    assert got["r2_cell"] == pytest.approx(rest["r2_cell"])


def test_mape_leaves_out_targets_at_zero_and_says_how_many():
    y = torch.tensor([0.0, 2.0, 0.0, 4.0]).view(4, 1, 1)
    got = whole(y + 1.0, y, names=["mape"]).compute()
    assert got == {"mape": pytest.approx((1 / 2 + 1 / 4) / 2), "mape_share": 0.5}
    none = whole(torch.ones(3, 1, 1), torch.zeros(3, 1, 1), names=["mape"]).compute()
    assert math.isnan(none["mape"])
    assert none["mape_share"] == 0.0


def test_nothing_seen_is_nan():
    assert all(math.isnan(v) for v in ForecastMetrics(METRIC_NAMES, 2, 2).compute().values())
    p, y = example(n=5)
    assert math.isnan(whole(p, y, torch.zeros_like(y, dtype=torch.bool)).compute()["mse"])


def test_a_bad_prediction_stays_visible():
    p, y = example(n=5)
    p[2, 1, 1] = torch.nan
    assert math.isnan(whole(p, y).compute()["mse"])


def test_wrong_use_is_refused():
    with pytest.raises(ValueError, match="unknown metric `r3`"):
        ForecastMetrics(["r3"], 1, 1)
    with pytest.raises(ValueError, match="expected prediction and target"):
        ForecastMetrics(["mse"], 2, 3).update(torch.zeros(4, 3, 2), torch.zeros(4, 2, 3))
    with pytest.raises(ValueError, match="same horizon"):
        ForecastMetrics(["mse"], 2, 3).merge(ForecastMetrics(["mse"], 3, 2))
