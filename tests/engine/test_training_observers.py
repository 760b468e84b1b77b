"""What observers are told, in which order, and that watching changes nothing."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from tiny_runs import Recorder, Silent, codes, command, go_on, outcome, start, tiny, trained, write_recipe

from snnctl.core.run_events import CheckpointSaved, EpochDone, Observers, RunFinished, RunStarted, StepDone
from snnctl.engine import loop
from snnctl.engine.observers import LogFile, TensorBoard

HAS_TENSORBOARD = True
try:
    import tensorboard  # noqa: F401
except ImportError:
    HAS_TENSORBOARD = False


def test_events_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "_STEP_EVENTS_PER_SECOND", 1e12)  # an event for each step
    recorder = Recorder()
    run = trained(tiny(tmp_path, "train.epochs=2"), tmp_path / "run", recorder)
    kinds = [type(event).__name__ for event in recorder.events if type(event).__name__ != "HealthNoted"]
    epoch = ["StepDone"] * 3 + ["EpochDone", "CheckpointSaved"]
    assert kinds == ["RunStarted", *epoch, *epoch, "RunFinished"]
    first, last = recorder.events[0], recorder.events[-1]
    assert isinstance(first, RunStarted)
    assert isinstance(last, RunFinished)
    assert (first.name, first.directory, first.epochs) == ("tiny", str(run.path), 2)
    assert (first.steps_per_epoch, first.train_items, first.start_epoch, first.seed) == (3, 77, 0, 3)
    assert (last.status, last.epochs_done) == ("done", 2)
    steps = [event for event in recorder.events if isinstance(event, StepDone)]
    assert [(event.epoch, event.step) for event in steps] == [(e, s) for e in (0, 1) for s in (1, 2, 3)]
    assert all(event.seconds_left >= 0 and event.items_per_second > 0 for event in steps)
    epochs = [event for event in recorder.events if isinstance(event, EpochDone)]
    for event, step, line in zip(epochs, (steps[2], steps[5]), run.metrics(), strict=True):
        assert event.train_loss == step.loss == line["train/loss"]  # the mean over the epoch so far is now whole
        assert dict(event.validation) == {name: line[name] for name in line if name.startswith("val/")}
        assert 0 < event.mean_rate < 1
        assert set(event.rates) >= {"encoder.neuron", "backbone.blocks.0.attention.qkv.neuron"}


def test_train_loss_is_the_mean_over_items(tmp_path: Path) -> None:
    """With a learning rate of almost nothing: batches of 32, 32 and 13 and one batch of 77 have the same mean."""
    sets = ("train.epochs=1", "optim={type: sgd, lr: 1.0e-30}", "model.norm_gain=1.0", "model.neuron.v_threshold=1e9")
    small = trained(tiny(tmp_path, *sets, "encoder.neuron.v_threshold=1e9"), tmp_path / "small")
    whole = trained(tiny(tmp_path, *sets, "encoder.neuron.v_threshold=1e9", "train.batch_size=77"), tmp_path / "whole")
    assert small.metrics()[0]["train/loss"] == pytest.approx(whole.metrics()[0]["train/loss"], rel=1e-5)


def test_observers_are_told_one_after_the_other() -> None:
    told: list[str] = []
    first, second = Recorder(lambda _: told.append("first")), Recorder(lambda _: told.append("second"))
    event = RunFinished("done", 1, 1.0)
    Observers([first, second]).notify(event)
    assert told == ["first", "second"]
    assert first.events == second.events == [event]


def test_resumed_run_tells_where_it_goes_on(tmp_path: Path) -> None:
    recipe, recorder = tiny(tmp_path), Recorder()
    run = start(recipe, tmp_path / "run")
    go_on(recipe, run, recorder, stop_after=1)
    assert recorder.events[-1] == RunFinished("interrupted", 1, recorder.events[-1].seconds)  # type: ignore[union-attr]
    recorder.events.clear()
    go_on(recipe, run, recorder, resume=True)
    assert isinstance(recorder.events[0], RunStarted)
    assert recorder.events[0].start_epoch == 1
    assert [e.epoch for e in recorder.events if isinstance(e, EpochDone)] == [1, 2]


def test_watching_changes_nothing(tmp_path: Path) -> None:
    recipe = tiny(tmp_path)
    alone = trained(recipe, tmp_path / "alone", Silent())
    run = start(recipe, tmp_path / "watched")
    go_on(recipe, run, Observers([LogFile(run), Recorder()]))
    assert outcome(run) == outcome(alone)


def test_lines_and_log_parse(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(capsys, "train", write_recipe(tmp_path), "--out", tmp_path / "run")[0] == 0
    run = tmp_path / "run"
    metrics = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [list(line) for line in metrics] == [
        ["epoch", "step", "train/loss", "val/loss", "val/mse", "val/mae", "lr", "best"]
    ] * 3
    assert [line["lr"] for line in metrics] == [0.01] * 3
    spikes = [json.loads(line) for line in (run / "spikes.jsonl").read_text().splitlines()]
    layers = [line["name"] for line in spikes if line["epoch"] == 0]
    assert len(layers) == len(set(layers)) == 7
    assert [line["name"] for line in spikes] == layers * 3
    assert all(line["split"] == "val" and 0 <= line["rate"] <= 1 for line in spikes)
    log = [line.split(" ", 1)[1] for line in (run / "log.txt").read_text().splitlines()]
    assert log[0] == "started at epoch 1 of 3"
    assert log[-1] == "finished: done"
    assert [line for line in log if line.startswith("checkpoint")] == [f"checkpoint at step {n}" for n in (3, 6, 9)]
    assert sum(line.startswith("epoch ") for line in log) == 3


def test_quiet_prints_nothing_plain_prints_a_line_per_epoch(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from snnctl.cli.app import run

    recipe = str(write_recipe(tmp_path))
    assert run(["train", recipe, "--out", str(tmp_path / "quiet"), "--quiet"]) == 0
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", "")
    assert run(["train", recipe, "--out", str(tmp_path / "plain"), "--set", "train.log_every=2"]) == 0
    printed = capsys.readouterr()
    assert [line.split("  ")[0] for line in printed.err.splitlines() if line.startswith("epoch")] == [
        "epoch 2/3",
        "epoch 3/3",
    ]
    assert "last_value" in printed.out
    assert str(tmp_path / "plain") in printed.out.replace("\n", "")


@pytest.mark.skipif(not HAS_TENSORBOARD, reason="the extra snnctl[tensorboard] is not installed")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of TensorBoard's own imports
def test_tensorboard_curves(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    recipe = tiny(tmp_path)
    run = start(recipe, tmp_path / "run")
    go_on(recipe, run, TensorBoard(run.path / "tensorboard"))
    assert outcome(run) == outcome(trained(recipe, tmp_path / "alone"))
    found = EventAccumulator(str(run.path / "tensorboard"))
    found.Reload()
    assert {"train/loss", "val/mse", "lr", "rate/mean", "rate/encoder.neuron"} <= set(found.Tags()["scalars"])
    for name in ("train/loss", "val/mse"):
        points = found.Scalars(name)
        assert [point.step for point in points] == [1, 2, 3]
        assert [point.value for point in points] == pytest.approx([line[name] for line in run.metrics()], rel=1e-6)


def test_tensorboard_that_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    code, document = command(capsys, "train", write_recipe(tmp_path), "--tensorboard", "--out", tmp_path / "run")
    assert (code, codes(document)) == (2, ["U414"])
    assert not (tmp_path / "run").exists()


def test_checkpoint_event_comes_when_the_files_lie_there(tmp_path: Path) -> None:
    recipe = tiny(tmp_path, "train.epochs=1")
    run = start(recipe, tmp_path / "run")
    seen: list[bool] = []

    def look(event: object) -> None:
        if isinstance(event, CheckpointSaved):
            files = [Path(event.path) / name for name in ("trainer.pt", "weights.safetensors")]
            seen.append(all(file.stat().st_size > 0 for file in files))

    go_on(recipe, run, Recorder(look))
    assert seen == [True]
