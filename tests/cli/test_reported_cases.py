"""Files that were reported in public, each of which was misread in silence: what `data info` says of them now.

The generator lies beside the project; where it is absent these tests are skipped. The kinds are tested without it in
tests/data.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from snnctl.cli.app import run

MAKE = Path(__file__).parents[3] / "shared" / "cases" / "make.py"

pytestmark = pytest.mark.skipif(not MAKE.is_file(), reason="../shared/cases/make.py is not there")


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cases")
    subprocess.run([sys.executable, str(MAKE), str(folder)], check=True)
    return folder


@pytest.fixture
def info(cases: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    def call(name: str, *sets: str) -> tuple[int, dict[str, Any]]:
        words = [word for each in sets for word in ("--set", each)]
        code = run(["data", "info", str(cases / name), *words, "--json"])
        return code, json.loads(capsys.readouterr().out)

    return call


def warned(document: dict[str, Any]) -> set[str]:
    return {one["code"] for one in document["data"]["warnings"]}


@pytest.mark.parametrize(
    ("name", "targets", "time", "codes"),
    [
        ("newest_first.csv", ["load"], ["date"], {"D240"}),
        ("pasted.csv", ["load"], ["date"], {"D240"}),
        ("epoch.csv", ["load"], ["unix"], set()),
        ("index.csv", ["load"], [], {"D244"}),
        ("calendar_parts.csv", ["pm", "temp"], ["year", "month", "day", "hour"], {"D244"}),
        ("offset.csv", ["load"], ["utc"], set()),
        ("power.txt", ["active", "voltage"], ["Date", "Time"], set()),
        ("decimal_comma.csv", ["Temperatur"], ["Datum"], set()),
        ("late_sensor.csv", ["load", "sensor"], ["date"], {"D243"}),
    ],
)
def test_tables(info: Any, name: str, targets: list[str], time: list[str], codes: set[str]) -> None:
    code, document = info(name)
    assert code == 0
    assert document["data"]["roles"]["targets"] == targets
    assert document["data"].get("time", {"columns": []})["columns"] == time
    assert warned(document) == codes


def test_a_panel(info: Any) -> None:
    code, document = info("panel.csv")
    (problem,) = document["diagnostics"]
    assert (code, problem["code"]) == (3, "D241")
    assert "set `data.id: store`" in problem["help"]
    code, document = info("panel.csv", "data.id=store")
    assert (code, document["data"]["series"]["count"], document["data"]["columns"]) == (0, 3, ["sales"])


def test_covariates(info: Any) -> None:
    code, document = info("covariates.csv", "data.targets=[load]", "data.past=[wind]", "data.known=[temp]")
    assert code == 0
    assert document["data"]["roles"] == {"targets": ["load"], "past": ["wind"], "known": ["temp"]}


@pytest.mark.parametrize(("name", "unit"), [("events_us_float", "us"), ("events_ms_int", "ms")])
def test_recordings(info: Any, name: str, unit: str) -> None:
    code, document = info(name)
    (problem,) = document["diagnostics"]
    assert (code, problem["code"], problem["path"]) == (3, "D251", "data.time_unit")
    assert f"set `data.time_unit: {unit}`" in problem["help"]
    code, document = info(name, f"data.time_unit={unit}")
    assert (code, warned(document)) == (0, set())
    assert document["data"]["left_out_after_max_time"] == 0


def test_pictures(info: Any) -> None:
    code, document = info("pictures_16bit")
    assert (code, "D262" in warned(document)) == (0, True)
    code, document = info("pictures_16bit", "data.range=[600, 4800]")
    assert (code, "D262" in warned(document)) == (0, False)
    code, document = info("pictures_rgba")
    assert (code, "D263" in warned(document)) == (0, True)
    code, document = info("pictures_rgba", "data.ground=black")
    assert (code, document["diagnostics"][0]["code"]) == (3, "D265")


def test_labels(info: Any) -> None:
    code, document = info("labels_empty.csv")
    assert (code, warned(document)) == (0, {"D270"})
    assert document["data"]["without_label"]
    code, document = info("labels_minus_one.csv")
    assert (code, "D271" in warned(document)) == (0, True)
    code, document = info("labels_minus_one.csv", "data.unlabelled_marks=[-1]")
    assert (code, "D271" in warned(document)) == (0, False)
