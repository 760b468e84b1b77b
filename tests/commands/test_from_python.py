"""Commands as functions: from Python they print nothing, warn by Python's means, and give the document of `--json`."""

from pathlib import Path
from typing import Any

import pytest
from engine.tiny_runs import codes, command, tiny, trained, write_recipe

from snnctl.commands.convert import export
from snnctl.commands.evaluate import evaluate
from snnctl.commands.listener import Listener
from snnctl.commands.stats import stats
from snnctl.commands.train import forecast, resume, train
from snnctl.commands.validate import validate
from snnctl.core.diagnostic import Diagnostic, DiagnosticError
from snnctl.core.files import finite
from snnctl.core.identity import accepting
from snnctl.finished import open_run


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("os.fsync", lambda _: None)


def silent(capsys: pytest.CaptureFixture[str]) -> bool:
    """Whether nothing has been printed."""
    printed = capsys.readouterr()
    return printed.out == printed.err == ""


def without_times(document: dict[str, Any]) -> dict[str, Any]:
    timed = ("run", "seconds", "training_seconds", "samples_per_second", "schema", "ok", "exit_code", "diagnostics")
    return {key: value for key, value in document.items() if key not in timed}


def test_training_stopping_and_going_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_recipe(tmp_path)
    cut = train(path, ["train.epochs=2"], out=Path("cut"), stop_after=1, device="cpu")
    assert cut.interrupted
    assert cut.document == {"run": "cut", "status": "interrupted", "epochs_done": 1}
    found = resume("cut", device="cpu")
    assert not found.interrupted
    assert silent(capsys)
    _, straight = command(capsys, "train", path, "--set", "train.epochs=2", "--out", "straight", "--device", "cpu")
    assert without_times(finite(found.document)) == without_times(straight)
    assert list(found.document)[:3] == list(straight)[4:7]  # the order of the document, too
    _, measured = command(capsys, "eval", "straight", "--split", "val")
    assert finite(evaluate("straight", "val")) == {key: measured[key] for key in list(measured)[4:]}


def test_seeds_and_forecast(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_recipe(tmp_path)
    found = train(str(path), ["train.epochs=1"], seeds=[1, 2], out="many", device="cpu")
    assert found.document["seeds"] == [1, 2]
    assert found.document["run"] == ["many/seed-1", "many/seed-2"]
    assert forecast(path, device="cpu")["epochs"] == 3
    assert silent(capsys)


def test_validation_gives_diagnostics(tmp_path: Path) -> None:
    path = write_recipe(tmp_path)
    assert validate(path).ok
    found = validate(path, ["model.neuron.tua=3"])
    assert not found.ok
    assert [one.code for one in found.diagnostics] == ["R201"]
    with pytest.raises(DiagnosticError, match="tua"):
        train(path, ["model.neuron.tua=3"])


def test_a_listener_is_told() -> None:
    with pytest.warns(UserWarning, match=r"warning\[D401\]"):
        Listener().warn([Diagnostic("D401", "the data has changed", severity="warning")])


def test_whatever_opens_a_run_says_that_its_data_has_changed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = trained(tiny(tmp_path), tmp_path / "run", stop_after=1)
    series = tmp_path / "series.csv"
    series.write_text(series.read_text().replace("0.", "1.", 1))
    for verb in (("eval", "--no-baselines"), ("export", "--format", "safetensors")):
        code, document = command(capsys, verb[0], run.path, *verb[1:])
        assert (code, codes(document)) == (3, ["D401"])
        code, document = command(capsys, verb[0], run.path, *verb[1:], "--accept-changes")
        assert (code, codes(document)) == (0, ["D401"])
        assert [one["severity"] for one in document["diagnostics"]] == ["warning"]
    with pytest.warns(UserWarning, match="D401"), accepting():
        export(run.path, "safetensors")


def test_checkpoints(tmp_path: Path) -> None:
    run = trained(tiny(tmp_path), tmp_path / "run", stop_after=1)
    best, last = (open_run(run.path, which) for which in ("best", "last"))  # type: ignore[arg-type]
    assert (best.weights, last.weights) == (run.best, run.last)
    assert best.load() == {"path": "best", "epoch": 1, "step": 3}
    for file in run.best.iterdir():
        file.unlink()
    assert open_run(run.path).weights == run.last
    with pytest.raises(DiagnosticError, match="not a run directory"):
        open_run(tmp_path)


def test_words_that_are_none_of_the_choices_are_refused(tmp_path: Path) -> None:
    path = write_recipe(tmp_path)
    with pytest.raises(DiagnosticError, match=r"U401.*device must be auto or cpu, got `gpu`"):
        train(path, device="gpu")
    run = train(path, ["train.epochs=1"], out="one", device="cpu").run
    for call in (lambda: evaluate(run, split="vall"), lambda: stats(run, split="vall")):
        with pytest.raises(DiagnosticError, match=r"U408.*split must be train or val or test, got `vall`"):
            call()
    with pytest.raises(DiagnosticError, match=r"U408.*checkpoint must be best or last, got `bst`"):
        open_run(run, "bst")
