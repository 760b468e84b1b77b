"""Components of third parties: one file, or an installed package."""

import hashlib
import json
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from broken_files import plugin
from tiny_recipe import write

from snnctl.cli.app import run
from snnctl.core import registry
from snnctl.core.catalog import NEURONS
from snnctl.core.diagnostic import DiagnosticError
from snnctl.core.registry import UnknownComponentError
from snnctl.recipe import load_recipe
from snnctl.recipe.plugins import load_plugin, plugins_for_now

NEURON = '''
"""A neuron that is not part of snnctl."""

from typing import Annotated

import torch
from annotated_types import Ge, Gt, Lt
from torch import Tensor

from snnctl.core.catalog import NEURONS
from snnctl.core.registry import Slot
from snnctl.neurons.base import SpikingNeuron
from snnctl.neurons.surrogate import Surrogate, make_surrogate

print("loaded")


@NEURONS.register("adaptive")
class Adaptive(SpikingNeuron):
    """A leaky neuron whose threshold rises with every spike.

    Equation:
        v = keep * v + x
        s = 1 if v >= 1 + a else 0
        a = 0.9 * a + rise * s

    Args:
        channels: size of the last axis.
        keep: share of the membrane that is left after a step, 0 <= keep < 1.
        rise: how far a spike raises the threshold, > 0.
        surrogate: derivative of the spike.
    """

    def __init__(
        self,
        channels: int,
        *,
        keep: Annotated[float, Ge(0.0), Lt(1.0)] = 0.5,
        rise: Annotated[float, Gt(0.0)] = 0.2,
        surrogate: Annotated[str | Surrogate, Slot("surrogate")] = "atan",
    ) -> None:
        super().__init__(channels)
        self.keep, self.rise, self.surrogate = keep, rise, make_surrogate(surrogate)

    def initial_state(self, x0: Tensor) -> tuple[Tensor, Tensor]:
        return torch.zeros_like(x0), torch.zeros_like(x0)

    def step(self, x_t: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        v, a = state
        v = self.keep * v + x_t
        s = self.surrogate.spike(v - 1.0 - a)
        return s, (v * (1.0 - s), 0.9 * a + self.rise * s)
'''
USE = ("  neuron: lif\n", "  neuron: {type: adaptive, rise: 0.1}\nplugins: [./adaptive.py]\n")


@pytest.fixture(autouse=True)
def own_registry() -> Iterator[None]:
    with plugins_for_now():
        yield


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("sys.dont_write_bytecode", True)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "adaptive.py").write_text(NEURON)
    return write(tmp_path, USE)


