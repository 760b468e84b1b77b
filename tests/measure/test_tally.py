"""Counts, moments and range are those of all values at once, whatever the order and the cut."""

from statistics import fmean, stdev

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from snnctl.measure.tally import BINS, Tally


@settings(deadline=None, max_examples=60)
@given(values=st.lists(st.integers(0, 1_000_000), min_size=2, max_size=40), cut=st.integers(0, 40))
def test_as_of_all_values(values: list[int], cut: int) -> None:
    tally, backwards = Tally(), Tally()
    for part in (values[:cut], values[cut:]):
        tally.add(torch.tensor(part, dtype=torch.int64))
    backwards.add(torch.tensor(values[::-1]))
    assert tally.mean == pytest.approx(fmean(values))
    assert tally.sd == pytest.approx(stdev(values), abs=1e-3)
    assert (tally.count, tally.least, tally.most) == (len(values), min(values), max(values))
    assert max(values) < BINS * tally.width
    assert tally.width == 1 or max(values) >= BINS * tally.width // 2  # not wider than needed
    expected = [sum(v // tally.width == i for v in values) for i in range(BINS)]
    assert tally.counts.tolist() == backwards.counts.tolist() == expected


def test_nothing_counted() -> None:
    found = Tally().to_json()
    assert (found["samples"], found["min"], found["counts"]) == (0, None, [])
