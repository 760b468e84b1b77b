"""What data was found odd by its reader stands everywhere: told at the start, in documents, and in the last table."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from engine.odd_data import odd_recipe
from engine.tiny_runs import codes, command, write_recipe

from snnctl.cli.app import run
from snnctl.commands.listener import Listener
from snnctl.commands.train import train
from snnctl.core.diagnostic import Diagnostic, said_of_data, warnings_of
from snnctl.engine.run_dir import RunDir

BOTH = ["D209", "D210"]


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("os.fsync", lambda _: None)
    return odd_recipe(tmp_path)


def of_data(document: dict[str, Any]) -> list[str]:
    return [one["code"] for one in document["data_warnings"]]


def test_validate_locates_them_at_their_keys(recipe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, document = command(capsys, "validate", recipe)
    assert (code, codes(document)) == (0, ["D209"])
    (said,) = document["diagnostics"]
    assert (said["severity"], said["path"], said["file"]) == ("warning", "data.source", str(recipe))
    line = recipe.read_text().splitlines()[said["line"] - 1]
    assert line[said["column"] - 1 :].startswith(str(recipe.parent))
    _, document = command(capsys, "validate", recipe, "--data")
    assert codes(document) == BOTH
    head, whole = document["diagnostics"]
    assert (whole["file"], whole["line"]) == ("rows.csv", 7)
    assert f"the file is named at {recipe}:{head['line']}" in whole["notes"][0]


def test_they_stand_beside_errors_and_fail_nothing(recipe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, document = command(capsys, "validate", recipe, "--set", "encoder.length=5")
    assert (code, codes(document)[0], len(codes(document))) == (2, "D209", 2)
    assert run(["validate", str(recipe)]) == 0
    out, err = capsys.readouterr()
    assert out == f"ok  {recipe}\n"
    assert err.startswith("warning[D209]: stamps were sorted\n")


def test_a_run_says_them_first_and_last(recipe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call = ["train", str(recipe), "--set", "train.epochs=1", "--device", "cpu", "--out"]
    assert run([*call, "shown"]) == 0
    out, err = capsys.readouterr()
    assert [err.count(f"warning[{code}]") for code in BOTH] == [1, 1]
    assert err.index("warning[D210]") < err.index("epoch 1/1")
    table = out.index("look at the data first")
    assert table < out.index("D209 stamps were sorted") < out.index("D210 3 rows were put in  rows.csv:7")
    assert out.index("D210") < (out.index("E50") if "E50" in out else out.index("1 epochs in"))
    code, document = command(capsys, *call, "json")
    assert (code, codes(document), of_data(document)) == (0, BOTH, BOTH)
    saved = json.loads(Path("json/results.json").read_text())
    assert saved["data_warnings"] == document["data_warnings"]
    assert saved["data_warnings"][0]["path"] == "data.source"
    assert RunDir(Path("json")).manifest()["data_warnings"] == saved["data_warnings"]
    code, document = command(capsys, "eval", "json", "--split", "val")
    assert (code, codes(document), of_data(document)) == (0, BOTH, BOTH)
    assert run(["eval", "json"]) == 0
    assert "look at the data first" in capsys.readouterr().out


def test_what_a_resumed_run_ends_with_is_the_same(recipe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call = ["train", recipe, "--set", "train.epochs=2", "--device", "cpu", "--out", "cut", "--stop-after", "1"]
    assert command(capsys, *call)[0] == 75
    code, document = command(capsys, "train", "--resume", "cut", "--device", "cpu")
    assert (code, codes(document), of_data(document)) == (0, BOTH, BOTH)
    assert {one["file"] for one in document["data_warnings"]} == {None, "rows.csv"}  # not of the recipe in the run


def test_dry_run_and_info(recipe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, document = command(capsys, "train", recipe, "--dry-run", "--device", "cpu")
    assert (code, codes(document), of_data(document)) == (0, BOTH, BOTH)
    assert run(["train", str(recipe), "--dry-run", "--device", "cpu"]) == 0
    assert "look at the data first" in capsys.readouterr().out
    code, document = command(capsys, "data", "info", recipe)
    assert (code, [one["code"] for one in document["data"]["warnings"]]) == (0, BOTH)
    assert run(["data", "info", str(recipe)]) == 0
    assert "D209 stamps were sorted" in capsys.readouterr().out


@pytest.mark.slow
def test_several_runs_say_them_once(recipe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    few = ["--set", "train.epochs=1", "--device", "cpu"]
    code, document = command(capsys, "train", recipe, *few, "--seeds", "1,2", "--out", "seeds")
    assert (code, codes(document), of_data(document)) == (0, BOTH, BOTH)
    assert run(["train", str(recipe), *few, "--seeds", "1,2", "--out", "seeds", "--continue"]) == 0
    out, err = capsys.readouterr()
    assert (out.count("D209"), err.count("D209")) == (1, 1)
    code, document = command(capsys, "sweep", recipe, *few, "--over", "optim.lr=[0.01, 0.02]", "--out", "grid")
    assert (code, codes(document), of_data(document)) == (0, ["D209"], BOTH)
    code, document = command(capsys, "compare", "seeds")
    assert code == 0
    assert [note for note in document["notes"] if "data:" in note] == [
        "data: stamps were sorted (D209)",
        "data: 3 rows were put in (D210)",
    ]


def test_a_run_names_the_column_that_is_most_of_its_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_recipe(tmp_path)
    late = [0.001 * (n % 2) if n < 120 else 5.0 * (n % 3) for n in range(150)]  # as good as constant in train
    rows = "".join(f"{20 + 3 * math.sin(n / 3):.6f},{late[n]}\n" for n in range(150))
    (tmp_path / "series.csv").write_text("warm,late\n" + rows, encoding="utf-8")
    call = ["train", path, "--set", "train.epochs=1", "--device", "cpu", "--out", tmp_path / "run"]
    code, document = command(capsys, *call)
    assert (code, of_data(document)) == (0, ["D246"])
    assert "column `late` makes up most of the squared error on test" in document["data_warnings"][0]["message"]
    warm, last = document["columns"]["warm"], document["columns"]["warm"]["baselines"]["last_value"]
    assert (document["units"]["scaler"], document["units"]["metrics"]) == ("standard", {})
    assert list(document["metrics"]) == ["test/loss", "test/mse", "test/mae"]  # as ever
    spread = np.std([20 + 3 * math.sin(n / 3) for n in range(90)])
    for row in (warm, last):
        assert row["mae_units"] == pytest.approx(row["mae"] * spread, rel=1e-5)
        assert row["rmse_units"] == pytest.approx(math.sqrt(row["mse"]) * spread, rel=1e-5)
    at_test = [3 * math.sin(n / 3) for n in range(120, 150)]
    held = [3 * math.sin(119 / 3), *at_test]
    errors = [abs(at_test[s + h] - held[s]) for s in range(29) for h in range(2)]
    assert last["mae_units"] == pytest.approx(np.mean(errors), rel=1e-4)
    assert run(["eval", str(tmp_path / "run")]) == 0
    out = capsys.readouterr().out
    assert out.index("by column") < out.index("late") < out.index("D246 column `late`") < out.index("E50")


def test_from_python_a_listener_is_told_each_once(recipe: Path) -> None:
    class Heard(Listener):
        def __init__(self) -> None:
            self.codes: list[str] = []

        def warn(self, diagnostics: Any) -> None:
            self.codes += [one.code for one in diagnostics]

    heard = Heard()
    train(recipe, ["train.epochs=1"], seeds=[1, 2], out="many", device="cpu", listener=heard)
    assert heard.codes == BOTH


def test_a_run_from_before_opens_compares_and_resumes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call = ["--set", "train.epochs=1", "--device", "cpu", "--out", tmp_path / "old"]
    assert command(capsys, "train", write_recipe(tmp_path), *call)[0] == 0
    results = json.loads((tmp_path / "old" / "results.json").read_text())
    assert results.pop("data_warnings") == []
    (tmp_path / "old" / "results.json").write_text(json.dumps(results))
    assert run(["compare", str(tmp_path / "old"), "--out", str(tmp_path / "compared")]) == 0
    capsys.readouterr()
    code, document = command(capsys, "train", "--resume", tmp_path / "old")
    assert (code, document.get("data_warnings")) == (0, None)
    assert run(["train", "--resume", str(tmp_path / "old")]) == 0
    assert "look at the data" not in capsys.readouterr().out
    code, document = command(capsys, "train", "--resume", tmp_path / "old", "--set", "train.epochs=2")
    assert (code, document["data_warnings"]) == (0, [])


def test_data_of_a_plug_in_may_have_no_word_for_it() -> None:
    said = Diagnostic("D209", "odd", severity="warning")

    class Plain:
        pass

    class Strange:
        warnings = 3

        def __init__(self, found: Any) -> None:
            self.warnings = found

    assert warnings_of(Plain()) == ()
    assert warnings_of(Strange(3)) == warnings_of(Strange(lambda: [said])) == warnings_of(Strange("text")) == ()
    assert warnings_of(Strange([said, "text"])) == (said,)


def test_the_same_of_several_runs_is_one() -> None:
    first, second = (Diagnostic(code, "x", severity="warning").to_json() for code in BOTH)
    assert said_of_data([{}, {"data_warnings": [first, second]}, {"data_warnings": [second, first]}]) == [first, second]
