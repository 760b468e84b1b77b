"""Strangers' files run nothing before they were approved, and send nothing to the terminal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from rich.table import Table

from snnctl.cli.app import run
from snnctl.core.trust import Approved, approve, approved, store, trusting
from snnctl.ui import trust as ui
from snnctl.ui.console import make_console

PLUGIN = """
from pathlib import Path
Path(r"{marker}").write_text("it ran")
from snnctl.core.catalog import NEURONS
from snnctl.neurons.lif import LIF


@NEURONS.register("stranger")
class Stranger(LIF):
    '''A leaky neuron.'''
"""
RECIPE = """
schema: 1
name: of-a-stranger
plugins: [./stranger.py]
data: {type: mts_xor, train: 8, val: 4, test: 4}
encoder: none
model: {type: spike_mlp, width: 4, neuron: stranger}
readout: step_linear
task: {type: step_classification, baselines: [majority]}
train: {epochs: 1}
"""


@pytest.fixture
def strange(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a recipe, its plug-in, and a run that it may have made; nothing is trusted."""
    monkeypatch.delenv("SNNCTL_TRUST_PLUGINS")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    (tmp_path / "stranger.py").write_text(PLUGIN.format(marker=tmp_path / "marker"))
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    made = tmp_path / "run"
    (made / "checkpoints" / "best").mkdir(parents=True)
    (made / "recipe.yaml").write_text(RECIPE.replace("./stranger.py", str(tmp_path / "stranger.py")))
    (made / "manifest.json").write_text(json.dumps({"schema": 1, "status": "done"}))
    (made / "results.json").write_text("{}")
    return tmp_path


COMMANDS = [
    "train recipe.yaml",
    "train --resume run",
    "sweep recipe.yaml --over train.epochs=[1,2]",
    "eval run",
    "predict run",
    "backtest run",
    "backtest recipe.yaml",
    "stats run",
    "stats run --tau",
    "energy run",
    "convert run",
    "export run",
    "analyze-pe recipe.yaml",
    "bench recipe recipe.yaml",
    "validate recipe.yaml",
    "show recipe.yaml",
    "data info recipe.yaml",
    "data prep recipe.yaml",
]


def answer(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, Any]]:
    code = run([*arguments, "--json"])
    return code, json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("line", COMMANDS)
def test_no_command_runs_it(
    line: str, strange: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(strange)
    code, found = answer(capsys, *line.split())
    assert code
    assert "R127" in [one["code"] for one in found["diagnostics"]], found
    assert not (strange / "marker").exists()


def test_every_command_that_takes_a_recipe_or_a_run_is_tried() -> None:
    from snnctl.cli.app import app

    harmless = {"list", "init", "schema", "doctor", "trust", "compare", "analyze-neuron"}
    names = {command.name for command in app.registered_commands}
    assert names - harmless <= {line.split()[0] for line in COMMANDS}


def test_validate_says_what_it_could_not_check(
    strange: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(strange)
    _, found = answer(capsys, "validate", "recipe.yaml", "--set", "train.epochs=-1")
    told = found["files"][0]["diagnostics"]
    assert sorted(one["code"] for one in told) == ["R127", "R204"]
    (missing,) = (one for one in told if one["code"] == "R127")
    assert "`model.neuron.type`" in missing["notes"][0]
    assert "snnctl trust" in missing["help"]


def test_approved_it_runs_and_changed_it_does_not(
    strange: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(strange)
    code, found = answer(capsys, "trust", "stranger.py")
    assert not code
    assert found["approved"][0]["path"] == str(strange / "stranger.py")
    assert not (strange / "marker").exists()
    assert answer(capsys, "validate", "recipe.yaml")[0] == 0
    assert (strange / "marker").read_text() == "it ran"
    plugin = strange / "stranger.py"
    plugin.write_text(plugin.read_text() + "# another content\n")
    code, found = answer(capsys, "validate", "recipe.yaml")
    assert code
    assert "another content of it was approved" in found["files"][0]["diagnostics"][0]["message"]
    assert answer(capsys, "trust", "--remove", "stranger.py")[1]["withdrawn"]
    assert answer(capsys, "trust")[1]["plugins"] == []


@pytest.mark.parametrize("line", ["--trust-plugins validate recipe.yaml", "validate recipe.yaml --trust-plugins"])
def test_for_one_call(
    line: str, strange: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(strange)
    assert answer(capsys, *line.split())[0] == 0
    assert not store().exists()


def test_a_file_that_is_named_on_the_line_needs_no_approval(
    strange: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(strange)
    assert answer(capsys, "show", "neuron", "stranger", "--plugin", "stranger.py")[0] == 0
    assert not store().exists()


def test_bytecode_beside_the_file_is_not_run(
    strange: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Python takes what `__pycache__` holds for a file of this time and size, whatever the file holds."""
    import py_compile

    monkeypatch.chdir(strange)
    plugin = strange / "stranger.py"
    text = plugin.read_text()
    plugin.write_text(text.replace("it ran", "hidden"))
    py_compile.compile(str(plugin), invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
    plugin.write_text(text)
    approve(plugin)
    assert answer(capsys, "validate", "recipe.yaml")[0] == 0
    assert (strange / "marker").read_text() == "it ran"


@pytest.mark.parametrize(("answers", "runs"), [(["y"], True), (["v", "yes"], True), ([""], False), (["what"], False)])
def test_asked_on_a_terminal(
    answers: list[str], runs: bool, strange: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given = iter(answers)
    monkeypatch.setattr("rich.console.input", lambda *_: next(given), raising=False)
    monkeypatch.setattr("builtins.input", lambda *_: next(given))
    monkeypatch.chdir(strange)
    console = make_console(stderr=True)
    with trusting(lambda path, content: ui.approves(console, path, content)):
        assert (run(["validate", "recipe.yaml"]) == 0) is False  # no terminal is there: nobody is asked
    from snnctl.recipe import load_recipe

    with trusting(lambda path, content: ui.approves(console, path, content)):
        if runs:
            load_recipe("recipe.yaml")
        else:
            with pytest.raises(Exception, match="never approved"):
                load_recipe("recipe.yaml")
    assert (strange / "marker").exists() == runs == bool(approved())
    said = capsys.readouterr().err
    assert "would run with your rights" in said
    assert ("class Stranger" in said) == (answers[0] == "v")


def test_a_damaged_file_of_approvals(strange: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store().parent.mkdir(parents=True)
    store().write_text("{")
    code, found = answer(capsys, "trust")
    assert code
    assert found["diagnostics"][0]["code"] == "U550"


def test_nothing_to_withdraw(strange: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert answer(capsys, "trust", "--remove", "0123456")[1]["diagnostics"][0]["code"] == "U551"


def test_control_characters_are_shown_and_not_sent(capsys: pytest.CaptureFixture[str]) -> None:
    name = "a\x1b]0;title\x07b\x1b[2J\x9b31m\u202ec\rd"
    made = Table(name)
    made.add_row(name)
    console = make_console(stderr=False)
    for one in (name, made):
        console.print(one, markup=False) if isinstance(one, str) else console.print(one)
    ui.show_trusted(console, {"approved": [vars(Approved("0" * 64, name, "2026-01-01"))]})
    said = capsys.readouterr().out
    assert "title" in said
    assert not {"\x1b", "\x07", "\x9b", "\u202e", "\r"} & set(said)
