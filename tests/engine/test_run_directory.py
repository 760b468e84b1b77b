"""Run directories: what lies in them, what is refused, what damage does."""

from __future__ import annotations

import getpass
import io
import json
import os
import pickle
import socket
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from tiny_runs import RECIPE, codes, command, go_on, outcome, start, tiny, trained, write_recipe

from snnctl.core.diagnostic import DiagnosticError
from snnctl.core.files import write_atomically, write_json
from snnctl.engine.checkpoint import load_weights, save_weights
from snnctl.engine.run_dir import RunDir, append_json
from snnctl.engine.run_files import read_lines
from snnctl.recipe import load_recipe

FILES = {
    "checkpoints/best/weights.safetensors",
    "checkpoints/last/trainer.pt",
    "checkpoints/last/weights.safetensors",
    "environment.json",
    "manifest.json",
    "metrics.jsonl",
    "model/bands.safetensors",
    "model/model.json",
    "recipe.source.yaml",
    "recipe.yaml",
    "results.json",
    "spikes.jsonl",
}


@pytest.fixture
def run(tmp_path: Path) -> RunDir:
    """A run of three epochs, done."""
    return trained(tiny(tmp_path), tmp_path / "run")


def test_contents(run: RunDir, tmp_path: Path) -> None:
    assert {str(p.relative_to(run.path)) for p in run.path.rglob("*") if p.is_file()} == FILES
    assert (run.path / "recipe.source.yaml").read_text() == RECIPE
    manifest = run.manifest()
    assert (manifest["status"], manifest["seed"], manifest["schema"], manifest["name"]) == ("done", 3, 1, "tiny")
    assert manifest["metrics"] == run.results()["metrics"]  # type: ignore[index]
    assert [line["epoch"] for line in run.metrics()] == [0, 1, 2]
    assert [line["step"] for line in run.metrics()] == [3, 6, 9]
    facts = run.results()["checkpoint"]  # type: ignore[index]
    best = min(run.metrics(), key=lambda line: line["val/loss"])
    assert facts == {"path": "best", "epoch": best["epoch"] + 1, "step": best["step"]}


def test_environment_names_no_one(run: RunDir) -> None:
    text = (run.path / "environment.json").read_text()
    secrets = {str(Path.home()), os.getcwd(), str(run.path), socket.gethostname(), getpass.getuser()}
    assert [secret for secret in secrets if len(secret) > 1 and f'"{secret}' in text] == []
    assert "/" not in "".join(str(value) for value in json.loads(text).values() if isinstance(value, str))


def test_resolved_recipe_is_the_same_experiment(run: RunDir, tmp_path: Path) -> None:
    again = load_recipe(run.recipe)
    assert again.digest() == run.manifest()["digest"]
    assert outcome(trained(again, tmp_path / "again")) == outcome(run)


def test_same_seed_same_run_other_seed_other_run(run: RunDir, tmp_path: Path) -> None:
    torch.manual_seed(99)
    assert outcome(trained(tiny(tmp_path), tmp_path / "same")) == outcome(run)
    other = trained(tiny(tmp_path, "train.seed=4"), tmp_path / "other")
    assert other.metrics()[0]["train/loss"] != run.metrics()[0]["train/loss"]


def test_folder_is_named_after_time_and_recipe(tmp_path: Path) -> None:
    recipe = tiny(tmp_path)
    made = [RunDir.create(tmp_path / "runs", "tiny", recipe.digest(), lambda run: None) for _ in range(3)]
    assert len({run.path for run in made}) == 3  # also within one second
    for run in made:
        assert run.path.parent == tmp_path / "runs" / "tiny"
        assert run.path.name.partition("-")[2].startswith(recipe.digest()[:6])
    assert list((tmp_path / "runs").rglob("*.tmp")) == []


def test_folder_that_cannot_be_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = write_recipe(tmp_path)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "note.txt").write_text("mine")
    (tmp_path / "empty").mkdir()
    for out, message in (
        (tmp_path / "full", "exists and is not empty"),
        (recipe, "exists and is not a folder"),
        (recipe / "below", "cannot be made"),
    ):
        code, document = command(capsys, "train", recipe, "--out", out)
        assert (code, codes(document)) == (2, ["U412"])
        assert message in document["diagnostics"][0]["message"]
    assert [p.name for p in (tmp_path / "full").iterdir()] == ["note.txt"]
    assert command(capsys, "train", recipe, "--out", tmp_path / "empty", "--set", "train.epochs=1")[0] == 0
    assert list(tmp_path.glob(".*.tmp")) == []


def test_failure_while_making_leaves_nothing(tmp_path: Path) -> None:
    def fill(run: RunDir) -> None:
        run.write_head("recipe", "source", {})
        raise OSError(28, "No space left on device")

    with pytest.raises(DiagnosticError, match=r"E412.*No space left on device"):
        RunDir.create(tmp_path / "runs", "tiny", "abcdef", fill)
    assert list((tmp_path / "runs" / "tiny").iterdir()) == []


