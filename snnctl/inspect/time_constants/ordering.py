"""Whether values rise with depth: rank correlation, and a permutation test over several runs."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MOST_ARRANGEMENTS = 1_000_000
DRAWS = 10_000
_DIGITS = 12
_EQUAL = 1e-7  # sums of correlations that are equal but for rounding


@dataclass(frozen=True)
class OrderTest:
    statistic: float  # mean over runs of the rank correlation with depth; a run without any order counts as 0
    p: float  # chance of a mean at least as high when the labels of the stages are arranged at random within each run
    arrangements: int  # how many there are
    draws: int | None  # how many were drawn; None means that all were counted

    @property
    def exact(self) -> bool:
        """Whether all arrangements were counted."""
        return self.draws is None


def spearman(values: Sequence[float]) -> float | None:
    """Rank correlation of values with their index; None for fewer than two, or if all are equal.

    Equation:
        rho = correlation(rank(values), index), equal values sharing the mean of their ranks
    """
    if len(values) < 2 or len(set(values)) < 2:
        return None
    return round(float(_standard(_ranks(values)) @ _index(len(values))), _DIGITS)


def order_test(
    medians: Sequence[Sequence[float]], *, most: int = MOST_ARRANGEMENTS, draws: int = DRAWS, seed: int = 0
) -> OrderTest:
    """One-sided permutation test of "values rise with depth".

    Args:
        medians: [runs][stages], one value per stage and run.
        most: arrangements up to which all are counted; beyond, `draws` of them are drawn.
        draws: how many, with p = (k + 1) / (draws + 1) where k were at least as high.
        seed: of the draws.

    Raises:
        ValueError: runs differ in their number of stages, or have fewer than two.
    """
    stages = len(medians[0])
    if stages < 2 or any(len(run) != stages for run in medians):
        raise ValueError("every run needs the same number of stages, at least two")
    ranks = [_standard(_ranks(run)) for run in medians]
    observed = sum(float(run @ _index(stages)) for run in ranks)
    statistic = round(observed / len(medians), _DIGITS)
    arrangements = math.factorial(stages) ** len(medians)
    if arrangements <= most:
        found = Counter({0.0: 1})
        for run in ranks:
            found = _added(found, _correlations(run))
        higher = sum(count for value, count in found.items() if value >= observed - _EQUAL)
        return OrderTest(statistic, higher / arrangements, arrangements, None)
    random = np.random.default_rng(seed)
    total = np.zeros(draws)
    for run in ranks:
        total += random.permuted(np.tile(run, (draws, 1)), axis=1) @ _index(stages)
    higher = int((total >= observed - _EQUAL).sum())
    return OrderTest(statistic, (higher + 1) / (draws + 1), arrangements, draws)


def _ranks(values: Sequence[float]) -> NDArray[np.float64]:
    """1..n; equal values share the mean of theirs."""
    array = np.asarray(values, dtype=np.float64)
    below = (array[:, None] > array[None, :]).sum(1)
    return below + ((array[:, None] == array[None, :]).sum(1) + 1) / 2


def _standard(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean 0 and length 1; all zero if they are equal."""
    centred = values - values.mean()
    length = float(np.linalg.norm(centred))
    return centred / length if length > 0 else centred


def _index(count: int) -> NDArray[np.float64]:
    return _standard(np.arange(count, dtype=np.float64))


def _correlations(ranks: NDArray[np.float64]) -> Counter[float]:
    arranged = np.array(list(itertools.permutations(ranks)))
    values, counts = np.unique((arranged @ _index(len(ranks))).round(9), return_counts=True)
    return Counter(dict(zip(values.tolist(), counts.tolist(), strict=True)))


def _added(one: Counter[float], other: Counter[float]) -> Counter[float]:
    found: Counter[float] = Counter()
    for (a, times), (b, more) in itertools.product(one.items(), other.items()):
        found[round(a + b, 9)] += times * more
    return found
