"""What is said of texts as tokens: most of them unknown, cut off, empty; and what `data info` tells."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
import text_files as files

from snnctl.core.diagnostic import Diagnostic
from snnctl.data.texts.component import Text
from snnctl.data.texts.dataset import TextData
from snnctl.data.texts.tokenizers import Character, Pretrained, Word

pytest.importorskip("tokenizers")


def load(source: Path, **knobs: Any) -> TextData:
    return Text(source=str(source), **knobs).load()


def table(path: Path, texts: list[str]) -> Path:
    path.write_text("text\tlabel\n" + "".join(f"{text}\t{i % 2}\n" for i, text in enumerate(texts)), encoding="utf-8")
    return path


def chinese(count: int = 100) -> list[str]:
    random.seed(0)
    letters = "房间很好太差服务早餐不错下次再来酒店位置交通方便"
    return ["，".join("".join(random.choices(letters, k=9)) for _ in range(3)) + "。" for _ in range(count)]


def only(data: TextData) -> Diagnostic:
    (warning,) = data.warnings
    assert warning.severity == "warning"
    return warning


@pytest.mark.parametrize("min_count", [1, 2])
def test_blanks_separate_no_chinese_words(min_count: int, tmp_path: Path) -> None:
    """With min_count 2 train is unknown, with 1 the other texts are; punctuation is known and does not count."""
    path = table(tmp_path / "a.tsv", chinese())
    warning = only(load(path, tokenizer=Word(min_count=min_count)))
    assert (warning.code, warning.path) == ("D276", "data.tokenizer")
    assert warning.message.startswith("100% of the words of")
    assert "`data.tokenizer: character`" in warning.help
    assert "blanks separate no words" in warning.help
    assert Text(source=str(path), tokenizer=Word(min_count=min_count)).probe().warnings == (warning,)
    for fitting in ("character", "byte_pair"):
        assert load(path, tokenizer=fitting).warnings == ()


def test_a_vocabulary_that_does_not_fit(tmp_path: Path) -> None:
    vocabulary = tmp_path / "vocab.txt"
    vocabulary.write_text("[PAD]\n[UNK]\nfilm\na\n.\n")
    path = table(tmp_path / "a.tsv", [f"a {'warm' if i % 2 else 'cold'} brisk film{i} ." for i in range(60)])
    data = load(path, tokenizer=Pretrained(path=str(vocabulary)))
    assert data.words[data.unknown] == "[UNK]"
    assert data.describe()["splits"]["train"]["unknown_share"] == 0.6  # of five tokens: warm, brisk, film7
    warning = only(data)
    assert (warning.code, warning.message.split(" of ")[0]) == ("D276", "75%")  # the full stop is no word


def test_texts_that_are_cut_off(tmp_path: Path) -> None:
    texts = [" ".join(["word"] * (12 if i % 4 == 0 else 4) + ["good" if i % 2 else "bad"]) + f" {i}" for i in range(80)]
    path = table(tmp_path / "a.tsv", texts)
    warning = only(load(path, tokenizer=Word(), length=8))
    assert (warning.code, warning.path) == ("D277", "data.length")
    assert "the longest has 14 tokens" in warning.message
    assert load(path, tokenizer=Word(), length=14).warnings == ()


def test_texts_that_are_empty(tmp_path: Path) -> None:
    path = table(tmp_path / "a.tsv", [f"a film {i}" if i % 5 else " " for i in range(100)])
    assert [warning.code for warning in load(path, tokenizer=Word(min_count=1)).warnings] == ["D279"]


def test_the_usual_files_are_not_doubted(tmp_path: Path) -> None:
    assert load(files.sst2(tmp_path / "a"), tokenizer=Word(min_count=1)).warnings == ()
    assert load(files.mr(tmp_path / "b"), encoding="latin-1").warnings == ()
    assert load(files.chnsenti(tmp_path / "c"), tokenizer=Character()).warnings == ()


def test_facts(tmp_path: Path) -> None:
    texts = [" ".join(["word"] * i) for i in range(1, 21)]
    for name, own in (("train", [*texts, texts[4]]), ("dev", ["a", "b"]), ("test", ["word", "c"])):
        table(tmp_path / f"{name}.tsv", own)
    facts = load(tmp_path, tokenizer=Word(min_count=1), length=8).describe()
    assert facts["how_it_is_read"] == ["texts from column `text`, labels from `label`, tabs between columns"]
    assert (facts["rows"], facts["without_label"]) == (25, {})
    assert facts["labels_as_written"] == {"0": ["0"], "1": ["1"]}
    assert facts["splits"]["train"] == {
        "items": 21,
        "per_class": [11, 10],
        "repeated": 1,
        "mean_tokens": round((sum(range(1, 9)) + 12 * 8 + 5) / 21, 2),
        "median_tokens": 10,
        "tokens_of_95_percent": 19,
        "most_tokens": 20,
        "unknown_share": 0.0,
        "cut_short": 12,
        "cut_share": round(12 / 21, 4),
    }
    assert facts["splits"]["val"]["unknown_share"] == 1.0
    assert facts["splits"]["test"]["unknown_share"] == 0.5


def test_texts_that_stand_in_two_splits_are_warned_of(tmp_path: Path) -> None:
    for name, first, last in (("train", 0, 60), ("test", 50, 80)):
        rows = "".join(f"text number {i},{i % 2}\n" for i in range(first, last))
        (tmp_path / f"{name}.csv").write_text(f"text,label\n{rows}")
    component = Text(source=str(tmp_path))
    warning = next(one for one in component.probe().warnings if one.code == "D280")
    assert "30 test texts also stand in train" in warning.message
    removed = Text(source=str(tmp_path), repeats="remove").load()
    assert "D280" not in [one.code for one in removed.warnings]
