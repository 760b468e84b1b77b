"""`snnctl energy`: the document, its files, what it recomputes to, and what is refused."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from engine.tiny_runs import tiny, trained

from snnctl.cli.app import run
from snnctl.energy.price.rules import RULES
from snnctl.energy.price.table import load_table


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("os.fsync", lambda _: None)
    monkeypatch.setattr("snnctl.report.saving.render", lambda picture: (b"\x89PNG", b"<svg/>"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = trained(tiny(tmp_path), tmp_path / "run")
    return made.path


def energy(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    assert run(["energy", *words, "--json"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    document: dict[str, Any] = json.loads(out)
    assert list(document)[:4] == ["schema", "ok", "exit_code", "diagnostics"]
    return document


def test_the_document_can_be_recomputed_from_its_own_rows(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = energy(
        capsys,
        str(folder),
        "--costs",
        "horowitz45_fp32",
        "--rule",
        "event",
        "--elementwise",
        "omitted",
        "--neurons",
        "omitted",
    )
    cost = found["costs"]["horowitz45_fp32"]
    macs = sum(r["inside"] for r in found["rows"] if r["kind"] in ("synapse", "product") and r["source"] == "real")
    acs = sum(r["events"] for r in found["rows"] if r["kind"] in ("synapse", "product") and r["source"] == "spike")
    assert cost["snn_joules"] == pytest.approx((macs * 4.6 + acs * 0.9) * 1e-12)
    assert found["operations"]["macs"] == pytest.approx(macs)
    assert found["operations"]["acs"] == pytest.approx(acs)
    assert acs > 0
    assert sum(cost["terms"].values()) == pytest.approx(cost["snn_joules"])
    assert sum(cost["layers"].values()) == pytest.approx(cost["snn_joules"])
    assert set(cost["rules"]) == set(RULES)
    assert cost["rules"]["event"] == pytest.approx(cost["snn_joules"])
    assert cost["ratio"] == pytest.approx(cost["snn_joules"] / cost["ann_twin_joules"])
    assert (found["coverage"], found["uncounted"]) == (1.0, [])


def test_files_say_what_the_document_says(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = energy(capsys, str(folder), "--costs", "horowitz45_fp32,lemaire45,yan22,loihi", "--samples", "5")
    assert found["samples"] == 5
    out = Path(found["out"])
    assert out == folder / "energy"
    assert {Path(name).name for name in found["files"]} == {path.name for path in out.iterdir()}
    kept = json.loads((out / "energy.json").read_text())
    assert kept["costs"] == found["costs"]
    with (out / "totals.csv").open() as file:
        totals = {row["costs"]: row for row in csv.DictReader(file)}
    for name, cost in found["costs"].items():
        assert float(totals[name]["snn_joules"]) == pytest.approx(cost["snn_joules"])
    with (out / "energy.csv").open() as file:
        parts = [row for row in csv.DictReader(file) if row["costs"] == "lemaire45"]
    assert sum(float(row["joules_per_sample"]) for row in parts) == pytest.approx(
        found["costs"]["lemaire45"]["snn_joules"]
    )
    page = (out / "report.html").read_text()
    assert "1.72" in page
    assert "Lemaire et al. 2022" in page
    # The table has no price for a multiplication: a ratio would compare lower bounds.
    assert found["costs"]["yan22"]["ratio"] is None
    assert found["costs"]["horowitz45_fp32"]["snn_standard_error"] > 0


def test_the_mean_does_not_depend_on_how_samples_are_batched(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from snnctl.build import build
    from snnctl.energy.estimate import estimate
    from snnctl.energy.price.bill import Options
    from snnctl.engine.checkpoint import load_weights
    from snnctl.engine.run_dir import RunDir
    from snnctl.recipe import load_recipe

    made = RunDir.open(folder)
    recipe = load_recipe(made.recipe)
    experiment = build(recipe)
    load_weights(made.last, experiment.network)
    table = load_table("horowitz45_fp32")
    found = [
        estimate(experiment, recipe, [table], Options(), split="val", samples=7, batch_size=size) for size in (1, 3, 7)
    ]
    first = found[0]
    for other in found[1:]:
        assert other.tables[0].joules == pytest.approx(first.tables[0].joules)
        assert other.tables[0].standard_error == pytest.approx(first.tables[0].standard_error)
        assert other.active == pytest.approx(first.active)


def test_policies_change_the_bill_as_they_say(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def total(*words: str) -> float:
        found = energy(capsys, str(folder), "--costs", "horowitz45_fp32", "--samples", "4", *words)
        joules: float = found["costs"]["horowitz45_fp32"]["snn_joules"]
        return joules

    plain = total()
    assert total("--norms", "counted") > plain
    assert total("--neurons", "omitted") < plain
    assert total("--elementwise", "omitted") < plain
    assert total("--zeros", "skipped") <= plain
    assert total("--rule", "dense_mac") > plain


def test_a_twin_has_no_spikes_and_no_twin(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = trained(tiny(tmp_path, "model.spiking=false", "model.position=none"), tmp_path / "run")
    found = energy(capsys, str(made.path), "--samples", "4")
    assert found["operations"]["acs"] == 0
    assert found["verdicts"] == []
    assert found["twin"] == "this network is a non-spiking twin itself"
    assert all(cost["ann_twin_joules"] is None for cost in found["costs"].values())


def test_the_recipe_names_costs_and_split(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    changes = ["energy.costs=loihi", "energy.split=val", "energy.samples=3", "energy.rule=unary"]
    made = trained(tiny(tmp_path, *changes), tmp_path / "run")
    found = energy(capsys, str(made.path))
    assert list(found["costs"]) == ["loihi"]
    assert (found["split"], found["samples"], found["costs"]["loihi"]["rule"]) == ("val", 3, "unary")
    assert energy(capsys, str(made.path), "--samples", "4")["samples"] == 4


def test_a_table_of_ones_own(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["energy", "--show-costs", "horowitz45_fp32"]) == 0
    text = capsys.readouterr().out
    own = tmp_path / "mine.yaml"
    own.write_text(text.replace("horowitz45_fp32", "mine").replace("value: 0.9", "value: 1.8"))
    found = energy(capsys, str(folder), "--costs", f"horowitz45_fp32,{own}", "--samples", "4")
    plain, mine = (found["costs"][name]["terms"]["ac"] for name in ("horowitz45_fp32", "mine"))
    assert mine == pytest.approx(2 * plain)


def test_listing_tables(capsys: pytest.CaptureFixture[str]) -> None:
    found = energy(capsys, "--list-costs")
    names = {row["name"] for row in found["tables"]}
    assert {"horowitz45_fp32", "lemaire45", "loihi"} <= names
    assert all(constant["source"] for row in found["tables"] for constant in row["constants"])


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ([], "U461"),
        (["nowhere"], "U413"),
        (["RUN", "--costs", "horowitz45"], "U460"),
        (["RUN", "--costs", ","], "U408"),
        (["RUN", "--rule", "guess"], "U408"),
        (["RUN", "--stem", "twice"], "U408"),
    ],
)
def test_what_is_refused(words: list[str], code: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["energy", *[str(folder) if word == "RUN" else word for word in words], "--json"]) == 2
    found = json.loads(capsys.readouterr().out)
    assert [problem["code"] for problem in found["diagnostics"]] == [code]


def test_the_terminal_shows_totals_layers_and_what_was_decided(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["energy", str(folder), "--samples", "4"]) == 0
    out = capsys.readouterr().out
    for words in ("non-spiking twin", "by layer", "what that means", "decided", "coverage 100.00%", "report.html"):
        assert words in out
