"""`snnctl compare`: its document, files and tables say what stands in the runs; what is refused, and how."""

import csv
import json
import re
import subprocess
import sys
from pathlib import Path
from statistics import fmean, median, stdev
from typing import Any

import pytest
from compare.run_folders import write_run
from engine.tiny_runs import codes, command, tiny, trained

from snnctl.cli.app import run

DELTAS = {-500.0: 0.75, 0.0: 0.88, 500.0: 0.94}


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("os.fsync", lambda _: None)


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures are made, but not rendered: that is most of the time."""
    monkeypatch.setattr("snnctl.report.saving.render", lambda picture: (b"\x89PNG", b"<svg/>"))


def accuracy(delta: float, seed: int) -> float:
    return DELTAS[delta] + 0.01 * ((seed * 7) % 5) - (0.1 if (delta, seed) == (500.0, 3) else 0.0)


def sweep(seeds: range = range(1, 6)) -> None:
    """runs/<delta>/seed-<n>, with baselines that follow the seed's data."""
    for delta in DELTAS:
        for seed in seeds:
            write_run(
                Path("runs") / f"delta{delta:g}" / f"seed-{seed}",
                seed,
                accuracy(delta, seed),
                baselines={"majority": 0.5 + 0.001 * seed, "ceiling": 0.9966},
                model__hierarchy__delta=delta,
                data__dt_ms=10.0,
            )


def rows(document: dict[str, Any], name: str) -> list[dict[str, str]]:
    return list(csv.DictReader((Path(document["out"]) / name).read_text().splitlines()))


@pytest.mark.usefixtures("undrawn")
def test_document(capsys: pytest.CaptureFixture[str]) -> None:
    sweep()
    code, document = command(capsys, "compare", "runs", "--against", "delta=0")
    assert (code, document["schema"], document["diagnostics"]) == (0, 1, [])
    assert document["metrics"] == ["test/accuracy"]
    assert document["references"] == ["model.hierarchy.delta=0"]
    assert (document["against"], document["unless_named"]) == ("delta=0", "")
    assert document["keys"] == document["differing"] == ["model.hierarchy.delta"]
    assert [group["label"] for group in document["groups"]] == ["delta=-500", "delta=0", "delta=500"]
    for group, delta in zip(document["groups"], DELTAS, strict=True):
        values = [accuracy(delta, seed) for seed in range(1, 6)]
        spread = group["metrics"]["test/accuracy"]
        assert spread["values"] == values
        assert spread["mean"] == pytest.approx(fmean(values))
        assert spread["sd"] == pytest.approx(stdev(values))
        assert (spread["n"], spread["median"], spread["min"], spread["max"]) == (
            5,
            median(values),
            min(values),
            max(values),
        )
        assert group["keys"] == {"model.hierarchy.delta": delta}
        assert group["seeds"] == [1, 2, 3, 4, 5]
        assert group["runs"] == [f"runs/delta{delta:g}/seed-{seed}" for seed in range(1, 6)]
        assert group["parameters"] == 564
        assert group["mean_rate"] == pytest.approx(0.13)
        assert group["training_seconds"] == pytest.approx(5.0)
        assert group["skip_alone"] is None
    down, up = document["pairs"]
    assert (down["group"], down["against"]) == ("model.hierarchy.delta=-500", "model.hierarchy.delta=0")
    assert down["differences"] == pytest.approx([-0.13] * 5)
    assert (down["better"], down["sign_p"], down["preliminary"]) == (0, 1.0, True)
    assert up["differences"] == pytest.approx([0.06, 0.06, -0.04, 0.06, 0.06])
    assert up["mean"] == pytest.approx(0.04)
    half = 2.7764451051977987 * stdev(up["differences"]) / 5**0.5
    assert up["ci95"] == pytest.approx([0.04 - half, 0.04 + half])
    assert (up["pairs"], up["better"], up["ties"]) == (5, 4, 0)
    assert up["sign_p"] == pytest.approx(6 / 32)
    assert document["baselines"]["ceiling"]["test/accuracy"]["sd"] == 0.0
    majority = document["baselines"]["majority"]["test/accuracy"]
    assert (majority["n"], majority["mean"]) == (5, pytest.approx(0.503))
    assert any("preliminary" in note for note in document["notes"])


