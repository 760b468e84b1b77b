"""The `text` component: tokens, classes, fingerprints; and the genuine sets as they lie beside the project."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import text_files as files
import torch

from snnctl.core.catalog import DATA
from snnctl.core.diagnostic import DiagnosticError
from snnctl.core.shapes import ShapeError
from snnctl.data.texts.component import Text
from snnctl.data.texts.dataset import TextData
from snnctl.data.texts.tokenizers import Word

pytest.importorskip("tokenizers")

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"


def load(source: Path, **knobs: Any) -> TextData:
    return Text(source=str(source), **{"tokenizer": Word(min_count=1), **knobs}).load()


def everything(data: TextData, name: str) -> Any:
    return data.split(name).batch(torch.arange(len(data.split(name))))


def spelled(data: TextData, ids: torch.Tensor) -> list[str]:
    return [data.words[i] for i in ids.tolist() if i]


def test_batches_are_padded_to_their_longest_text(tmp_path: Path) -> None:
    data = load(files.sst2(tmp_path), length=6)
    assert DATA.get("text") is Text
    assert data.input_signal.describe() == f"L<=6 {len(data.words)} tokens"
    assert data.input_signal.shape(3) == (3, 6)
    split = data.split("train")
    batch = split.batch(torch.tensor([0, 9, 0]))
    assert (batch.inputs.dtype, batch.targets.dtype) == (torch.int64, torch.int64)
    assert batch.inputs.shape == (3, 6)
    assert spelled(data, batch.inputs[0]) == ["a", "dull", "and", "lifeless", "film", "number0"]
    assert spelled(data, batch.inputs[1]) == ["i", "loved", "it", "number9", '"']
    assert batch.inputs[1].tolist()[-1] == 0
    assert torch.equal(batch.inputs[0], batch.inputs[2])
    assert batch.targets.tolist() == [0, 1, 0]
    assert split.batch(torch.tensor([9])).inputs.shape == (1, 5)
    assert split.batch(torch.arange(0)).inputs.shape == (0, 0)
    assert int(split.lengths.max()) == 6
    assert data.cut_short["train"] > 0


def test_the_vocabulary_comes_from_train_alone(tmp_path: Path) -> None:
    data = load(files.sst2(tmp_path))
    assert "number19" in data.words
    assert not {"number20", "number28"} & set(data.words)
    assert int((everything(data, "test").inputs == 1).sum()) == 10


def test_classes_are_sorted_named_and_chosen(tmp_path: Path) -> None:
    files.sst2(tmp_path)
    assert load(tmp_path).labels == ("0", "1")
    named = load(tmp_path, labels={"1": "good", "0": "bad"})
    assert named.labels == ("good", "bad")
    assert everything(named, "train").targets.tolist()[:2] == [1, 0]
    path = files.json_lines(tmp_path / "many.jsonl", files.rows(40))
    assert load(path).labels == ("0", "1")
    assert load(path, label_column="label_text").labels == ("negative", "positive")


def test_numbers_are_sorted_as_numbers(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("text,label\n" + "".join(f"word{i},{i % 11}\n" for i in range(110)))
    assert load(path).labels == tuple(str(i) for i in range(11))


def test_the_fingerprint_covers_what_the_network_sees(tmp_path: Path) -> None:
    files.sst2(tmp_path / "a")
    first = load(tmp_path / "a").fingerprint
    assert load(tmp_path / "a").fingerprint == first
    others = [
        load(tmp_path / "a", length=4),
        load(tmp_path / "a", tokenizer=Word(min_count=2)),
        load(tmp_path / "a", tokenizer="byte_pair"),
        load(tmp_path / "a", labels={"1": "good", "0": "bad"}),
        load(tmp_path / "a", folds=3),
        load(tmp_path / "a", folds=3, fold=1),
    ]
    assert len({first, *(data.fingerprint for data in others)}) == 7
    path = tmp_path / "a" / "train.tsv"
    path.write_bytes(path.read_bytes().replace(b"warm", b"cold"))
    assert load(tmp_path / "a").fingerprint != first  # the file is read again where it has changed


def test_it_is_read_once_for_check_and_run(tmp_path: Path) -> None:
    component = Text(source=str(files.sst2(tmp_path)))
    assert component.probe() is component.load() is Text(source=str(tmp_path)).load()


def test_repeated_texts_are_a_leak_or_removed(tmp_path: Path) -> None:
    files.sst2(tmp_path)
    line = (tmp_path / "train.tsv").read_text().split("\n")[0]
    with (tmp_path / "test.tsv").open("a") as file:
        file.write(f"\n{line}")
    data = load(tmp_path)
    assert data.leaks == ("1 of 11 test texts also stand in train",)
    clean = load(tmp_path, repeats="remove")
    assert (clean.leaks, len(clean.split("train")), len(clean.split("test"))) == ((), 19, 11)
    assert clean.notes == ("1 of 11 test texts also stand in train: removed there",)


def test_an_empty_text_is_one_unknown_word(tmp_path: Path) -> None:
    data = load(files.chnsenti(tmp_path), tokenizer="character")
    assert data.describe()["empty"] == 1
    for name in ("train", "val", "test"):
        assert int(data.split(name).lengths.min()) >= 1


def test_facts(tmp_path: Path) -> None:
    facts = load(files.mr(tmp_path), encoding="latin-1").describe()
    assert facts["classes"] == ["neg", "pos"]
    assert [facts["splits"][name]["per_class"] for name in ("train", "val", "test")] == [[24, 24], [3, 3], [3, 3]]
    assert facts["how_it_is_cut"] == ["test is 0.1 of train (seed 0)", "val is 0.1 of train (seed 0)"]


def test_labels_that_train_does_not_have(tmp_path: Path) -> None:
    files.sst2(tmp_path)
    (tmp_path / "test.tsv").write_text("a sentence\t-1\nanother\t-1")
    with pytest.raises(DiagnosticError, match="label `-1`") as caught:
        load(tmp_path)
    assert caught.value.diagnostics[0].code == "D212"
    assert "without a label" in caught.value.diagnostics[0].help
    with pytest.raises(DiagnosticError) as caught:
        load(tmp_path, labels={"0": "bad", "2": "good"})
    assert caught.value.diagnostics[0].code == "D212"
    path = tmp_path / "one.csv"
    path.write_text("text,label\n" + "".join(f"t{i},1\n" for i in range(20)))
    with pytest.raises(DiagnosticError) as caught:
        load(path)
    assert caught.value.diagnostics[0].code == "D213"


def test_knobs_that_contradict_each_other() -> None:
    for knobs, knob in (
        ({"folds": 3, "fold": 3}, "fold"),
        ({"labels": {"0": "a", "1": "a"}}, "labels"),
    ):
        with pytest.raises(ShapeError) as caught:
            Text(source="mr", **knobs)  # type: ignore[arg-type]
        assert caught.value.knob == knob


def test_no_such_place() -> None:
    with pytest.raises(DiagnosticError) as caught:
        Text(source="./sst2.tsv").load()
    problem = caught.value.diagnostics[0]
    assert (problem.code, "source: sst2" in problem.help) == ("D101", True)


# The genuine sets, where they lie beside the project.
GENUINE: list[tuple[str, dict[str, Any], dict[str, int], tuple[str, ...]]] = [
    ("MR", {"encoding": "latin-1"}, {"train": 8636, "val": 960, "test": 1066}, ()),
    ("MR", {"encoding": "latin-1", "folds": 10}, {"train": 8636, "val": 960, "test": 1066}, ()),
    ("SST-2", {}, {"train": 6920, "val": 872, "test": 1821}, ("2 of 1,821 test texts also stand in train",)),
    ("ChnSenti", {"tokenizer": "character"}, {"train": 6291, "val": 699, "test": 776}, ()),
]


@pytest.mark.parametrize(("name", "knobs", "sizes", "leaks"), GENUINE)
def test_genuine_sets(name: str, knobs: dict[str, Any], sizes: dict[str, int], leaks: tuple[str, ...]) -> None:
    folder = SHARED / name
    if not folder.is_dir():
        pytest.skip(f"the set {name} does not lie beside the project")
    data = load(folder, **knobs)
    found = {part: len(data.split(part)) for part in sizes}
    assert sum(found.values()) == sum(sizes.values())
    assert all(abs(found[part] - sizes[part]) <= 5 for part in sizes)
    assert data.leaks == leaks
    assert data.classes == 2
    assert data.describe()["empty"] == (1 if name == "ChnSenti" else 0)
