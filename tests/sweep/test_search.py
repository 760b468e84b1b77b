"""A search: its ranges, what it suggests, what it does with results, and that it goes on where it was stopped."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tiny_runs import write_recipe

from snnctl.core.diagnostic import Diagnostic, DiagnosticError, as_warnings
from snnctl.engine.run_dir import RunDir
from snnctl.recipe import Recipe, load_recipe
from snnctl.sweep.grid import Place
from snnctl.sweep.jobs import Ended, Job
from snnctl.sweep.outcome import document
from snnctl.sweep.points import Point
from snnctl.sweep.search import Choice, Range, Search, open_study, read_space
from snnctl.sweep.taken_up import TakenUp

SPACES = [Range("optim.lr", 1e-4, 1e-2, whole=False, log=True), Choice("model.neuron", ("lif", {"type": "plif"}))]

IDENTITY = {"recipe": "a", "seeds": []}


@pytest.mark.parametrize(
    ("text", "space"),
    [
        ("optim.lr=1e-4..1e-2:log", Range("optim.lr", 1e-4, 1e-2, whole=False, log=True)),
        ("optim.weight_decay=0..0.5", Range("optim.weight_decay", 0, 0.5, whole=False, log=False)),
        ("model.dim = 16 .. 64", Range("model.dim", 16, 64, whole=True, log=False)),
        ("model.tau=-2..-1.5", Range("model.tau", -2, -1.5, whole=False, log=False)),
        ("model.neuron=[lif, {type: plif}]", Choice("model.neuron", ("lif", {"type": "plif"}))),
    ],
)
def test_ranges_and_lists(text: str, space: Any) -> None:
    assert read_space(text) == space


@pytest.mark.parametrize(
    "text", ["optim.lr", "optim.lr=", "optim.lr=1", "optim.lr=[1]", "optim.lr=2..1", "optim.lr=0..1:log", "a=1..e"]
)
def test_what_is_no_range(text: str) -> None:
    with pytest.raises(DiagnosticError) as caught:
        read_space(text)
    assert caught.value.diagnostics[0].code == "U445"


class OfNobody(TakenUp):
    """The runs of these tests were not made by their recipe."""

    def check(self, run: RunDir, recipe: Recipe, *, data: bool = True) -> None:
        """All are taken for its own."""


class Trainer:
    """Stands for the processes: a run is as good as its learning rate is near to .001."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.recipe_file = write_recipe(folder)

    def resolve(self, point: Point) -> Recipe | list[Diagnostic]:
        return load_recipe(self.recipe_file, point.sets)

    def search(self, trials: int, seeds: tuple[int, ...] = (), **other: Any) -> Search:
        pytest.importorskip("optuna", reason="the extra `sweep` is not installed")
        study = open_study(self.folder, SPACES, "min", 1, IDENTITY, many=False, prune=True)
        place = Place(self.folder, (str(self.recipe_file),), seeds, OfNobody(as_warnings))
        return Search(study, SPACES, trials, place, **({"resolve": self.resolve} | other))

    def train(self, job: Job) -> Ended:
        rate = float(next(text for text in job.arguments if text.startswith("optim.lr=")).partition("=")[2])
        value = abs(rate - 0.001) + (0.1 if job.out.name == "seed-2" else 0.0)
        job.out.mkdir(parents=True)
        (job.out / "metrics.jsonl").write_text(json.dumps({"epoch": 0, "val/loss": value, "best": True}) + "\n")
        (job.out / "manifest.json").write_text(json.dumps({"status": "done"}))
        (job.out / "recipe.yaml").write_text("")
        facts = {"parameters": 1, "spikes": {"mean_rate": None}, "training_seconds": 1.0, "baselines": {}}
        results = {"run": str(job.out), "metrics": {"test/mse": value}, "split": "test", "leaks": [], **facts}
        (job.out / "results.json").write_text(json.dumps(results))
        return Ended(job, "done", results)


def values(search: Search) -> list[float]:
    return [trial.value for trial in search.study.trials if trial.value is not None]


