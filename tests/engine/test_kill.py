"""A kill at any moment leaves no run directory, or one that can be evaluated and resumed to the same end."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tiny_runs import command, go_on, outcome, start, tiny, trained, write_recipe

from snnctl.cli.app import run as run_command
from snnctl.core.files import finite
from snnctl.engine import run_dir
from snnctl.engine.checkpoint import load_trainer
from snnctl.engine.loop import Trainer
from snnctl.engine.run_dir import RunDir, append_json

# Of two epochs: the moments at which a file gets its name or a line is half written. More than enough to reach the end.
MOMENTS = range(1, 40)


class Killed(BaseException):
    """Stands for SIGKILL: nothing may be done any more."""


class Executioner:
    """Ends the process, in effect, at the n-th change of the disk: what would clean up does nothing."""

    def __init__(self, patch: pytest.MonkeyPatch, moment: int) -> None:
        self.left, self.dead = moment, False
        replace, unlink, rmtree = os.replace, Path.unlink, shutil.rmtree
        patch.setattr(os, "replace", self.before(replace))
        patch.setattr(Path, "unlink", self.unless_dead(unlink))
        patch.setattr(shutil, "rmtree", self.unless_dead(rmtree))
        patch.setattr(run_dir, "append_json", self.append)

    def strike(self) -> bool:
        self.left -= 1
        self.dead = self.dead or self.left <= 0
        return self.dead

    def before(self, whole: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            if self.strike():
                raise Killed
            return whole(*arguments, **options)

        return call

    def unless_dead(self, whole: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *arguments, **options: None if self.dead else whole(*arguments, **options)

    def append(self, path: Path, document: Any) -> None:
        counts = path.name == "metrics.jsonl" or "qkv" in document["name"]  # one of the many layers will do
        if counts and self.strike():
            with path.open("a") as file:
                file.write(json.dumps(finite(document))[:30])
            raise Killed
        append_json(path, document)


@pytest.mark.slow
def test_kill_between_any_two_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = tiny(tmp_path, "train.epochs=2")
    straight = outcome(trained(recipe, tmp_path / "straight"))
    seen: list[str] = []
    for moment in MOMENTS:
        path = tmp_path / f"run{moment}"
        killed = False
        with monkeypatch.context() as patch:
            executioner = Executioner(patch, moment)
            try:
                run = start(recipe, path)
                go_on(recipe, run)
            except Killed:
                killed = True
        assert killed == executioner.dead
        if not path.exists():
            seen.append("none")
            start(recipe, path)  # nothing is in its way
            continue
        run = RunDir.open(path)
        seen.append(f"{load_trainer(run.last)['loop']['epoch']}")
        go_on(recipe, run, resume=True)
        assert outcome(run) == straight, moment
        assert list(path.rglob("*.tmp")) == []
        if not killed:
            break
    assert not killed, "more moments than foreseen"
    # every stage was met: before the folder has its name, before the first epoch, after each
    assert list(dict.fromkeys(seen)) == ["none", "0", "1", "2"]
    assert seen.count("none") == 7  # recipe twice, environment, checkpoint twice, manifest, the folder's own name


def test_kill_within_a_resume(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same run killed again and again, each time two changes of the disk later than its last beginning."""
    recipe = tiny(tmp_path, "train.epochs=2")
    straight = outcome(trained(recipe, tmp_path / "straight"))
    run = start(recipe, tmp_path / "run")
    visits = 0
    for allowed in (2, 3, 4, 6, 8, 10, 12, 25):
        with monkeypatch.context() as patch:
            Executioner(patch, allowed)
            try:
                go_on(recipe, run, resume=True)
            except Killed:
                visits += 1
                continue
        break
    assert visits > 4
    go_on(recipe, run, resume=True)
    assert outcome(run) == straight


def test_best_from_an_epoch_that_last_does_not_know(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = tiny(tmp_path, "train.epochs=2")
    straight = trained(recipe, tmp_path / "straight")
    run = start(recipe, tmp_path / "run")

    def die(_: Trainer) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "save", die)
        with pytest.raises(Killed):
            go_on(recipe, run)
    assert (run.best / "weights.safetensors").exists()
    assert load_trainer(run.last)["loop"]["best_epoch"] == -1
    go_on(recipe, run, resume=True)
    assert outcome(run) == outcome(straight)


def test_a_killed_run_can_be_evaluated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = tiny(tmp_path)
    run = start(recipe, tmp_path / "run")
    code, document = command(capsys, "eval", run.path)  # of the untrained network
    assert (code, document["checkpoint"]) == (0, {"path": "last", "epoch": 0, "step": 0})
    go_on(recipe, run, stop_after=1)
    with monkeypatch.context() as patch:
        Executioner(patch, 7)
        with pytest.raises(Killed):
            go_on(recipe, run, resume=True)
    code, document = command(capsys, "eval", run.path, "--checkpoint", "last")
    assert (code, document["checkpoint"]) == (0, {"path": "last", "epoch": 1, "step": 3})
    assert document["metrics"]["test/mse"] > 0


