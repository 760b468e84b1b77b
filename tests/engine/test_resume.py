"""A resumed run is the same run: weights byte for byte, every figure, whenever it was stopped."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from tiny_runs import Recorder, go_on, outcome, start, tiny, trained, with_plugin, write_recipe

from snnctl.core.run_events import Event, StepDone
from snnctl.engine import loop
from snnctl.engine.checkpoint import load_trainer
from snnctl.engine.loop import Trainer

# Everything that has a state of its own, several at a time.
VARIANTS = {
    "constant": ("train.checkpoint_every=2",),
    "cosine": ("schedule={type: cosine, warmup_epochs: 1}", "train.average=0.9", "train.clip_norm=0.1"),
    "step": ("schedule={type: step, every: 1}", "train.precision=bf16", "optim={type: sgd, nesterov: true}"),
    "one_cycle": ("schedule=one_cycle", "optim={type: rmsprop, momentum: 0.5}"),
    "plateau": (
        "schedule={type: plateau, patience: 0}",
        "optim={type: adam, lr: 1.0}",
        "train.precision=bf16",
        "train.average=0.5",
    ),
}


def stop_after_steps(monkeypatch: pytest.MonkeyPatch, steps: int) -> None:
    """Send this process SIGTERM after so many optimiser steps, once."""
    whole = Trainer._step
    done = 0

    def step(self: Trainer, indices: torch.Tensor) -> None:
        nonlocal done
        whole(self, indices)
        done += 1
        if done == steps:
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(Trainer, "_step", step)


@pytest.mark.parametrize("variant", VARIANTS)
def test_stopping_within_an_epoch_and_between_two_changes_nothing(
    variant: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = tiny(tmp_path, *VARIANTS[variant])
    straight = trained(recipe, tmp_path / "straight")
    torn = start(recipe, tmp_path / "torn")
    with monkeypatch.context() as patch:
        stop_after_steps(patch, 2)  # the first epoch has a third
        assert go_on(recipe, torn)["status"] == "interrupted"
    assert load_trainer(torn.last)["loop"]["step_in_epoch"] == 2
    found = go_on(recipe, torn, resume=True, stop_after=2)
    assert (found["status"], found["epochs_done"]) == ("interrupted", 2)
    go_on(recipe, torn, resume=True)
    assert outcome(torn) == outcome(straight)


def test_stopping_at_every_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With random numbers drawn while training; stopping at the third step of an epoch is between two epochs."""
    with_plugin(tmp_path, "noisy")
    recipe = tiny(tmp_path, "train.average=0.8", "schedule={type: cosine, warmup_epochs: 1}")
    straight = trained(recipe, tmp_path / "straight")
    torn = start(recipe, tmp_path / "torn")
    for visit in range(1, 9):
        torch.manual_seed(visit)  # a new process begins with other random numbers
        with monkeypatch.context() as patch:
            stop_after_steps(patch, 1)
            found = go_on(recipe, torn, resume=visit > 1)
        assert (found["status"], found["epochs_done"]) == ("interrupted", visit // 3)
        assert torn.manifest()["status"] == "interrupted"
    go_on(recipe, torn, resume=True)
    assert outcome(torn) == outcome(straight)


def test_noise_matters_to_the_tests_above(tmp_path: Path) -> None:
    with_plugin(tmp_path, "noisy")
    noisy = trained(tiny(tmp_path, "train.epochs=1"), tmp_path / "noisy")
    quiet = trained(tiny(tmp_path, "train.epochs=1", "model.neuron.noise=0"), tmp_path / "quiet")
    assert noisy.metrics()[0]["train/loss"] != quiet.metrics()[0]["train/loss"]


def test_request_from_an_observer_stops_the_run_at_that_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "_STEP_EVENTS_PER_SECOND", 1e12)  # an event for each step
    recipe = tiny(tmp_path)

    def stop(event: Event) -> None:
        if isinstance(event, StepDone) and (event.epoch, event.step) == (1, 1):
            os.kill(os.getpid(), signal.SIGUSR1)

    run = start(recipe, tmp_path / "run")
    assert go_on(recipe, run, Recorder(stop))["status"] == "interrupted"
    state = load_trainer(run.last)["loop"]
    assert (state["epoch"], state["step_in_epoch"], state["step"]) == (1, 1, 4)
    go_on(recipe, run, resume=True)
    assert outcome(run) == outcome(trained(recipe, tmp_path / "straight"))


