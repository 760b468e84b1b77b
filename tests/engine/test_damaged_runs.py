"""Damaged files of a run end in a diagnostic that names file and line; lost lines of its epochs are told."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from snnctl.compare.collect import finished
from snnctl.core.diagnostic import DiagnosticError
from snnctl.engine.run_dir import RunDir
from snnctl.engine.run_files import read_lines

RESULTS: dict[str, Any] = {
    "name": "tiny",
    "metrics": {"test/mse": 0.5, "test/r2": None},
    "split": "test",
    "baselines": {"mean": {"mse": 1.0}},
    "parameters": 12,
    "spikes": {"mean_rate": 0.1},
    "leaks": [],
}
DAMAGE = {
    "cut": b'{\n"cut',
    "a number": b"3",
    "null": b"null",
    "empty": b"",
    "a list": b"[]",
    "UTF-16": '{"a": 1}'.encode("utf-16"),
    "Latin-1": b'{"a":\n"\xe9"}',
    "deep": b"[" * 100_000,
    "deep mappings": b'{"a":' * 50_000,
    "a long number": b'{"a": ' + b"9" * 5000 + b"}",
}


@pytest.fixture
def run(tmp_path: Path) -> RunDir:
    folder = tmp_path / "run"
    (folder / "model").mkdir(parents=True)
    run = RunDir(folder)
    run.recipe.write_text("schema: 1\nname: tiny\ntrain: {seed: 1}\n")
    run.update_manifest(status="done", seed=1)
    run.write_results(RESULTS)
    run.write_model({"kind": "forecasting"})
    for epoch in range(3):
        run.add_metrics({"epoch": epoch, "val/mse": 3.0 - epoch, "best": True})
    return run


READERS: dict[str, tuple[Callable[[RunDir], object], str]] = {
    "manifest.json": (RunDir.manifest, "U413"),
    "results.json": (RunDir.whole_results, "U413"),
    "model/model.json": (RunDir.model, "U506"),
}


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("name", READERS)
def test_what_is_no_object(run: RunDir, name: str, damage: str) -> None:
    reader, code = READERS[name]
    (run.path / name).write_bytes(DAMAGE[damage])
    with pytest.raises(DiagnosticError) as caught:
        reader(run)
    (found,) = caught.value.diagnostics
    assert (found.code, found.file) == (code, str(run.path / name))
    assert "damaged" in found.message
    assert found.line == {"cut": 2, "Latin-1": 2, "a long number": 0}.get(damage, 1)


def test_a_folder_in_place_of_a_file(run: RunDir) -> None:
    (run.path / "results.json").unlink()
    (run.path / "results.json").mkdir()
    with pytest.raises(DiagnosticError):
        run.whole_results()


@pytest.mark.parametrize("value", [None, 3, "x", {}, [3], float("1e999")])
@pytest.mark.parametrize("key", ["metrics", "split", "baselines", "parameters", "spikes", "leaks"])
def test_results_of_another_form(run: RunDir, key: str, value: Any) -> None:
    fits = (key, value) in [("metrics", {}), ("baselines", {}), ("parameters", 3), ("split", "x")]
    (run.path / "results.json").write_text(json.dumps({**RESULTS, key: value}))
    assert (run.results() is not None) == fits
    if not fits:
        with pytest.raises(DiagnosticError, match=f"`{key}`"):
            run.whole_results()


@pytest.mark.parametrize(("key", "value"), [("plugins", 3), ("plugins", [{"path": 3}]), ("created", []), ("status", 1)])
def test_manifests_of_another_form(run: RunDir, key: str, value: Any) -> None:
    run.update_manifest(**{key: value})
    with pytest.raises(DiagnosticError, match=f"`{key}`"):
        run.manifest()


def test_a_comparison_says_why_it_leaves_a_run_out(run: RunDir) -> None:
    assert [len(part) for part in finished([run])] == [1, 0]
    (run.path / "results.json").write_bytes(b'{\n"cut')
    with pytest.raises(DiagnosticError) as caught:
        finished([run])
    first = caught.value.diagnostics[0]
    assert first.code == "U482"
    assert f"{run.path / 'results.json'}:2" in first.notes[0]


def test_lost_lines_are_told_and_the_others_kept(run: RunDir) -> None:
    path = run.path / "metrics.jsonl"
    lines = path.read_bytes().split(b"\n")
    for damage in (*DAMAGE.values(), b'{"epoch": "x"}', b'{"epoch": -1}', b"{}", b"\xff\x00"):
        path.write_bytes(b"\n".join([lines[0], damage.replace(b"\n", b" "), *lines[2:]]))
        assert [record["epoch"] for record in run.metrics()] == [0, 2]
        if damage:
            assert [(one.code, one.file, one.line) for one in run.lost()] == [("U508", str(path), 2)]
    assert [one.code for one in finished([run])[1]] == ["U508"]
    run.forget_after(2)
    assert ([record["epoch"] for record in run.metrics()], run.lost()) == ([0], [])


def test_a_line_that_was_being_written_is_not_lost(run: RunDir) -> None:
    path = run.path / "metrics.jsonl"
    path.write_bytes(path.read_bytes()[:-4])
    assert ([record["epoch"] for record in run.metrics()], run.lost()) == ([0, 1], [])
    assert read_lines(run.path / "none.jsonl").lost == []


def test_a_damaged_estimate_of_energy_is_none(run: RunDir) -> None:
    (run.path / "energy").mkdir()
    for content in (*DAMAGE.values(), b'{"costs": {"a": 3}}', b'{"costs": {"a": {}}}', b"{}"):
        (run.path / "energy" / "energy.json").write_bytes(content)
        assert finished([run])[0][0].costs == {}
