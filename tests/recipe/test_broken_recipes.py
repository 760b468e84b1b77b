"""Every broken recipe gets a precise diagnostic, the right exit code and no traceback, and nothing is written.

The expected output of `snnctl validate` lies beside each recipe as `broken/NAME.txt`. After a change that is meant,
rewrite them all and review the difference:

    SNAPSHOTS=write pytest -n 0 tests/recipe/test_broken_recipes.py
"""

import json
import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from broken_files import GENERATED, lay_out

from snnctl.cli.app import run
from snnctl.core.catalog import REGISTRIES
from snnctl.recipe.plugins import plugins_for_now

BROKEN = Path(__file__).parent / "broken"
CASES = sorted({path.stem for path in BROKEN.glob("*.yaml")} | set(GENERATED))


@pytest.fixture
def beside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working directory with data and plug-ins, and an empty cache."""
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("sys.dont_write_bytecode", True)
    folder = tmp_path / "work"
    folder.mkdir()
    lay_out(folder)
    monkeypatch.chdir(folder)
    with plugins_for_now():
        yield folder


def arguments(name: str, folder: Path) -> list[str]:
    """The recipe is put into `folder`; its name and the arguments that its first line gives."""
    target = folder / f"{name}.yaml"
    if name in GENERATED:
        GENERATED[name](target)
        return [target.name]
    text = (BROKEN / target.name).read_text(encoding="utf-8")
    target.write_text(text, encoding="utf-8")
    command = re.match(r"# snnctl validate (.*)\n", text)
    assert command is not None, "the first line tells the command"
    words = shlex.split(command[1])
    assert words[0] == target.name
    return words


def listing(folder: Path) -> set[Path]:
    return set(folder.parent.rglob("*"))


def normalised(text: str, folder: Path) -> str:
    """Without the folder, and without the words of torch, which change from one version to the next."""
    return re.sub("RuntimeError: .*", "RuntimeError: ...", text.replace(f"{folder}/", "").replace(str(folder), "."))


@pytest.mark.parametrize("name", CASES)
def test_validate_says_what_is_wrong(name: str, beside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = arguments(name, beside)
    before = listing(beside)
    code = run(["validate", *words])
    out, err = capsys.readouterr()
    assert out == ""
    assert code in (2, 3)
    assert "Traceback" not in err
    assert "internal error" not in err
    assert listing(beside) == before
    found = f"exit {code}\n{normalised(err, beside)}"
    snapshot = BROKEN / f"{name}.txt"
    if os.environ.get("SNAPSHOTS") == "write":
        snapshot.write_text(found, encoding="utf-8")
    assert found == snapshot.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", CASES)
@pytest.mark.slow
def test_train_refuses_with_the_same_code(name: str, beside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = arguments(name, beside)
    before = listing(beside)
    expected = int((BROKEN / f"{name}.txt").read_text(encoding="utf-8").split()[1])
    code = run(["train", *(word for word in words if word != "--data"), "--json"])
    out, err = capsys.readouterr()
    document = json.loads(out)
    assert code == document["exit_code"] == expected
    assert not document["ok"]
    assert [d["severity"] for d in document["diagnostics"]].count("error") > 0
    assert err == ""
    assert listing(beside) == before


def test_every_snapshot_has_its_case() -> None:
    assert sorted(path.stem for path in BROKEN.glob("*.txt")) == CASES
    assert len(CASES) >= 60


def test_a_broken_plugin_leaves_nothing_behind(beside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = {kind: registry.names() for kind, registry in REGISTRIES.items()}
    for name in CASES:
        if name.startswith("plugin"):
            run(["validate", *arguments(name, beside)])
    capsys.readouterr()
    assert {kind: registry.names() for kind, registry in REGISTRIES.items()} == before
