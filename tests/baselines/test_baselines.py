import math
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.linear_model import LinearRegression, Ridge
from window_fakes import Windows, fitted, run, score

from snnctl.baselines.dlinear import fit_dlinear, moving_average, trend_kernel
from snnctl.baselines.forecasts import LastValue, SeasonalNaive
from snnctl.baselines.ridge import ALPHAS, fit_ridge
from snnctl.baselines.windows import affine, fold_channels, unfold_channels

ETTH1 = Path(__file__).parents[2] / "../shared/data/ETTh1/ETTh1.csv"


def waves(n: int = 400, noise: float = 0.05, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    generator = torch.Generator().manual_seed(7)
    t = torch.arange(n, dtype=torch.float64)
    series = torch.stack((torch.sin(t * math.tau / 12), 2 + 0.01 * t + torch.cos(t * math.tau / 12)), dim=1)
    return (series + noise * torch.randn(n, 2, generator=generator, dtype=torch.float64)).to(dtype)


def test_last_value_repeats_the_last_and_ignores_calendar_channels():
    data = Windows(waves(), window=3, horizon=2)
    inputs = torch.tensor([[[1.0, 10.0, 9], [2.0, 20.0, 9], [3.0, 30.0, 9]]])  # third channel: calendar
    assert fitted(LastValue(), data)(inputs).tolist() == [[[3.0, 30.0], [3.0, 30.0]]]


def test_seasonal_naive_repeats_the_last_full_season():
    data = Windows(waves()[:, :1], window=5, horizon=7, season=3)
    inputs = torch.arange(5.0).view(1, 5, 1)
    # the last season is 2 3 4
    assert fitted(SeasonalNaive(), data)(inputs).flatten().tolist() == [2, 3, 4, 2, 3, 4, 2]


def test_seasonal_naive_is_exact_on_a_periodic_series():
    data = Windows(torch.arange(12.0).repeat(30).view(-1, 1), window=24, horizon=17, season=12)
    assert score(fitted(SeasonalNaive(), data), data, ["mse"])["mse"] == 0.0


@pytest.mark.parametrize(("season", "words"), [(None, "names no season"), (20, "season of 20 does not fit")])
def test_a_baseline_that_does_not_apply_is_left_out_with_a_reason(season, words):
    data = Windows(waves(), window=10, horizon=3, season=season)
    report = run(["last_value", "seasonal_naive"], data, ["mse", "rse"])
    assert list(report.scores) == ["last_value"]
    assert set(report.scores["last_value"]) == {"mse", "rse"}
    assert words in report.omitted["seasonal_naive"]


def test_fitted_baselines_need_train_and_validation_windows():
    data = Windows(waves(60), window=10, horizon=3, borders=(11, 40))  # train: 11 < 10 + 3 rows
    report = run(["ridge", "dlinear"], data, ["mse"])
    assert report.scores == {}
    assert set(report.omitted) == {"ridge", "dlinear"}


def test_folding_is_undone():
    x = torch.arange(24.0).view(2, 3, 4)
    assert fold_channels(x)[1].tolist() == x[0, :, 1].tolist()  # row b * C + c
    assert torch.equal(unfold_channels(fold_channels(x), 4), x)


@pytest.mark.parametrize("norm", ["none", "last", "mean_std"])
def test_affine_describes_undo(norm):
    data = Windows(waves(), window=8, horizon=5, norm=norm)
    x = data.split("train").batch(torch.arange(6)).inputs
    normalised, offset, factor = affine(data.window_norm, x, 5)
    torch.testing.assert_close(offset + factor * normalised, x)


def rows(data: Windows, split: str = "train"):
    """Ridge features and residuals by hand, [rows, L + 1] and [rows, H]."""
    part = data.split(split)
    batch = part.batch(torch.arange(len(part)))
    x, offset, factor = affine(data.window_norm, batch.inputs[..., : data.channels], data.horizon)
    features = torch.cat((fold_channels(x * factor), fold_channels(factor)), dim=1)
    return (
        features.numpy(),
        fold_channels(batch.targets - offset).numpy(),
        batch.inputs,
        fold_channels(offset),
    )


def test_ridge_with_almost_no_penalty_is_least_squares():
    data = Windows(waves(), window=12, horizon=4)
    predict, _ = fit_ridge(data, alphas=[1e-13], batch_size=50)
    x, y, inputs, _ = rows(data)
    reference = LinearRegression().fit(x[:, :-1], y).predict(x[:, :-1])
    np.testing.assert_allclose(fold_channels(predict(inputs)).numpy(), reference, atol=1e-7)


@pytest.mark.parametrize("norm", ["none", "last", "mean_std"])
def test_ridge_equals_scikit_learn_and_batches_do_not_matter(norm):
    data = Windows(waves(), window=12, horizon=4, norm=norm)
    x, y, inputs, offset = rows(data)
    alpha = 1e-2
    predict, chosen = fit_ridge(data, alphas=[alpha], batch_size=37)
    assert chosen == alpha
    # normal equations: the bias column is not penalised
    gram = x.T @ x
    penalty = alpha * np.trace(gram) / len(gram) * np.eye(len(gram))
    penalty[-1, -1] = 0.0
    weights = np.linalg.solve(gram + penalty, x.T @ y)
    np.testing.assert_allclose(fold_channels(predict(inputs)).numpy(), offset.numpy() + x @ weights, atol=1e-9)
    if norm == "none":  # a constant feature is an intercept
        oracle = Ridge(alpha=alpha * np.trace(gram) / len(gram)).fit(x[:, :-1], y).predict(x[:, :-1])
        np.testing.assert_allclose(fold_channels(predict(inputs)).numpy(), oracle, atol=1e-9)
    whole, _ = fit_ridge(data, alphas=[alpha], batch_size=10_000)
    torch.testing.assert_close(whole(inputs), predict(inputs), atol=1e-10, rtol=0)


def test_ridge_chooses_its_penalty_on_validation_only():
    series = waves(120, noise=0.5)
    data = Windows(series, window=30, horizon=2)
    predict, chosen = fit_ridge(data)
    errors = {alpha: score(fit_ridge(data, alphas=[alpha])[0], data, ["mse"], split="val")["mse"] for alpha in ALPHAS}
    assert chosen == min(errors, key=errors.__getitem__)
    changed = series.clone()
    changed[data.borders[1] :] = 1e3  # the test part
    _, again = fit_ridge(Windows(changed, window=30, horizon=2))
    assert again == chosen
    torch.testing.assert_close(
        fit_ridge(Windows(changed, window=30, horizon=2))[0](series[None, :30]), predict(series[None, :30])
    )


def test_ridge_leaves_out_masked_targets_step_by_step():
    series = waves(300)
    seen = torch.rand(series.shape, generator=torch.Generator().manual_seed(2)) > 0.2
    data = Windows(series, window=6, horizon=3, norm="last", seen=seen)
    predict, _ = fit_ridge(data, alphas=[1e-9], batch_size=41)
    x, y, inputs, offset = rows(data)
    for h in range(3):
        kept = ~np.isnan(y[:, h])
        weights = np.linalg.lstsq(x[kept], y[kept, h], rcond=None)[0]
        expected = offset[:, 0] + torch.from_numpy(x @ weights)
        torch.testing.assert_close(fold_channels(predict(inputs))[:, h], expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("norm", ["none", "last"])
def test_ridge_survives_a_constant_series(norm):
    data = Windows(torch.full((100, 1), 3.0), window=8, horizon=2, norm=norm)
    predict, _ = fit_ridge(data)
    torch.testing.assert_close(predict(torch.full((1, 8, 1), 3.0)), torch.full((1, 2, 1), 3.0, dtype=torch.float64))


def test_moving_average_repeats_the_ends():
    # kernel 3 on 0 3 6 9: (0+0+3)/3, (0+3+6)/3, (3+6+9)/3, (6+9+9)/3
    assert moving_average(torch.tensor([[0.0, 3, 6, 9]]), 3).tolist() == [[1, 3, 6, 8]]
    assert [trend_kernel(n) for n in (1, 2, 6, 12, 50, 96)] == [1, 1, 3, 5, 25, 25]


def test_dlinear_learns_is_seeded_and_leaves_global_randomness_alone():
    data = Windows(waves(600, dtype=torch.float32), window=24, horizon=6, norm="last")
    before = torch.random.get_rng_state()
    reports = [run(["last_value", "dlinear"], data, ["mse"], seed=seed) for seed in (1, 1, 2)]
    assert torch.equal(torch.random.get_rng_state(), before)
    first, again, other = (report.scores["dlinear"]["mse"] for report in reports)
    assert first == again != other
    assert first < 0.1 * reports[0].scores["last_value"]["mse"]
    assert reports[0].chosen["dlinear"].startswith("epoch ")


def test_dlinear_leaves_out_masked_targets():
    series = waves(300, dtype=torch.float32)
    seen = torch.rand(series.shape, generator=torch.Generator().manual_seed(2)) > 0.3
    data = Windows(series, window=12, horizon=3, seen=seen, norm="last")
    predict, epoch = fit_dlinear(data, seed=0, epochs=2)
    assert epoch >= 1
    forecast = predict(series[None, :12])
    assert forecast.isfinite().all()
    assert not forecast.requires_grad


def test_calendar_channels_change_nothing():
    series = waves(200, dtype=torch.float32)
    names = ["last_value", "seasonal_naive", "ridge", "dlinear"]
    plain = Windows(series, window=12, horizon=3, season=12)
    calendar = Windows(series, window=12, horizon=3, season=12, extra=torch.rand(200, 4))
    assert run(names, plain, ["mse"]) == run(names, calendar, ["mse"])


def test_progress_is_told():
    told = []
    data = Windows(waves(200, dtype=torch.float32), window=12, horizon=3)
    run(["last_value", "ridge", "dlinear"], data, ["mse"], progress=lambda n, s: told.append((n, s)))
    assert {name for name, _ in told} == {"last_value", "ridge", "dlinear"}
    assert all(0 <= share <= 1 for _, share in told)
    assert [name for name, share in told if share == 1.0][-1] == "dlinear"


@pytest.mark.skipif(not ETTH1.exists(), reason="../shared/data/ETTh1/ETTh1.csv is not laid beside the project")
def test_etth1_reference_values():
    table = np.loadtxt(ETTH1, delimiter=",", skiprows=1, usecols=range(1, 8), max_rows=14400)
    train = table[:8640]
    series = torch.from_numpy((table - train.mean(0)) / train.std(0)).float()
    data = Windows(series, window=96, horizon=96, season=24, borders=(8640, 11520))
    scores = run(["last_value", "ridge"], data, ["mse"]).scores
    assert scores["last_value"]["mse"] == pytest.approx(1.294, abs=2e-3)
    assert scores["ridge"]["mse"] == pytest.approx(0.3815, abs=5e-4)
