"""The best epoch is chosen by the watched validation metric, and patience ends a run that stays ended."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tiny_runs import Recorder, codes, command, go_on, start, tiny, trained, write_recipe

from snnctl.core.run_events import CheckpointSaved, EpochDone
from snnctl.core.training import EarlyStop
from snnctl.engine import loop
from snnctl.engine.checkpoint import load_trainer
from snnctl.engine.evaluate import Evaluation
from snnctl.engine.run_dir import RunDir

NAN = float("nan")


def script(monkeypatch: pytest.MonkeyPatch, *values: float) -> None:
    """Let validation find these values of `mae` one after the other, beside an `mse` that falls all the time."""
    left = iter(values)
    whole = loop.evaluate
    mse = iter(range(1000, 0, -1))

    def evaluate(*arguments: object, **options: object) -> Evaluation:
        found = whole(*arguments, **options)  # type: ignore[arg-type]
        value = next(left)
        metrics = {"mse": float(next(mse)), "mae": value, "r2": value}
        return Evaluation(found.loss, metrics, found.layers, found.meter, found.items_per_second)

    monkeypatch.setattr(loop, "evaluate", evaluate)


def watching(mode: str, patience: str = "null") -> tuple[str, ...]:
    metric = {"min": "mae", "max": "r2"}[mode]
    stop = f"train.early_stop={{metric: val/{metric}, mode: {mode}, patience: {patience}}}"
    return stop, "train.epochs=6", "task.metrics=[mse, mae, r2]"


def best_flags(run: RunDir) -> list[bool]:
    return [line["best"] for line in run.metrics()]


@pytest.mark.parametrize(
    ("mode", "values", "best"),
    [
        ("min", (3.0, 2.0, 2.0, 5.0, 1.0, 4.0), [True, True, False, False, True, False]),  # equal is not better
        ("max", (3.0, 2.0, 4.0, 4.0, NAN, 5.0), [True, False, True, False, False, True]),
        ("min", (NAN, NAN, 7.0, NAN, 8.0, 6.0), [False, False, True, False, False, True]),
        ("min", (float("inf"), 7.0, NAN, NAN, NAN, NAN), [True, True, False, False, False, False]),
    ],
)
def test_best_epoch(
    mode: str, values: tuple[float, ...], best: list[bool], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script(monkeypatch, *values)
    recipe = tiny(tmp_path, *watching(mode))
    recorder = Recorder()
    run = start(recipe, tmp_path / "run")
    results = go_on(recipe, run, recorder)
    assert best_flags(run) == best
    assert [event.best for event in recorder.events if isinstance(event, EpochDone)] == best
    last_best = max(epoch for epoch, flag in enumerate(best) if flag) + 1
    assert results["best_epoch"] == results["checkpoint"]["epoch"] == last_best
    assert results["checkpoint"] == {"path": "best", "epoch": last_best, "step": 3 * last_best}
    assert results["status"] == "done"


def test_nothing_was_ever_best(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script(monkeypatch, *[NAN] * 6)
    recipe = tiny(tmp_path, *watching("min"))
    run = start(recipe, tmp_path / "run")
    results = go_on(recipe, run)
    assert not run.best.exists()
    assert results["checkpoint"]["path"] == "last"
    assert run.metrics()[0]["val/mae"] is None  # as JSON has no NaN


def test_patience(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Best in the second epoch, two without improvement: it ends after the fourth and stays ended."""
    script(monkeypatch, 3.0, 2.0, 2.5, NAN, 1.0, 0.5)
    recipe = tiny(tmp_path, *watching("min", "2"))
    run = start(recipe, tmp_path / "run")
    results = go_on(recipe, run)
    assert (results["status"], results["epochs_done"], results["best_epoch"]) == ("early_stop", 4, 2)
    assert run.manifest()["status"] == "done"
    weights = load_file(run.last / "weights.safetensors")
    again = go_on(tiny(tmp_path, *watching("min", "2"), "train.epochs=9"), run, resume=True)
    assert (again["status"], again["epochs_done"], again["metrics"]) == ("early_stop", 4, results["metrics"])
    after = load_file(run.last / "weights.safetensors")  # its header says of which recipe they are now
    assert after.keys() == weights.keys()
    assert all(torch.equal(after[name], weights[name]) for name in weights)
    assert len(run.metrics()) == 4


def test_patience_counts_over_an_interruption(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script(monkeypatch, 3.0, 4.0, 4.0, 4.0, 4.0, 4.0)
    recipe = tiny(tmp_path, *watching("min", "3"))
    run = start(recipe, tmp_path / "run")
    assert go_on(recipe, run, stop_after=2)["status"] == "interrupted"
    assert go_on(recipe, run, resume=True)["epochs_done"] == 4


def test_better() -> None:
    low, high = EarlyStop(), EarlyStop(mode="max")
    assert low.better(1.0, None)
    assert low.better(1.0, 2.0)
    assert not low.better(2.0, 1.0)
    assert high.better(2.0, 1.0)
    assert not high.better(1.0, 2.0)
    for choice in (low, high):
        assert not choice.better(1.0, 1.0)
        assert not choice.better(NAN, None)
        assert not choice.better(NAN, 1.0)


@pytest.mark.parametrize("metric", ["test/mse", "val/rse", "train/loss"])
def test_never_chosen_on_test_or_on_what_is_not_measured(
    metric: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = write_recipe(tmp_path)
    sets = ("--set", f"train.early_stop.metric={metric}")
    code, document = command(capsys, "train", recipe, *sets, "--out", tmp_path / "run")
    assert (code, codes(document)) == (2, ["R302"])
    assert not (tmp_path / "run").exists()


def test_test_split_is_read_after_training_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other test values change nothing but the test figures."""
    recipe = tiny(tmp_path)
    run = trained(recipe, tmp_path / "run")
    rows = (tmp_path / "series.csv").read_text().splitlines()
    changed = rows[:121] + [str(float(row) + 1.0) for row in rows[121:]]
    (tmp_path / "series.csv").write_text("\n".join(changed) + "\n")
    other = trained(recipe, tmp_path / "other")
    assert other.metrics() == run.metrics()
    for name in ("last", "best"):
        weights = f"checkpoints/{name}/weights.safetensors"
        ours, theirs = load_file(run.path / weights), load_file(other.path / weights)
        assert all(torch.equal(ours[key], theirs[key]) for key in ours | theirs)
    assert other.results()["metrics"] != run.results()["metrics"]  # type: ignore[index]


def test_checkpoint_every(tmp_path: Path) -> None:
    recipe = tiny(tmp_path, "train.checkpoint_every=2", "train.epochs=5")
    recorder = Recorder()
    run = trained(recipe, tmp_path / "run", recorder)
    saved = [event for event in recorder.events if isinstance(event, CheckpointSaved)]
    assert [(event.epoch, event.step) for event in saved] == [(2, 6), (4, 12), (5, 15)]
    assert load_trainer(run.last)["loop"]["epoch"] == 5
