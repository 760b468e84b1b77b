"""Rolling bands: only what was known, against a plain loop; and coverage where errors drift."""

from __future__ import annotations

import math

import numpy as np
import pytest

from snnctl.measure.conformal import half_widths
from snnctl.serving.conformal import rolling_half_widths

LEVELS = [50, 80, 95]


def by_a_plain_loop(errors: np.ndarray, cutoffs: np.ndarray, last: int) -> np.ndarray:
    found = np.full((len(errors), len(LEVELS), *errors.shape[1:]), np.inf)
    for i, cutoff in enumerate(cutoffs):
        for step in range(errors.shape[1]):
            known = [j for j in range(len(errors)) if cutoffs[j] + step + 1 <= cutoff][-last:]
            found[i, :, step] = half_widths(errors[known, step], LEVELS)
    return found


@pytest.mark.parametrize("last", [1, 5, 30, 500])
@pytest.mark.parametrize("apart", [1, 3])
def test_as_a_plain_loop_does_it(last: int, apart: int) -> None:
    rng = np.random.default_rng(last)
    errors = rng.normal(size=(60, 4, 2)).round(1)  # with ties
    errors[rng.random(errors.shape) < 0.1] = np.nan
    cutoffs = 100 + apart * np.arange(60)
    cutoffs[40:] += 7  # a hole
    found = rolling_half_widths(errors, cutoffs, LEVELS, last)
    np.testing.assert_array_equal(found, by_a_plain_loop(errors, cutoffs, last))


def test_what_was_not_known_yet_changes_nothing() -> None:
    rng = np.random.default_rng(0)
    errors, cutoffs = rng.normal(size=(80, 5, 1)), np.arange(80)
    before = rolling_half_widths(errors, cutoffs, LEVELS, 30)
    changed = errors.copy()
    changed[50] = 1e6  # whose step h is known from cutoff 50 + h on
    after = rolling_half_widths(changed, cutoffs, LEVELS, 30)
    for step in range(5):
        np.testing.assert_array_equal(after[: 51 + step, :, step], before[: 51 + step, :, step])
        assert (after[51 + step, -1, step] != before[51 + step, -1, step]).all()


def test_errors_that_drift_are_followed() -> None:
    rng = np.random.default_rng(1)
    count, step = 3000, np.arange(3000)
    errors = (1 + 3 * step / count)[:, None, None] * rng.normal(size=(count, 1, 1))
    widths = rolling_half_widths(errors, step, [80], 200)[:, 0]
    rolled = float((np.abs(errors[500:]) <= widths[500:]).mean())
    split = float((np.abs(errors[500:]) <= half_widths(errors[:500], [80])[0]).mean())
    assert rolled == pytest.approx(0.8, abs=0.03)
    assert split < 0.65


def test_too_few_give_no_band() -> None:
    found = rolling_half_widths(np.ones((10, 1, 1)), np.arange(10), [80], 100)
    assert [bool(math.isinf(width)) for width in found[:, 0, 0, 0]] == [True] * 4 + [False] * 6


@pytest.mark.parametrize(("cutoffs", "last"), [([0, 0], 5), ([1, 0], 5), ([0], 5), ([0, 1], 0)])
def test_what_makes_no_sense_is_refused(cutoffs: list[int], last: int) -> None:
    with pytest.raises(ValueError, match=r"ascend|last window"):
        rolling_half_widths(np.ones((2, 1, 1)), np.array(cutoffs), [80], last)
