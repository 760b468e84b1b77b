"""Tokenizers: what a token is, which are known, and that nothing but train and the recipe decides it."""

from __future__ import annotations

import builtins
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snnctl.core.catalog import TOKENIZERS
from snnctl.core.diagnostic import DiagnosticError
from snnctl.data.texts.tokenizers import BytePair, Character, Pretrained, Tokenizer, Vocabulary, Word

pytest.importorskip("tokenizers")

TEXTS = ("The film, the Film!", "a film is a film", "The end isn't near")


def spelled(vocabulary: Vocabulary, text: str) -> list[str]:
    return [vocabulary.words[i] for i in vocabulary.encode([text])[0]]


def test_words() -> None:
    found = Word(min_count=1).learn(TEXTS)
    assert found.words[:3] == ("[pad]", "[unk]", "film")  # the most frequent first
    assert spelled(found, "The film, strange") == ["the", "film", ",", "[unk]"]
    assert spelled(found, "isn't") == ["isn", "'", "t"]


def test_words_that_have_been_split_already() -> None:
    found = Word(min_count=1, punctuation=False, lowercase=False).learn(TEXTS)
    assert spelled(found, "The Film! isn't") == ["The", "Film!", "isn't"]
    assert "the" in found.words
    assert "The" in found.words


def test_rare_words_and_the_size() -> None:
    assert set(Word(min_count=2).learn(TEXTS).words) == {"[pad]", "[unk]", "film", "the", "a"}
    assert Word(vocabulary=3).learn(TEXTS).words == ("[pad]", "[unk]", "film")
    assert len(Word(vocabulary=None, min_count=1).learn(TEXTS).words) > 10


def test_characters() -> None:
    found = Character(min_count=1).learn(("房间很好", "房间 太差,OK"))
    assert spelled(found, "房间好 o\n贵") == ["房", "间", "好", "o", "[unk]"]


def test_byte_pairs_know_everything() -> None:
    found = BytePair(vocabulary=300).learn(TEXTS * 5)
    assert 258 <= len(found.words) <= 300
    assert 1 not in found.encode(["łódź 房 \x00"])[0]
    assert len(found.encode(["the film"])[0]) < len("the film")


@pytest.mark.parametrize("tokenizer", [Word(), Character(), BytePair(vocabulary=260)])
def test_no_text_is_empty_and_none_holds_padding(tokenizer: Tokenizer) -> None:
    found = tokenizer.learn([*TEXTS, "[pad] [unk] is"])
    for ids in found.encode(["", "  ", "[pad] is [pad]", "[PAD]"]):
        assert len(ids) >= 1
        assert 0 not in ids
    assert found.encode([""]) == [[1]]


@settings(max_examples=30)
@given(texts=st.lists(st.text(max_size=20), min_size=1, max_size=5))
def test_every_token_has_a_number_of_the_vocabulary(texts: list[str]) -> None:
    for tokenizer in (Word(min_count=1), Character(min_count=1)):
        found = tokenizer.learn(texts)
        for ids in found.encode(texts):
            assert ids
            assert all(0 < i < len(found.words) for i in ids)


def test_the_vocabulary_is_the_same_in_another_process() -> None:
    """Ties between equally frequent words are no matter of chance."""
    program = (
        "import json; from snnctl.data.texts.tokenizers import *\n"
        "texts = [f'w{i % 97} v{i % 89} u{i}' for i in range(400)]\n"
        "print(json.dumps([t.learn(texts).words for t in (Word(), Word(vocabulary=50), BytePair(vocabulary=400))]))"
    )
    found = {
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    }
    assert len(found) == 1
    assert len(json.loads(found.pop())[1]) == 50


class TestPretrained:
    WORDS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "film", "un", "##known", "!")

    def test_word_pieces(self, tmp_path: Path) -> None:
        (tmp_path / "vocab.txt").write_text("\n".join(self.WORDS) + "\n")
        found = Pretrained(path=str(tmp_path)).learn(())
        assert found.words == ("[pad]", *self.WORDS)
        assert spelled(found, "Unknown film! Zebra") == ["un", "##known", "film", "!", "[UNK]"]
        assert found.encode([""]) == [[1]]
        as_file = Pretrained(path=str(tmp_path / "vocab.txt"), lowercase=False).learn(())
        assert spelled(as_file, "Film film") == ["[UNK]", "film"]

    def test_tokenizer_json(self, tmp_path: Path) -> None:
        trained = Word(min_count=1).learn(TEXTS)
        trained.model.enable_padding(length=50)
        trained.model.enable_truncation(1)
        trained.model.save(str(tmp_path / "tokenizer.json"))
        found = Pretrained(path=str(tmp_path)).learn(())
        assert found.words[1:] == trained.words
        assert spelled(found, "the film") == ["the", "film"]

    def test_what_is_missing_or_broken(self, tmp_path: Path) -> None:
        for content, code in ((None, "D101"), ("{", "D104")):
            if content is not None:
                (tmp_path / "tokenizer.json").write_text(content)
            with pytest.raises(DiagnosticError) as caught:
                Pretrained(path=str(tmp_path)).learn(())
            assert caught.value.diagnostics[0].code == code
        (tmp_path / "vocab.txt").write_text("film\n")
        with pytest.raises(DiagnosticError, match=r"no \[UNK\]"):
            Pretrained(path=str(tmp_path / "vocab.txt")).learn(())


def test_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def refusing(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "tokenizers":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refusing)
    for name in ("word", "character", "byte_pair"):
        with pytest.raises(DiagnosticError) as caught:
            TOKENIZERS.get(name)().learn(TEXTS)
        problem = caught.value.diagnostics[0]
        assert (problem.code, problem.help) == ("D110", "pip install 'snnctl[text]'")
        assert caught.value.exit_code == 3
