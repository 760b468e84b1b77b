"""Runs on disk become groups: found in folders, gathered over seeds, named, ordered, or refused."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from compare.run_folders import write_run

from snnctl.compare.collect import Run, finished, run_folders
from snnctl.compare.comparison import compare
from snnctl.compare.groups import Grouping, grouped, refuse_strangers
from snnctl.core.diagnostic import DiagnosticError
from snnctl.recipe import load_recipe
from snnctl.recipe.shipped import shipped_folder


def read(*folders: Path) -> list[Run]:
    return finished(run_folders(folders))[0]


def groups(*folders: Path) -> Grouping:
    return grouped(read(*folders))


def refused(*folders: Path) -> Any:
    with pytest.raises(DiagnosticError) as caught:
        refuse_strangers(read(*folders))
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "U483"
    return diagnostic


def test_runs_are_found_in_folders_and_counted_once(tmp_path: Path) -> None:
    for seed in (10, 2):
        write_run(tmp_path / "sweep" / "a" / f"seed-{seed}", seed, 0.5)
    named = write_run(tmp_path / "runs" / "name" / "20260101T000000Z-abcdef", 1, 0.5)
    write_run(tmp_path / "sweep" / ".seed-3.tmp", 3, 0.5)  # one that is being made
    (named / "checkpoints").mkdir()
    found = run_folders([tmp_path / "sweep", tmp_path / "sweep" / "a" / "seed-2", tmp_path / "runs", named])
    assert [folder.path.name for folder in found] == ["seed-2", "seed-10", named.name]
    for empty in (named / "checkpoints", tmp_path / "nowhere"):
        with pytest.raises(DiagnosticError) as caught:
            run_folders([named, empty])
        assert caught.value.diagnostics[0].code == "U480"


def test_seeds_make_a_group_and_numbers_order_groups(tmp_path: Path) -> None:
    for delta in (0.0, 500.0, -500.0, 100.0):
        for seed in (3, 1):
            write_run(tmp_path / f"{delta}" / f"seed-{seed}", seed, 0.5, model__hierarchy__delta=delta)
    found = groups(tmp_path / "0.0", tmp_path)
    assert [group.name for group in found.groups] == [f"model.hierarchy.delta={d}" for d in (-500, 0, 100, 500)]
    assert found.first.name == "model.hierarchy.delta=0"
    assert all(group.seeds == [1, 3] for group in found.groups)
    assert found.keys == found.differing == ["model.hierarchy.delta"]
    assert found.groups[0].keys == {"model.hierarchy.delta": -500.0}
    assert found.warnings == []


def test_a_grid_has_the_key_with_most_values_vary_fastest(tmp_path: Path) -> None:
    for layers in (3, 2):
        for delta in (500.0, 0.0, -500.0):
            place = tmp_path / f"{layers}{delta}"
            write_run(place, 1, 0.5, model__layers=layers, model__hierarchy__delta=delta)
    found = groups(tmp_path)
    assert [tuple(group.keys[key] for key in ("model.layers", "model.hierarchy.delta")) for group in found.groups] == [
        (layers, delta) for layers in (2, 3) for delta in (-500.0, 0.0, 500.0)
    ]


def test_words_keep_the_order_in_which_they_came(tmp_path: Path) -> None:
    folders = [
        write_run(tmp_path / kind, 1, 0.5, model__hierarchy__profile=kind) for kind in ("tanh", "none", "linear")
    ]
    found = groups(*folders)
    assert [group.keys["model.hierarchy.profile"] for group in found.groups] == ["tanh", "none", "linear"]


def test_reporting_and_words_make_no_group(tmp_path: Path) -> None:
    write_run(tmp_path / "a", 1, 0.5)
    write_run(tmp_path / "b", 2, 0.5, name="other", summary="words", train__log_every=5, task__baselines=["ceiling"])
    found = groups(tmp_path)
    assert [(group.name, group.seeds) for group in found.groups] == [("made-up", [1, 2])]


def test_seeds_of_data_that_follow_the_runs(tmp_path: Path) -> None:
    for seed in (1, 2):
        write_run(tmp_path / "tied" / str(seed), seed, 0.5, data__seed=seed)
        write_run(tmp_path / "fixed" / str(seed), seed, 0.5, data__seed=1, fingerprint="same")
    (tied,) = groups(tmp_path / "tied").groups
    assert tied.seeds == [1, 2]
    refuse_strangers(read(tmp_path / "tied"))
    refuse_strangers(read(tmp_path / "fixed"))
    assert refused(tmp_path / "tied", tmp_path / "fixed").path == "data.seed"


def test_a_warm_start_from_the_run_of_the_same_seed(tmp_path: Path) -> None:
    for seed in (1, 2):
        write_run(tmp_path / str(seed), seed, 0.5, train__init_from=f"/runs/first/seed-{seed}")
        write_run(tmp_path / f"x{seed}", seed, 0.5, train__init_from=f"/runs/second/seed-{seed}")
    assert [group.seeds for group in groups(tmp_path).groups] == [[1, 2], [1, 2]]


def test_changed_plug_ins_are_another_group(tmp_path: Path) -> None:
    for seed, digest in ((1, "aaaaaaaaaa"), (2, "aaaaaaaaaa"), (3, "bbbbbbbbbb")):
        plugins = {"plugins": [{"path": "/somewhere/mine.py", "sha256": digest}]}
        write_run(tmp_path / str(seed), seed, 0.5, manifest=plugins)
    found = groups(tmp_path)
    assert [(group.name, group.seeds) for group in found.groups] == [
        ("plug-in mine.py=aaaaaaaa", [1, 2]),
        ("plug-in mine.py=bbbbbbbb", [3]),
    ]


def test_the_newest_of_a_seed_is_taken_with_a_warning(tmp_path: Path) -> None:
    for name, day in (("old", "01"), ("new", "03"), ("middle", "02")):
        write_run(tmp_path / name, 7, 0.5, created=f"2026-01-{day}T00:00:00+00:00")
    write_run(tmp_path / "other", 8, 0.5)
    found = groups(tmp_path)
    (group,) = found.groups
    assert [Path(run.path).name for run in group.runs] == ["new", "other"]
    (warning,) = found.warnings
    assert (warning.code, warning.severity) == ("U484", "warning")
    assert "seed 7 occurs 3 times" in warning.message
    assert {note.rsplit("/", 1)[-1] for note in warning.notes} == {"old", "middle"}


def test_runs_of_one_second_are_told_apart_by_their_results(tmp_path: Path) -> None:
    early, late = (write_run(tmp_path / name, 7, 0.5) for name in ("z", "a"))
    os.utime(early / "results.json", (1e9, 1e9))
    os.utime(late / "results.json", (2e9, 2e9))
    assert [run.path for run in groups(tmp_path).groups[0].runs] == [str(late)]


def test_unfinished_runs_are_left_out(tmp_path: Path) -> None:
    write_run(tmp_path / "done", 1, 0.5)
    for number, status in enumerate(("running", "interrupted", "failed"), 2):
        write_run(tmp_path / status, number, 0.5, status=status)
    damaged = write_run(tmp_path / "damaged", 5, 0.5)
    (damaged / "results.json").write_text("{")
    runs, left_out = finished(run_folders([tmp_path]))
    assert [run.seed for run in runs] == [1]
    assert {(one.code, one.severity) for one in left_out} == {("U482", "warning")}
    said = "\n".join(f"{one.message} {one.help}" for one in left_out)
    assert f"interrupted) snnctl train --resume {tmp_path / 'interrupted'}" in said
    assert "missing or damaged" in said
    with pytest.raises(DiagnosticError) as caught:
        finished(run_folders([tmp_path / "running", tmp_path / "failed"]))
    assert [one.code for one in caught.value.diagnostics] == ["U482", "U482", "U481"]
    assert caught.value.exit_code == 2


def test_other_tasks_and_data_are_refused_with_their_keys(tmp_path: Path) -> None:
    write_run(tmp_path / "a", 1, 0.5)
    write_run(tmp_path / "b", 1, 0.5, data__test=64, data__noise=0.1)
    found = refused(tmp_path)
    assert "runs of different data cannot be compared; they differ in data.test, data.noise" in found.message
    assert found.notes[0] == f"data.test: 32 in {tmp_path / 'a'}; 64 in {tmp_path / 'b'}"
    other = {"data": {"type": "order", "symbols": 5}, "task": {"type": "classification"}}
    write_run(tmp_path / "c", 1, 0.5, **other)
    assert (
        "different tasks cannot be compared; they differ in task.type, data.type"
        in refused(tmp_path / "a", tmp_path / "c").message
    )


def test_training_losses_and_augmentation_may_differ(tmp_path: Path) -> None:
    write_run(tmp_path / "a", 1, 0.5, data__augment={"shift": 0})
    write_run(tmp_path / "b", 1, 0.5, data__augment={"shift": 4}, task__loss_steps="scored")
    refuse_strangers(read(tmp_path))
    names = [group.name for group in groups(tmp_path).groups]
    assert names == ["task.loss_steps=all, data.augment.shift=0", "task.loss_steps=scored, data.augment.shift=4"]


def test_a_file_that_changed_in_between_is_refused(tmp_path: Path) -> None:
    write_run(tmp_path / "a", 1, 0.5, data__seed=0, fingerprint="before")
    write_run(tmp_path / "b", 2, 0.5, data__seed=0, fingerprint="after")
    found = refused(tmp_path)
    assert "changed between these runs" in found.message
    assert found.notes == (f"before in {tmp_path / 'a'}", f"after in {tmp_path / 'b'}")
    write_run(tmp_path / "c", 1, 0.5, fingerprint="one")
    write_run(tmp_path / "d", 2, 0.5, fingerprint="two")
    refuse_strangers(read(tmp_path / "c", tmp_path / "d"))  # drawn from the seed: of course they differ
    write_run(tmp_path / "e", 1, 0.5, fingerprint="three", model__hidden=20)
    assert "changed between" in refused(tmp_path / "c", tmp_path / "d", tmp_path / "e").message


def test_one_file_under_two_paths_is_the_same_data(tmp_path: Path) -> None:
    for seed, place in ((1, "/here/x.csv"), (2, "/there/x.csv")):
        write_run(tmp_path / str(seed), seed, 0.5, data__seed=0, data__source=place, fingerprint="same")
    refuse_strangers(read(tmp_path))
    assert [group.seeds for group in groups(tmp_path).groups] == [[1, 2]]
    write_run(tmp_path / "3", 3, 0.5, data__seed=0, data__source="/else/x.csv", fingerprint="other")
    assert refused(tmp_path).path == "data.source"


def test_keys_that_are_younger_than_a_run_have_their_defaults(tmp_path: Path) -> None:
    for seed in (1, 2):
        folder = write_run(tmp_path / str(seed), seed, 0.5, fingerprint="same")
        recipe = load_recipe(shipped_folder() / "quickstart.yaml", [f"train.seed={seed}"])
        values = json.loads(json.dumps(recipe.values))
        if seed == 2:  # as an snnctl without these knobs has written it
            del values["model"]["neuron"]["tau_spread"], values["energy"], values["data"]["calendar"]
        (folder / "recipe.yaml").write_text(yaml.safe_dump(values))
    (group,) = groups(tmp_path).groups
    assert group.seeds == [1, 2]
    assert group.runs[group.seeds.index(2)].flat["model.neuron.tau_spread"] == 0.0


def test_values_and_metrics_of_a_run(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "a", 3, 0.75)
    (run,) = read(folder)
    assert run.metrics == ["test/accuracy", "test/loss", "val/accuracy"]
    assert run.value("test/accuracy") == 0.75
    assert run.value("val/accuracy") == pytest.approx(0.513)  # of epoch 1, the last that was best
    assert run.value("test/f1") is None
    (folder / "metrics.jsonl").unlink()
    (again,) = read(folder)
    assert again.value("val/accuracy") is None
    assert again.metrics == ["test/accuracy", "test/loss"]


def test_the_standard_error_of_the_test_set_is_told(tmp_path: Path) -> None:
    for name, accuracy, items in (("a", 0.90, 400), ("b", 0.80, 400)):
        write_run(
            tmp_path / name, 1, accuracy, results={"items": items}, model__hidden=len(name) + int(accuracy * 10),
            task__type="classification",
        )  # fmt: skip
    notes = compare([tmp_path]).notes
    assert any("accuracy of 0.900 on 400 items is 0.0150" in note for note in notes)  # sqrt(.9 * .1 / 400)
    write_run(tmp_path / "steps" / "c", 1, 0.9, results={"items": 400})
    assert not any("standard error" in note for note in compare([tmp_path / "steps"]).notes)
