"""What scripts rely on: one JSON document on stdout whatever happens, its head, and the exit code."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from snnctl.cli.app import run
from snnctl.recipe.shipped import shipped_folder

QUICKSTART = str(shipped_folder() / "quickstart.yaml")
DONE = [
    ["list"],
    ["list", "neuron", "l*"],
    ["list", "recipes"],
    ["show", "lif"],
    ["show", "neuron", "lif"],
    ["show", QUICKSTART],
    ["show", QUICKSTART, "--origins"],
    ["validate", QUICKSTART],
    ["schema"],
    ["doctor"],
    ["init"],
    ["data", "info", "co2"],
    ["data", "info", QUICKSTART],
    ["data", "prep", "co2"],
    ["analyze-pe", "--position", "none", "--length", "4"],
    ["analyze-neuron", "--neuron", "lif", "--steps", "3", "--size", "2", "--seeds", "0"],
]
LONG = ["bench", "neurons", "--quick"]
EVERY = [
    *(pytest.param(words, id=" ".join(words)) for words in DONE),
    pytest.param(LONG, id=" ".join(LONG), marks=pytest.mark.slow),
]
REFUSED = [
    ["trian"],
    ["train"],
    ["train", "no_such.yaml"],
    ["train", QUICKSTART, "--sed", "1"],
    ["train", QUICKSTART, "--seeds", "1,1"],
    ["train", QUICKSTART, "--stop-after", "none"],
    ["train", QUICKSTART, "--device", "tpu"],
    ["sweep"],
    ["sweep", QUICKSTART],
    ["sweep", QUICKSTART, "--over", "model.heads=[3, 5]"],
    ["sweep", QUICKSTART, "--search", "optim.lr=2"],
    ["sweep", QUICKSTART, "--search", "optim.lr=1e-3..1e-2", "--over", "model.dim=[32, 64]"],
    ["validate"],
    ["validate", "no_such.yaml"],
    ["validate", QUICKSTART, "--set", "model.heads=3"],
    ["eval"],
    ["eval", "no_such_run"],
    ["eval", "no_such_run", "--split", "future"],
    ["list", "neurn"],
    ["list", "neuron", "l*", "too many"],
    ["show"],
    ["show", "lff"],
    ["show", "neuron", "lff"],
    ["show", "neurn", "lif"],
    ["show", "none"],
    ["show", "no_such.yaml"],
    ["init", "no_such_recipe"],
    ["schema", "--out", "no/such/folder/schema.json"],
    ["data"],
    ["data", "unpack"],
    ["data", "prep"],
    ["data", "prep", QUICKSTART, "co2", "--from", "x.csv"],
    ["data", "info", "co2", "--unset", "data.window"],
    ["data", "info", "co2", "--set", "model.width=3"],
    ["data", "info", "co2", "--as", "series"],
    ["data", "info", QUICKSTART, "--as", "series"],
    ["data", "info", "co2", "--as", "sounds"],
    ["data", "info", "co2", "--plot", "co2.gif"],
    ["bench"],
    ["bench", "layers"],
    ["bench", "neurons", "--neuron", "lff"],
    ["bench", "neurons", "--case", "tinny"],
    ["bench", "blocks", "--case", "spikformers"],
    ["bench", "recipe"],
    ["bench", "recipe", "no_such.yaml"],
    ["bench", "recipe", QUICKSTART, "--precision", "fp16"],
    ["analyze-pe"],
    ["analyze-pe", "no_such.yaml"],
    ["analyze-pe", "no_such_run"],
    ["analyze-pe", "no_such_run", "--set", "model.position=cpg"],
    ["analyze-pe", "--position", "cgp"],
    ["analyze-pe", "--position", "cpg: {neurons: 0}"],
    ["analyze-pe", "--position", "{type: cpg"],
    ["analyze-pe", "--position", "cpg", "--split", "train"],
    ["analyze-pe", "--position", "cpg", "--sweep", "no_such.csv"],
    ["analyze-neuron", "--neuron", "lff"],
    ["analyze-neuron", "--neuron", "clif"],
    ["analyze-neuron", "--steps", "1"],
    [],
]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)


def one_document(text: str) -> dict[str, Any]:
    document = json.loads(text)
    assert text.count("\n") == 1
    assert text.endswith("\n")
    assert list(document)[:4] == ["schema", "ok", "exit_code", "diagnostics"]
    return document


@pytest.mark.parametrize("first", [True, False], ids=["flag first", "flag last"])
@pytest.mark.parametrize("words", EVERY)
def test_success_is_one_document(words: list[str], first: bool, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--json", *words] if first else [*words, "--json"]) == 0
    document = one_document(capsys.readouterr().out)
    assert (document["schema"], document["ok"], document["exit_code"]) == (1, True, 0)
    assert [d for d in document["diagnostics"] if d["severity"] == "error"] == []
    assert len(document) > 4


@pytest.mark.parametrize("first", [True, False], ids=["flag first", "flag last"])
@pytest.mark.parametrize("words", REFUSED, ids=lambda words: " ".join(words) or "nothing")
def test_failure_is_one_document(words: list[str], first: bool, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--json", *words] if first else [*words, "--json"]) == 2
    out, err = capsys.readouterr()
    document = one_document(out)
    assert err == ""
    assert (document["schema"], document["ok"], document["exit_code"]) == (1, False, 2)
    assert document["diagnostics"]
    for diagnostic in document["diagnostics"]:
        keys = {"code", "severity", "message", "file", "line", "column", "path", "help"}
        assert keys <= set(diagnostic) <= keys | {"override", "notes"}


@pytest.mark.parametrize("words", [w for w in REFUSED if w and w not in (["data"], ["bench"])], ids=" ".join)
def test_failure_speaks_on_stderr_alone(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error[")
    assert err.endswith("error (exit 2)\n")
    assert "Traceback" not in err


@pytest.mark.parametrize("words", EVERY)
def test_quiet_says_nothing_when_all_is_well(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*words, "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("words", [[], ["data"], ["bench"]], ids=["snnctl", "snnctl data", "snnctl bench"])
def test_without_a_command_there_is_help(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(words) == 2
    out, err = capsys.readouterr()
    assert "Commands" in out + err
    assert "error[" not in out + err


def test_help_and_version_fit_into_the_document(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["--help"], ["train", "--help"], ["--version"]):
        assert run([*words, "--json"]) == 0
        assert "snnctl" in one_document(capsys.readouterr().out)["text"]


def test_what_a_library_prints_stands_beside_the_document(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from snnctl.engine import environment

    found = environment.environment()

    def chatty() -> dict[str, Any]:
        print("a banner")
        return found

    monkeypatch.setattr(environment, "environment", chatty)
    assert run(["doctor", "--json"]) == 0
    out, err = capsys.readouterr()
    one_document(out)
    assert err == "a banner\n"


def test_quiet_still_reports_failures(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--quiet", "show", "lff"]) == 2
    assert "error[U410]" in capsys.readouterr().err


def test_data_that_is_not_prepared_exits_3(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["data", "info", "etth1"], ["validate", QUICKSTART, "--set", "data.source=etth1"]):
        assert run([*words, "--json"]) == 3
        document = one_document(capsys.readouterr().out)
        (problem,) = document["diagnostics"]
        assert problem["code"] == "D101"
        assert problem["help"] == "run: snnctl data prep etth1"


def test_an_internal_error_exits_70(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise ZeroDivisionError("by design")

    monkeypatch.setattr("snnctl.engine.environment.environment", broken)
    assert run(["doctor", "--json"]) == 70
    document = one_document(capsys.readouterr().out)
    (problem,) = document["diagnostics"]
    assert problem["code"] == "E700"
    assert "ZeroDivisionError: by design" in problem["message"]
    assert run(["doctor"]) == 70
    assert "Traceback" not in capsys.readouterr().err
    assert run(["doctor", "--debug"]) == 70
    assert "ZeroDivisionError: by design" in capsys.readouterr().err


def test_interruption_exits_75(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("snnctl.engine.environment.environment", interrupted)
    assert run(["doctor", "--json"]) == 75
    assert one_document(capsys.readouterr().out)["exit_code"] == 75


def test_flags_after_a_double_dash_are_arguments(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["show", "--", "--json"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "no component is called `--json`" in err


def test_validate_reports_each_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text(Path(QUICKSTART).read_text().replace("heads: 4", "heads: 5"))
    assert run(["validate", QUICKSTART, str(bad), "no_such.yaml", "--json"]) == 2
    document = one_document(capsys.readouterr().out)
    assert [(row["file"], row["ok"]) for row in document["files"]] == [
        (QUICKSTART, True),
        (str(bad), False),
        ("no_such.yaml", False),
    ]
    assert [d["code"] for row in document["files"] for d in row["diagnostics"]] == ["R301", "R101"]
    assert [d["code"] for d in document["diagnostics"]] == ["R301", "R101"]
    assert document["diagnostics"][0]["line"] == 21
    assert document["diagnostics"][0]["path"] == "model.heads"


def test_warnings_are_in_the_document_and_do_not_fail(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["validate", QUICKSTART, "--data", "--set", "model.neuron=if", "--json"]) == 0
    document = one_document(capsys.readouterr().out)
    assert document["files"][0]["ok"]
    (warning,) = document["diagnostics"]
    assert (warning["code"], warning["severity"]) == ("R114", "warning")
    assert warning["override"] == "--set model.neuron=if (1st override)"


def test_validate_data_is_not_skipped_by_a_warning(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = "\n".join(f"{i},{'' if i == 100 else i % 7}" for i in range(400))
    (tmp_path / "gap.csv").write_text(f"step,value\n{rows}\n")
    sets = ["--set", "data.source=gap.csv", "--set", "data.missing=refuse", "--set", "model.neuron=if"]
    for more in ([], ["--data"]):
        assert run(["validate", QUICKSTART, *sets, *more, "--json"]) == 3
        document = one_document(capsys.readouterr().out)
        assert [d["code"] for d in document["diagnostics"]] == ["R114", "D207"]


def test_a_recipe_comes_by_stdin(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    class Stdin:
        def __init__(self, text: str) -> None:
            import io

            self.buffer = io.BytesIO(text.encode())

    text = Path(QUICKSTART).read_text()
    monkeypatch.setattr(sys, "stdin", Stdin(text))
    assert run(["validate", "-"]) == 0
    assert capsys.readouterr().out == "ok  <stdin>\n"
    monkeypatch.setattr(sys, "stdin", Stdin(text.replace("heads: 4", "heads: 5")))
    assert run(["validate", "-"]) == 2
    assert "--> <stdin>:21:10" in capsys.readouterr().err
    monkeypatch.setattr(sys, "stdin", Stdin("x" * 600_000))
    assert run(["validate", "-"]) == 2
    assert "error[R102]" in capsys.readouterr().err
