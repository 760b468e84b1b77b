"""A result belongs to what made it: what changed is refused, told where it is accepted, and written down."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_runs import codes, command, tiny, trained, with_plugin, write_recipe

from snnctl.compare.collect import finished
from snnctl.core.identity import Identity, recipe_digest
from snnctl.engine.checkpoint import load_trainer, weights_identity
from snnctl.engine.run_dir import RunDir
from snnctl.recipe import load_recipe
from snnctl.recipe.plugins import plugins_for_now

ACCEPT = "--accept-changes"
SHORT = ("--set", "train.epochs=1")


@pytest.fixture
def run(tmp_path: Path) -> RunDir:
    """A run of one epoch, done."""
    return trained(tiny(tmp_path, "train.epochs=1"), tmp_path / "run")


def change(file: Path) -> None:
    file.write_text(file.read_text().replace("0.", "1.", 1))


def test_one_digest_in_everything_that_a_run_leaves(run: RunDir) -> None:
    noted = run.manifest()["identity"]
    assert Identity.of_json(noted).digest == noted["digest"]
    assert noted["data"] == run.manifest()["data_fingerprint"]
    borne = {weights_identity(folder / "weights.safetensors") for folder in (run.best, run.last)}
    borne |= {load_trainer(run.last)["identity"], (run.results() or {})["identity"]}
    assert borne == {noted["digest"]}


def test_what_changes_results_changes_the_digest_and_nothing_else_does(tmp_path: Path) -> None:
    def digest(*sets: str) -> str:
        return recipe_digest(tiny(tmp_path, *sets).values)

    for same in ("name=other", "summary=words", "train.log_every=2", "train.checkpoint_every=3", "energy.samples=9"):
        assert digest(same) == digest(), same
    for other in ("train.seed=4", "train.epochs=4", "model.neuron.v_threshold=0.6", "task.metrics=[mse]"):
        assert digest(other) != digest(), other
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    assert recipe_digest(load_recipe(write_recipe(elsewhere)).values) == digest()


def test_checkpoints_of_another_run_are_refused(
    run: RunDir, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = trained(tiny(tmp_path, "train.epochs=1", "train.seed=4"), tmp_path / "other")
    own = (run.best / "weights.safetensors").read_bytes()
    shutil.copy(other.best / "weights.safetensors", run.best)
    for verb in ("eval", "predict", "export", "stats", "energy"):
        code, document = command(capsys, verb, run.path)
        assert (code, codes(document)) == (3, ["E413"]), verb
    code, document = command(capsys, "eval", run.path, ACCEPT)
    assert (code, codes(document), document["ok"]) == (0, ["E413"], True)
    assert [one["code"] for one in run.manifest()["accepted"]] == ["E413"]
    command(capsys, "export", run.path, "--format", "safetensors", ACCEPT)
    assert len(run.manifest()["accepted"]) == 1  # each thing once
    (run.best / "weights.safetensors").write_bytes(own)
    assert command(capsys, "eval", run.path)[0] == 0

    shutil.copy(other.last / "trainer.pt", run.last)
    before = run.manifest()
    code, document = command(capsys, "train", "--resume", run.path, "--set", "train.epochs=2")
    assert (code, codes(document)) == (3, ["E413"])
    assert run.manifest() == before
    assert load_recipe(run.recipe).train.epochs == 1
    shutil.copy(other.path / "results.json", run.path)
    recipe = tmp_path / "tiny.yaml"
    code, document = command(capsys, "train", recipe, *SHORT, "--out", run.path, "--continue")
    assert (code, codes(document)) == (3, ["E413"])
    compared, left_out = finished([run, other])
    assert ([one.path for one in compared], [one.code for one in left_out]) == ([str(other.path)], ["U482"])


def test_a_model_of_other_data_is_refused(run: RunDir, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change(tmp_path / "series.csv")
    other = trained(tiny(tmp_path, "train.epochs=1"), tmp_path / "other")
    shutil.copy(other.model_file, run.model_file)
    code, document = command(capsys, "predict", run.path)
    assert (code, codes(document)) == (3, ["E413"])
    assert codes(command(capsys, "predict", run.path, ACCEPT)[1])[0] == "E413"


def test_a_finished_run_of_other_data_is_not_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = write_recipe(tmp_path)
    seeds = (recipe, *SHORT, "--seeds", "1,2", "--out", tmp_path / "runs", "--continue")
    first = command(capsys, "train", *seeds)[1]["metrics"]
    assert command(capsys, "train", *seeds)[1]["metrics"] == first
    change(tmp_path / "series.csv")
    code, document = command(capsys, "train", *seeds)
    assert (code, codes(document)) == (3, ["D401"])
    code, document = command(capsys, "train", *seeds, ACCEPT)
    assert (code, codes(document), document["metrics"]) == (0, ["D401", "D401"], first)
    noted = RunDir(tmp_path / "runs" / "seed-2").manifest()["accepted"]
    assert [one["code"] for one in noted] == ["D401"]


@pytest.mark.slow
def test_a_sweep_counts_none_either(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    grid = (write_recipe(tmp_path), *SHORT, "--over", "model.neuron.tau=[2.0, 3.0]", "--out", tmp_path / "sweep")
    assert command(capsys, "sweep", *grid)[0] == 0
    change(tmp_path / "series.csv")
    code, document = command(capsys, "sweep", *grid)
    assert (code, codes(document)) == (3, ["D401"])
    assert command(capsys, "sweep", *grid, ACCEPT)[0] == 0


def test_a_changed_plugin_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe, run = with_plugin(tmp_path, "noisy"), RunDir(tmp_path / "run")
    plugin, train = tmp_path / "neurons_of_mine.py", (recipe, *SHORT, "--out", run.path)
    with plugins_for_now():
        assert command(capsys, "train", *train)[0] == 0
    plugin.write_text(plugin.read_text().replace("x + self.noise", "x + 2 * self.noise"))
    ran = tmp_path / "ran"
    with plugin.open("a") as file:
        file.write(f"\nfrom pathlib import Path\nPath({str(ran)!r}).touch()\n")
    for verb in (("eval",), ("predict",), ("train", "--set", "train.epochs=2", "--resume")):
        code, document = command(capsys, *verb, run.path)
        assert (code, codes(document)[-1]) == (2, "U423"), verb
    assert not ran.exists()  # it is refused before it is loaded
    with plugins_for_now():
        code, document = command(capsys, "train", *train, "--continue")
    assert (code, codes(document)[-1]) == (2, "U423")
    then = run.manifest()["identity"]
    with plugins_for_now():
        code, document = command(capsys, "train", "--resume", run.path, "--set", "train.epochs=2", ACCEPT)
    assert (code, "U423" in codes(document)) == (0, True)
    manifest = run.manifest()
    assert manifest["earlier"] == [then]
    assert manifest["identity"]["plugins"] != then["plugins"]
    assert [one["sha256"] for one in manifest["plugins"]] == manifest["identity"]["plugins"]
    with plugins_for_now():
        assert codes(command(capsys, "eval", run.path)[1]) == []  # it is what the run was gone on with


def test_a_recipe_that_was_changed_in_the_run_is_refused(
    run: RunDir, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = run.recipe.read_text()
    run.recipe.write_text(text.replace("v_threshold: 0.5", "v_threshold: 0.9"))
    assert run.recipe.read_text() != text
    code, document = command(capsys, "eval", run.path)
    assert (code, codes(document)) == (2, ["U424"])
    assert codes(command(capsys, "eval", run.path, ACCEPT)[1]) == ["U424"]
    moved = tmp_path / "moved"
    moved.mkdir()
    shutil.copy(tmp_path / "series.csv", moved)
    run.recipe.write_text(text.replace(str(tmp_path / "series.csv"), str(moved / "series.csv")))
    assert codes(command(capsys, "eval", run.path)[1]) == []  # the same data at another place


def test_other_starting_weights_are_other_runs(run: RunDir, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = trained(tiny(tmp_path, "train.epochs=1", "train.seed=4"), tmp_path / "other")
    warm = (tmp_path / "tiny.yaml", *SHORT, "--set", f"train.init_from={other.path}", "--out", tmp_path / "warm")
    assert command(capsys, "train", *warm)[0] == 0
    assert codes(command(capsys, "train", *warm, "--continue")[1]) == []
    shutil.copy(run.best / "weights.safetensors", other.best)
    assert codes(command(capsys, "train", *warm, "--continue")[1]) == ["U418"]
    fresh = (*warm[:-1], tmp_path / "fresh")
    assert codes(command(capsys, "train", *fresh)[1]) == ["E413"]


def test_other_versions_and_machines_are_told(run: RunDir, capsys: pytest.CaptureFixture[str]) -> None:
    path = run.path / "environment.json"
    then = json.loads(path.read_text())
    path.write_text(json.dumps({**then, "torch": "1.0", "threads": 64}))
    code, document = command(capsys, "eval", run.path)
    assert (code, codes(document)) == (0, ["U425"])
    assert [note.partition(":")[0] for note in document["diagnostics"][0]["notes"]] == ["torch"]
    document = command(capsys, "train", "--resume", run.path, "--set", "train.epochs=2")[1]
    assert [note.partition(":")[0] for note in document["diagnostics"][0]["notes"]] == ["torch", "threads"]


def test_runs_of_before_go_on_working(run: RunDir, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifest = run.manifest()
    del manifest["identity"]
    (run.path / "manifest.json").write_text(json.dumps(manifest))
    for folder in (run.best, run.last):
        save_file(load_file(folder / "weights.safetensors"), folder / "weights.safetensors")
    state = load_trainer(run.last)
    del state["identity"]
    torch.save(state, run.last / "trainer.pt")
    results = run.results() or {}
    del results["identity"]
    run.write_results(results)
    for verb in (("eval",), ("predict",), ("export", "--format", "safetensors")):
        code, document = command(capsys, *verb, run.path)
        assert (code, codes(document)) == (0, ["U426"]), verb
    continued = (tmp_path / "tiny.yaml", *SHORT, "--out", run.path, "--continue")
    assert codes(command(capsys, "train", *continued)[1]) == ["U426"]
    code, document = command(capsys, "train", "--resume", run.path, "--set", "train.epochs=2")
    assert (code, codes(document)) == (0, ["U426"])
    assert codes(command(capsys, "eval", run.path)[1]) == []  # going on has noted what it is
    change(tmp_path / "series.csv")
    assert codes(command(capsys, "eval", run.path)[1]) == ["D401"]
