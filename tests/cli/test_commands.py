"""Each command, as a person uses it."""

import json
from pathlib import Path
from typing import Any

import pytest

from snnctl.cli.app import run
from snnctl.core.catalog import REGISTRIES
from snnctl.recipe import load_recipe
from snnctl.recipe.shipped import shipped_folder, shipped_recipes

QUICKSTART = str(shipped_folder() / "quickstart.yaml")
COMMANDS = [
    *([name] for name in ("train", "eval", "validate", "list", "show", "init", "schema", "doctor", "data")),
    ["data", "prep"],
    ["data", "info"],
]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Any:
    """Run a command that must succeed; what it prints."""

    def go(*words: str) -> str:
        code = run(words)
        out, err = capsys.readouterr()
        assert (code, err) == (0, "")
        return out

    return go


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_every_command_explains_itself(command: list[str], flag: str, say: Any) -> None:
    out = say(*command, flag)
    assert f"snnctl {' '.join(command)}" in out
    assert "--help" in out


def test_help_names_every_command(say: Any) -> None:
    out = say("--help")
    for (name,) in COMMANDS[:9]:
        assert f"\n  {name} " in out
    assert all(flag in out for flag in ("--json", "--quiet", "--debug", "--version"))


def test_version(say: Any) -> None:
    from snnctl import __version__

    assert say("--version") == f"snnctl {__version__}\n"


def test_list_shows_every_component(say: Any) -> None:
    lines = [line.split() for line in say("list").splitlines()]
    first_words = {word for line in lines for word in line[:2]}
    for kind, registry in REGISTRIES.items():
        assert {kind, *registry.builtin} <= first_words


def test_list_takes_a_kind_and_a_pattern(say: Any) -> None:
    document = json.loads(say("list", "neuron", "li*", "--json"))
    assert document["components"] == [
        {"kind": "neuron", "name": "lif", "summary": "Leaky integrate-and-fire neuron.", "source": "snnctl"}
    ]
    plural = json.loads(say("list", "neurons", "--json"))
    assert [row["name"] for row in plural["components"]] == sorted(REGISTRIES["neuron"].builtin)
    assert json.loads(say("list", "neuron", "zzz*", "--json"))["components"] == []


def test_list_recipes(say: Any) -> None:
    document = json.loads(say("list", "recipes", "--json"))
    assert "quickstart" in [row["name"] for row in document["recipes"]]
    assert all(row["summary"] for row in document["recipes"])
    out = say("list", "recipes", "quick*")
    assert "quickstart" in out
    assert "forecasting/" not in out


def test_show_a_component(say: Any) -> None:
    out = say("show", "neuron", "lif")
    assert out == say("show", "lif")
    for text in ("v = h * (1 - s)", "knob", "tau", "> 1", "one of hard, soft", "  surrogate: atan", "spikingjelly"):
        assert text in out
    document = json.loads(say("show", "lif", "--json"))
    tau = next(knob for knob in document["knobs"] if knob["name"] == "tau")
    assert (tau["type"], tau["default"], tau["bounds"], tau["required"]) == ("float", 2.0, "> 1", False)
    assert "membrane time constant" in tau["doc"]
    assert document["yaml"].startswith("neuron:\n  type: lif\n  tau: 2.0\n")


def test_show_speaks_no_python(say: Any) -> None:
    out = say("show", "data", "timeseries")
    assert "SplitSpec" not in out
    assert "mapping of train" in out


def test_what_show_offers_to_paste_is_valid(say: Any, tmp_path: Path) -> None:
    pasted = json.loads(say("show", "backbone", "spikformer", "--json"))["yaml"]
    text = Path(QUICKSTART).read_text()
    begin, end = text.index("model:"), text.index("readout:")
    (tmp_path / "r.yaml").write_text(text[:begin] + pasted + "\n" + text[end:])
    assert say("validate", "r.yaml") == "ok  r.yaml\n"


@pytest.mark.parametrize("kind", REGISTRIES)
def test_every_component_can_be_shown(kind: str, say: Any) -> None:
    for name in REGISTRIES[kind].builtin:
        assert say("show", kind, name).startswith(f"{kind} {name}")


def test_show_a_recipe_is_that_recipe(say: Any, tmp_path: Path) -> None:
    (tmp_path / "again.yaml").write_text(say("show", QUICKSTART))
    assert load_recipe("again.yaml").digest() == load_recipe(QUICKSTART).digest()


