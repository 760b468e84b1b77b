"""Sums of errors against the same measures written down in pandas, a row a value."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from snnctl.backtest.measures import DEFINITIONS, Scales, Sums, in_units, naive_error, names

LEVELS = (80, 95)
N, H, C, S = 40, 3, 2, 2


@pytest.fixture
def made() -> tuple[Sums, Scales, pd.DataFrame]:
    """Two series of two columns, values missing; the sums and the long table behind them."""
    rng = np.random.default_rng(0)
    y = rng.normal(10, 3, (N, H, C))
    p = y + rng.normal(0, 1, y.shape)
    y[rng.random(y.shape) < 0.1] = np.nan
    bands = {level: (p - width, p + 1.2 * width) for level, width in ((80, 1.0), (95, 1.7))}
    bands[95][0][:5] = np.nan
    part = np.repeat([0, 1], [25, 15])
    half = (np.arange(N) % 2).astype(np.int64)
    scales = Scales(np.array([[2.0, 3.0], [0.5, 4.0]]), np.array([[1.0, 2.0], [3.0, math.nan]]))
    n, h, c = (each.ravel() for each in np.indices(y.shape))
    frame = pd.DataFrame({"n": n, "step": h, "column": c, "part": part[n], "half": half[n]})
    frame = frame.assign(y=y.ravel(), p=p.ravel(), scale=scales.scale[part[n], c], naive=scales.naive[part[n], c])
    for level, (low, high) in bands.items():
        frame = frame.assign(**{f"lo{level}": low.ravel(), f"hi{level}": high.ravel()})
    return Sums(y, p, bands, part, half, S), scales, frame.dropna(subset=["y"])


def oracle(frame: pd.DataFrame, *, units: bool = False) -> dict[str, float]:
    scale = 1.0 if units else frame.scale
    error = frame.y - frame.p
    ids = [frame.part, frame.column]
    found = {
        "mae": (error.abs() / scale).mean(),
        "rmse": math.sqrt(((error / scale) ** 2).mean()),
        "mase": (error.abs() / frame.naive).groupby(ids).mean().mean(),
        "smape": (error.abs() / (frame.y.abs() + frame.p.abs())).mean(),
    }
    whole = frame.dropna(subset=["lo95"])
    loss = sum(
        (lambda u, q=q: np.maximum(q * u, (q - 1) * u))(whole.y - whole[side])
        for q, side in ((0.1, "lo80"), (0.9, "hi80"), (0.025, "lo95"), (0.975, "hi95"))
    )
    groups = [whole.part, whole.column]
    found["scaled_crps"] = (2 * (loss / 4).groupby(groups).sum() / whole.y.abs().groupby(groups).sum()).mean()
    for level in LEVELS:
        own = frame.dropna(subset=[f"lo{level}"])
        low, high = own[f"lo{level}"], own[f"hi{level}"]
        below, above = (low - own.y).clip(lower=0), (own.y - high).clip(lower=0)
        found[f"coverage-{level}"] = ((below == 0) & (above == 0)).mean()
        score = high - low + 2 / (1 - level / 100) * (below + above)
        found[f"winkler_score-{level}"] = (score / (1.0 if units else own.scale)).mean()
    return found


def test_of_everything_and_of_each_half(made: tuple[Sums, Scales, pd.DataFrame]) -> None:
    sums, scales, frame = made
    assert list(sums.overall(scales)) == names(LEVELS)
    assert sums.overall(scales) == pytest.approx(oracle(frame))
    for half, found in enumerate(sums.by_half(scales)):
        assert found == pytest.approx(oracle(frame[frame.half == half]))


def test_of_each_step(made: tuple[Sums, Scales, pd.DataFrame]) -> None:
    sums, scales, frame = made
    found = sums.by_step(scales)
    for step in range(H):
        assert {name: of[step] for name, of in found.items()} == pytest.approx(oracle(frame[frame.step == step]))


def test_of_one_series_and_column_in_both_units(made: tuple[Sums, Scales, pd.DataFrame]) -> None:
    sums, scales, frame = made
    found = sums.of(scales, slice(0, 1), slice(1, 2))
    own = frame[(frame.part == 0) & (frame.column == 1)]
    in_own = oracle(own, units=True)
    assert {name: found[name] for name in names(LEVELS)} == pytest.approx(oracle(own))
    assert {name: found[name] for name in in_units(LEVELS)} == pytest.approx(
        {name: in_own[name.removesuffix("_units")] for name in in_units(LEVELS)}
    )


def test_of_each_cutoff(made: tuple[Sums, Scales, pd.DataFrame]) -> None:
    sums, scales, frame = made
    cutoffs, part = np.arange(N) // 4, np.repeat([0, 1], [25, 15])
    found = sums.by_cutoff(cutoffs, part, scales)
    for cutoff in range(N // 4):
        own = oracle(frame[frame.n // 4 == cutoff])
        assert {name: of[cutoff] for name, of in found.items()} == pytest.approx(own, nan_ok=True)


def test_every_measure_is_defined() -> None:
    assert {name.partition("-")[0] for name in names(LEVELS)} == set(DEFINITIONS)


def test_the_naive_error_leaves_out_what_is_missing() -> None:
    values = np.array([[1.0, 5.0], [2.0, 5.0], [4.0, 5.0], [math.nan, 5.0], [8.0, 5.0]])
    assert naive_error(values, 1) == pytest.approx([1.5, math.nan], nan_ok=True)  # a constant divides nothing
    assert naive_error(values, 2) == pytest.approx([(3 + 4) / 2, math.nan], nan_ok=True)
    assert np.isnan(naive_error(values, 9)).all()
