"""Split-conformal half-widths: ranks by hand, and coverage of exchangeable data at the level asked for."""

from __future__ import annotations

import math

import numpy as np
import pytest

from snnctl.measure.conformal import enough, half_widths, rank


@pytest.mark.parametrize(
    ("count", "level", "expected"),
    [(19, 95, 19), (18, 95, 19), (20, 95, 20), (4, 80, 4), (9, 80, 8), (99, 99, 99), (0, 50, 1)],
)
def test_ranks_are_those_of_whole_numbers(count: int, level: int, expected: int) -> None:
    assert rank(count, level) == expected  # in floats 100 * 0.29 and the like would go one too far


@pytest.mark.parametrize(("level", "expected"), [(80, 5), (95, 20), (99, 100), (50, 2), (67, 4)])
def test_so_many_windows_are_enough(level: int, expected: int) -> None:
    assert enough(level) == expected
    assert rank(enough(level), level) <= enough(level)


def test_half_widths_by_hand() -> None:
    errors = np.array([[[-3.0, 1.0]], [[2.0, np.nan]], [[1.0, 2.0]], [[-4.0, np.nan]]])
    found = half_widths(errors, [50, 80, 95])
    assert found.shape == (3, 1, 2)
    assert found[:, 0, 0].tolist() == [3.0, 4.0, math.inf]  # ranks 3 and 4 of 1 2 3 4; the fifth is not there
    assert found[:, 0, 1].tolist() == [2.0, math.inf, math.inf]  # of two
    assert errors[0, 0, 0] == -3.0


def test_nothing_gives_no_band() -> None:
    assert np.isinf(half_widths(np.zeros((0, 2, 3)), [80])).all()


@pytest.mark.parametrize("level", [0, 100, -5])
def test_levels_out_of_range_are_refused(level: int) -> None:
    with pytest.raises(ValueError, match="1 to 99"):
        half_widths(np.zeros((5, 1, 1)), [level])


@pytest.mark.parametrize("count", [19, 24, 60])
@pytest.mark.parametrize("level", [80, 95])
def test_exchangeable_data_are_covered_at_the_level(count: int, level: int) -> None:
    """In the mean over draws of both: the chance is rank / (count + 1) exactly, and at least the level."""
    draws = 20_000
    rng = np.random.default_rng(count * level)
    seen, comes = rng.standard_cauchy((count, draws, 1)), rng.standard_cauchy((draws, 1))
    covered = float((np.abs(comes) <= half_widths(seen, [level])[0]).mean())
    exact = rank(count, level) / (count + 1)
    assert level / 100 <= exact < level / 100 + 1 / (count + 1)
    assert covered == pytest.approx(exact, abs=4 * math.sqrt(exact * (1 - exact) / draws))
