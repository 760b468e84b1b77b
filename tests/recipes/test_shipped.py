"""Every recipe that ships: it parses, it is valid, and its header says how to run it."""

import re
import shlex
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from snnctl.build import check
from snnctl.cli.app import run
from snnctl.recipe import load_recipe
from snnctl.recipe.shipped import shipped_folder, shipped_recipes

ROWS = shipped_recipes()
# Recipes of grids come by the dozen and are alike: that each is valid is checked at once, the rest where there is time.
ALL = [pytest.param(Path(row["path"]), id=row["name"]) for row in ROWS]
MOST = [
    pytest.param(Path(row["path"]), id=row["name"], marks=[pytest.mark.slow] * ("/grid/" in row["name"]))
    for row in ROWS
]
loaded = cache(load_recipe)


def commands(path: Path) -> list[list[str]]:
    """The commands of the comment lines at the top."""
    found = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("# snnctl "):
            break
        found.append(shlex.split(line.removeprefix("# ")))
    return found


def test_there_are_some_and_names_are_unique() -> None:
    names = [row["name"] for row in ROWS]
    assert "quickstart" in names
    assert len({name.split("/")[-1] for name in names}) == len(names)  # `snnctl init` takes the last part
    assert len({loaded(Path(row["path"])).name for row in ROWS}) == len(names)


@pytest.mark.parametrize("path", ALL)
class TestEvery:
    def test_it_is_valid(self, path: Path) -> None:
        recipe = loaded(path)
        # A series that has to be fetched first may be absent, and cautions are what some recipes are about.
        assert [d.to_line() for d in check(recipe) if d.code not in ("D101", "R405")] == []


@pytest.mark.parametrize("path", MOST)
class TestShipped:
    def test_its_summary_is_one_line(self, path: Path) -> None:
        summary = loaded(path).values["summary"]
        assert summary.endswith(".")
        assert "\n" not in summary

    def test_it_begins_with_commands_that_name_it(self, path: Path) -> None:
        found = commands(path)
        assert len(found) >= 2
        own = f"recipes/{path.relative_to(shipped_folder()).as_posix()}"
        for words in found:
            files = [word for word in words if word.endswith(".yaml")]
            assert files == [own] or words[1:3] == ["data", "prep"] or words[1] == "stats"
        assert any(words[:3] == ["snnctl", "train", own] for words in found)

    def test_its_commands_are_accepted(
        self, path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(shipped_folder().parent)
        for words in commands(path):
            if words[1] != "train":
                continue
            sets = [words[i + 1] for i, word in enumerate(words) if word == "--set"]
            assert load_recipe(path, [text for text in sets if "source" not in text]).values
            assert run([*words[1:], "--help"]) == 0
        capsys.readouterr()

    def test_it_chooses_on_validation_and_scales_on_train(self, path: Path) -> None:
        recipe = loaded(path)
        assert recipe.train.early_stop.metric.startswith("val/")
        if path.parent.name == "grid":
            return  # the published protocol looks at the whole series, and says so
        assert recipe.values["data"].get("scaler", {}).get("fit_on", "train") == "train"

    def test_it_names_no_place_on_a_machine(self, path: Path) -> None:
        assert not re.search(r"(?<![\w.])(/|~/|[A-Z]:\\)\w", path.read_text(encoding="utf-8").split("schema:")[1])


def test_every_row_has_what_list_shows() -> None:
    row: dict[str, Any]
    for row in ROWS:
        assert row["summary"]
        assert Path(row["path"]).is_file()
