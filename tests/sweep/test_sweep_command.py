"""`snnctl sweep` as a user has it: grid, search, stop and go on, a point that fails."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tiny_runs import codes, command, with_plugin, write_recipe

from snnctl.engine.run_dir import RunDir
from snnctl.sweep.jobs import Ended, Job
from snnctl.sweep.outcome import Tried, document, ranked

SHORT = ("--set", "train.epochs=1")


def test_plan_of_a_grid(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call = ("sweep", write_recipe(tmp_path), *SHORT, "--over", "model.neuron.tau=[2.0, 4.0]", "--seeds", "1-3")
    code, found = command(capsys, *call, "--out", tmp_path / "out", "--dry-run")
    assert (code, found["runs"]) == (0, 6)
    assert [row["name"] for row in found["points"]] == ["tau=2", "tau=4"]
    assert all(row["parameters"] > 0 and row["seconds"] > 0 for row in found["points"])
    assert not (tmp_path / "out").exists()


def test_nothing_runs_if_one_point_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call = ("sweep", write_recipe(tmp_path), "--over", "model.heads=[2, 3]", "--out", tmp_path / "out")
    code, found = command(capsys, *call)
    assert (code, codes(found)) == (2, ["R301"])
    assert not (tmp_path / "out").exists()


def point(folder: Path, name: str, scores: list[float | None], *, watched: str = "val/mse", mode: str = "min") -> Tried:
    """A point whose runs have these values on validation; None for one that failed."""
    jobs = {seed: Job(name, folder / name / f"seed-{seed}", (), 1, watched) for seed in range(len(scores))}
    made = Tried(name, {}, watched, mode, jobs)  # type: ignore[arg-type]
    for score, job in zip(scores, jobs.values(), strict=True):
        if score is None:
            made.note(Ended(job, "failed"))
            continue
        job.out.mkdir(parents=True)
        lines = [{"epoch": 0, watched: score, "best": True}, {"epoch": 1, watched: -1.0, "best": False}]
        (job.out / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        facts = {"parameters": 1, "spikes": {"mean_rate": None}, "training_seconds": 1.0, "baselines": {}}
        made.note(Ended(job, "done", {"run": str(job.out), "metrics": {"test/mse": score}, **facts}))
    return made


def test_points_are_ranked_by_validation_over_seeds(tmp_path: Path) -> None:
    points = [
        point(tmp_path, "worse", [3.0, 3.0]),
        point(tmp_path, "broken", [0.1, None]),
        point(tmp_path, "best", [1.0, 2.0]),
        point(tmp_path, "another metric", [0.0], watched="val/accuracy"),
    ]
    assert [one.label for one in ranked(points)] == ["best", "worse", "broken", "another metric"]
    found = document(points, tmp_path, "grid")
    assert (found["best"], found["status"], found["headline"]) == ("best", "failed", "test/mse")
    assert found["points"][0]["metrics"]["val/mse"]["values"] == [1.0, 2.0]  # at the epochs that were kept
    assert found["points"][2]["status"] == "failed"
    higher = [point(tmp_path / "b", name, [value], mode="max") for name, value in (("low", 1.0), ("high", 2.0))]
    assert [one.label for one in ranked(higher)] == ["high", "low"]


@pytest.mark.slow
def test_a_grid_is_trained_compared_and_not_trained_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call = ["sweep", write_recipe(tmp_path), *SHORT, "--seeds", "1,2", "--jobs", 2, "--out", tmp_path / "out"]
    code, found = command(capsys, *call, "--over", "model.neuron.tau=[2.0, 4.0]")
    assert (code, found["status"], len(found["points"])) == (0, "done", 2)
    scores = [one["metrics"]["val/loss"]["mean"] for one in found["points"]]
    assert scores == sorted(scores)
    assert found["best"] == found["points"][0]["name"]
    assert set(found["baselines"]) == {"last_value"}
    assert Path(found["compare"]["page"]).is_file()
    assert len(found["compare"]["pairs"][0]["seeds"]) == 2
    runs = [Path(run) for one in found["points"] for run in one["runs"]]
    before = {run: (run / "results.json").stat().st_mtime_ns for run in runs}
    # Another value beside them: what is done stays as it is.
    code, more = command(capsys, *call, "--over", "model.neuron.tau=[2.0, 3.0, 4.0]")
    assert (code, len(more["points"])) == (0, 3)
    assert {run: (run / "results.json").stat().st_mtime_ns for run in runs} == before
    # Each is what `snnctl train` makes of the same settings.
    settings = ("--set", "model.neuron.tau=2.0", "--set", "train.seed=2", "--out", tmp_path / "alone")
    code, alone = command(capsys, "train", call[1], *SHORT, *settings)
    twin = next(one for one in found["points"] if one["name"] == "tau=2")
    assert RunDir(Path(twin["runs"][1])).results()["metrics"] == alone["metrics"]  # type: ignore[index]


@pytest.mark.slow
def test_stopped_and_gone_on_with(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call = ["sweep", str(write_recipe(tmp_path)), "--set", "train.epochs=40", "--over", "model.neuron.tau=[2.0, 4.0]"]
    call += ["--jobs", "2", "--out", str(tmp_path / "out")]
    started = subprocess.Popen([sys.executable, "-m", "snnctl", *call, "--json"], stdout=subprocess.PIPE, text=True)
    while len(list((tmp_path / "out").glob("*/seed-3/metrics.jsonl"))) < 2:
        assert started.poll() is None
        time.sleep(0.1)
    started.send_signal(signal.SIGINT)
    found = json.loads(started.communicate(timeout=120)[0])
    assert (started.returncode, found["status"]) == (75, "interrupted")
    assert json.loads((tmp_path / "out" / "sweep.json").read_text())["status"] == "interrupted"
    code, found = command(capsys, *call)
    assert (code, found["status"]) == (0, "done")
    code, fresh = command(capsys, *call[:-1], tmp_path / "fresh")
    assert [one["metrics"] for one in fresh["points"]] == [one["metrics"] for one in found["points"]]


@pytest.mark.slow
def test_a_point_that_fails_is_named_and_the_others_are_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = with_plugin(tmp_path, "noisy")
    call = ("sweep", recipe, *SHORT, "--over", "model.neuron=[noisy, broken]", "--out", tmp_path / "out")
    code, found = command(capsys, *call)
    assert (code, found["status"]) == (4, "failed")
    assert [(one["name"], one["status"]) for one in found["points"]] == [
        ("neuron=noisy", "done"),
        ("neuron=broken", "failed"),
    ]
    assert any(one["message"].startswith("neuron=broken: ") for one in found["diagnostics"])


@pytest.mark.slow
def test_a_search_from_the_shell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("optuna", reason="the extra `sweep` is not installed")
    call = ("sweep", write_recipe(tmp_path), *SHORT, "--search", "optim.lr=1e-3..1e-1:log", "--out", tmp_path / "out")
    code, found = command(capsys, *call, "--trials", 2, "--jobs", 2)
    assert (code, found["kind"], found["status"], len(found["points"])) == (0, "search", "done", 2)
    code, more = command(capsys, *call, "--trials", 3)
    assert (code, len(more["points"])) == (0, 3)
    first = {one["name"]: one["changes"] for one in found["points"]}
    assert {name: changes for name, changes in first.items() if name in {p["name"] for p in more["points"]}} == first
