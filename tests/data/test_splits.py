"""Which windows belong to which split."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snnctl.core.diagnostic import DiagnosticError, ExitCode
from snnctl.core.params import params_model
from snnctl.data.cuts import SPLIT_NAMES
from snnctl.data.series.component import TimeSeries
from snnctl.data.series.windows import SplitSpec, plan_splits


def test_the_ett_protocol() -> None:
    plan = plan_splits(SplitSpec(8640, 2880, 2880), 17420, 96, 96)
    # 8640 - 96 - 96 + 1; then 2880 - 96 + 1 each, because inputs reach back
    assert [plan[name].windows for name in SPLIT_NAMES] == [8449, 2785, 2785]
    assert [plan[name].start for name in SPLIT_NAMES] == [0, 8640 - 96, 11520 - 96]


def test_the_seqsnn_protocol() -> None:
    plan = plan_splits(SplitSpec(0.7, 0.2, 0.1, by="windows"), 34272, 12, 6)
    # 34272 - 12 - 6 + 1 = 34255 windows; floor(.7 n) = 23978, floor(.1 n) = 3425, the rest 6852
    assert [plan[name].windows for name in SPLIT_NAMES] == [23978, 6852, 3425]
    assert [plan[name].start for name in SPLIT_NAMES] == [0, 23978, 30830]
    assert plan.shares_rows
    assert plan.test.last_row == 34272


def test_shares_are_not_lost_to_rounding() -> None:
    # 0.29 * 100 is 28.999999999999996 in floating point
    assert SplitSpec(0.29, 0.42, 0.29).counts(100) == {"train": 29, "val": 42, "test": 29}


@given(
    rows=st.integers(1, 400),
    window=st.integers(1, 40),
    horizon=st.integers(1, 40),
    shares=st.tuples(st.integers(1, 10), st.integers(1, 10), st.integers(1, 10)),
)
def test_targets_never_leave_their_split(rows: int, window: int, horizon: int, shares: tuple[int, int, int]) -> None:
    total = sum(shares)
    spec = SplitSpec(shares[0] / total, shares[1] / total, shares[2] / total)
    counts = spec.counts(rows)
    assert sum(counts.values()) == rows
    enough = counts["train"] >= window + horizon and min(counts["val"], counts["test"]) >= horizon
    if not enough:
        with pytest.raises(DiagnosticError):
            plan_splits(spec, rows, window, horizon)
        return
    plan = plan_splits(spec, rows, window, horizon)
    assert plan.train.windows == counts["train"] - window - horizon + 1
    first = 0
    for name in SPLIT_NAMES:
        cut = plan[name]
        assert (cut.first_row, cut.last_row) == (first, first + counts[name])
        if name != "train":
            assert cut.windows == counts[name] - horizon + 1
        assert cut.start >= 0
        assert cut.start + window >= cut.first_row  # first target row
        assert cut.start + cut.windows - 1 + window + horizon == cut.last_row  # after the last target row
        first = cut.last_row


@pytest.mark.parametrize(
    ("spec", "rows", "window", "horizon", "code", "path"),
    [
        (SplitSpec(), 10, 8, 3, "R310", "data.window"),
        (SplitSpec(), 10, 3, 8, "R310", "data.horizon"),
        (SplitSpec(8, 2, 2), 11, 1, 1, "R311", "data.split"),
        (SplitSpec(0.6, 0.2, 0.2), 20, 10, 3, "R312", "data.split.train"),
        (SplitSpec(0.8, 0.1, 0.1), 20, 10, 3, "R312", "data.split.val"),
        (SplitSpec(0.5, 0.45, 0.05, by="windows"), 20, 10, 3, "R312", "data.split.test"),
    ],
)
def test_what_does_not_fit(spec: SplitSpec, rows: int, window: int, horizon: int, code: str, path: str) -> None:
    with pytest.raises(DiagnosticError) as caught:
        plan_splits(spec, rows, window, horizon, "a.csv")
    found = caught.value.diagnostics[0]
    assert (found.code, found.path, found.file) == (code, path, "a.csv")
    assert caught.value.exit_code == ExitCode.USAGE


@pytest.mark.parametrize(
    "parts", [(0.6, 0.2, 0.3), (1.0, 0.0, 0.0), (1.2, -0.1, -0.1), (8, 0, 2), (0.5, 1, 2), (math.nan, 0.5, 0.5)]
)
def test_parts_that_make_no_split(parts: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError):
        SplitSpec(*parts)


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ('{"train": 0.6, "val": 0.2, "test": 0.2}', True),
        ('{"train": 8640, "val": 2880, "test": 2880}', True),
        ('{"train": 0.6, "val": 0.2, "test": 0.2, "by": "windows"}', True),
        ('{"train": 0.6, "val": 0.2, "test": 0.2, "by": "days"}', False),
        ('{"train": 0.6, "val": 0.2, "test": 0.2, "vall": 0.2}', False),
        ('{"train": true, "val": 2, "test": 2}', False),
        ('{"train": "0.6", "val": 0.2, "test": 0.2}', False),
        ('{"train": 0.6, "val": 0.2, "test": 0.3}', False),
    ],
)
def test_recipes_are_held_to_it(text: str, valid: bool) -> None:
    model = params_model(TimeSeries)
    document = f'{{"source": "co2", "window": 4, "horizon": 2, "split": {text}}}'
    if valid:
        assert isinstance(model.model_validate_json(document).split, SplitSpec)  # type: ignore[attr-defined]
    else:
        with pytest.raises(ValueError):
            model.model_validate_json(document)
