"""Several seeds at once: the same runs as one after the other, one process each; stops, failures and the time left."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tiny_runs import codes, command, write_recipe

from snnctl.cli.options import seed_list
from snnctl.engine.run_dir import RunDir
from snnctl.sweep.jobs import threads_each
from snnctl.ui.together import Clock


@pytest.mark.slow
def test_the_same_runs_as_one_after_the_other(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call = ("train", write_recipe(tmp_path), "--set", "train.epochs=1", "--seeds", "1,2")
    code, document = command(capsys, *call, "--jobs", 2, "--out", tmp_path / "together")
    assert (code, document["seeds"]) == (0, [1, 2])
    assert document["run"] == [str(tmp_path / "together" / f"seed-{seed}") for seed in (1, 2)]
    code, alone = command(capsys, *call, "--out", tmp_path / "alone")
    for key in ("metrics", "baselines", "spikes"):
        assert document[key] == alone[key]
    for seed in (1, 2):
        weights = [
            tmp_path / how / f"seed-{seed}/checkpoints/last/weights.safetensors" for how in ("together", "alone")
        ]
        assert weights[0].read_bytes() == weights[1].read_bytes()


@pytest.mark.slow
def test_a_seed_that_fails_is_named_and_the_others_are_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    taken = tmp_path / "out" / "seed-2"
    taken.mkdir(parents=True)
    (taken / "note.txt").write_text("not a run")
    call = ("train", write_recipe(tmp_path), "--set", "train.epochs=1", "--seeds", "1,2", "--jobs", 2)
    code, document = command(capsys, *call, "--out", tmp_path / "out")
    assert (code, codes(document)) == (2, ["U412"])
    assert document["diagnostics"][0]["message"].startswith("seed 2: ")
    assert RunDir(tmp_path / "out" / "seed-1").results() is not None


@pytest.mark.slow
def test_stopped_and_gone_on_with(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call = ["train", str(write_recipe(tmp_path)), "--set", "train.epochs=40", "--seeds", "1,2,3", "--jobs", "2"]
    folder = tmp_path / "out"
    started = subprocess.Popen(
        [sys.executable, "-m", "snnctl", *call, "--out", str(folder), "--json"], stdout=subprocess.PIPE, text=True
    )
    while not all((folder / f"seed-{seed}/metrics.jsonl").exists() for seed in (1, 2)):
        assert started.poll() is None
        time.sleep(0.1)
    started.send_signal(signal.SIGINT)
    document = json.loads(started.communicate(timeout=120)[0])
    assert (started.returncode, document["status"]) == (75, "interrupted")
    assert document["run"] == [str(folder / f"seed-{seed}") for seed in (1, 2)]
    assert not (folder / "seed-3").exists()
    assert {RunDir(Path(run)).manifest()["status"] for run in document["run"]} == {"interrupted"}
    code, document = command(capsys, *call, "--out", folder, "--continue")
    assert code == 0
    code, fresh = command(capsys, *call, "--out", tmp_path / "fresh")
    assert fresh["metrics"] == document["metrics"]


def test_jobs_without_seeds_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, document = command(capsys, "train", write_recipe(tmp_path), "--jobs", 2)
    assert (code, codes(document)) == (2, ["U421"])


def test_threads_are_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert threads_each(8) == 3  # what was asked for stands
    monkeypatch.delenv("OMP_NUM_THREADS")
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(8)), raising=False)
    assert [threads_each(jobs) for jobs in (1, 2, 3, 8, 20)] == [8, 4, 2, 1, 1]


def test_time_left() -> None:
    now = 0.0
    clock, one, two = Clock(2, lambda: now), Path("one"), Path("two")
    clock.begin(one, 0.0)
    clock.begin(two, 0.5)  # half of it was done before
    assert clock.left({one: 0.0, two: 0.5}, waiting=2) is None
    now = 20.0  # a fifth in 20 s and a tenth: at 150 s a run .8 and .4 are left, and two whole ones
    assert clock.left({one: 0.2, two: 0.6}, waiting=2) == pytest.approx(150 * (0.8 + 0.4 + 2) / 2)
    now = 100.0
    clock.end(one, whole=True)  # in 100 s
    assert clock.left({two: 0.9}, waiting=0) == pytest.approx((100 + 250) / 2 * 0.1)  # at the mean of both paces
    clock.end(two, whole=False)
    assert clock.left({}, waiting=0) == 0.0


def test_ranges_of_seeds() -> None:
    assert seed_list("1-3,7,10-11") == [1, 2, 3, 7, 10, 11]