@pytest.mark.usefixtures("undrawn")
def test_files(capsys: pytest.CaptureFixture[str]) -> None:
    sweep()
    before = {path: path.read_bytes() for path in Path("runs").rglob("*") if path.is_file()}
    _, document = command(capsys, "compare", "runs", "--out", "there")
    assert document["out"] == "there"
    files = {Path(name).name for name in document["files"]}
    assert files == {path.name for path in Path("there").iterdir()}
    assert {"compare.html", "compare.json", "compare.csv", "groups.csv", "baselines.csv"} <= files
    assert {"runs-test-accuracy.png", "runs-test-accuracy.svg", "differences-test-accuracy.png"} <= files
    assert {path: path.read_bytes() for path in before} == before
    written = json.loads(Path("there/compare.json").read_text())
    assert {key: document[key] for key in written} == written
    by_run = rows(document, "compare.csv")
    assert len(by_run) == 15
    for row in by_run:
        delta, seed = float(row["model.hierarchy.delta"]), int(row["seed"])
        assert float(row["test/accuracy"]) == accuracy(delta, seed)
        assert row["run"] == f"runs/delta{delta:g}/seed-{seed}"
        assert float(row["majority:test/accuracy"]) == pytest.approx(0.5 + 0.001 * seed)
        assert (row["epochs_done"], row["best_epoch"], row["parameters"]) == ("3", "2", "564")
    by_group = rows(document, "groups.csv")
    assert [row["group"] for row in by_group] == [group["name"] for group in document["groups"]]
    assert by_group[1]["pairs"] == ""  # the reference: that of the first run, runs/delta0/seed-1
    assert [row["against"] for row in by_group] == ["model.hierarchy.delta=0", "", "model.hierarchy.delta=0"]
    assert float(by_group[2]["difference_mean"]) == pytest.approx(document["pairs"][1]["mean"])
    assert float(by_group[2]["difference_ci95_low"]) == pytest.approx(document["pairs"][1]["ci95"][0])
    assert [row["baseline"] for row in rows(document, "baselines.csv")] == ["majority", "ceiling"]
    page = Path(document["page"]).read_text()
    assert page.count("data:image/png;base64,") == 3
    assert not re.search(r"https?://|<script|<link|@import|url\(", page)
    assert "runs/delta500/seed-5" in page


def test_rendered_figures(capsys: pytest.CaptureFixture[str]) -> None:
    sweep(range(1, 3))
    _, document = command(capsys, "compare", "runs/delta0", "runs/delta500")
    pictures = [Path(name) for name in document["files"] if name.endswith(".png")]
    assert {path.name.partition("-")[0] for path in pictures} == {"runs", "differences", "curves"}
    assert all(path.read_bytes().startswith(b"\x89PNG") and path.stat().st_size > 5000 for path in pictures)


@pytest.mark.usefixtures("undrawn")
def test_several_metrics_and_those_of_validation(capsys: pytest.CaptureFixture[str]) -> None:
    sweep()
    _, document = command(capsys, "compare", "runs", "--metric", "val/accuracy", "--metric", "accuracy")
    assert document["metrics"] == ["val/accuracy", "test/accuracy"]
    values = document["groups"][0]["metrics"]["val/accuracy"]["values"]
    assert values == pytest.approx([0.51 + 0.001 * seed for seed in range(1, 6)])
    assert {pair["metric"] for pair in document["pairs"]} == {"val/accuracy", "test/accuracy"}
    assert "val/accuracy" not in document["baselines"]["majority"]
    ties = next(pair for pair in document["pairs"] if pair["metric"] == "val/accuracy")
    assert (ties["ties"], ties["better"], ties["sign_p"]) == (5, 0, 1.0)


