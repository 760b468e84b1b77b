"""`snnctl analyze-pe`: the document, its files, and what is refused."""

import csv
import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from engine.tiny_runs import tiny, trained

from snnctl.cli.app import run
from snnctl.recipe.shipped import shipped_folder

QUICKSTART = str(shipped_folder() / "quickstart.yaml")
PROMISED = {"length", "neurons", "unique", "collisions", "constant_neurons", "firing_rate"}


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("os.fsync", lambda _: None)


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures are made, but not rendered: that is most of the time."""
    monkeypatch.setattr("snnctl.report.saving.render", lambda picture: (b"\x89PNG", b"<svg/>"))


def analyse(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    assert run(["analyze-pe", *words, "--json"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    document: dict[str, Any] = json.loads(out)
    assert list(document)[:4] == ["schema", "ok", "exit_code", "diagnostics"]
    for facts in document["encodings"].values():
        assert set(facts) >= PROMISED
    check_files(document)
    return document


def check_files(document: dict[str, Any]) -> None:
    """Every file named is there and is what its name says; no other file is."""
    paths = [Path(name) for name in document["files"]]
    assert {path.name for path in paths} == {path.name for path in Path(document["out"]).iterdir()}
    for path in paths:
        match path.suffix:
            case ".png":
                assert path.read_bytes().startswith(b"\x89PNG")
            case ".svg":
                assert ElementTree.fromstring(path.read_bytes()).tag.endswith("svg")
            case ".csv":
                rows = list(csv.reader(path.read_text().splitlines()))
                assert len({len(row) for row in rows}) == 1
                assert len(rows) > 1
            case ".json":
                summary = json.loads(path.read_text())
                assert summary["encodings"] == document["encodings"]
                assert summary["files"] == document["files"]
            case _:
                assert path.name == "index.html"
                assert path.read_text().count("data:image/png;base64,") == sum(p.suffix == ".png" for p in paths)
    assert {path.stem for path in paths if path.suffix == ".png"} == {p.stem for p in paths if p.suffix == ".svg"}


def matrix(document: dict[str, Any], name: str) -> np.ndarray:
    table = np.loadtxt(Path(document["out"]) / name, delimiter=",", skiprows=1)
    return table[:, 1:]


@pytest.mark.slow
def test_recipe_is_put_beside_others(capsys: pytest.CaptureFixture[str]) -> None:
    document = analyse(capsys, QUICKSTART)
    assert document["out"] == "pe/quickstart"
    names = list(document["encodings"])
    assert names[0] == "cpg"
    assert {"none", "sinusoid"} <= set(names)
    own = document["encodings"]["cpg"]
    assert (own["length"], own["neurons"], own["position"]["base"]) == (16, 40, 1000.0)
    assert (document["steps"], document["tokens"], document["trained"]) == (4, 4, None)
    assert document["encodings"]["sinusoid"]["compared_by"] == "cosine"
    assert {item["method"] for item in document["theory"]["methods"]} == {"rotation", "rk4", "symplectic", "euler"}
    assert len(document["sensitivity"]) == 12


def test_positions_alone(capsys: pytest.CaptureFixture[str]) -> None:
    Path("sweep.csv").write_text("base,neurons,rse\n100,10,0.4\n1000,10,0.5\n")
    words = ["--position", "cpg: {neurons: 40, base: 1000}", "--length", "12", "--out", "here", "--sweep", "sweep.csv"]
    document = analyse(capsys, *words)
    facts = document["encodings"]["cpg"]
    assert (facts["length"], facts["unique"], facts["collisions"]) == (48, 48, 0)
    assert (facts["always_on"], facts["always_off"], facts["constant_neurons"]) == (7, 8, 15)
    assert facts["firing_rate"] == pytest.approx(0.360, abs=5e-4)
    assert document["page"] == "here/index.html"
    assert "here/sweep.png" in document["files"]
    code, hamming, dot = (matrix(document, f"{name}-cpg.csv") for name in ("code", "hamming", "dot"))
    total = code.sum(axis=1)
    assert (hamming == total[:, None] + total[None, :] - 2 * dot).all()
    collisions = list(csv.DictReader(Path("here/collisions.csv").read_text().splitlines()))
    assert [row["length"] for row in collisions] == [str(m) for m in range(1, 49)]


@pytest.mark.usefixtures("undrawn")
def test_recipe_without_its_data(capsys: pytest.CaptureFixture[str]) -> None:
    missing = [QUICKSTART, "--set", "data.source=electricity", "--set", "encoder={type: repeat, steps: 2}"]
    assert run(["analyze-pe", *missing, "--json"]) == 3
    problems = json.loads(capsys.readouterr().out)["diagnostics"]
    (problem,) = [item for item in problems if item["severity"] == "error"]
    assert problem["code"] == "D101"
    assert "data prep electricity" in problem["help"]
    document = analyse(capsys, *missing, "--position", "none", "--length", "24")
    assert document["encodings"]["cpg"]["length"] == 48


def test_encodings_of_one_type_are_told_apart_by_name() -> None:
    from snnctl.inspect.positions.subject import default_signal, make_encodings, parse_specs

    texts = ["cpg", "{type: cpg, neurons: 10}", "cpg: {base: 100}", "cpg: {}", "none"]
    wanted = parse_specs(texts)
    encodings, notes = make_encodings(wanted, default_signal(wanted, 12, None))
    assert [e.name for e in encodings] == [
        "cpg neurons=40 base=10000",
        "cpg neurons=10 base=10000",
        "cpg neurons=40 base=100",
        "none",
    ]
    assert notes == []
    assert [e.rows for e in encodings] == [48, 48, 48, 12]


@pytest.mark.usefixtures("undrawn")
def test_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["analyze-pe", "--position", "cpg: {neurons: 4}", "--length", "6", "--steps", "1"]) == 0
    out, err = capsys.readouterr()
    assert "│▄▀▀   │" in out.splitlines()[3]  # p = 0: the cosine fires; p = 1, 2: the sine
    for words in ("encoding", "distinct", "pe/cpg/index.html", "open it: file://"):
        assert words in out
    assert "drawing" in err


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ([], "U450"),
        (["--position", "cgp"], "R200"),
        (["--position", "cpg: {neuron: 4}"], "R201"),
        (["--position", "cpg: {neurons: 0}"], "R204"),
        (["--position", "[cpg]"], "R203"),
        (["--position", "{neurons: 4, base: 10}"], "R202"),
        (["--position", "{type: cpg"], "R100"),
        (["--position", "cpg: {neurons: 8, combine: add}", "--position", "cpg: {neurons: 4, combine: add}"], "R401"),
        (["--position", "cpg", "--length", "0"], "U400"),
        (["--position", "cpg", "--length", "60000"], "U455"),
        (["--position", "cpg", "--split", "train"], "U408"),
        (["--position", "cpg", "--set", "a=1"], "U451"),
        (["--position", "cpg", "--sweep", "none.csv"], "U454"),
        (["no_such_run"], "U413"),
        (["no_such.yaml"], "R101"),
        ([QUICKSTART, "--set", "model.position=cgp"], "R200"),
    ],
)
def test_refused(words: list[str], code: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["analyze-pe", *words, "--json"]) == 2
    problems = json.loads(capsys.readouterr().out)["diagnostics"]
    assert [problem["code"] for problem in problems] == [code]
    assert not Path("pe").exists()


def test_all_bad_specs_are_told_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["analyze-pe", "--position", "cgp", "--position", "cpg: {neurons: 0}", "--json"]) == 2
    problems = json.loads(capsys.readouterr().out)["diagnostics"]
    assert [problem["override"] for problem in problems] == [
        "--position cgp (no. 1)",
        "--position cpg: {neurons: 0} (no. 2)",
    ]


def test_out_that_is_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    Path("taken").write_text("")
    assert run(["analyze-pe", "--position", "none", "--length", "2", "--out", "taken", "--json"]) == 2
    (problem,) = json.loads(capsys.readouterr().out)["diagnostics"]
    assert problem["code"] == "U453"


@pytest.mark.usefixtures("undrawn")
def test_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = trained(tiny(tmp_path, "train.epochs=1"), tmp_path / "run")
    before = {path: path.read_bytes() for path in made.path.rglob("*") if path.is_file()}
    document = analyse(capsys, str(made.path), "--position", "none")
    assert document["out"] == str(made.path / "pe")
    assert list(document["encodings"]) == ["cpg", "none"]
    found = document["trained"]
    assert (found["split"], found["headline"]) == ("val", "mse")
    assert [row["kind"] for row in found["disturbance"]] == ["undisturbed", "removed", "shuffled"]
    undisturbed, removed, shuffled = (row["metrics"]["mse"] for row in found["disturbance"])
    assert (len(undisturbed["values"]), len(shuffled["values"])) == (1, 3)
    assert removed["mean"] != undisturbed["mean"]
    known = [json.loads(line) for line in (made.path / "metrics.jsonl").read_text().splitlines()]
    assert undisturbed["mean"] == pytest.approx(known[-1]["val/mse"], rel=1e-4)
    probe = found["probe"]
    assert probe["chance"] == pytest.approx(1 / 3)
    assert probe["fitted_samples"] + probe["tested_samples"] == 29  # windows of the validation split
    assert {layer["layer"] for layer in probe["layers"]} >= {"backbone.embed.neuron"}
    (attention,) = found["attention"]
    assert len(attention["by_distance"]) == 3
    assert {path: path.read_bytes() for path in before} == before  # the run itself is left as it was

    without = analyse(capsys, str(made.path), "--no-network", "--position", "none", "--out", "elsewhere")
    assert without["trained"] is None
    assert without["encodings"] == document["encodings"]
