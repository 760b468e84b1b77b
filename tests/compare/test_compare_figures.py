"""Figures of a comparison: which groups stand together, which baselines are lines, and that labels keep apart."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from compare.run_folders import write_run
from hypothesis import given, settings
from hypothesis import strategies as st

from snnctl.compare.comparison import Comparison, compare
from snnctl.compare.figures import curves, groups, labels

METRIC = "test/accuracy"


def comparison(folder: Path, cells: list[dict[str, Any]], values: tuple[float, ...] = (0.8, 0.82)) -> Comparison:
    for number, cell in enumerate(cells):
        for seed, value in enumerate(values):
            baselines = {"majority": 0.5, "near": 0.79, "ceiling": 0.99}
            write_run(folder / str(number) / str(seed), seed, value + 0.01 * number, baselines=baselines, **cell)
    return compare([folder])


def grid(tmp_path: Path) -> Comparison:
    return comparison(
        tmp_path, [{"model__layers": n, "model__hierarchy__delta": d} for n in (2, 3) for d in (-5.0, 0.0, 5.0)]
    )


def test_blocks_of_a_grid(tmp_path: Path) -> None:
    found = grid(tmp_path)
    assert found.varied == "model.hierarchy.delta"
    parts = labels.blocks(found)
    assert [[group.keys["model.hierarchy.delta"] for group in part] for part in parts] == [[-5.0, 0.0, 5.0]] * 2
    picture = groups.runs(found, METRIC)
    (axes,) = picture.figure.axes
    assert [label.get_text() for label in axes.get_xticklabels()] == ["-5", "0", "5"] * 2
    places = axes.get_xticks()
    assert places[3] - places[2] > places[1] - places[0]
    assert {"layers=2", "layers=3"} <= {text.get_text() for text in axes.texts}


def test_groups_of_all_sorts_are_one_block(tmp_path: Path) -> None:
    cells = [{"model__a": 1, "model__b": 1}, {"model__a": 2, "model__b": 1}, {"model__a": 2, "model__b": 2}]
    found = comparison(tmp_path, cells)
    assert labels.blocks(found) == [found.groups]
    (axes,) = groups.runs(found, METRIC).figure.axes
    assert [label.get_text() for label in axes.get_xticklabels()] == ["a=1\nb=1", "a=2\nb=1", "a=2\nb=2"]


def test_what_most_groups_share_is_said_once(tmp_path: Path) -> None:
    usual = {"model__b": "x", "model__c": True}
    cells = [{"model__a": n, **usual} for n in range(5)] + [{"model__a": 0, "model__b": "y", "model__c": False}]
    found = comparison(tmp_path, cells)
    assert found.unless_named == "b=x, c=true"
    labels = [found.label(group) for group in found.groups]
    assert sorted(labels) == sorted([f"a={n}" for n in range(5)] + ["a=0, b=y, c=false"])
    (axes,) = groups.runs(found, METRIC).figure.axes
    assert axes.get_xlabel() == "unless named: b=x, c=true"


def test_points_and_paired_lines_are_the_values(tmp_path: Path) -> None:
    found = grid(tmp_path)
    (axes,) = groups.runs(found, METRIC).figure.axes
    points = [line for line in axes.lines if line.get_marker() == "o"]
    drawn = sorted(y for line in points for y in line.get_ydata())
    assert drawn == pytest.approx(sorted(run.value(METRIC) for run in found.runs))
    joined = [line for line in axes.lines if line.get_linewidth() == 0.7]
    assert len(joined) == 4  # two seeds in two blocks
    assert all(len(line.get_ydata()) == 3 for line in joined)
    assert axes.get_ylabel() == "accuracy, test split\n(share of what is scored; higher is better)"


def test_far_baselines_are_named_at_the_edge_and_the_ceiling_is_always_a_line(tmp_path: Path) -> None:
    found = grid(tmp_path)
    (axes,) = groups.runs(found, METRIC).figure.axes
    level = {float(line.get_ydata()[0]) for line in axes.lines if list(line.get_xdata()) == [0, 1]}
    assert level == {0.79, 0.99}
    said = {text.get_text() for text in axes.texts}
    assert {"near 0.79", "ceiling 0.99", "↓ majority 0.5"} <= said
    low, high = axes.get_ylim()
    assert low < 0.79
    assert high > 0.99


def test_a_single_run(tmp_path: Path) -> None:
    found = comparison(tmp_path, [{}], values=(0.8,))
    (axes,) = groups.runs(found, METRIC).figure.axes
    assert [label.get_text() for label in axes.get_xticklabels()] == ["made-up"]


def test_units_of_keys(tmp_path: Path) -> None:
    clock = {"data__dt_ms": 10.0}
    found = comparison(tmp_path, [{"model__hierarchy__delta": d, **clock} for d in (0.0, 5.0)])
    (axes,) = groups.runs(found, METRIC).figure.axes
    assert axes.get_xlabel() == "model.hierarchy.delta (ms)"


def test_differences_are_drawn_seed_by_seed(tmp_path: Path) -> None:
    found = comparison(tmp_path, [{"model__hidden": n} for n in (1, 2, 3)], values=(0.8, 0.82, 0.85))
    picture = groups.differences(found, METRIC)
    (axes,) = picture.figure.axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["hidden=2", "hidden=3"]
    points = [line for line in axes.lines if line.get_marker() == "o"]
    assert [list(line.get_xdata()) for line in points] == [pytest.approx([0.01] * 3), pytest.approx([0.02] * 3)]
    assert any("3 of 3 better, p = 0.12\npreliminary" in text.get_text() for text in axes.texts)


@settings(deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_labels_keep_apart_and_move_no_more_than_they_must(places: list[float]) -> None:
    gap = 0.05
    found = groups._apart([(place, str(number)) for number, place in enumerate(places)], gap)
    moved = [place for place, _ in found]
    assert all(after - before >= gap - 1e-9 for before, after in pairwise(moved))
    assert sum(moved) == pytest.approx(sum(places))  # the least squares of moves leave the centre where it is
    if all(after - before >= gap for before, after in pairwise(sorted(places))):
        assert moved == pytest.approx(sorted(places))


def test_lists_in_labels_are_not_torn() -> None:
    assert labels._tick("delta=500, order=[1, 3, 2]") == "delta=500\norder=[1, 3, 2]"
    assert labels._tick("bits=1, steps=4, tap=spike") == "bits=1\nsteps=4\ntap=spike"


def test_learning_curves_are_those_of_validation(tmp_path: Path) -> None:
    found = comparison(tmp_path, [{"model__a": 1}, {"model__a": 2}])
    assert curves.has_curves(found, METRIC)
    (axes,) = curves.curves(found, *METRIC.split("/")).figure.axes
    thin, mean = axes.lines[0], axes.lines[2]  # two seeds, then their mean
    assert list(thin.get_xdata()) == [1, 2, 3]
    assert list(thin.get_ydata()) == pytest.approx([0.5, 0.51, 0.52])
    assert list(mean.get_ydata()) == pytest.approx([0.5005, 0.5105, 0.5205])  # the second seed is .001 higher
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["a=1", "a=2"]
    assert not curves.has_curves(found, "energy/x")
