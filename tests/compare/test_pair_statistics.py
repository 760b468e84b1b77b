"""Spread, Student's distribution, paired differences and the sign test, against scipy and counts by hand."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snnctl.compare.statistics import Paired, Spread, sign_test, student_cdf, student_quantile

scipy_stats = pytest.importorskip("scipy.stats")  # comes with scikit-learn, an oracle of the tests alone


@pytest.mark.parametrize("df", [1, 2, 3, 4, 5, 8, 9, 10, 19, 30, 99, 200, 1001])
def test_quantile_is_scipys(df: int) -> None:
    for p in (0.5, 0.6, 0.9, 0.95, 0.975, 0.995, 0.9999):
        assert student_quantile(p, df) == pytest.approx(scipy_stats.t.ppf(p, df), rel=1e-9, abs=1e-12)


@settings(deadline=None)
@given(st.floats(-50, 50), st.integers(1, 300))
def test_cdf_is_scipys(t: float, df: int) -> None:
    assert student_cdf(t, df) == pytest.approx(scipy_stats.t.cdf(t, df), abs=1e-9)  # scipy's own error near t = 0


@settings(deadline=None)
@given(st.floats(-50, 50))
def test_cdf_in_closed_form(t: float) -> None:
    assert student_cdf(t, 1) == pytest.approx(0.5 + math.atan(t) / math.pi, abs=1e-14)
    assert student_cdf(t, 2) == pytest.approx(0.5 + t / (2 * math.sqrt(2 + t * t)), abs=1e-14)


def test_known_quantiles() -> None:
    assert student_quantile(0.975, 1) == pytest.approx(12.706204736432095)
    assert student_quantile(0.975, 9) == pytest.approx(2.2621571627409915)


def test_what_student_refuses() -> None:
    for p, df in ((0.4, 3), (1.0, 3), (0.9, 0)):
        with pytest.raises(ValueError):
            student_quantile(p, df)


@settings(deadline=None)
@given(st.integers(0, 25), st.integers(0, 25))
def test_sign_test_is_scipys(successes: int, failures: int) -> None:
    trials = successes + failures
    wanted = scipy_stats.binomtest(successes, trials, alternative="greater").pvalue if trials else 1.0
    assert sign_test(successes, trials) == pytest.approx(wanted, abs=1e-12)


def test_sign_test_counts_coins() -> None:
    for trials in range(1, 7):
        tosses = [sum(toss) for toss in itertools.product((0, 1), repeat=trials)]
        for successes in range(trials + 1):
            assert sign_test(successes, trials) == sum(heads >= successes for heads in tosses) / 2**trials
    assert sign_test(10, 10) == 1 / 1024


@settings(deadline=None)
@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=30))
def test_spread_is_numpys(values: list[float]) -> None:
    found = Spread(tuple(values)).to_json()
    assert found["n"] == len(values)
    assert found["mean"] == pytest.approx(np.mean(values), abs=1e-9)
    assert found["median"] == pytest.approx(np.median(values), abs=1e-9)
    assert (found["min"], found["max"]) == (min(values), max(values))
    if len(values) == 1:
        assert found["sd"] is None
    else:
        assert found["sd"] == pytest.approx(np.std(values, ddof=1), abs=1e-9)


def test_interval_is_scipys() -> None:
    differences = (0.021, -0.004, 0.013, 0.03, 0.008)
    found = Paired((1, 2, 3, 4, 5), differences, "max")
    error = np.std(differences, ddof=1) / math.sqrt(5)
    wanted = scipy_stats.t.interval(0.95, 4, loc=np.mean(differences), scale=error)
    assert found.interval == pytest.approx(wanted, rel=1e-9)
    one = found.to_json()
    assert one["mean"] == pytest.approx(np.mean(differences))
    assert (one["pairs"], one["better"], one["ties"], one["preliminary"]) == (5, 4, 0, True)
    assert one["sign_p"] == pytest.approx(6 / 32)


def test_direction_and_ties() -> None:
    differences = (-1.0, 0.0, -0.5, 2.0)
    lower, higher = Paired((1, 2, 3, 4), differences, "min"), Paired((1, 2, 3, 4), differences, "max")
    assert (lower.better, higher.better, lower.ties) == (2, 1, 1)
    assert lower.sign_p == pytest.approx(4 / 8)  # of three: at least two
    assert higher.sign_p == pytest.approx(7 / 8)
    unknown = Paired((1, 2), (1.0, 2.0), None)
    assert (unknown.better, unknown.sign_p) == (None, None)
    assert unknown.interval is not None
    assert Paired((1,), (1.0,), "max").interval is None
    assert Paired((1,), (0.0,), "max").sign_p == 1.0


def test_ten_pairs_are_not_preliminary() -> None:
    nine, ten = tuple(range(9)), tuple(range(10))
    assert Paired(nine, tuple(map(float, nine)), "max").preliminary
    assert not Paired(ten, tuple(map(float, ten)), "max").preliminary