@pytest.mark.usefixtures("undrawn")
def test_each_block_of_a_grid_has_a_reference_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    for layers in (2, 3):
        for delta in (0.0, 500.0):
            for seed in (1, 2):
                value = 0.1 * layers + delta / 10000 + 0.001 * seed
                place = Path(f"{layers}-{delta:g}-{seed}")
                write_run(place, seed, value, model__layers=layers, model__hierarchy__delta=delta)
    _, document = command(capsys, "compare", *sorted(Path().glob("?-*")), "--against", "delta=0")
    pairs = {(pair["group"], pair["against"]): pair["mean"] for pair in document["pairs"]}
    assert pairs == {
        (f"model.hierarchy.delta=500, model.layers={n}", f"model.hierarchy.delta=0, model.layers={n}"): (
            pytest.approx(0.05)
        )
        for n in (2, 3)
    }
    assert document["against"] == "delta=0"
    code, refused = command(capsys, "compare", *sorted(Path().glob("?-*")), "--against", "*delta=500, *layers=*")
    assert (code, codes(refused)) == (0, [])
    code, refused = command(capsys, "compare", "2-0-1", "2-500-1", "3-0-1", "3-500-1", "--against", "*layers=2")
    assert code == 0
    assert {(pair["group"][-1], pair["against"][-1]) for pair in refused["pairs"]} == {("3", "2")}
    for pattern in ("delta=0, layers=2", "model.hierarchy.delta=0, model.layers=2", "delta=0*=2"):
        _, document = command(capsys, "compare", *sorted(Path().glob("?-*")), "--against", pattern)
        assert document["references"] == ["model.hierarchy.delta=0, model.layers=2"]
        assert len(document["pairs"]) == 3
    write_run(Path("4-7-1"), 1, 0.5, model__layers=4, model__hierarchy__delta=7.0)
    code, refused = command(capsys, "compare", "2-0-1", "3-0-1", "4-7-1", "--against", "delta=0")
    assert (code, codes(refused)) == (2, ["U486"])
    assert "equally near" in refused["diagnostics"][0]["message"]


@pytest.mark.usefixtures("undrawn")
def test_groups_without_common_seeds(capsys: pytest.CaptureFixture[str]) -> None:
    for seed in (1, 2):
        write_run(Path(f"a/{seed}"), seed, 0.5)
        write_run(Path(f"b/{seed}"), seed + 10, 0.6, model__hidden=20)
    _, document = command(capsys, "compare", "a", "b")
    assert document["pairs"] == []
    assert "no seed in common with the reference: model.hidden=20" in document["notes"]
    assert run(["compare", "a", "b", "--quiet"]) == 0


@pytest.mark.usefixtures("undrawn")
def test_one_group_one_run_and_missing_values(capsys: pytest.CaptureFixture[str]) -> None:
    write_run(Path("a/1"), 1, 0.5)
    code, document = command(capsys, "compare", "a")
    assert (code, document["pairs"], document["keys"]) == (0, [], [])
    assert [group["name"] for group in document["groups"]] == ["made-up"]
    assert document["groups"][0]["metrics"]["test/accuracy"]["sd"] is None
    write_run(Path("a/2"), 2, None)
    code, document = command(capsys, "compare", "a")
    assert (code, codes(document)) == (0, ["U487"])
    assert document["diagnostics"][0]["notes"] == ["a/2"]
    assert document["groups"][0]["metrics"]["test/accuracy"]["n"] == 1


@pytest.mark.usefixtures("undrawn")
def test_what_is_the_networks_own_is_no_baseline(capsys: pytest.CaptureFixture[str]) -> None:
    for seed in (1, 2):
        alone = {"majority": 0.5, "skip_alone": 0.3 + 0.1 * seed}
        write_run(Path(f"skip/{seed}"), seed, 0.8, baselines=alone, readout__skip="linear")
        plain = {"spiking": False, "spikes": {"mean_rate": None}}
        write_run(Path(f"plain/{seed}"), seed, 0.7, baselines={"majority": 0.5}, readout__skip="none", results=plain)
    _, document = command(capsys, "compare", "skip", "plain")
    assert list(document["baselines"]) == ["majority"]
    with_skip, without = document["groups"]
    assert with_skip["skip_alone"]["test/accuracy"]["mean"] == pytest.approx(0.45)
    assert without["skip_alone"] is None
    assert (without["mean_rate"], with_skip["mean_rate"]) == (None, pytest.approx(0.115))
    assert run(["compare", "skip", "plain"]) == 0
    assert "its linear skip alone" in capsys.readouterr().out


