"""Splits of image sets: disjoint, whole, alike in classes, a pure function of the seed, never from test."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from snnctl.core.diagnostic import DiagnosticError
from snnctl.data.cuts import Cutting, cut_classes, draw_share


@settings(max_examples=60, deadline=None)
@given(
    counts=st.lists(st.integers(1, 40), min_size=1, max_size=6),
    share=st.one_of(st.floats(0.05, 0.95), st.integers(1, 30)),
    seed=st.integers(0, 99),
)
@example(counts=[1, 1, 1, 1, 32, 40], share=0.125, seed=96)
def test_every_class_gives_its_share(counts: list[int], share: Any, seed: int) -> None:
    labels = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(counts)), counts))
    kept, drawn = draw_share(labels, share, seed, 0)
    assert sorted((*kept, *drawn)) == list(range(len(labels)))
    wanted = min(share if isinstance(share, int) else round(len(labels) * share), len(labels))
    assert len(drawn) == wanted
    # Each class is within one item of its share of a common threshold, which is off by at most one item per class.
    slack = len(counts) / len(labels)
    for label, count in enumerate(counts):
        assert abs((labels[drawn] == label).sum() - wanted * count / len(labels)) <= 1.0 + slack * count + 1e-9


def test_a_pure_function_of_the_seed() -> None:
    labels = np.arange(100) % 5
    first, again, other = (draw_share(labels, 0.3, seed, 0)[1].tolist() for seed in (1, 1, 2))
    assert first == again != other
    assert draw_share(labels, 0.3, 1, 1)[1].tolist() != first


def parts(**counts: int) -> dict[str, Any]:
    return {name: np.arange(count) % 2 for name, count in counts.items()}


def found(labels: dict[str, Any], val: Any = 0.25, test: Any = 0.2) -> dict[str, tuple[str, list[int]]]:
    return {name: (part, indices.tolist()) for name, (part, indices) in cut_classes(labels, Cutting(val, test)).items()}


def test_makers_splits_are_kept() -> None:
    cut = found(parts(train=8, val=4, test=6))
    assert cut == {"train": ("train", [*range(8)]), "val": ("val", [*range(4)]), "test": ("test", [*range(6)])}


def test_validation_comes_from_train_and_never_from_test() -> None:
    for labels, final in ((parts(train=8, test=6), "test"), (parts(train=8, val=6), "val")):
        cut = found(labels)
        assert cut["test"] == (final, [*range(6)])
        assert cut["train"][0] == cut["val"][0] == "train"
        assert sorted(cut["train"][1] + cut["val"][1]) == [*range(8)]
        assert len(cut["val"][1]) == 2


def test_one_part_is_cut_in_three() -> None:
    for name in ("all", "test", "train"):
        cut = found(parts(**{name: 100}))
        assert {split: len(indices) for split, (_, indices) in cut.items()} == {"train": 60, "val": 20, "test": 20}
        assert sorted(index for _, indices in cut.values() for index in indices) == [*range(100)]


def test_the_test_part_does_not_depend_on_the_size_of_val() -> None:
    small, large = (found(parts(all=100), val=val) for val in (0.1, 0.5))
    assert small["test"] == large["test"]


@pytest.mark.parametrize(
    ("val", "test", "path"), [(0.001, 0.2, "data.val"), (0.25, 0.001, "data.test"), (90, 20, "data.val")]
)
def test_an_empty_split_is_refused(val: Any, test: Any, path: str) -> None:
    with pytest.raises(DiagnosticError) as caught:
        found(parts(all=100), val, test)
    problem = caught.value.diagnostics[0]
    assert (problem.code, problem.path) == ("R320", path)
    assert "is empty" in problem.message


def test_nothing_to_train_on() -> None:
    with pytest.raises(DiagnosticError) as caught:
        found(parts(val=4, test=4))
    assert caught.value.diagnostics[0].code == "D222"
