"""Named sets of texts: fetched by `datasets` as users do, kept with checksums, and what happens without a network."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import text_files as files

from snnctl.core.diagnostic import DiagnosticError
from snnctl.data.kinds import kind_of
from snnctl.data.texts.component import Text
from snnctl.data.texts.known import KNOWN
from snnctl.data.texts.prepare import prepare
from snnctl.data.texts.store import read_prepared

datasets = pytest.importorskip("datasets")
pytest.importorskip("tokenizers")


@pytest.fixture(autouse=True)
def apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No network, and caches of their own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "hub")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)


def parquet_repository(folder: Path, sizes: dict[str, int]) -> Path:
    """What a set kept as parquet looks like: data/train-00000-of-00001.parquet, classes with names."""
    features = datasets.Features({"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["neg", "pos"])})
    (folder / "data").mkdir(parents=True)
    start = 0
    for split, count in sizes.items():
        rows = files.rows(count, start)
        start += count
        table = {"text": [text for text, _ in rows], "label": [label for _, label in rows]}
        made = datasets.Dataset.from_dict(table, features=features)
        made.to_parquet(str(folder / "data" / f"{split}-00000-of-00001.parquet"))
    return folder


def json_repository(folder: Path, sizes: dict[str, int]) -> Path:
    """What SetFit's sets look like: train.jsonl, dev.jsonl or validation.jsonl, test.jsonl."""
    folder.mkdir()
    start = 0
    for split, count in sizes.items():
        files.json_lines(folder / f"{split}.jsonl", files.rows(count, start))
        start += count
    return folder


def csv_repository(folder: Path, sizes: dict[str, int]) -> Path:
    """A single table without splits."""
    folder.mkdir()
    rows = files.rows(sum(sizes.values()))
    (folder / "train.csv").write_text("text,label\n" + "".join(f'"{text}",{label}\n' for text, label in rows))
    return folder


REPOSITORIES: list[tuple[str, Any, dict[str, int], dict[str, int]]] = [
    ("mr", parquet_repository, {"train": 20, "validation": 6, "test": 8}, {"train": 20, "val": 6, "test": 8}),
    ("sst2", json_repository, {"train": 20, "validation": 6, "test": 8}, {"train": 20, "val": 6, "test": 8}),
    ("subj", json_repository, {"train": 40, "test": 8}, {"train": 36, "val": 4, "test": 8}),
    ("chnsenti", parquet_repository, {"train": 20, "validation": 6, "test": 8}, {"train": 20, "val": 6, "test": 8}),
    ("waimai", csv_repository, {"train": 60}, {"train": 48, "val": 6, "test": 6}),
]


def stand_in(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch, sizes: dict[str, int]) -> None:
    monkeypatch.setitem(KNOWN, name, replace(KNOWN[name], hub=str(folder), sizes=sizes))


@pytest.mark.parametrize(("name", "make", "stored", "sizes"), REPOSITORIES, ids=[r[0] for r in REPOSITORIES])
def test_prepared_and_used(
    name: str,
    make: Any,
    stored: dict[str, int],
    sizes: dict[str, int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stand_in(name, make(tmp_path / "repository", stored), monkeypatch, {})
    first = prepare(name)
    assert (first.status, first.facts) == ("prepared", {"rows": sum(stored.values()), "columns": 2, "missing": 0})
    assert prepare(name).status == "ready"
    manifest = json.loads((Path(first.path) / "manifest.json").read_text())
    told = ["created", "empty", "files", "name", "schema", "sizes", "source"]
    assert sorted(manifest) == told  # what earlier versions wrote and read
    data = Text(source=name).load()
    assert data.labels == KNOWN[name].labels
    assert {part: len(data.split(part)) for part in sizes} == sizes
    split = data.split("train")
    for text, target in zip(split.texts, split.targets.tolist(), strict=True):
        assert any(words in text for words in (files.BAD, files.GOOD)[target])


def test_without_a_network_the_message_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DiagnosticError) as caught:
        Text(source="mr").load()
    problem = caught.value.diagnostics[0]
    assert (problem.code, caught.value.exit_code) == ("D101", 3)
    assert "snnctl data prep mr" in problem.help

    def refuse(name: str) -> Any:
        raise ConnectionError(f"Couldn't reach '{name}' on the Hub (OfflineModeIsEnabled)")

    monkeypatch.setattr(datasets, "load_dataset", refuse)
    with pytest.raises(DiagnosticError) as caught:
        prepare("mr")
    problem = caught.value.diagnostics[0]
    assert (problem.code, caught.value.exit_code) == ("D108", 3)
    assert "cornell-movie-review-data/rotten_tomatoes" in problem.message
    assert "snnctl data prep mr --from PATH" in problem.help


def test_a_script_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "scripted"
    folder.mkdir()
    (folder / "scripted.py").write_text("raise SystemExit('never run')\n")
    stand_in("mr", folder, monkeypatch, {})
    with pytest.raises(DiagnosticError) as caught:
        prepare("mr")
    assert caught.value.diagnostics[0].code == "D108"


def test_a_copy_is_taken_where_it_is_genuine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = files.sst2(tmp_path / "copy", (20, 8, 10))
    with pytest.raises(DiagnosticError, match="6,920 train") as caught:
        prepare("sst2", source=copy)
    assert caught.value.diagnostics[0].code == "D107"
    sizes = {"train": 20, "val": 8, "test": 10}
    monkeypatch.setitem(KNOWN, "sst2", replace(KNOWN["sst2"], sizes=sizes))
    assert prepare("sst2", source=copy).facts["rows"] == 38
    assert Text(source="sst2").load().labels == ("negative", "positive")
    (copy / "train.tsv").write_text("x\t7\ny\t1")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "other"))
    with pytest.raises(DiagnosticError, match="labels `7`"):
        prepare("sst2", source=copy)
    assert not list((tmp_path / "other").rglob("manifest.json"))


def test_damage_is_seen_and_mended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in("mr", parquet_repository(tmp_path / "repository", {"train": 20, "test": 8}), monkeypatch, {})
    folder = Path(prepare("mr").path)
    kept = (folder / "train.jsonl").read_bytes()
    (folder / "train.jsonl").write_bytes(kept[:-10])
    with pytest.raises(DiagnosticError) as caught:
        read_prepared("mr")
    assert caught.value.diagnostics[0].code == "D109"
    assert prepare("mr").status == "prepared"
    assert (folder / "train.jsonl").read_bytes() == kept
    (folder / "manifest.json").write_text(json.dumps({"schema": 9}))
    with pytest.raises(DiagnosticError, match="damaged"):
        read_prepared("mr")


def test_an_unknown_name() -> None:
    with pytest.raises(DiagnosticError, match="unknown data `sst3`") as caught:
        kind_of("sst3")
    assert "did you mean `sst2`?" in caught.value.diagnostics[0].help or "sst5" in caught.value.diagnostics[0].help


@pytest.mark.parametrize("name", list(KNOWN))
def test_what_is_known_is_complete(name: str) -> None:
    found = KNOWN[name]
    assert found.hub.count("/") == 1
    assert len(set(found.labels)) == len(found.labels) >= 2
    assert set(found.sizes) in (set(), {"train", "val", "test"})
