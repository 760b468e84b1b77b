"""Rank correlation and the permutation test: published medians, counts by hand, scipy, and data without order."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snnctl.inspect.time_constants.ordering import order_test, spearman

scipy_stats = pytest.importorskip("scipy.stats")  # comes with scikit-learn, an oracle of the tests alone


def test_published_medians() -> None:
    assert spearman([97, 186, 189, 247, 304]) == 1.0
    assert spearman([46, 46, 101]) == pytest.approx(0.8660254037844386)
    assert spearman([304, 247, 189]) == pytest.approx(-1.0)


def test_no_order_has_no_correlation() -> None:
    assert spearman([]) is spearman([3.0]) is spearman([2.0, 2.0, 2.0]) is None


@settings(deadline=None)
@given(st.lists(st.integers(0, 6), min_size=2, max_size=9).filter(lambda values: len(set(values)) > 1))
def test_correlation_is_scipys(values: list[int]) -> None:
    wanted = scipy_stats.spearmanr(range(len(values)), values).statistic
    assert spearman([float(value) for value in values]) == pytest.approx(wanted, abs=1e-9)


@pytest.mark.parametrize(
    ("runs", "stages", "p"), [(5, 3, 1 / 7776), (5, 2, 1 / 32), (1, 5, 1 / 120), (1, 2, 1 / 2), (2, 4, 1 / 576)]
)
def test_rising_in_every_run(runs: int, stages: int, p: float) -> None:
    medians = [[10.0 * stage + run for stage in range(stages)] for run in range(runs)]
    found = order_test(medians)
    assert found.p == pytest.approx(p, rel=1e-12)
    assert (found.exact, found.draws, found.arrangements) == (True, None, math.factorial(stages) ** runs)
    assert found.statistic == pytest.approx(1.0)
    falling = order_test([run[::-1] for run in medians])
    assert falling.p == 1.0
    assert falling.statistic == pytest.approx(-1.0)


@settings(deadline=None)
@given(st.lists(st.lists(st.integers(0, 4), min_size=3, max_size=3), min_size=1, max_size=3))
def test_counted_arrangements(medians: list[list[int]]) -> None:
    """Every arrangement of every run, one after the other."""
    values = [[float(value) for value in run] for run in medians]
    observed = sum(spearman(run) or 0.0 for run in values)
    sums = [
        sum(spearman(run) or 0.0 for run in arranged)
        for arranged in itertools.product(*(list(itertools.permutations(run)) for run in values))
    ]
    found = order_test(values)
    assert found.p == pytest.approx(sum(one >= observed - 1e-7 for one in sums) / len(sums))
    assert found.statistic == pytest.approx(observed / len(values))


def test_all_equal_is_no_evidence() -> None:
    assert order_test([[5.0, 5.0, 5.0]] * 4).p == 1.0


def test_too_many_arrangements_are_drawn() -> None:
    rising = [[float(stage) for stage in range(5)]] * 5  # 120^5
    found = order_test(rising, draws=500)
    assert (found.exact, found.draws, found.arrangements) == (False, 500, 120**5)
    assert found.p == pytest.approx(1 / 501)
    assert order_test([run[::-1] for run in rising], draws=200).p == 1.0
    random = np.random.default_rng(1)
    middle = random.normal(size=(3, 4)).tolist()
    drawn, exact = order_test(middle, most=1, draws=20_000), order_test(middle)
    assert (drawn.exact, exact.exact) == (False, True)
    assert drawn.p == pytest.approx(exact.p, abs=4 * math.sqrt(0.25 / 20_000))
    assert order_test(middle, most=1, draws=300, seed=1) == order_test(middle, most=1, draws=300, seed=1)


def test_a_million_is_still_counted() -> None:
    assert order_test([[float(stage) for stage in range(9)]]).arrangements == 362_880
    assert order_test([[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0]]).p == pytest.approx(1 / 362_880)


@pytest.mark.parametrize(("runs", "stages", "draws"), [(5, 3, 0), (1, 5, 0), (10, 2, 0), (4, 5, 199)])
def test_data_without_order_is_rejected_as_rarely_as_promised(runs: int, stages: int, draws: int) -> None:
    random = np.random.default_rng(runs * 100 + stages)
    options = {"most": 1, "draws": draws} if draws else {}
    found = [order_test(random.normal(size=(runs, stages)).tolist(), **options).p for _ in range(1000)]
    share = sum(p <= 0.05 for p in found) / 1000
    assert share <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 1000)
    assert share > 0.005  # and it does reject


def test_what_is_refused() -> None:
    for medians in ([[1.0]], [[1.0, 2.0], [1.0, 2.0, 3.0]]):
        with pytest.raises(ValueError, match="same number of stages"):
            order_test(medians)
