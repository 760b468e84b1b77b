"""`snnctl analyze-neuron`: the document, its files, the table, and what is refused."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from snnctl.cli.app import run

QUICK = ["--steps", "4", "--channels", "16", "--size", "3", "--batch", "1", "--seeds", "3,4"]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("os.fsync", lambda _: None)


def test_document_and_files(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["analyze-neuron", *QUICK, "--neuron", "lif", "--neuron", "stc_lif: {circuit: spatial}", "--out", "here"]
    assert run([*words, "--json"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    document: dict[str, Any] = json.loads(out)
    assert list(document)[:4] == ["schema", "ok", "exit_code", "diagnostics"]
    assert document["setting"] == {
        "steps": 4,
        "channels": 16,
        "size": 3,
        "batch": 1,
        "held": 0.0,
        "seeds": [3, 4],
    }
    assert [one["name"] for one in document["neurons"]] == ["lif", "stc_lif", "if"]
    for one in document["neurons"]:
        assert set(one["mean"]) == {"1", "3"}
        assert len(one["rate"]["values"]) == 2
    names = {Path(name).name for name in document["files"]}
    assert names == {path.name for path in Path("here").iterdir()}
    assert {"lags.csv", "membranes.csv", "lags.json", "lags.png", "membranes.png", "report.html"} <= names
    assert Path("here/lags.png").read_bytes().startswith(b"\x89PNG")
    rows = list(csv.DictReader(Path("here/lags.csv").read_text().splitlines()))
    assert len(rows) == 3 * 2 * 3
    assert json.loads(Path("here/lags.json").read_text())["neurons"] == document["neurons"]


def test_the_table(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("snnctl.report.saving.render", lambda picture: (b"\x89PNG", b"<svg/>"))
    assert run(["analyze-neuron", *QUICK, "--neuron", "stc_plif"]) == 0
    out, _ = capsys.readouterr()
    for word in ("stc_plif", "if", "max |u| t=3", "lag 3", "seen by a loss on spikes", "note:", "report.html"):
        assert word in out


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["--neuron", "lff"], "R200"),
        (["--neuron", "psn: {steps: 4}"], "U456"),
        (["--channels", "24", "--neuron", "stc_lif"], "R401"),
        (["--seeds", "1,1"], "U404"),
        (["--seeds", "x"], "U404"),
    ],
)
def test_refused(words: list[str], code: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["analyze-neuron", *words, "--json"]) == 2
    document = json.loads(capsys.readouterr().out)
    assert document["diagnostics"][-1]["code"] == code
    assert not Path("lags/lags.json").exists()