def test_request_while_testing_leaves_a_trained_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from snnctl.engine import train

    recipe = tiny(tmp_path)
    run = start(recipe, tmp_path / "run")

    def interrupt(*_: object, **__: object) -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    with monkeypatch.context() as patch:
        patch.setattr(train, "measure_run", interrupt)
        found = go_on(recipe, run)
    assert (found["status"], found["epochs_done"]) == ("interrupted", 3)
    assert (run.manifest()["status"], run.results()) == ("interrupted", None)
    go_on(recipe, run, resume=True)
    assert outcome(run) == outcome(trained(recipe, tmp_path / "straight"))


@pytest.mark.parametrize("schedule", ["constant", "cosine", "one_cycle", "plateau"])
def test_more_epochs_on_resume(schedule: str, tmp_path: Path) -> None:
    """Bit for bit where the schedule does not depend on the length of the run; it goes on in any case."""
    short = tiny(tmp_path, f"schedule={schedule}", "train.epochs=1")
    long = tiny(tmp_path, f"schedule={schedule}", "train.epochs=3")
    run = trained(short, tmp_path / "run")
    assert go_on(long, run, resume=True)["epochs_done"] == 3
    assert len(run.metrics()) == 3
    if schedule in ("constant", "plateau"):
        straight = trained(long, tmp_path / "straight")
        assert outcome(run) == outcome(straight)


def test_extended_run_remembers_its_new_length(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from tiny_runs import codes, command

    recipe = write_recipe(tmp_path)
    run = tmp_path / "run"
    assert command(capsys, "train", recipe, "--set", "train.epochs=1", "--out", run)[0] == 0
    more = ("--set", "train.epochs=3")
    code, document = command(capsys, "train", "--resume", run, *more, "--stop-after", 1)
    assert (code, document["epochs_done"]) == (75, 2)
    assert not (run / "results.json").exists()  # those of one epoch are not this run's any more
    code, document = command(capsys, "train", "--resume", run)
    assert (code, document["epochs_done"]) == (0, 3)
    straight = tmp_path / "straight"
    assert command(capsys, "train", recipe, "--out", straight)[0] == 0
    for name in ("recipe.yaml", "metrics.jsonl", "checkpoints/last/weights.safetensors"):
        assert (run / name).read_bytes() == (straight / name).read_bytes(), name
    # --continue now knows it as a run of three epochs, and as no other
    assert command(capsys, "train", recipe, "--out", run, "--continue")[1]["metrics"] == document["metrics"]
    code, document = command(capsys, "train", recipe, "--set", "train.epochs=1", "--out", run, "--continue")
    assert (code, codes(document)) == (2, ["U405"])


def test_records_after_the_checkpoint_are_written_again(tmp_path: Path) -> None:
    """What a kill leaves: lines of an epoch that the checkpoint does not know, the last one cut off."""
    recipe = tiny(tmp_path)
    straight = trained(recipe, tmp_path / "straight")
    run = start(recipe, tmp_path / "run")
    go_on(recipe, run, stop_after=2)
    for name in ("metrics.jsonl", "spikes.jsonl"):
        whole = [line for line in (straight.path / name).read_text().splitlines() if json.loads(line)["epoch"] == 2]
        with (run.path / name).open("a") as file:
            file.write("\n".join(whole)[:-20])
    (run.last / ".trainer.pt.1.tmp").write_bytes(b"half")
    go_on(recipe, run, resume=True)
    assert outcome(run) == outcome(straight)
    assert list(run.path.rglob("*.tmp")) == []


def test_resume_of_a_run_that_is_done_answers_without_training(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from tiny_runs import command

    recipe = write_recipe(tmp_path)
    run = tmp_path / "run"
    _, first = command(capsys, "train", recipe, "--out", run)
    forbid(monkeypatch)
    assert command(capsys, "train", "--resume", run) == (0, first)


def forbid(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let any optimiser step fail."""

    def step(*_: object) -> Callable[[], None]:
        raise AssertionError("a step was made")

    monkeypatch.setattr(Trainer, "_step", step)