@pytest.mark.parametrize("verb", [("eval",), ("train", "--resume")])
def test_not_a_run_directory(verb: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = write_recipe(tmp_path)
    for path in (tmp_path, tmp_path / "nowhere", recipe):
        code, document = command(capsys, *verb, path)
        assert (code, codes(document)) == (2, ["U413"])


def test_changed_data_is_refused(run: RunDir, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    series = tmp_path / "series.csv"
    before, kept = run.manifest(), series.read_text()
    series.write_text(kept.replace("0.", "1.", 1))
    code, document = command(capsys, "train", "--resume", run.path, "--set", "train.epochs=9")
    assert (code, codes(document)) == (3, ["D401"])
    assert run.manifest() == before
    assert (run.recipe).read_text() == load_recipe(run.recipe).to_yaml()
    assert load_recipe(run.recipe).train.epochs == 3
    assert codes(command(capsys, "eval", run.path)[1]) == ["D401"]
    code, document = command(capsys, "eval", run.path, "--accept-changes")  # all the same, but not silently
    assert (code, codes(document)) == (0, ["D401"])
    assert document["diagnostics"][0]["severity"] == "warning"
    assert [one["code"] for one in run.manifest()["accepted"]] == ["D401"]
    series.write_text(kept)
    assert codes(command(capsys, "eval", run.path)[1]) == []


class Bomb:
    """Unpickling it makes a file."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return (open, (self.path, "w"))


def test_damaged_trainer_state(run: RunDir, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = run.last / "trainer.pt"
    whole = path.read_bytes()
    exploded = tmp_path / "exploded"
    before = run.manifest()

    def resumed() -> list[str]:
        code, document = command(capsys, "train", "--resume", run.path, "--set", "train.epochs=9")
        assert code == 3
        assert document["diagnostics"][0]["file"] == str(path)
        return codes(document)

    for content in (b"", b"garbage", whole[: len(whole) // 2], whole[:-1], pickle.dumps(Bomb(str(exploded)))):
        path.write_bytes(content)
        assert resumed() == ["E410"]
    torch.save({"loop": Bomb(str(exploded))}, path)
    assert resumed() == ["E410"]
    assert not exploded.exists()
    torch.save([1, 2], path)
    assert resumed() == ["E410"]
    state = torch.load(io.BytesIO(whole), weights_only=True)
    torch.save({"identity": state["identity"], "loop": {}}, path)
    assert resumed() == ["E411"]
    torch.save({**state, "loop": {**state["loop"], "mood": 1}}, path)
    assert resumed() == ["E411"]
    path.unlink()
    assert resumed() == ["E410"]
    assert run.manifest() == before  # what cannot be resumed has not become another run
    assert load_recipe(run.recipe).train.epochs == 3


def test_damaged_weights(run: RunDir, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = run.best / "weights.safetensors"
    whole = path.read_bytes()

    def evaluated() -> tuple[int, list[str]]:
        code, document = command(capsys, "eval", run.path)
        return code, codes(document)

    for content in (b"", b"garbage", whole[:100], whole[:-1], pickle.dumps(Bomb(str(tmp_path / "exploded")))):
        path.write_bytes(content)
        assert evaluated() == (3, ["E410"])
    assert not (tmp_path / "exploded").exists()
    path.write_bytes(whole)
    tensors = load_file(path)
    with safe_open(path, framework="pt") as file:
        own = file.metadata()
    save_file({name: tensor for name, tensor in tensors.items() if "readout" not in name}, path, metadata=own)
    assert evaluated() == (3, ["E411"])
    save_file({name: tensor[:1].clone() for name, tensor in tensors.items() if tensor.dim()}, path, metadata=own)
    assert evaluated() == (3, ["E411"])
    save_file(tensors, path, metadata={"format": "pt"})  # another program's: they fit, and may be anything
    assert evaluated() == (3, ["E413"])
    assert command(capsys, "eval", run.path, "--accept-changes")[0] == 0
    path.unlink()
    (run.last / "weights.safetensors").unlink()
    assert evaluated() == (3, ["E410"])


def test_damaged_manifest_and_results(run: RunDir, capsys: pytest.CaptureFixture[str]) -> None:
    figures = command(capsys, "train", "--resume", run.path)[1]["metrics"]
    (run.path / "results.json").write_text('{"cut')
    code, document = command(capsys, "train", "--resume", run.path)  # measured again
    assert (code, document["metrics"]) == (0, figures)
    for content in ('{"cut', "3", ""):
        (run.path / "manifest.json").write_text(content)
        code, document = command(capsys, "train", "--resume", run.path)
        assert (code, codes(document)) == (2, ["U413"])


def test_continue(run: RunDir, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe, fresh = tmp_path / "tiny.yaml", tmp_path / "fresh"
    known = run.results()
    assert known is not None
    before = {path: path.stat().st_mtime_ns for path in run.path.rglob("*")}
    code, document = command(capsys, "train", recipe, "--out", run.path, "--continue")
    assert (code, document["metrics"]) == (0, known["metrics"])
    assert {path: path.stat().st_mtime_ns for path in run.path.rglob("*")} == before
    again = ("train", recipe, "--out", fresh, "--continue")
    assert command(capsys, *again, "--stop-after", 1)[0] == 75
    assert command(capsys, *again, "--stop-after", 1)[1]["epochs_done"] == 2
    assert command(capsys, *again)[0] == 0
    assert outcome(RunDir(fresh)) == outcome(run)
    code, document = command(capsys, *again, "--set", "optim.lr=0.5")
    assert (code, codes(document)) == (2, ["U405"])
    code, document = command(capsys, "train", recipe, "--continue")
    assert (code, codes(document)) == (2, ["U403"])


def test_resume_takes_nothing_that_would_make_it_another_run(run: RunDir, capsys: pytest.CaptureFixture[str]) -> None:
    for extra, expected in (
        (("--set", "optim.lr=0.5"), "U407"),
        (("--unset", "train.epochs_of_mine"), "U407"),
        (("--seeds", "1,2"), "U406"),
        (("--dry-run",), "U406"),
        (("--continue", "--out", "elsewhere"), "U406"),
        ((run.recipe,), "U406"),
    ):
        code, document = command(capsys, "train", "--resume", run.path, *extra)
        assert (code, codes(document)) == (2, [expected])


def test_eval_gives_the_figures_of_the_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With bfloat16 and averaged weights, where a slip between training and evaluation would show."""
    recipe = tiny(tmp_path, "train.precision=bf16", "train.average=0.7")
    run = trained(recipe, tmp_path / "run")
    results = run.results()
    assert results is not None
    code, document = command(capsys, "eval", run.path)
    assert code == 0
    for key in ("metrics", "baselines", "spikes", "health", "checkpoint", "parameters", "split"):
        assert document[key] == results[key], key
    code, document = command(capsys, "eval", run.path, "--split", "val", "--checkpoint", "last", "--no-baselines")
    assert document["baselines"] == {}
    assert document["metrics"]["val/mse"] == run.metrics()[-1]["val/mse"]


def test_full_disk_is_a_diagnostic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = tiny(tmp_path)
    run = start(recipe, tmp_path / "run")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("snnctl.engine.loop.save_trainer", full)
        with pytest.raises(DiagnosticError, match=r"E412.*No space left on device"):
            go_on(recipe, run)
    assert run.manifest()["status"] == "failed"
    assert run.manifest()["failure"][0]["code"] == "E412"
    go_on(recipe, run, resume=True)
    assert outcome(run) == outcome(trained(recipe, tmp_path / "straight"))


class Tied(torch.nn.Module):
    """Two names for one parameter, and a view into a larger buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.there = torch.nn.Linear(3, 3)
        self.back = torch.nn.Linear(3, 3)
        self.back.weight = self.there.weight
        self.register_buffer("row", torch.arange(6.0).reshape(2, 3)[1])


def test_weights_round_trip_and_same_bytes(tmp_path: Path) -> None:
    network = Tied()
    contents = set()
    for number in range(12):
        save_weights(tmp_path / str(number), network, {"step": 7, "epoch": 2})
        contents.add((tmp_path / str(number) / "weights.safetensors").read_bytes())
    assert len(contents) == 1
    fresh = Tied()
    assert load_weights(tmp_path / "0", fresh) == {"epoch": 2, "step": 7}
    for name, tensor in network.state_dict().items():
        assert torch.equal(fresh.state_dict()[name], tensor)


def test_files_are_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_json(path, {"x": float("nan"), "y": [1.5, float("inf")]})
    assert json.loads(path.read_text()) == {"x": None, "y": [1.5, None]}

    def half(temporary: Path) -> None:
        temporary.write_text("ha")
        raise OSError("cut")

    with pytest.raises(OSError, match="cut"):
        write_atomically(path, half)
    assert json.loads(path.read_text()) == {"x": None, "y": [1.5, None]}
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]


def test_lines_up_to_the_cut(tmp_path: Path) -> None:
    path = tmp_path / "lines.jsonl"
    assert read_lines(path).found == []
    for epoch in range(3):
        append_json(path, {"epoch": epoch, "loss": float("nan")})
    whole = path.read_bytes()
    line = len(whole) // 3
    for length in range(len(whole) + 1):
        path.write_bytes(whole[:length])
        # a line that lacks only its end of line is whole
        assert [found["epoch"] for found in read_lines(path).found] == list(range((length + 1) // line))


def test_a_run_is_trained_by_one_process_at_a_time(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("fcntl", reason="this system has no locks on folders")
    call = ("train", write_recipe(tmp_path), "--out", tmp_path / "run", "--json")
    code, document = command(capsys, *call, "--stop-after", 1)
    assert code == 75
    before = (tmp_path / "run" / "manifest.json").read_bytes()
    with RunDir(tmp_path / "run").claimed():
        code, document = command(capsys, "train", "--resume", tmp_path / "run")
    assert (code, codes(document)) == (2, ["U422"])
    assert (tmp_path / "run" / "manifest.json").read_bytes() == before
    code, document = command(capsys, "train", "--resume", tmp_path / "run")  # it is free again
    assert (code, document["status"]) == (0, "done")
