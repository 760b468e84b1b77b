"""What is kept of validation errors: own where a series has enough, shared elsewhere, and never too much."""

from __future__ import annotations

import numpy as np
import pytest
from torch import from_numpy

from snnctl.measure.bands import COMMON, bands_of, check_levels, independent_horizons, spread_out
from snnctl.measure.conformal import LEVELS, half_widths
from snnctl.measure.coverage import Coverage, later_half

HORIZON = 3


def panel(counts: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Errors of series that grow tenfold from one to the next, their parts and starts."""
    parts = np.repeat(np.arange(len(counts)), counts)
    starts = np.concatenate([1000 * number + np.arange(count) for number, count in enumerate(counts)])
    errors = np.random.default_rng(0).normal(size=(len(parts), HORIZON, 2)) * 10.0 ** parts[:, None, None]
    return errors, parts, starts


def test_a_series_has_its_own_where_it_has_enough_windows() -> None:
    errors, parts, starts = panel((30, 8, 40))
    found = bands_of(errors, parts, 3, starts)
    assert found.levels == tuple(LEVELS)
    assert found.own[found.levels.index(80)].tolist() == [True, True, True]
    assert found.own[found.levels.index(95)].tolist() == [True, False, True]
    shared = half_widths(errors, [80, 95])
    for number in range(3):
        own = half_widths(errors[parts == number], [80, 95])
        np.testing.assert_allclose(found.of(80)[number], own[0], rtol=1e-6)
        np.testing.assert_allclose(found.of(95)[number], shared[1] if number == 1 else own[1], rtol=1e-6)
    assert found.own_share(95) == pytest.approx(2 / 3)
    assert (found.horizons, found.fewest) == (11 + 3 + 14, 3)
    assert found.independent(80) == 3
    assert found.most == 98  # of 78 windows in all


def test_a_cell_with_holes_falls_back_on_what_is_shared() -> None:
    errors, parts, starts = panel((30, 30))
    errors[2:30, 1, 0] = np.nan
    found = bands_of(errors, parts, 2, starts)
    shared = half_widths(errors, [80])[0]
    np.testing.assert_allclose(found.of(80)[0, 1, 0], shared[1, 0], rtol=1e-6)
    assert found.of(80)[0, 0, 0] < 0.5 * shared[0, 0]


def test_what_is_kept_is_bounded() -> None:
    errors, parts, starts = panel((30, 30))
    cells = 2 * HORIZON * 2
    fewer = bands_of(errors, parts, 2, starts, most=cells * len(COMMON))
    assert fewer.levels == COMMON
    assert fewer.apart is not None
    least = bands_of(errors, parts, 2, starts, most=cells * len(COMMON) - 1)
    assert least.apart is None
    assert least.own_share(80) == 0.0
    assert least.of(80).shape == (1, HORIZON, 2)
    assert least.independent(80) == 11 + 11


def test_overlapping_windows_count_by_what_they_cover() -> None:
    assert independent_horizons(np.arange(205), 26) == 9
    assert independent_horizons(np.array([0]), 26) == 1
    assert independent_horizons(np.array([0, 26, 52, 500]), 26) == 4


def test_windows_are_spread_out() -> None:
    assert spread_out(5, 10).tolist() == [0, 1, 2, 3, 4]
    found = spread_out(1000, 100)
    assert (len(np.unique(found)), found[0], found[-1]) == (100, 0, 999)


@pytest.mark.parametrize("levels", [[], [0], [100], [80.5], [True]])
def test_levels_that_are_none(levels: list[int]) -> None:
    with pytest.raises(ValueError, match="level"):
        check_levels(levels)


def test_levels_are_in_order_and_once_each() -> None:
    assert check_levels([95, 80, 95]) == (80, 95)


def test_halves_are_of_each_series() -> None:
    assert later_half(np.array([0, 0, 0, 1, 1])).tolist() == [False, False, True, False, True]


def test_coverage_by_hand() -> None:
    errors = np.zeros((10, 1, 2))
    errors[:, 0, 0], errors[:, 0, 1] = np.arange(1, 11), 0.1 * np.arange(1, 11)
    bands = bands_of(errors, np.zeros(10, int), 1, np.arange(10))  # 80 %: rank 9, half-widths 9 and 0.9
    meter = Coverage(bands, [80, 95], np.zeros(4, int), ["a", "b"], np.array([2.0, 10.0]))
    target = from_numpy(np.array([[[8.0, 0.8]], [[-9.5, 0.8]], [[9.5, 5.0]], [[1.0, np.nan]]]))
    observed = ~target.isnan()
    index = from_numpy(np.arange(4))
    for part in (slice(0, 3), slice(3, 4)):
        meter.update(index[part], 0 * target[part].nan_to_num(), target[part], observed[part])
    found = meter.levels_to_json()
    row = found["80"]
    assert row["coverage"] == pytest.approx(4 / 7)
    assert (row["first_half"], row["second_half"]) == pytest.approx((3 / 4, 1 / 3))
    assert row["width"] == pytest.approx((4 * 18 + 3 * 1.8) / 7)
    assert row["width_units"] == pytest.approx({"a": 36.0, "b": 18.0})
    assert found["95"]["coverage"] is None  # of ten windows
    assert found["95"]["width_units"] == {"a": None, "b": None}