def test_show_keeps_long_lines_whole(say: Any, tmp_path: Path) -> None:
    summary = ":warning: [bold]" + "word " * 60 + "end"
    out = say("show", QUICKSTART, "--set", f"summary='{summary}'")
    (tmp_path / "again.yaml").write_text(out)
    assert load_recipe("again.yaml").values["summary"] == summary


def test_show_origins(say: Any) -> None:
    out = say("show", QUICKSTART, "--origins", "--set", "train.seed=7")
    rows = {line.split()[0]: line for line in out.splitlines() if line.strip()}
    lines = Path(QUICKSTART).read_text(encoding="utf-8").splitlines()
    for key, start in (("data.window", "  window:"), ("readout.type", "readout:")):
        (number,) = (n for n, line in enumerate(lines, 1) if line.startswith(start))
        assert rows[key].rstrip().endswith(f"line {number}")
    assert rows["data.calendar"].rstrip().endswith("default")
    assert rows["train.seed"].rstrip().endswith("--set train.seed=7 (1st override)")


def test_init_copies_a_recipe(say: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert say("init", "quickstart") == "quickstart.yaml\nnext: snnctl train quickstart.yaml\n"
    assert Path("quickstart.yaml").read_text() == Path(QUICKSTART).read_text()
    assert run(["init", "quickstart"]) == 2
    assert "error[U416]: `quickstart.yaml` exists" in capsys.readouterr().err
    say("init", "quickstart", "--force")
    say("init", "quickstart.yaml", "--out", "sub/[mine].yaml")
    assert Path("sub/[mine].yaml").is_file()
    assert say("validate", "quickstart.yaml", "sub/[mine].yaml") == "ok  quickstart.yaml\nok  sub/[mine].yaml\n"


@pytest.mark.parametrize(
    "row",
    [
        pytest.param(row, id=row["name"], marks=[pytest.mark.slow] * ("/grid/" in row["name"]))
        for row in shipped_recipes()
    ],
)
def test_init_knows_every_shipped_recipe(row: dict[str, Any], say: Any) -> None:
    say("init", row["name"], "--out", "copy.yaml")
    copy, shipped = (load_recipe(path).values for path in ("copy.yaml", row["path"]))
    for values in (copy, shipped):  # a relative path is relative to the recipe, so it moves with the copy
        if "source" in values["data"]:
            values["data"]["source"] = Path(values["data"]["source"]).name
    assert copy == shipped


def test_schema_goes_to_stdout_or_a_file(say: Any) -> None:
    printed = json.loads(say("schema"))
    assert say("schema", "--out", "recipe.schema.json") == "recipe.schema.json\n"
    assert json.loads(Path("recipe.schema.json").read_text()) == printed
    assert json.loads(say("schema", "--json"))["json_schema"] == printed


def test_doctor(say: Any) -> None:
    document = json.loads(say("doctor", "--json"))
    assert document["environment"]["snnctl"]
    assert [k["name"] for k in document["kernels"] if k["used"]]
    assert document["prepared"] == []  # the cache of this test is empty
    out = say("doctor")
    assert "torch" in out
    assert "data cache" in out


def test_data_info(say: Any) -> None:
    out = say("data", "info", "co2")
    assert "2,284" in out
    assert "1958-03-29 to 2001-12-29, a row every 7 d" in out
    assert "window" not in out  # how it is cut is for a recipe to say
    recipe = json.loads(say("data", "info", QUICKSTART, "--set", "data.window=52", "--json"))["data"]
    assert recipe["window"] == 52
    assert recipe["splits"]["test"]["windows"] > 0
    assert "windows in" in say("data", "info", QUICKSTART)


def test_data_prep_of_what_ships_needs_nothing(say: Any) -> None:
    document = json.loads(say("data", "prep", "co2", "--json"))
    (row,) = document["prepared"]
    assert (row["name"], row["rows"], row["columns"]) == ("co2", 2284, 1)
    assert json.loads(say("data", "prep", QUICKSTART, "--json"))["prepared"][0]["name"] == "co2"
    assert "co2" in say("data", "prep", "co2")


def test_train_dry_run_writes_nothing(say: Any, tmp_path: Path) -> None:
    small = [word for text in ("encoder.dim=8", "model.dim=8", "model.hidden=8") for word in ("--set", text)]
    document = json.loads(say("train", QUICKSTART, "--dry-run", *small, "--json"))
    assert document["parameters"] > 0
    assert document["steps_per_epoch"] == 46  # 1,469 windows in batches of 32
    assert [path.name for path in tmp_path.iterdir() if path.name != "cache"] == []  # compiled kernels may be kept