def test_trials_are_told_to_the_study_and_the_best_is_the_nearest(tmp_path: Path) -> None:
    trainer = Trainer(tmp_path)
    search = trainer.search(12)
    assert search.waiting == 12
    while (job := search.take()) is not None:
        search.ended(trainer.train(job))
    assert len(search.tried) == len(values(search)) == 12
    best = min(search.tried, key=lambda one: one.score or 1.0)
    assert best.score == search.study.best_value == min(values(search))
    rates = [one.changes["optim.lr"] for one in search.tried]
    assert all(1e-4 <= rate <= 1e-2 and rate == float(f"{rate:.4g}") for rate in rates)
    assert {json.dumps(one.changes["model.neuron"]) for one in search.tried} == {'"lif"', '{"type": "plif"}'}


def test_a_trial_is_its_mean_over_seeds(tmp_path: Path) -> None:
    trainer = Trainer(tmp_path)
    search = trainer.search(1, seeds=(1, 2))
    first = search.take()
    assert first is not None
    search.ended(trainer.train(first))
    assert values(search) == []
    second = search.take()
    assert second is not None
    search.ended(trainer.train(second))
    rate = float(search.tried[0].changes["optim.lr"])
    assert values(search) == [pytest.approx(abs(rate - 0.001) + 0.05)]
    assert search.take() is None


def test_what_was_stopped_goes_on_before_anything_new_is_tried(tmp_path: Path) -> None:
    trainer = Trainer(tmp_path)
    search = trainer.search(3)
    first, second = search.take(), search.take()
    assert first is not None
    assert second is not None
    search.ended(trainer.train(first))
    search.ended(Ended(second, "interrupted"))
    again = trainer.search(3)
    assert again.waiting == 2
    assert again.take() == second
    assert values(again) == values(search)
    more = trainer.search(5)  # trials can be added
    assert more.waiting == 4


def test_trials_below_the_median_are_given_up_and_count_as_tried(tmp_path: Path) -> None:
    trainer = Trainer(tmp_path)
    search = trainer.search(7, seeds=(1, 2))
    for _ in range(10):  # five trials of two seeds: before that nothing is given up
        job = search.take()
        assert job is not None
        ended = trainer.train(job)
        assert search.wants(job)
        search.ended(ended)
    bad = search.take()
    assert bad is not None
    bad.out.mkdir(parents=True)
    assert search.wants(bad)  # nothing is known of it yet
    (bad.out / "metrics.jsonl").write_text(json.dumps({"epoch": 0, "val/loss": 99.0}) + "\n")
    assert not search.wants(bad)
    search.ended(Ended(bad, "given_up"))
    assert search.tried[5].status == "given_up"
    assert search.study.trials[5].state.name == "PRUNED"
    following = search.take()
    assert following is not None
    assert following.label == "trial 6, seed 1"  # its other seed is not trained
    assert document(search.tried, tmp_path, "search")["points"][5]["name"] == "trial 5"
    again = trainer.search(7, seeds=(1, 2))
    assert [one.status for one in again.tried][5] == "given_up"
    assert again.waiting == 2


@pytest.mark.parametrize(
    ("spaces", "identity", "apart"),
    [(SPACES[:1], IDENTITY, "spaces"), (SPACES, {"recipe": "b", "seeds": [1]}, "recipe, seeds")],
)
def test_other_ranges_or_another_recipe_are_another_search(
    tmp_path: Path, spaces: list[Any], identity: dict[str, Any], apart: str
) -> None:
    Trainer(tmp_path).search(1)
    with pytest.raises(DiagnosticError) as caught:
        open_study(tmp_path, spaces, "min", 1, identity, many=False)
    assert caught.value.diagnostics[0].code == "U447"
    assert caught.value.diagnostics[0].notes == (f"not the same: {apart}",)


def test_failed_runs_and_invalid_suggestions_are_told_as_failed(tmp_path: Path) -> None:
    trainer = Trainer(tmp_path)
    search = trainer.search(1)
    job = search.take()
    assert job is not None
    search.ended(Ended(job, "failed"))
    assert [trial.state.name for trial in search.study.trials] == ["FAIL"]
    said = [Diagnostic("R301", "it does not fit")]
    hopeless = trainer.search(2, resolve=lambda point: said)
    with pytest.raises(DiagnosticError) as caught:
        hopeless.take()
    assert caught.value.diagnostics == tuple(said)
    assert hopeless.refused > 1
