"""Multi-time-scale XOR: windows by hand, the truth table, rates, the count decoder's ceiling, seeds that differ."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from snnctl.core.seeds import building_with
from snnctl.core.shapes import ShapeError, SignalSpec
from snnctl.core.signature import defaults
from snnctl.data.made.mts_xor import MtsXor, XorRule
from snnctl.encoders.direct import NoEncoder, Repeat
from snnctl.measure.classes import StepMetrics
from snnctl.readouts.linear import StepLinear
from snnctl.recipe.rules import readout_answers_task
from snnctl.tasks.classification import StepClassification

PUBLISHED = XorRule(40, 10, 6, 5, 10, 0.2, 0.6, 0.01)


def small(**knobs: Any) -> Any:
    return MtsXor(**{"train": 600, "val": 100, "test": 200, "seed": 3} | knobs).load()


def whole(data: Any, name: str = "train") -> Any:
    part = data.split(name)
    return part.batch(torch.arange(len(part)))


def test_windows_as_published() -> None:
    assert PUBLISHED.steps == 100
    scored = np.flatnonzero(PUBLISHED.scored).tolist()
    begins = (15, 30, 45, 60, 75, 90)
    assert scored == [step for begin in begins for step in range(begin, begin + 10)]
    knobs = defaults(MtsXor)
    assert (knobs["train"], knobs["val"], knobs["test"]) == (20 * 512, 1024, 1024)


def test_truth_table() -> None:
    slow = np.array([False, False, True, True])
    fast = np.array([[False] * 6, [True] * 6, [False] * 6, [True, False] * 3])
    found = PUBLISHED.targets(slow, fast)
    assert found.shape == (4, 100)
    assert not found[:, :10].any()  # before the first window
    assert [set(row[10:].tolist()) for row in found[:3]] == [{0}, {1}, {1}]
    assert found[3, 10:25].tolist() == [0] * 15  # 1 xor 1, its silent steps included
    assert found[3, 25:40].tolist() == [1] * 15


def test_signal_stands_where_it_should() -> None:
    # Certain rates and no noise: every spike is the bit itself.
    rule = XorRule(4, 2, 2, 1, 2, 0.0, 1.0, 0.0)
    spikes, slow, fast = rule.draw(50, 1)
    assert spikes.shape == (50, 8, 4)
    for item in range(50):
        assert (spikes[item, :2, :2] == slow[item]).all()
        assert not spikes[item, :2, 2:].any()
        assert not spikes[item, 2:, :2].any()
        assert (spikes[item, [3, 4], 2:] == fast[item, 0]).all()
        assert (spikes[item, [6, 7], 2:] == fast[item, 1]).all()
        assert not spikes[item, [2, 5]].any()
    assert {tuple(row) for row in np.column_stack((slow, fast)).tolist()} == {
        (a, b, c) for a in (False, True) for b in (False, True) for c in (False, True)
    }


def test_rates() -> None:
    spikes, slow, fast = PUBLISHED.draw(2000, 5)
    window = spikes[:, 10:].reshape(2000, 6, 15, 40)
    groups = {
        0.208: [spikes[~slow, :10, :20], window[:, :, 5:, 20:][~fast]],
        0.604: [spikes[slow, :10, :20], window[:, :, 5:, 20:][fast]],
        0.01: [spikes[:, :10, 20:], spikes[:, 10:, :20], window[:, :, :5]],
    }
    for rate, found in groups.items():
        for values in found:
            error = (rate * (1 - rate) / values.size) ** 0.5
            assert abs(values.mean() - rate) < 4 * error
    assert abs(slow.mean() - 0.5) < 4 * 0.5 / 2000**0.5
    assert abs(fast.mean() - 0.5) < 4 * 0.5 / 12000**0.5


def test_threshold_is_where_likelihoods_cross() -> None:
    low, high = 0.208, 0.604
    unit = PUBLISHED.threshold(20)
    assert low * 20 < unit < high * 20

    def gain(count: float) -> float:
        return float(count * np.log(high / low) + (20 - count) * np.log((1 - high) / (1 - low)))

    assert gain(unit) == pytest.approx(0, abs=1e-9)
    assert gain(np.floor(unit)) < 0 < gain(np.ceil(unit))


def test_ceiling_of_the_count_decoder() -> None:
    spikes, slow, fast = PUBLISHED.draw(10240, 0)
    targets = PUBLISHED.targets(slow, fast)
    found = PUBLISHED.decode(torch.from_numpy(spikes)).argmax(2).numpy() == targets
    assert found[:, PUBLISHED.scored].mean() == pytest.approx(0.9966, abs=0.0015)
    assert found[:, 15::15].mean() == pytest.approx(0.9705, abs=0.003)  # the first coding step of each window


def test_the_decoder_is_causal() -> None:
    spikes = torch.from_numpy(PUBLISHED.draw(20, 2)[0])
    other = spikes.clone()
    other[:, 52:] = ~other[:, 52:]
    assert torch.equal(PUBLISHED.decode(spikes)[:, :52], PUBLISHED.decode(other)[:, :52])


def test_batches() -> None:
    data = small()
    batch = whole(data)
    assert batch.inputs.shape == (600, 100, 1, 40)
    assert (batch.inputs.dtype, batch.targets.dtype) == (torch.float32, torch.int64)
    assert set(batch.inputs.unique().tolist()) == {0.0, 1.0}
    assert batch.targets.shape == batch.observed.shape == (600, 100)
    assert batch.observed.sum(1).unique().tolist() == [60]
    assert data.input_signal == SignalSpec(0, 1, 40, kind="spikes", frames=100, dt_ms=10.0)
    assert tuple(batch.inputs.shape[1:]) == data.input_signal.shape(1)[1:]
    assert torch.equal(data.split("train").batch(torch.tensor([7, 3])).inputs, batch.inputs[[7, 3]])


def test_seeds() -> None:
    one, two, again = small(), small(seed=4), small()
    assert one.fingerprint == again.fingerprint != two.fingerprint
    parts = [whole(one, name).inputs[:100] for name in ("train", "val", "test")]
    assert not any(torch.equal(a, b) for a, b in ((parts[0], parts[1]), (parts[0], parts[2]), (parts[1], parts[2])))
    with building_with(3):
        assert small(seed=None).fingerprint == one.fingerprint  # the run's own
    with building_with(4):
        assert small(seed=None).fingerprint == two.fingerprint


@pytest.mark.parametrize(("knobs", "knob"), [({"channels": 41}, "channels"), ({"low": 0.6}, "high")])
def test_what_cannot_be(knobs: dict[str, Any], knob: str) -> None:
    with pytest.raises(ShapeError) as caught:
        MtsXor(**knobs)
    assert caught.value.knob == knob


def test_encoder_hands_spikes_on() -> None:
    data = small()
    encoder = NoEncoder(data.input_signal)
    batch = whole(data, "val")
    found = encoder(batch.inputs)
    assert encoder.output == SignalSpec(100, 1, 40, kind="spikes", dt_ms=10.0)
    assert tuple(found.shape) == encoder.output.shape(100)
    assert torch.equal(found[17, 5], batch.inputs[5, 17])
    with pytest.raises(ShapeError, match="bring their own steps"):
        NoEncoder(SignalSpec(0, 12, 6))
    with pytest.raises(ShapeError, match="steps of their own"):
        Repeat(data.input_signal)


def test_a_readout_answers_as_often_as_the_task_asks() -> None:
    def problems(task: str, readout: str) -> list[Any]:
        return list(readout_answers_task({"task": {"type": task}, "readout": {"type": readout}}))

    assert problems("step_classification", "step_linear") == problems("classification", "mean_linear") == []
    ((path, message, help),) = problems("step_classification", "mean_linear")
    assert path == ("readout", "type")
    assert message == "read-out `mean_linear` answers once per item, task `step_classification` asks at every step"
    assert "step_linear" in help
    assert len(problems("forecasting", "step_linear")) == 1


class TestTask:
    def test_loss_by_hand(self) -> None:
        data = small()
        batch = data.split("val").batch(torch.arange(2))
        scores = torch.zeros(2, 100, 2)
        scores[:, 15:25, 1] = 2.0
        own = -scores.log_softmax(2).gather(2, batch.targets[..., None])[..., 0]
        for steps, expected, weight in (("all", own.mean(), 200), ("scored", own[batch.observed].mean(), 120)):
            task = StepClassification(data, loss_steps=steps)  # type: ignore[arg-type]
            assert task.predict(lambda _: scores, batch) is scores
            assert task.loss(scores, batch) == pytest.approx(float(expected))
            assert task.loss_weight(batch) == weight

    def test_only_scored_steps_are_measured(self) -> None:
        meter = StepMetrics(["accuracy"], 2)
        targets = torch.tensor([[0, 1, 1, 0]])
        scores = torch.tensor([[[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [0.0, 1.0]]])
        meter.update(scores, targets, torch.tensor([[True, True, True, False]]))
        assert meter.compute() == {"accuracy": pytest.approx(2 / 3)}
        assert int(meter.confusion.sum()) == 3

    def test_one_answer_for_all_steps_is_refused(self) -> None:
        data = small()
        with pytest.raises(ShapeError, match="read-out gives"):
            StepClassification(data).predict(lambda x: x.new_zeros(len(x), 2), data.split("val").batch(torch.arange(3)))

    def test_baselines(self) -> None:
        report = StepClassification(small(train=100, val=30)).run_baselines("test")
        assert list(report.scores) == ["majority", "linear_step", "ceiling"]
        # 200 slow bits decide: a standard error of 3.5 points where an answer leans on one of their values.
        assert 0.42 < report.scores["majority"]["accuracy"] < 0.58
        # Without memory of the slow bit the step's own spikes tell nothing of the XOR.
        assert 0.42 < report.scores["linear_step"]["accuracy"] < 0.58
        assert report.scores["ceiling"]["accuracy"] == pytest.approx(0.9966, abs=0.006)

    def test_readout_answers_at_every_step(self) -> None:
        readout = StepLinear(SignalSpec(100, 3, 5), 2)
        spikes = torch.rand(100, 4, 3, 5)
        found = readout(spikes)
        assert found.shape == (4, 100, 2)
        expected = readout.linear(spikes[41, 2].mean(0))
        torch.testing.assert_close(found[2, 41], expected)


@pytest.mark.parametrize("channels", [2, 12, 40])
def test_batch_holds_the_drawn_spikes(channels: int) -> None:
    # Rows of eight channels move as words: whatever the width, every spike stays where it was drawn.
    part = small(channels=channels).split("test")
    rows = torch.tensor([7, 0, 7, 199])
    batch = part.batch(rows)
    assert batch.inputs.dtype == torch.float32
    assert torch.equal(batch.inputs, part.spikes[rows].float().unsqueeze(2))
    assert batch.inputs.transpose(0, 1).is_contiguous()