def test_a_neuron_in_one_file_trains(recipe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = run(["train", str(recipe), "--out", "run", "--json"])
    document = json.loads(capsys.readouterr().out)  # what the plug-in prints is not in it
    assert code == 0, document["diagnostics"]
    assert document["metrics"]["test/mse"] > 0
    manifest = json.loads(Path("run/manifest.json").read_text())
    sha256 = hashlib.sha256(Path("adaptive.py").read_bytes()).hexdigest()
    assert manifest["plugins"] == [{"path": str(recipe.parent / "adaptive.py"), "sha256": sha256}]
    # The run can be measured again from its own recipe, wherever that is done.
    assert run(["eval", "run", "--json"]) == 0
    again = json.loads(capsys.readouterr().out)
    assert again["metrics"]["test/mse"] == pytest.approx(document["metrics"]["test/mse"], rel=1e-6)


def test_its_knobs_are_validated(recipe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["validate", str(recipe)]) == 0
    capsys.readouterr()
    for change, code, help in (
        ("model.neuron.rsie=1.0", "R201", "did you mean `rise`?"),
        ("model.neuron.keep=1.0", "R204", ""),
        ("model.neuron.surrogate=atn", "R200", "did you mean `atan`?"),
        ("model.neuron=adaptiv", "R200", "did you mean `adaptive`?"),
    ):
        assert run(["validate", str(recipe), "--set", change, "--json"]) == 2
        problem = json.loads(capsys.readouterr().out)["diagnostics"][-1]
        assert problem["code"] == code
        assert (problem["help"] or "").startswith(help)


def test_it_is_listed_and_shown(recipe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["list", "neuron", "--plugin", "adaptive.py", "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)["components"]}
    assert rows["adaptive"]["summary"] == "A leaky neuron whose threshold rises with every spike."
    assert rows["adaptive"]["source"] == str(recipe.parent / "adaptive.py")
    assert rows["lif"]["source"] == "snnctl"
    assert run(["show", "neuron", "adaptive", "--plugin", "adaptive.py"]) == 0
    out = capsys.readouterr().out
    assert "a = 0.9 * a + rise * s" in out
    assert "0 <= x < 1" in out
    assert "from plug-in" in out


def test_plugins_can_be_refused(recipe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for command in (["validate"], ["train"], ["train", "--dry-run"], ["show"]):
        assert run([*command, str(recipe), "--no-plugins", "--json"]) == 2
        (problem,) = json.loads(capsys.readouterr().out)["diagnostics"]
        assert (problem["code"], problem["line"]) == ("R123", 16)
    assert "adaptive" not in NEURONS


def test_the_resolved_recipe_finds_the_plugin(recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = load_recipe(recipe)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "recipe.yaml").write_text(first.to_yaml())
    monkeypatch.chdir(elsewhere)
    second = load_recipe("recipe.yaml")
    assert second.values == first.values
    assert second.plugins == first.plugins
    assert second.plugins[0].components == ("neuron.adaptive",)


def test_two_recipes_do_not_see_each_others_plugins(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "mine.py").write_text(plugin("mine") + f"# {name}\n")
        write(tmp_path / name, ("neuron: lif", "neuron: mine\nplugins: [./mine.py]"))
    write(tmp_path, ("neuron: lif", "neuron: mine"))
    files = [str(tmp_path / name) for name in ("a/tiny.yaml", "b/tiny.yaml", "tiny.yaml")]
    assert run(["validate", *files, "--json"]) == 2
    document = json.loads(capsys.readouterr().out)
    assert [row["ok"] for row in document["files"]] == [True, True, False]
    assert document["files"][2]["diagnostics"][0]["code"] == "R200"


def test_the_same_content_at_two_places_keeps_both_paths(tmp_path: Path) -> None:
    for name in ("first.py", "second.py"):
        (tmp_path / name).write_text(plugin("mine"))
    assert load_plugin(tmp_path / "first.py").path == str(tmp_path / "first.py")
    assert load_plugin(tmp_path / "second.py").path == str(tmp_path / "second.py")


def test_what_a_failing_plugin_registered_is_taken_out(tmp_path: Path) -> None:
    file = tmp_path / "half.py"
    file.write_text(plugin("mine") + "raise RuntimeError('too late')\n")
    with pytest.raises(DiagnosticError, match="too late"):
        load_plugin(file)
    assert "mine" not in NEURONS
    file.write_text(plugin("mine"))
    assert load_plugin(file).components == ("neuron.mine",)


def test_two_plugins_cannot_share_a_name(tmp_path: Path) -> None:
    (tmp_path / "first.py").write_text(plugin("mine"))
    (tmp_path / "second.py").write_text(plugin("mine") + "\n# another\n")
    load_plugin(tmp_path / "first.py")
    with pytest.raises(DiagnosticError) as caught:
        load_plugin(tmp_path / "second.py")
    (problem,) = caught.value.diagnostics
    assert problem.code == "R125"
    assert problem.message == f"neuron `mine` exists already, from {tmp_path / 'first.py'}"
    assert NEURONS.source("mine") == str(tmp_path / "first.py")


def test_a_package_brings_components_by_its_entry_points(monkeypatch: pytest.MonkeyPatch) -> None:
    point = EntryPoint("neuron.installed", "snnctl.neurons.lif:LIF", registry.ENTRY_POINT_GROUP)
    monkeypatch.setattr(registry, "_entry_points", lambda: (point,))
    try:
        assert "installed" in NEURONS.names()  # without importing it
        assert NEURONS.get("installed").__name__ == "LIF"
        assert NEURONS.source("installed") == "snnctl.neurons.lif:LIF"
    finally:
        NEURONS.forget("installed")
    monkeypatch.setattr(registry, "_entry_points", lambda: ())
    with pytest.raises(UnknownComponentError):
        NEURONS.get("installed")


def test_an_entry_point_does_not_replace_what_ships(monkeypatch: pytest.MonkeyPatch) -> None:
    point = EntryPoint("neuron.lif", "no_such_module:Thief", registry.ENTRY_POINT_GROUP)
    monkeypatch.setattr(registry, "_entry_points", lambda: (point,))
    assert NEURONS.get("lif").__module__ == "snnctl.neurons.lif"
    assert NEURONS.source("lif") == "snnctl"
