"""The README keeps its word: its code runs, its commands exist, its example of an error is what is printed."""

import re
from pathlib import Path

import pytest

from snnctl.cli.app import run
from snnctl.core.catalog import REGISTRIES
from snnctl.recipe import load_recipe
from snnctl.recipe.shipped import shipped_folder

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w*)\n(.*?)```", README, flags=re.DOTALL)


def blocks(language: str) -> list[str]:
    return [text for found, text in BLOCKS if found == language]


def python_with(words: str) -> str:
    """The one block of Python that holds these words."""
    (found,) = (text for text in blocks("python") if words in text)
    return found


def test_python_without_recipes() -> None:
    names: dict[str, object] = {}
    exec(python_with("from snnctl.positions import CPG"), names)
    assert names["spikes"].shape == (4, 32, 8)  # type: ignore[attr-defined]
    assert names["code"].shape == (168, 10)  # type: ignore[attr-defined]


def test_a_neuron_of_ones_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "my_neuron.py").write_text(python_with("NEURONS.register"), encoding="utf-8")
    recipe = tmp_path / "mine.yaml"
    text = (shipped_folder() / "quickstart.yaml").read_text(encoding="utf-8")
    recipe.write_text(text + "plugins: [./my_neuron.py]\n", encoding="utf-8")
    small = ["--set", "train.epochs=1", "--set", "train.batch_size=256", "--set", "task.baselines=[]"]
    assert run(["train", str(recipe), "--set", "model.neuron=leaky", "--out", str(tmp_path / "run"), *small]) == 0
    assert run(["validate", str(recipe), "--set", "model.neuron={type: leaky, tua: 3.0}"]) == 2
    assert "did you mean `tau`?" in capsys.readouterr().err
    assert run(["list", "neuron", "--plugin", str(tmp_path / "my_neuron.py")]) == 0
    assert "Leaky neuron with soft reset" in capsys.readouterr().out


def test_every_command_is_in_the_table() -> None:
    from snnctl.cli.app import app

    for command in app.registered_commands:
        assert f"`snnctl {command.name} " in README or f"`snnctl {command.name}`" in README


def test_the_recipe_that_is_explained_is_the_quickstart(tmp_path: Path) -> None:
    path = tmp_path / "explained.yaml"
    path.write_text(blocks("yaml")[0], encoding="utf-8")
    explained, shipped = load_recipe(path), load_recipe(shipped_folder() / "quickstart.yaml")
    for section in ("task", "data", "encoder", "model", "readout", "optim", "schedule", "train"):
        assert explained.values[section] == shipped.values[section], section


def test_the_error_is_what_is_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = (shipped_folder() / "quickstart.yaml").read_text(encoding="utf-8")
    path = tmp_path / "quickstart.yaml"
    path.write_text(text.replace("{type: lif, tau: 2.0", "{type: lif, tua: 2.0"), encoding="utf-8")
    assert run(["validate", str(path)]) == 2
    printed = capsys.readouterr().err.replace(str(path), "recipes/quickstart.yaml").strip()
    assert printed in README


def test_kinds_are_known() -> None:
    for kind, name in re.findall(r"snnctl show (\w+) (\w+)`", README):
        assert name in REGISTRIES[kind]
