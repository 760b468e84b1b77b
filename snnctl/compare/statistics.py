"""What a few values say: their spread, paired differences with Student's interval, the exact sign test."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import fmean, median, stdev
from typing import Any, Literal

FEW = 10  # pairs below which a difference is called preliminary
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Spread:
    """Values in a few numbers."""

    values: tuple[float, ...]  # as they came; at least one

    @classmethod
    def of(cls, values: Iterable[float | None]) -> Spread | None:
        """Of those that are known; None if none is."""
        known = tuple(float(value) for value in values if value is not None)
        return cls(known) if known else None

    @property
    def mean(self) -> float:
        return fmean(self.values)

    @property
    def sd(self) -> float | None:
        """Standard deviation with n - 1; None for a single value."""
        return stdev(self.values) if len(self.values) > 1 else None

    def to_json(self) -> dict[str, Any]:
        """`n`, `mean`, `sd`, `median`, `min`, `max`, `values`."""
        return {
            "n": len(self.values),
            "mean": self.mean,
            "sd": self.sd,
            "median": median(self.values),
            "min": min(self.values),
            "max": max(self.values),
            "values": list(self.values),
        }


@dataclass(frozen=True)
class Paired:
    """Differences of one group from another, seed by seed."""

    seeds: tuple[int, ...]  # those that both have; at least one
    differences: tuple[float, ...]  # own value minus the other's, per seed
    wanted: Literal["min", "max"] | None  # which way is better; None where that is not known

    @property
    def interval(self) -> tuple[float, float] | None:
        """Student's confidence interval of the mean difference; None for a single pair."""
        n = len(self.differences)
        if n < 2:
            return None
        half = student_quantile((1 + CONFIDENCE) / 2, n - 1) * stdev(self.differences) / math.sqrt(n)
        mean = fmean(self.differences)
        return mean - half, mean + half

    @property
    def better(self) -> int | None:
        """Pairs in which the own value is strictly better; None where that is not known."""
        if self.wanted is None:
            return None
        return sum(d > 0 if self.wanted == "max" else d < 0 for d in self.differences)

    @property
    def ties(self) -> int:
        """Pairs of equal values; the sign test leaves them out."""
        return sum(d == 0 for d in self.differences)

    @property
    def sign_p(self) -> float | None:
        """One-sided sign test of "better is no more likely than worse"; None where better is not known."""
        better = self.better
        return None if better is None else sign_test(better, len(self.differences) - self.ties)

    @property
    def preliminary(self) -> bool:
        """Whether there are fewer than ten pairs."""
        return len(self.differences) < FEW

    def to_json(self) -> dict[str, Any]:
        """Everything, with `ci95` as a pair or null."""
        spread = Spread(self.differences)
        return {
            "seeds": list(self.seeds),
            "pairs": len(self.seeds),
            "differences": list(self.differences),
            "mean": spread.mean,
            "sd": spread.sd,
            "ci95": None if self.interval is None else list(self.interval),
            "better": self.better,
            "ties": self.ties,
            "sign_p": self.sign_p,
            "preliminary": self.preliminary,
        }


def sign_test(successes: int, trials: int) -> float:
    """P(at least so many successes) of a fair coin.

    Equation:
        p = sum_{k >= successes} C(trials, k) / 2^trials
    """
    return sum(math.comb(trials, k) for k in range(successes, trials + 1)) / 2**trials


def student_cdf(t: float, df: int) -> float:
    """P(T <= t) of Student's t with a whole number of degrees of freedom, by its finite series.

    Equation:
        a = atan(t / sqrt(df)),  u = cos(a)^2
        even df: P(|T| <= t) = sin(a) (1 + 1/2 u + 1*3/(2*4) u^2 + ...)                        df/2 terms
        odd df:  P(|T| <= t) = 2/pi (a + sin(a) cos(a) (1 + 2/3 u + 2*4/(3*5) u^2 + ...))      (df - 1)/2 terms

    Raises:
        ValueError: `df` is below 1.

    Source: Abramowitz and Stegun 1964, 26.7.3 and 26.7.4.
    """
    if df < 1:
        raise ValueError(f"degrees of freedom must be at least 1, got {df}")
    angle = math.atan(t / math.sqrt(df))
    squared, odd = math.cos(angle) ** 2, df % 2
    total, term = 0.0, 1.0
    for k in range(df // 2):
        total += term
        term *= squared * (2 * k + 1 + odd) / (2 * k + 2 + odd)
    inside = math.sin(angle) * total
    if odd:
        inside = 2 / math.pi * (angle + math.cos(angle) * inside)
    return (1 + inside) / 2


def student_quantile(p: float, df: int) -> float:
    """The t that Student's distribution stays below with probability `p`, by bisection of `student_cdf`.

    Raises:
        ValueError: `p` is not in [0.5, 1), or `df` is below 1.
    """
    if not 0.5 <= p < 1:
        raise ValueError(f"p must be in [0.5, 1), got {p}")
    low, high = 0.0, 1.0
    while student_cdf(high, df) < p:
        high *= 2
    for _ in range(80):  # halves the bracket to below the spacing of floats
        middle = (low + high) / 2
        low, high = (middle, high) if student_cdf(middle, df) < p else (low, middle)
    return high
