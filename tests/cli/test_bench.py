"""`snnctl bench`: the document, its rows, and what is said when something is missing."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from snnctl.bench import peers, suite
from snnctl.bench.blocks import NAMES
from snnctl.cli.app import run
from snnctl.recipe.shipped import shipped_folder

QUICKSTART = str(shipped_folder() / "quickstart.yaml")
ROW = {"case", "shape", "pass", "engine", "threads", "median_ms", "saved_bytes", "peak_bytes"}
RATIO = {"case", "shape", "pass", "against", "ratio", "ratio_of_medians", "precision"}


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)


def bench(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    assert run(["bench", *words, "--quick", "--json"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    document: dict[str, Any] = json.loads(out)
    for row in document["rows"]:
        assert set(row) >= ROW | {"precision", "min_ms", "rounds", "first_call_ms"}
        assert row["median_ms"] >= row["min_ms"] > 0
        assert row["peak_bytes"] > 0
    for ratio in document["ratios"]:
        assert set(ratio) == RATIO
    assert {"environment", "allocator", "notes", "interrupted"} <= set(document)
    return document


def test_neurons(capsys: pytest.CaptureFixture[str]) -> None:
    document = bench(capsys, "neurons")
    assert {row["pass"] for row in document["rows"]} == {"forward", "forward+backward"}
    assert {row["engine"] for row in document["rows"]} >= {"snnctl", "reference"}
    own = next(r for r in document["rows"] if r["engine"] == "snnctl" and r["pass"] == "forward+backward")
    assert own["saved_bytes"] >= 4 * 4 * 8 * 32
    assert {r["against"] for r in document["ratios"]} >= {"reference"}


@pytest.mark.slow
def test_another_neuron_is_measured_beside_its_definition(capsys: pytest.CaptureFixture[str]) -> None:
    document = bench(capsys, "neurons", "--neuron", "psn")
    assert {row["engine"] for row in document["rows"]} == {"snnctl", "reference"}
    assert document["notes"][0] == "`psn` is measured beside its definition only"


@pytest.mark.slow
def test_blocks(capsys: pytest.CaptureFixture[str]) -> None:
    document = bench(capsys, "blocks")
    assert list(dict.fromkeys(row["case"] for row in document["rows"])) == list(NAMES)
    assert {r["precision"] for r in document["rows"] if r["case"] == "spikformer"} == {"fp32", "bf16"}
    assert {r["against"] for r in document["ratios"] if r["case"] == "streaming"} >= {"dense"}
    rates = [row["rates"] for row in document["rows"] if row["case"] == "feedforward"]
    assert all(len(rate) == 3 for rate in rates)


@pytest.mark.slow
def test_recipe(capsys: pytest.CaptureFixture[str]) -> None:
    document = bench(capsys, "recipe", QUICKSTART, "--precision", "fp32,bf16", "--set", "train.batch_size=4")
    assert {row["pass"] for row in document["rows"]} == {"training step"}
    assert {row["precision"] for row in document["rows"]} == {"fp32", "bf16"}
    assert document["rows"][0]["shape"] == [4, 104, 1]
    found = {row["engine"]: row["rates"] for row in document["rows"] if row["precision"] == "fp32"}
    if "spikingjelly" in found:
        assert sum(found["spikingjelly"]) > 0
    saved = {row["engine"]: row["saved_bytes"] for row in document["rows"] if row["precision"] == "fp32"}
    assert saved["reference"] > saved["snnctl"]  # it keeps every step's potentials: another kernel has run


@pytest.mark.slow
def test_recipe_without_an_equal_elsewhere(capsys: pytest.CaptureFixture[str]) -> None:
    document = bench(capsys, "recipe", QUICKSTART, "--set", "model.neuron=if", "--set", "train.batch_size=2")
    assert {row["engine"] for row in document["rows"]} == {"snnctl", "reference"}
    assert "no spikingjelly rows: the neuron is IF, not LIF" in document["notes"]


@pytest.mark.slow
def test_without_other_libraries(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "_import", lambda name: None)
    for found in (peers.spikingjelly, peers.snntorch):
        found.cache_clear()
    try:
        document = bench(capsys, "blocks", "--case", "feedforward", "--case", "streaming")
    finally:
        for found in (peers.spikingjelly, peers.snntorch):
            found.cache_clear()
    assert {row["engine"] for row in document["rows"]} == {"snnctl", "reference", "dense"}
    assert any(note.startswith("spikingjelly and snntorch cannot be imported") for note in document["notes"])


@pytest.mark.slow
def test_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["bench", "neurons", "--quick", "--neuron", "if", "--rounds", "2"]) == 0
    out, err = capsys.readouterr()
    assert "tiny  [4, 8, 32]  forward+backward" in out
    assert "2 rounds" in out
    lines = [line for line in out.splitlines() if "note:" not in line and "threads" not in line]
    assert max(len(line.rstrip()) for line in lines[:8]) <= 100
    assert "to go; Ctrl-C shows" in err


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["neurons", "--neuron", "lff"], "U410"),
        (["neurons", "--case", "tonkens"], "U441"),
        (["blocks", "--case", "spikformers"], "U441"),
        (["recipe", QUICKSTART, "--precision", "fp16"], "U443"),
        (["recipe", QUICKSTART, "--precision", "fp32,fp32"], "U443"),
        (["neurons", "--rounds", "0"], "U400"),
    ],
    ids=" ".join,
)
def test_bad_usage(words: list[str], code: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["bench", *words, "--json"]) == 2
    (problem,) = json.loads(capsys.readouterr().out)["diagnostics"]
    assert problem["code"] == code


def test_ctrl_c_shows_what_there_is(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    rounds = iter(range(100))

    def impatient(contenders: Sequence[Any], *_: Any) -> list[float]:
        if next(rounds) == 6:  # two trial rounds, two to warm up, two counted ones
            raise KeyboardInterrupt
        return [1.0] * len(contenders)

    monkeypatch.setattr(suite, "time_round", impatient)
    assert run(["bench", "neurons", "--quick", "--neuron", "if", "--json"]) == 75
    document = json.loads(capsys.readouterr().out)
    assert (document["ok"], document["interrupted"]) == (False, True)
    assert [row["rounds"] for row in document["rows"]] == [2, 2]

    rounds = iter(range(6, 100))
    assert run(["bench", "neurons", "--quick", "--neuron", "if", "--json"]) == 75
    (problem,) = json.loads(capsys.readouterr().out)["diagnostics"]
    assert problem["message"] == "interrupted; nothing was measured"


def test_bf16_units_are_read_off_the_cpu(tmp_path: Path) -> None:
    cpu = tmp_path / "cpuinfo"
    cpu.write_text("processor : 0\nflags\t\t: fpu avx512_bf16\n")
    assert not suite.has_bf16_units(str(cpu))
    cpu.write_text("processor : 0\nflags\t\t: fpu amx_bf16\n")
    assert suite.has_bf16_units(str(cpu))
    assert suite.has_bf16_units(str(tmp_path / "none"))
