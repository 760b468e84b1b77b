"""The classification task: cross-entropy, one score per class, weights of batches."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from pydantic import ValidationError
from torch import nn

from snnctl.core.catalog import TASKS
from snnctl.core.signature import defaults, params_model
from snnctl.data.base import Batch
from snnctl.data.made.order import Order
from snnctl.tasks.base import Task
from snnctl.tasks.classification import Classification


@pytest.fixture
def task() -> Classification:
    return Classification(Order(train=60, val=30, test=30, classes=3).load())


def test_it_is_a_task(task: Classification) -> None:
    as_task: Task = task
    assert TASKS.get("classification") is Classification
    assert as_task.outputs == 3
    assert as_task.headline == "accuracy"
    assert as_task.input_signal == task.data.input_signal


def test_loss_is_mean_cross_entropy(task: Classification) -> None:
    batch = task.data.split("train").batch(torch.arange(7))
    scores = torch.randn(7, 3, dtype=torch.float64)
    by_hand = -sum(float(scores[i].log_softmax(0)[t]) for i, t in enumerate(batch.targets)) / 7
    assert float(task.loss(scores, batch)) == pytest.approx(by_hand, abs=1e-12)
    assert task.loss_weight(batch) == 7
    assert float(task.loss(torch.zeros(7, 3), batch)) == pytest.approx(math.log(3))


@pytest.mark.parametrize("smoothing", [0.1, 0.5])
def test_label_smoothing(task: Classification, smoothing: float) -> None:
    smooth = Classification(task.data, label_smoothing=smoothing)
    batch = task.data.split("train").batch(torch.arange(7))
    scores = torch.randn(7, 3, dtype=torch.float64)
    share = (1 - smoothing) * F.one_hot(batch.targets, 3).double() + smoothing / 3
    by_hand = -(share * scores.log_softmax(1)).sum(1).mean()
    assert float(smooth.loss(scores, batch)) == pytest.approx(float(by_hand), abs=1e-12)


def test_losses_of_batches_combine_exactly(task: Classification) -> None:
    split = task.data.split("train")
    network = nn.Sequential(nn.Flatten(), nn.Linear(16 * 8, 3))
    whole = split.batch(torch.arange(60))
    parts = [split.batch(torch.arange(first, last)) for first, last in ((0, 7), (7, 60))]
    with torch.no_grad():
        total = sum(float(task.loss(task.predict(network, part), part)) * task.loss_weight(part) for part in parts)
        assert total / 60 == pytest.approx(float(task.loss(task.predict(network, whole), whole)), rel=1e-5)


def test_baselines_of_an_order_task(task: Classification) -> None:
    report = task.run_baselines()
    assert list(report.scores) == ["majority", "linear", "linear_pooled"]
    assert report.scores["majority"]["accuracy"] == report.scores["linear_pooled"]["accuracy"] == 1 / 3
    assert task.run_baselines("val", seed=5) == task.run_baselines("val")


def test_knobs() -> None:
    rules = list(Classification.rules({"metrics": ["accuracy", "accuracy"], "baselines": ["linear", "linear"]}))
    assert [knob for knob, _ in rules] == ["metrics", "baselines"]
    model = params_model(Classification)
    for wrong in ({"label_smoothing": 1.0}, {"label_smoothing": -0.1}, {"metrics": []}, {"metrics": ["mse"]}):
        with pytest.raises(ValidationError):
            model(**wrong)
    assert defaults(Classification)["label_smoothing"] == 0.0


def test_mixed_items_count_for_the_shares_of_their_classes(task: Classification) -> None:
    batch = task.data.split("train").batch(torch.arange(4))
    scores = torch.randn(4, 3, dtype=torch.float64)
    other, share = (batch.targets + 1) % 3, 0.3
    soft = torch.zeros(4, 3, dtype=torch.float64)
    soft[torch.arange(4), batch.targets], soft[torch.arange(4), other] = share, 1 - share
    mixed = Batch(batch.inputs, batch.targets, soft=soft).to("cpu")
    for smoothing in (0.0, 0.1):
        smoothed = Classification(task.data, label_smoothing=smoothing)
        one, two = (
            float(F.cross_entropy(scores, targets, label_smoothing=smoothing)) for targets in (batch.targets, other)
        )
        assert float(smoothed.loss(scores, mixed)) == pytest.approx(share * one + (1 - share) * two, abs=1e-12)
    assert task.loss_weight(mixed) == 4