def test_leftover_of_a_killed_start_is_no_obstacle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = tiny(tmp_path)
    with monkeypatch.context() as patch:
        Executioner(patch, 3)
        with pytest.raises(Killed):
            start(recipe, tmp_path / "run")
    left = [path.name for path in tmp_path.iterdir() if path.name.startswith(".run.")]
    assert len(left) == 1
    assert start(recipe, tmp_path / "run").manifest()["status"] == "running"


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGUSR1"])
def test_signal_saves_and_exits_75(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = write_recipe(tmp_path)
    number = getattr(signal, name)
    kept = signal.getsignal(number)
    whole = Trainer._step

    def step(self: Trainer, indices: Any) -> None:
        whole(self, indices)
        if self.state.step == 4:
            os.kill(os.getpid(), number)

    run = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "_step", step)
        code, document = command(capsys, "train", recipe, "--out", run)
    assert (code, document["status"], document["run"]) == (75, "interrupted", str(run))
    assert document["diagnostics"] == []
    assert RunDir(run).manifest()["status"] == "interrupted"
    assert signal.getsignal(number) is kept
    assert run_command(["train", "--resume", str(run), "--quiet"]) == 0
    straight = trained(tiny(tmp_path), tmp_path / "straight")
    assert outcome(RunDir(run)) == outcome(straight)


def test_signal_before_the_run_directory_exists(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from snnctl.engine import train

    recipe = write_recipe(tmp_path)
    monkeypatch.setattr(train, "environment", lambda: os.kill(os.getpid(), signal.SIGTERM))
    code, document = command(capsys, "train", recipe, "--out", tmp_path / "runs" / "a")
    assert (code, document["diagnostics"][0]["code"]) == (75, "E499")
    assert list((tmp_path / "runs").iterdir()) == []


def test_second_ctrl_c_ends_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = Trainer._step

    def step(self: Trainer, indices: Any) -> None:
        whole(self, indices)
        if self.state.step == 4:
            for _ in range(2):
                os.kill(os.getpid(), signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "_step", step)
        code, document = command(capsys, "train", write_recipe(tmp_path), "--out", tmp_path / "run")
    assert (code, document["status"], document["epochs_done"]) == (75, "interrupted", 1)
    run = RunDir(tmp_path / "run")
    assert load_trainer(run.last)["loop"]["step"] == 3  # the checkpoint of the epoch before
    assert run_command(["train", "--resume", str(run.path), "--quiet"]) == 0
    assert outcome(run) == outcome(trained(tiny(tmp_path), tmp_path / "straight"))


def process(*arguments: object) -> subprocess.Popen[str]:
    """`snnctl train` as a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "snnctl", "train", *map(str, arguments), "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def wait_for_epochs(run: Path, epochs: int, training: subprocess.Popen[str]) -> None:
    """Until so many epochs are on record."""
    while len(RunDir(run).metrics()) < epochs:
        assert training.poll() is None, training.communicate()
        time.sleep(0.005)


def test_killed_process(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = tmp_path / "run"
    training = process(write_recipe(tmp_path), "--set", "train.epochs=400", "--out", run)
    wait_for_epochs(run, 2, training)
    training.kill()
    assert training.communicate() == ("", "")
    assert training.returncode == -signal.SIGKILL
    state = load_trainer(RunDir(run).last)["loop"]
    assert 1 <= state["epoch"] < 400
    code, document = command(capsys, "train", "--resume", run, "--stop-after", 1)
    assert (code, document["epochs_done"]) == (75, state["epoch"] + 1)
    assert [line["epoch"] for line in RunDir(run).metrics()] == list(range(state["epoch"] + 1))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGUSR1"])
def test_process_asked_to_stop(name: str, tmp_path: Path) -> None:
    run = tmp_path / "run"
    training = process(write_recipe(tmp_path), "--set", "train.epochs=400", "--out", run)
    wait_for_epochs(run, 2, training)
    training.send_signal(getattr(signal, name))
    printed, errors = training.communicate()
    assert (training.returncode, errors) == (75, "")
    document = json.loads(printed)
    assert (document["exit_code"], document["status"]) == (75, "interrupted")
    assert RunDir(run).manifest()["status"] == "interrupted"
    assert load_trainer(RunDir(run).last)["loop"]["epoch"] == document["epochs_done"]


@pytest.mark.slow
def test_processes_killed_at_many_moments(tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path)
    straight = trained(tiny(tmp_path, "train.epochs=30"), tmp_path / "straight")
    for number in range(16):
        run = tmp_path / f"run{number}"
        training = process(recipe, "--set", "train.epochs=30", "--out", run)
        time.sleep(0.5 * number)
        training.kill()
        training.communicate()
        if run.exists():
            assert run_command(["eval", str(run), "--quiet"]) == 0
            assert run_command(["train", "--resume", str(run), "--quiet"]) == 0
            assert outcome(RunDir(run)) == outcome(straight)
        else:
            assert run_command(["train", str(recipe), "--out", str(run), "--quiet"]) == 0
