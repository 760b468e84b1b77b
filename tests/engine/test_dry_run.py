"""`--dry-run` forecasts and writes nothing; its memory figure is checked by hand on one Linear."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console
from tiny_runs import RECIPE, command, write_recipe
from torch import Tensor, nn

from snnctl.core.shapes import SignalSpec
from snnctl.core.training import Train
from snnctl.engine.dry_run import forecast
from snnctl.engine.experiment import Experiment, Network
from snnctl.engine.runtime import Runtime
from snnctl.engine.schedule import constant
from snnctl.ui.results import show_forecast

SIGNAL = SignalSpec(0, 1, 6)


@dataclass
class Batch:
    """Six numbers in, two out."""

    inputs: Tensor
    targets: Tensor
    observed: Tensor | None = None

    def to(self, device: torch.device) -> Batch:
        """Stay."""
        return self


class Split:
    """Ten items of ones."""

    def __len__(self) -> int:
        return 10

    def batch(self, indices: Tensor) -> Batch:
        """Fresh tensors."""
        return Batch(torch.ones(len(indices), 6), torch.zeros(len(indices), 2))


class Data:
    """The same for every split."""

    fingerprint, leaks = "none", ()

    def split(self, name: str) -> Split:
        """Ten items."""
        return Split()


class Sums:
    """No metrics."""

    def update(self, *_: Any) -> None:
        """Drop."""

    def merge(self, *_: Any) -> None:
        """Drop."""

    def compute(self) -> dict[str, float]:
        """Nothing."""
        return {}


class Task:
    """Mean square of the error."""

    input_signal, outputs, headline = SIGNAL, 2, "mse"

    def predict(self, network: nn.Module, batch: Batch) -> Tensor:
        return network(batch.inputs)

    def loss(self, prediction: Tensor, batch: Batch) -> Tensor:
        return (prediction - batch.targets).square().mean()

    def loss_weight(self, batch: Batch) -> int:
        return batch.targets.numel()

    def meter(self) -> Sums:
        return Sums()

    def run_baselines(self, *_: Any, **__: Any) -> Any:
        raise AssertionError("a dry run needs no baselines")


class Through(nn.Module):
    """Changes nothing."""

    output = SIGNAL

    def forward(self, x: Tensor) -> Tensor:
        return x


class Readout(nn.Module):
    """One Linear, which does not look at the input beside it."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(6, 2)

    def forward(self, spikes: Tensor, x: Tensor) -> Tensor:
        return self.linear(spikes)


def test_memory_of_one_linear() -> None:
    """Batch 4, float32 of 4 bytes.

    Kept for backward: the input of Linear, 4 * 6 * 4 = 96 bytes, and the error for the square, 4 * 2 * 4 = 32; the
    weight is kept as well but is counted as a weight. Weights: (6 * 2 + 2) * 4 = 56. Gradients: as many. Adam: two
    means of 56 and for each of two parameters a step counter of 4.
    """
    readout = Readout()
    network = Network(Through(), Through(), readout)
    experiment = Experiment(
        "linear",
        network,
        Task(),
        Data(),
        Train(epochs=3, batch_size=4),
        lambda network: torch.optim.Adam(network.parameters()),
        lambda optimizer, epochs, per_epoch: constant(optimizer, epochs, per_epoch),
    )
    before = readout.linear.weight.detach().clone()
    found = forecast(experiment, Runtime("fp32", "cpu"))
    assert found["memory"] == {
        "saved_for_backward": 128,
        "weights": 56,
        "gradients": 56,
        "optimizer": 120,
        "total": 360,
    }
    assert (found["parameters"], found["steps_per_epoch"], found["epochs"]) == (14, 3, 3)
    assert found["layers"][-1] == {"name": "readout.linear", "type": "Linear", "shape": [4, 2], "parameters": 14}
    assert found["items"] == {"train": 10, "val": 10, "test": 10}
    assert found["seconds"] == pytest.approx(3 * found["epoch_seconds"])
    assert found["step_seconds"] > 0
    assert torch.equal(readout.linear.weight, before)
    assert readout.linear.weight.grad is None


