"""`snnctl.train`, `validate` and `load` from Python: recipes of every form, changes, slips of the pen."""

from __future__ import annotations

import doctest
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import yaml
from engine.tiny_runs import RECIPE, write_recipe

import snnctl
from snnctl.commands import train as training
from snnctl.commands import validate as validating
from snnctl.commands.given import changes, plain, read
from snnctl.core.diagnostic import Diagnostic
from snnctl.core.run_events import Observer
from snnctl.recipe.source import parse_value
from snnctl.serving import model as serving


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("os.fsync", lambda _: None)


def refused(call: Any, *given: Any, **how: Any) -> str:
    with pytest.raises(snnctl.DiagnosticError) as caught:
        call(*given, **how)
    return str(caught.value)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the run of all examples lies; the first example trains it."""
    return tmp_path_factory.mktemp("examples") / "run"


@pytest.mark.parametrize("module", [snnctl, serving, training, validating], ids=lambda module: module.__name__)
def test_examples_run(module: ModuleType, folder: Path) -> None:
    if module is training:
        folder = folder.with_name("again")
    globs = {"snnctl": snnctl, "recipe": write_recipe(folder.parent), "folder": folder, "run": folder}
    flags = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    found = doctest.testmod(module, extraglobs=globs, optionflags=flags)
    assert (found.attempted > 1, found.failed) == (True, 0)


def test_a_run_and_its_model(tmp_path: Path) -> None:
    values = yaml.safe_load(RECIPE.replace("1.0e-2", "0.01"))  # PyYAML reads 1.0e-2 as it should, 1e-2 as text
    write_recipe(tmp_path)
    found = snnctl.train(values, {"train.epochs": 1}, train__seed=np.int64(5), out="run", device="cpu")
    assert (found.run, found.runs, found.interrupted) == (Path("run"), (Path("run"),), False)
    assert (found.recipe.train.epochs, found.recipe.train.seed, found.results["seed"]) == (1, 5, 5)
    assert found.recipe.values["data"]["source"] == str(tmp_path / "series.csv")
    model = found.load(device="cpu")
    assert (model.columns, model.recipe.name, model.network.training) == (("value",), "tiny", False)
    assert model.predict().shape == (2, 3)
    assert "no such device" not in refused(found.load, "lst")
    assert "did you mean `last`?" in refused(found.load, "lst")
    assert "U401" in refused(snnctl.load, "run", device="cpux")
    assert "did you mean `cpu`?" in refused(snnctl.load, "run", device="cpux")


@pytest.mark.slow  # two processes
def test_several_seeds_of_values_at_once(tmp_path: Path) -> None:
    write_recipe(tmp_path)
    values = {**yaml.safe_load(RECIPE), "plugins": []}
    found = snnctl.train(values, train__epochs=1, seeds=[1, 2], jobs=2, out="many", device="cpu")
    assert found.runs == (Path("many/seed-1"), Path("many/seed-2"))
    assert "U531" in refused(lambda: found.run)
    assert snnctl.load(found.runs[1], device="cpu").recipe.train.seed == 2


def test_recipes_of_every_form(tmp_path: Path) -> None:
    path = write_recipe(tmp_path)
    expected = read(path).values
    assert read(str(path)).values == expected
    assert read(yaml.safe_load(RECIPE)).values == expected
    assert read("quickstart").name == "quickstart"
    assert "did you mean `quickstart`?" in refused(read, "quickstrat")
    assert "recipe not found" in refused(read, Path("quickstart"))  # a path is a path
    Path("quickstart").write_text(RECIPE)
    assert read("quickstart").name == "tiny"
    assert "R202" in refused(read, {})
    assert "R116" in refused(read, {1: 2})
    assert "R116]: model.neuron.tau is nan (float)" in refused(read, {"model": {"neuron": {"tau": float("nan")}}})
    assert "R116]: a[1] is" in refused(read, {"a": [0, object()]})


def test_changes_come_as_they_are_meant(tmp_path: Path) -> None:
    path = write_recipe(tmp_path)
    awkward: list[Any] = [
        *("no", "1e3", "", " x ", "a: b", "é\u0000\u0085😀", "'", '"', "%d", ",", "null", "[1"),
        *(True, None, 0, -1.5, 1e-30, 1e300, [1, "2", None], {"a": {"b": [True]}}, (), {}),
    ]
    for value in awkward:
        (text,) = changes({"a.b": value}, {}, snnctl.train)
        name, _, written = text.partition("=")
        assert (name, parse_value(written, "")) == ("a.b", plain(value, ()))
    assert changes({}, {"model__neuron": {"type": "if"}}, snnctl.train) == ['model.neuron={"type": "if"}']
    assert changes(["a=1"], {"train__epochs": 2}, snnctl.train) == ["a=1", "train.epochs=2"]
    assert plain([np.float32(0.5), Path("x"), np.int64(3)], ()) == [0.5, "x", 3]
    assert snnctl.validate(path, {"model.neuron.tau": 3.0}, name="other").ok
    found = snnctl.validate(path, {"name": 3})
    assert [one.code for one in found.diagnostics] == ["R203"]


def test_slips_of_the_pen(tmp_path: Path) -> None:
    path = write_recipe(tmp_path)
    for call in (snnctl.train, snnctl.validate):
        assert "R115" in refused(call, path, "train.epochs=1")
        assert "R115" in refused(call, path, unsets="train.epochs")
        assert "R115" in refused(call, path, [("train.epochs", 1)])
        assert "U530" in refused(call, path, devise="cpu")
    assert "did you mean `device`?" in refused(snnctl.train, path, devise="cpu")
    assert "did you mean `epochs`?" in refused(snnctl.train, path, train__epoch=1)
    for seeds in ("1,2", 3, [1, 1], [-1], [1.5], [True]):
        assert "U404" in refused(snnctl.train, path, seeds=seeds)
    assert "U408" in refused(snnctl.train, path, jobs=0)
    assert "U408" in refused(snnctl.train, path, stop_after=0)
    assert "U403" in refused(snnctl.train, path, continue_=True)
    assert not Path("runs").exists()


def test_a_listener_hears_what_nobody_is_told_else(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    class Heard(snnctl.Listener):
        warned: list[str] = []  # noqa: RUF012
        events: list[str] = []  # noqa: RUF012

        def warn(self, diagnostics: Any) -> None:
            self.warned += [one.code for one in diagnostics if isinstance(one, Diagnostic)]

        def training(self, log_every: int) -> Observer:
            heard = self.events

            class Notes:
                def notify(self, event: Any) -> None:
                    heard.append(type(event).__name__)

            return Notes()

    path = write_recipe(tmp_path)
    neuron = {"type": "lif", "tau": 3.0}
    snnctl.train(path, train__epochs=1, model__neuron=neuron, out="run", device="cpu", listener=Heard())
    assert Heard.warned == ["R114"]
    assert {"RunStarted", "EpochDone", "RunFinished"} <= set(Heard.events)
    assert capsys.readouterr() == ("", "")
