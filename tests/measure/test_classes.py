"""Classification metrics: scikit-learn's values, however the split is cut into batches."""

from __future__ import annotations

import math
import warnings
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, balanced_accuracy_score, confusion_matrix, f1_score
from torch import Tensor

from snnctl.measure.classes import CLASS_METRIC_NAMES, ClassificationMetrics


def scores_of(classes: Tensor, count: int) -> Tensor:
    """Scores whose largest is at the wanted class."""
    return torch.nn.functional.one_hot(classes, count).to(torch.float32)


@settings(max_examples=60, deadline=None)
@given(
    classes=st.integers(1, 5),
    count=st.integers(1, 40),
    cuts=st.lists(st.integers(0, 40), max_size=3),
    seed=st.integers(0, 2**31),
)
def test_equals_scikit_learn_in_any_batches(classes: int, count: int, cuts: list[int], seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    target = torch.randint(classes, (count,), generator=generator)
    prediction = torch.randn(count, classes, generator=generator)
    metrics = ClassificationMetrics(CLASS_METRIC_NAMES, classes)
    borders = [0, *sorted(min(cut, count) for cut in cuts), count]
    for first, last in pairwise(borders):
        metrics.update(prediction[first:last], target[first:last])
    y, p = target.numpy(), prediction.argmax(1).numpy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn's own words on classes that occur in one of the two alone
        expected = [accuracy_score(y, p), balanced_accuracy_score(y, p), f1_score(y, p, average="macro")]
        matrix = confusion_matrix(y, p, labels=range(classes))
    assert list(metrics.compute().values()) == pytest.approx(expected, abs=1e-12)
    assert metrics.confusion.tolist() == matrix.tolist()


def test_by_hand() -> None:
    metrics = ClassificationMetrics(["macro_f1", "balanced_accuracy"], 3)
    # class 0: two right, one taken for 1; class 1: right; class 2: taken for 0
    metrics.update(scores_of(torch.tensor([0, 0, 1, 1, 0]), 3), torch.tensor([0, 0, 0, 1, 2]))
    assert metrics.compute() == {
        "macro_f1": pytest.approx((4 / 6 + 2 / 3 + 0) / 3),
        "balanced_accuracy": pytest.approx((2 / 3 + 1 + 0) / 3),
    }
    assert metrics.per_class()["recall"] == pytest.approx([2 / 3, 1, 0])
    assert metrics.per_class()["precision"][:2] == pytest.approx([2 / 3, 1 / 2])
    assert math.isnan(metrics.per_class()["precision"][2])  # never predicted


def test_merging_is_adding() -> None:
    one, two, whole = (ClassificationMetrics(CLASS_METRIC_NAMES, 2) for _ in range(3))
    prediction, target = torch.randn(9, 2), torch.randint(2, (9,))
    one.update(prediction[:4], target[:4])
    two.update(prediction[4:], target[4:])
    whole.update(prediction, target)
    one.merge(two)
    assert one.compute() == whole.compute()
    with pytest.raises(ValueError, match="same number of classes"):
        one.merge(ClassificationMetrics(["accuracy"], 3))


def test_what_is_not_observed_does_not_count() -> None:
    metrics = ClassificationMetrics(["accuracy"], 2)
    observed = torch.tensor([True, False])
    metrics.update(scores_of(torch.tensor([0, 1]), 2), torch.tensor([0, -1]), observed)
    assert metrics.compute() == {"accuracy": 1.0}


def test_nothing_seen_and_nonsense() -> None:
    metrics = ClassificationMetrics(CLASS_METRIC_NAMES, 2)
    metrics.update(torch.empty(0, 2), torch.empty(0, dtype=torch.int64))
    assert all(math.isnan(value) for value in metrics.compute().values())
    with pytest.raises(ValueError, match="unknown metric `acuracy`"):
        ClassificationMetrics(["acuracy"], 2)  # type: ignore[list-item]
    with pytest.raises(ValueError, match="expected prediction"):
        metrics.update(torch.zeros(4, 3), torch.zeros(4, dtype=torch.int64))
    with pytest.raises(ValueError, match=r"targets must be in 0\.\.1"):
        metrics.update(torch.zeros(1, 2), torch.tensor([2]))