def test_dry_run_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = write_recipe(tmp_path)
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    code, document = command(capsys, "train", recipe, "--dry-run", "--out", tmp_path / "run")
    assert code == 0
    assert sorted(tmp_path.rglob("*")) == before
    assert (document["steps_per_epoch"], document["epochs"]) == (3, 3)
    # encoder: 12 samples in patches of 4, T = 2
    assert document["signals"]["encoder"] == "T=2 L=3 D=8 spikes"
    assert document["items"] == {"train": 77, "val": 29, "test": 29}
    layers = {layer["name"]: layer for layer in document["layers"]}
    assert layers["backbone.blocks.0.mlp.widen.neuron"]["shape"] == [2, 32, 3, 16]
    assert sum(layer["parameters"] for layer in document["layers"]) == document["parameters"]
    memory = document["memory"]
    assert memory["gradients"] == 4 * document["parameters"]
    assert memory["total"] == sum(value for name, value in memory.items() if name != "total")


def test_dry_run_shows_what_it_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from snnctl.cli.app import run

    assert run(["train", str(write_recipe(tmp_path)), "--dry-run"]) == 0
    printed = capsys.readouterr().out
    for text in ("backbone.blocks.0.mlp.widen.neuron", "steps", "memory"):
        assert text in printed


@pytest.mark.slow
def test_training_imports_only_what_it_uses(tmp_path: Path) -> None:
    """Start-up: these cost seconds and belong to other commands, kinds of data or options."""
    heavy = ("torchvision", "datasets", "matplotlib", "h5py", "pandas", "pyarrow", "tensorboard", "sklearn", "optuna")
    recipe = write_recipe(tmp_path, RECIPE.replace("./series.csv", "sunspots"))  # pandas is for files
    program = (
        "import sys\n"
        "from snnctl.cli.app import run\n"
        f"code = run(['train', {str(recipe)!r}, '--out', {str(tmp_path / 'run')!r}, '--quiet'])\n"
        f"print(code, [name for name in {heavy!r} if name in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.stdout == "0 []\n"


class Clock:
    """Seconds that go by at each look, by a list; then none."""

    def __init__(self, *steps: float) -> None:
        self._looks = [look for step in steps for look in (0.0, 0.25 * step, 0.75 * step)]
        self._now = 1000.0

    def __call__(self) -> float:
        if self._looks:
            self._now += self._looks.pop(0)
        return self._now


def linear(batch_size: int = 1) -> Experiment:
    return Experiment(
        "linear",
        Network(Through(), Through(), Readout()),
        Task(),
        Data(),
        Train(epochs=3, batch_size=batch_size),
        lambda network: torch.optim.Adam(network.parameters()),
        lambda optimizer, epochs, per_epoch: constant(optimizer, epochs, per_epoch),
    )


@pytest.mark.parametrize(
    ("steps", "timed", "seconds", "cut"),
    [
        ([11.0], 1, 11.0, True),  # no second one is waited for
        ([9.0, 2.0, 2.0, 2.0, 2.0, 4.0], 5, 2.0, False),
        ([4.0, 6.0, 12.0], 2, 9.0, True),
        ([10.0, 1.0, 1.0, 1.0, 1.0, 1.0], 5, 1.0, False),
    ],
)
def test_a_long_step_is_the_last(
    steps: list[float], timed: int, seconds: float, cut: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[int] = []
    predict = Task.predict
    monkeypatch.setattr(Task, "predict", lambda *given: begun.append(1) or predict(*given))
    told: list[tuple[str, float]] = []
    found = forecast(linear(), Runtime("fp32", "cpu"), lambda *said: told.append(said), Clock(*steps))
    assert (found["steps_timed"], found["step_seconds"], found["cut_short"]) == (timed, seconds, cut)
    assert found["memory"]["weights"] == 56
    validation = len(begun) - len(steps)
    if cut:
        assert validation == 0
        # ten steps of one item each, and ten items of validation at a quarter of the last step
        assert found["epoch_seconds"] == pytest.approx(10 * seconds + 10 * 0.25 * steps[-1])
    else:
        assert validation > 0
    shares = [share for _, share in told]
    assert shares == sorted(shares)
    assert 0 == shares[0] <= shares[-1] < 1
    assert told[0][0] == "step 1 of up to 6"
    assert told[-1][0] == "validation"
    assert 0 < told[1][1] < 1 / 7  # within the first step, layer by layer


def test_the_table_says_on_how_little_a_forecast_is_based() -> None:
    for clock, words in ((Clock(30.0), "the first step alone"), (Clock(*[1.0] * 6), "")):
        found = forecast(linear(), Runtime("fp32", "cpu"), now=clock)
        stream = io.StringIO()
        show_forecast(Console(file=stream, width=120), found)
        assert words in stream.getvalue()
        assert ("steps are long" in stream.getvalue()) == bool(words)
