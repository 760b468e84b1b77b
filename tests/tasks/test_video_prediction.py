"""Video prediction: what the network is shown, which frames count, and reference predictions by hand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from snnctl.core.diagnostic import DiagnosticError
from snnctl.core.shapes import ShapeError, SignalSpec
from snnctl.data.video.dataset import VideoBatch
from snnctl.tasks.video import VideoPrediction

SEEN, AHEAD = 3, 2


@dataclass
class Part:
    frames: Tensor

    def __len__(self) -> int:
        return len(self.frames)

    def batch(self, indices: Tensor) -> VideoBatch:
        return VideoBatch(self.frames[indices], SEEN)


class Data:
    def __init__(self, grid: tuple[int, int] = (8, 9), channels: int = 2) -> None:
        generator = torch.Generator().manual_seed(0)
        shape = (SEEN + AHEAD, grid[0] * grid[1], channels)
        self.parts = {
            name: Part(torch.rand(count, *shape, generator=generator))
            for name, count in (("train", 7), ("val", 2), ("test", 5))
        }
        self.input_signal = SignalSpec(0, shape[1], channels, grid=grid, frames=SEEN, ahead=AHEAD)

    def split(self, name: str) -> Part:
        return self.parts[name]


class Shown(nn.Module):
    """Notes what it is given, and answers with a shift of it."""

    def __init__(self, answer: str = "all") -> None:
        super().__init__()
        self.answer, self.seen = answer, []
        self.shift = nn.Parameter(torch.zeros(()))

    def forward(self, frames: Tensor) -> Tensor:
        self.seen.append(frames.clone())
        last = frames[:, SEEN - 1 : SEEN]
        ahead = last.expand(-1, AHEAD, -1, -1)
        made = ahead if self.answer == "ahead" else torch.cat((frames[:, : SEEN - 1], ahead), 1)
        return made + self.shift


def batch(data: Data, name: str = "test") -> VideoBatch:
    return data.split(name).batch(torch.arange(len(data.split(name))))


def test_true_later_frames_are_shown_in_training_alone() -> None:
    data = Data()
    task, network, given = VideoPrediction(data), Shown(), batch(data)
    assert task.predict(network.train(), given).shape == (5, SEEN + AHEAD - 1, 72, 2)
    assert torch.equal(network.seen[0], given.frames)
    with torch.no_grad():
        task.predict(network.eval(), given)
    assert torch.equal(network.seen[1], given.inputs)
    assert network.seen[1].shape[1] == SEEN
    # A prediction made in evaluation does not change when the frames ahead do.
    other = VideoBatch(torch.cat((given.inputs, torch.rand_like(given.targets)), 1), SEEN)
    assert torch.equal(task.predict(network, other), task.predict(network, given))


def test_which_frames_count_in_the_loss() -> None:
    data = Data()
    given = batch(data)
    every, ahead = VideoPrediction(data), VideoPrediction(data, loss_frames="ahead")
    network = Shown().train()
    found = every.predict(network, given)
    plain = torch.stack([(found[:, t] - given.frames[:, t + 1]) ** 2 for t in range(SEEN + AHEAD - 1)])
    assert every.loss(found, given).item() == pytest.approx(plain.mean().item())
    assert ahead.loss(found, given).item() == pytest.approx(plain[-AHEAD:].mean().item())
    alone = every.predict(Shown("ahead"), given)  # frames ahead alone can be given, too
    assert every.loss(alone, given).item() == pytest.approx(plain[-AHEAD:].mean().item())
    every.loss(found, given).backward()
    assert network.shift.grad is not None
    assert network.shift.grad.item() != 0


def test_metrics_are_those_of_the_frames_ahead() -> None:
    data = Data()
    task, given = VideoPrediction(data, metrics=["mae", "mse"]), batch(data)
    found = task.predict(Shown().eval(), given)
    meter = task.meter()
    meter.update(found, given.targets, given.observed)
    error = given.inputs[:, -1:] - given.targets
    assert meter.compute() == pytest.approx(
        {"mae": error.abs().sum((2, 3)).mean().item(), "mse": error.square().sum((2, 3)).mean().item()}
    )
    assert (task.headline, task.outputs, task.loss_weight(given)) == ("mae", 2, 5)
    assert task.input_signal is data.input_signal


def test_baselines_by_hand() -> None:
    data = Data()
    report = VideoPrediction(data, metrics=["mse", "mae"]).run_baselines(batch_size=3)
    given = batch(data)
    mean = data.split("train").frames.mean((0, 1))
    for name, made in (
        ("copy_last", given.inputs[:, -1:].expand(-1, AHEAD, -1, -1)),
        ("black", torch.zeros_like(given.targets)),
        ("train_mean", mean.expand_as(given.targets)),
    ):
        error = (made - given.targets).double()
        assert report.scores[name]["mse"] == pytest.approx(error.square().sum((2, 3)).mean().item(), rel=1e-6)
        assert report.scores[name]["mae"] == pytest.approx(error.abs().sum((2, 3)).mean().item(), rel=1e-6)
    assert list(report.scores) == ["copy_last", "black", "train_mean"]
    assert not report.omitted


def test_a_mean_of_part_of_train_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    data, told = Data(), []
    monkeypatch.setattr("snnctl.baselines.continuations._MOST_VALUES", 3 * 5 * 72 * 2)
    report = VideoPrediction(data, metrics=["mse"], baselines=["train_mean"]).run_baselines(
        "val", progress=lambda name, share: told.append((name, share))
    )
    assert report.chosen == {"train_mean": "on 3 of 7 sequences"}
    assert told == [("train_mean", 1.0)]
    given, mean = batch(data, "val"), data.split("train").frames[[0, 2, 4]].mean((0, 1))
    wanted = (mean - given.targets).square().sum((2, 3)).mean().item()
    assert report.scores["train_mean"]["mse"] == pytest.approx(wanted, rel=1e-5)


def test_what_is_refused() -> None:
    with pytest.raises(DiagnosticError) as caught:
        VideoPrediction(Data((6, 30)))
    (problem,) = caught.value.diagnostics
    assert (problem.code, problem.path) == ("R332", "task.metrics")
    assert "6 x 30" in problem.message
    VideoPrediction(Data((6, 30)), metrics=["mse", "psnr"])
    data = Data()
    wrong: Any = lambda frames: frames  # noqa: E731
    with pytest.raises(ShapeError, match=r"gives \[5, 3, 72, 2\], not \[5, 4, 72, 2\] or \[5, 2, 72, 2\]"):
        VideoPrediction(data).predict(wrong, batch(data))
    assert list(VideoPrediction.rules({"metrics": ["mse", "mse"], "baselines": []})) == [
        ("metrics", "`mse` is named 2 times")
    ]


def test_batches() -> None:
    given = VideoBatch(torch.rand(4, 5, 6, 1), 3)
    assert len(given) == 4
    assert given.inputs.shape == (4, 3, 6, 1)
    assert given.targets.shape == (4, 2, 6, 1)
    assert given.observed is None
    assert given.to("meta").frames.is_meta
    assert given.to("meta").seen == 3


def test_the_signal_tells_of_frames_ahead() -> None:
    assert SignalSpec(0, 72, 2, grid=(8, 9), frames=3, ahead=2).describe() == "frames=3 ahead=2 L=72 (8 x 9) D=2 real"
    assert SignalSpec(0, 72, 2, frames=3).ahead == 0
