"""Missing values: what a window shows in their place never comes from beyond its end."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from snnctl.core.diagnostic import Diagnostic, DiagnosticError
from snnctl.data.series.component import TimeSeries
from snnctl.data.series.missing import fill, mark_missing
from snnctl.data.series.series import Series
from snnctl.data.series.windows import SplitSpec

NAN = float("nan")


def problem(values: list[list[float]], missing: str) -> Diagnostic:
    series = Series(np.array(values), tuple("ab"[: len(values[0])]), None, "a.csv")
    with pytest.raises(DiagnosticError) as caught:
        mark_missing(series, missing)  # type: ignore[arg-type]
    return caught.value.diagnostics[0]


def test_fill_by_hand() -> None:
    values = np.array([[NAN], [1.0], [NAN], [NAN], [4.0], [NAN]])
    filled = fill(values, np.array([9.0]))
    assert filled.held.ravel().tolist() == [9.0, 1.0, 1.0, 1.0, 4.0, 4.0]
    assert filled.linear.ravel().tolist() == [1.0, 1.0, 2.0, 3.0, 4.0, 4.0]
    assert filled.last_observed.ravel().tolist() == [-1, 1, 1, 1, 4, 4]
    assert filled.observed.ravel().tolist() == [False, True, False, False, True, False]


def write(path: Path, cells: list[float]) -> str:
    path.write_text("x\n" + "".join("NA\n" if np.isnan(c) else f"{c!r}\n" for c in cells))
    return str(path)


def series(source: str, **knobs: object) -> TimeSeries:
    split = SplitSpec(6, 4, 4)
    return TimeSeries(source=source, window=3, horizon=2, split=split, scaler="none", **knobs)  # type: ignore[arg-type]


def test_a_gap_at_the_end_of_a_window_is_held(tmp_path: Path) -> None:
    cells = [0.0, 1.0, 2.0, NAN, 4.0, 5.0, 6.0, 7.0, NAN, NAN, 10.0, 11.0, 12.0, 13.0]
    data = series(write(tmp_path / "a.csv", cells)).load()
    train = data.split("train").batch(torch.arange(2))
    # window 0 covers rows 0..2, window 1 rows 1..3: row 3 is missing and row 4 lies beyond the end
    assert train.inputs[..., 0].tolist() == [[0.0, 1.0, 2.0], [1.0, 2.0, 2.0]]
    assert train.observed is not None
    assert train.observed[..., 0].tolist() == [[False, True], [True, True]]
    test = data.split("test").batch(torch.arange(3))
    # test targets begin in row 10: windows cover rows 7..9, 8..10, 9..11
    assert test.inputs[..., 0].tolist() == [[7.0, 7.0, 7.0], [8.0, 9.0, 10.0], [9.0, 10.0, 11.0]]
    held = series(write(tmp_path / "b.csv", cells), missing="hold").load().split("test").batch(torch.arange(3))
    assert held.inputs[..., 0].tolist() == [[7.0, 7.0, 7.0], [7.0, 7.0, 10.0], [7.0, 10.0, 11.0]]


def test_before_the_first_value_stands_the_train_mean(tmp_path: Path) -> None:
    cells = [NAN, NAN, NAN, NAN, 4.0, 6.0, *range(6, 14)]
    batch = series(write(tmp_path / "a.csv", [float(c) for c in cells])).load().split("train").batch(torch.arange(2))
    # train rows are 0..5, so the mean is 5; neither window holds an observed value
    assert batch.inputs[..., 0].tolist() == [[5.0, 5.0, 5.0], [5.0, 5.0, 5.0]]


def test_zero_is_missing(tmp_path: Path) -> None:
    cells = [5.0, 0.0, 7.0, 8.0, 9.0, 10.0, 11.0, 12.0, 13.0, 14.0, 15.0, 16.0, 17.0, 18.0]
    data = series(write(tmp_path / "a.csv", cells), missing="zero_is_missing").load()
    assert data.missing_values == 1
    assert data.split("train").batch(torch.arange(1)).inputs[0, :, 0].tolist() == [5.0, 6.0, 7.0]
    assert series(write(tmp_path / "b.csv", cells)).load().missing_values == 0


@settings(max_examples=60, deadline=None)
@given(
    cells=st.lists(st.one_of(st.just(NAN), st.floats(-5, 5)), min_size=14, max_size=14),
    later=st.lists(st.floats(-5, 5), min_size=14, max_size=14),
    missing=st.sampled_from(["interpolate", "hold"]),
)
def test_inputs_never_depend_on_what_follows_the_window(
    tmp_path_factory: pytest.TempPathFactory, cells: list[float], later: list[float], missing: str
) -> None:
    cells[0] = 1.0  # keeps the train split observed; its mean may depend on all train rows
    cells[6] = cells[10] = 1.0  # val and test have something to score
    folder = tmp_path_factory.mktemp("gap")
    source = write(folder / "a.csv", cells)
    data = series(source, missing=missing).load()
    for name in ("val", "test"):
        split = data.split(name)  # type: ignore[arg-type]
        for i, start in enumerate(split.starts.tolist()):
            end = start + 3
            changed = write(folder / "b.csv", cells[:end] + later[end:])
            again = series(changed, missing=missing).load().split(name)  # type: ignore[arg-type]
            one, other = (s.batch(torch.tensor([i])).inputs for s in (split, again))
            assert torch.equal(one, other)


def test_refusals() -> None:
    found = problem([[1.0, 2.0], [3.0, NAN], [NAN, NAN]], "refuse")
    assert (found.code, found.path) == ("D207", "data.missing")
    assert found.message == "3 missing values; the first in row 2 of the data, column `b`"
    found = problem([[1.0, 2.0], [float("-inf"), 2.0]], "interpolate")
    assert found.code == "D205"
    assert "row 2 of the data, column `a`" in found.message
    assert problem([[1.0, 1e39]], "interpolate").code == "D205"
    assert problem([[NAN, 1.0]], "interpolate").message == "column `a` of the series holds no value"
    assert problem([[0.0, 0.0]], "zero_is_missing").message == "columns `a`, `b` of the series hold no value"


def test_a_column_unobserved_in_train_is_refused(tmp_path: Path) -> None:
    source = write(tmp_path / "a.csv", [NAN] * 6 + [1.0] * 8)
    with pytest.raises(DiagnosticError, match=r"D206.*train split"):
        series(source).load()