@pytest.mark.usefixtures("undrawn")
def test_warnings_stand_in_document_and_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    sweep(range(1, 3))
    write_run(Path("runs/again"), 1, 0.9, model__hierarchy__delta=0.0, data__dt_ms=10.0, created="2026-02-01")
    write_run(Path("runs/half"), 9, 0.9, status="running")
    code, document = command(capsys, "compare", "runs")
    assert (code, codes(document)) == (0, ["U482", "U484"])
    assert "runs/again" in document["groups"][1]["runs"]
    assert run(["compare", "runs"]) == 0
    out, err = capsys.readouterr()
    assert "warning[U482]" in err
    assert "warning[U484]" in err
    assert "warning[" not in out


@pytest.mark.usefixtures("undrawn")
def test_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    sweep()
    assert run(["compare", "runs", "--against", "delta=0"]) == 0
    out = capsys.readouterr().out
    lines = {line.split("  ")[0].strip(): line for line in out.splitlines()}
    assert "groups differ in model.hierarchy.delta" in out
    assert "0.88" in lines["delta=0 (reference)"]
    assert "564" in lines["delta=-500"] or "564" in out
    assert "0.9966" in lines["baseline ceiling"]
    assert "0.503 ± 0.0016" in lines["baseline majority"]
    assert "paired seed by seed, with delta=0" in out
    assert re.search(r"delta=500 +5 +\+0\.04 +-0\.0155 to \+0\.0955 +4 +0\.19 +preliminary", out)
    assert "compare/compare.html" in out


def test_what_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    sweep(range(1, 3))
    write_run(Path("half"), 9, 0.9, status="running")
    write_run(Path("other"), 1, 0.9, data__test=77)
    write_run(Path("loss"), 1, 0.9, data__dt_ms=10.0, task__loss_steps="scored")
    Path("file").write_text("")
    for words, wanted in (
        ([], ["U400"]),
        (["nowhere"], ["U480"]),
        (["half"], ["U482", "U481"]),
        (["runs", "other"], ["U483"]),
        (["runs", "--metric", "test/f2"], ["U485"]),
        (["runs", "loss", "--metric", "loss"], ["U485"]),
        (["runs", "--against", "delta=1"], ["U486"]),
        (["runs", "--out", "file"], ["U453"]),
    ):
        found = command(capsys, "compare", *words)
        assert (found[0], codes(found[1])) == (2, wanted), words
    assert command(capsys, "compare", "runs", "--metric", "loss")[0] == 0
    _, document = command(capsys, "compare", "runs", "--against", "delta=1")
    assert "model.hierarchy.delta=-500" in document["diagnostics"][0]["help"]


@pytest.mark.usefixtures("undrawn")
def test_true_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What training writes today is what is read here."""
    for width in (8, 16):
        for seed in (1, 2):
            recipe = tiny(tmp_path, f"model.hidden={width}", f"train.seed={seed}", "train.epochs=1")
            made = trained(recipe, tmp_path / "true" / f"h{width}" / f"seed-{seed}")
    results = made.results()
    assert results is not None
    code, document = command(capsys, "compare", tmp_path / "true", "--metric", "mse", "--metric", "val/mae")
    assert (code, document["diagnostics"]) == (0, [])
    assert [(group["name"], group["seeds"]) for group in document["groups"]] == [
        ("model.hidden=8", [1, 2]),
        ("model.hidden=16", [1, 2]),
    ]
    assert document["groups"][1]["metrics"]["test/mse"]["values"][1] == results["metrics"]["test/mse"]
    assert document["groups"][1]["metrics"]["val/mae"]["values"][1] == made.metrics()[0]["val/mae"]
    assert document["baselines"]["last_value"]["test/mse"]["mean"] == results["baselines"]["last_value"]["mse"]


def test_neither_torch_nor_pandas_is_loaded(tmp_path: Path) -> None:
    sweep(range(1, 3))
    code = (
        "import sys; from snnctl.cli.app import run; code = run(['compare', 'runs', '--quiet']);"
        "print(code, *[m for m in ('torch', 'pandas', 'datasets') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0"], done.stderr
