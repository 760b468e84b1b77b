"""Scalers: hand-computed statistics, and test rows that never touch them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from snnctl.core.catalog import SCALERS
from snnctl.data.series.scaling import Scaler

KINDS = ("none", "standard", "global_standard", "max", "column_max", "minmax")
# The last row is the test row; NaN is missing.
VALUES = np.array([[1.0, -8.0], [3.0, np.nan], [100.0, 50.0]])


def scaler(kind: str, fit_on: str = "train") -> Scaler:
    return SCALERS.get(kind)() if kind == "none" else SCALERS.get(kind)(fit_on=fit_on)


@pytest.mark.parametrize(
    ("kind", "shift", "scale"),
    [
        ("none", [0, 0], [1, 1]),
        ("standard", [2, -8], [1, 1]),  # column 1 holds one value: constant, scale 1
        # values 1, 3, -8: mean -4/3, variance (1 + 9 + 64)/3 - 16/9 = 206/9
        ("global_standard", [-4 / 3, -4 / 3], [np.sqrt(206 / 9)] * 2),
        ("max", [0, 0], [3, 3]),
        ("column_max", [0, 0], [3, 8]),
        ("minmax", [1, -8], [2, 1]),
    ],
)
def test_statistics_by_hand(kind: str, shift: list[float], scale: list[float]) -> None:
    fitted = scaler(kind).fit(VALUES, 2)
    np.testing.assert_allclose(fitted.shift, shift, rtol=1e-14)
    np.testing.assert_allclose(fitted.scale, scale, rtol=1e-14)
    assert fitted.kind == kind


def test_fit_on_all_uses_every_row_and_says_so() -> None:
    fitted = scaler("column_max", "all").fit(VALUES, 2)
    np.testing.assert_array_equal(fitted.scale, [100.0, 50.0])
    assert scaler("column_max", "all").leak == "scaler statistics include validation and test rows"
    assert scaler("column_max").leak == ""


def test_a_constant_column_is_not_blown_up() -> None:
    # 0.1 added ten times has a standard deviation of about 1e-17, not 0
    fitted = scaler("standard").fit(np.full((10, 1), 0.1), 10)
    assert fitted.scale.tolist() == [1.0]


@pytest.mark.parametrize("kind", KINDS)
@given(
    train=arrays(np.float64, (7, 3), elements=st.floats(-1e6, 1e6)),
    one=arrays(np.float64, (4, 3), elements=st.floats(-1e9, 1e9)),
    other=arrays(np.float64, (4, 3), elements=st.floats(-1e9, 1e9)),
)
def test_test_rows_never_change_the_statistics(
    kind: str, train: np.ndarray, one: np.ndarray, other: np.ndarray
) -> None:
    first, second = (scaler(kind).fit(np.concatenate((train, rest)), 7) for rest in (one, other))
    np.testing.assert_array_equal(first.shift, second.shift)
    np.testing.assert_array_equal(first.scale, second.scale)
    assert (first.scale != 0).all()


@pytest.mark.parametrize("kind", KINDS)
def test_inverse_undoes_apply(kind: str) -> None:
    values = np.random.default_rng(0).normal(5.0, 3.0, (50, 4))
    fitted = scaler(kind).fit(values, 30)
    back = fitted.inverse(torch.from_numpy(fitted.apply(values)))
    np.testing.assert_allclose(back.numpy(), values, rtol=1e-12)
    assert fitted.inverse(torch.zeros(2, 6, 4)).dtype == torch.float32
