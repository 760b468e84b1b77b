"""Tokenizers: text to numbers, with a vocabulary from the train split alone."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from annotated_types import Ge

from snnctl.core.catalog import TOKENIZERS
from snnctl.core.registry import SourcePath
from snnctl.data.problems import data_error, unreadable

PADDING, UNKNOWN = "[pad]", "[unk]"  # tokens 0 and 1


@dataclass(frozen=True)
class Vocabulary:
    """A tokenizer with a vocabulary.

    Args:
        words: what each token stands for, by number; token 0 is padding.
        model: of the `tokenizers` library.
        shift: what is added to the model's own numbers.
        unknown: the token of what the vocabulary does not hold.
    """

    words: tuple[str, ...]
    model: Any
    shift: int = 0
    unknown: int = 1

    def encode(self, texts: Iterable[str]) -> list[list[int]]:
        """Tokens of each text; at least one, so that an empty text is one unknown word."""
        found = self.model.encode_batch_fast(list(texts), add_special_tokens=False)
        # A word that is written like the padding is no padding.
        return [[(i + self.shift) or 1 for i in one.ids] or [1] for one in found]

    def to_json(self) -> dict[str, Any]:
        """Plain values, from which `of_json` makes the same again."""
        return {
            "model": json.loads(self.model.to_str()),
            "encode_special_tokens": bool(self.model.encode_special_tokens),
            "shift": self.shift,
            "unknown": self.unknown,
        }

    @classmethod
    def of_json(cls, values: Mapping[str, Any]) -> Vocabulary:
        """From what `to_json` gave.

        Raises:
            KeyError, TypeError, ValueError: it is something else.
            DiagnosticError: D110, the `tokenizers` library is not installed.
        """
        made, text = library(), json.dumps(values["model"])
        try:
            model = made.Tokenizer.from_str(text)
        except Exception as error:  # the library raises plain ones for whatever is wrong
            raise ValueError(f"no tokenizer: {error}") from error
        model.encode_special_tokens = bool(values["encode_special_tokens"])
        words = _by_number(model.get_vocab())
        shift, unknown = int(values["shift"]), int(values["unknown"])
        if not 0 <= shift <= 1 or not 0 < unknown < len(words) + shift:
            raise ValueError(f"no tokens: shift {shift}, unknown {unknown} of {len(words)}")
        return cls((PADDING,) * shift + words, model, shift, unknown)


class Tokenizer:
    """Base of all tokenizers."""

    @abstractmethod
    def learn(self, texts: Sequence[str]) -> Vocabulary:
        """The vocabulary that `texts`, those of train, give."""


def library() -> Any:
    """The `tokenizers` package.

    Raises:
        DiagnosticError: D110, it is not installed.
    """
    try:
        import tokenizers
    except ImportError:
        message = "texts need the `tokenizers` library, which is not installed"
        raise data_error("D110", message, path="data.tokenizer", help="pip install 'snnctl[text]'") from None
    return tokenizers


def _learned(model: Any, trainer: Any, texts: Sequence[str]) -> Vocabulary:
    model.train_from_iterator(texts, trainer)
    model.encode_special_tokens = True  # texts that hold such words by chance get no special treatment
    return Vocabulary(_by_number(model.get_vocab()), model)


def _by_number(vocabulary: dict[str, int]) -> tuple[str, ...]:
    words = [""] * (max(vocabulary.values()) + 1)
    for word, number in vocabulary.items():
        words[number] = word
    return tuple(words)


def _lowered(library: Any, lowercase: bool) -> Any:
    steps = [library.normalizers.NFC(), *([library.normalizers.Lowercase()] if lowercase else [])]
    return library.normalizers.Sequence(steps)


@TOKENIZERS.register("word")
@dataclass(kw_only=True)
class Word(Tokenizer):
    """Words are what stands between blanks; rare ones become one unknown word.

    Args:
        vocabulary: most tokens, padding and the unknown word among them, >= 3; the most frequent words are kept
            (20000); null keeps all.
        min_count: how often a word must occur in train to be known, >= 1 (2: a word seen once teaches little).
        lowercase: whether case is dropped.
        punctuation: whether punctuation marks are words of their own; false fits texts that have been split already,
            such as those of MR and SST-2.
    """

    vocabulary: Annotated[int, Ge(3)] | None = 20000
    min_count: Annotated[int, Ge(1)] = 2
    lowercase: bool = True
    punctuation: bool = True

    def learn(self, texts: Sequence[str]) -> Vocabulary:
        marks = [library().pre_tokenizers.Punctuation("isolated")] if self.punctuation else []
        return _word_level(self, marks, texts)


@TOKENIZERS.register("character")
@dataclass(kw_only=True)
class Character(Tokenizer):
    """Every character is a token, blanks aside: right for Chinese, whose words nothing separates.

    Args:
        vocabulary: most tokens, padding and the unknown character among them, >= 3 (8000); null keeps all.
        min_count: how often a character must occur in train to be known, >= 1.
        lowercase: whether case is dropped.
    """

    vocabulary: Annotated[int, Ge(3)] | None = 8000
    min_count: Annotated[int, Ge(1)] = 2
    lowercase: bool = True

    def learn(self, texts: Sequence[str]) -> Vocabulary:
        made = library()
        return _word_level(self, [made.pre_tokenizers.Split(made.Regex("."), "isolated")], texts)


def _word_level(of: Word | Character, cuts: list[Any], texts: Sequence[str]) -> Vocabulary:
    """What stands between blanks, cut further, each different piece a token."""
    made = library()
    model = made.Tokenizer(made.models.WordLevel(unk_token=UNKNOWN))
    model.normalizer = _lowered(made, of.lowercase)
    model.pre_tokenizer = made.pre_tokenizers.Sequence([made.pre_tokenizers.WhitespaceSplit(), *cuts])
    trainer = made.trainers.WordLevelTrainer(
        vocab_size=2**31 if of.vocabulary is None else of.vocabulary,
        min_frequency=of.min_count,
        special_tokens=[PADDING, UNKNOWN],
        show_progress=False,
    )
    return _learned(model, trainer, texts)


@TOKENIZERS.register("byte_pair")
@dataclass(kw_only=True)
class BytePair(Tokenizer):
    """Byte-pair encoding: frequent words are tokens, rare ones are spelled in pieces, and nothing is unknown.

    It works on bytes, so the 256 of them are tokens of any vocabulary.

    Args:
        vocabulary: most tokens, >= 258 (8000): padding, the unknown, all bytes, then the most frequent pieces.
        min_count: how often a pair must occur in train to be joined, >= 1.
        lowercase: whether case is dropped.

    Source: Sennrich et al. 2016, "Neural machine translation of rare words with subword units", arXiv 1508.07909; on
        bytes as in GPT-2.
    """

    vocabulary: Annotated[int, Ge(258)] = 8000
    min_count: Annotated[int, Ge(1)] = 2
    lowercase: bool = True

    def learn(self, texts: Sequence[str]) -> Vocabulary:
        made = library()
        model = made.Tokenizer(made.models.BPE())
        model.normalizer = _lowered(made, self.lowercase)
        model.pre_tokenizer = made.pre_tokenizers.ByteLevel(add_prefix_space=True)
        trainer = made.trainers.BpeTrainer(
            vocab_size=self.vocabulary,
            min_frequency=self.min_count,
            special_tokens=[PADDING, UNKNOWN],
            initial_alphabet=made.pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
        return _learned(model, trainer, texts)


@TOKENIZERS.register("pretrained")
class Pretrained(Tokenizer):
    """A vocabulary from a file, not from train: that of a `transformers` checkpoint, such as BERT's.

    Its tokens keep their order behind padding: row r of the checkpoint's vectors belongs to token r + 1. Marks for the
    beginning and end of a text are left out.

    Args:
        path: tokenizer.json, a vocab.txt of word pieces, or the folder that holds one of them.
        lowercase: whether case is dropped; for vocab.txt, tokenizer.json says it itself.
    """

    def __init__(self, *, path: Annotated[str, SourcePath()], lowercase: bool = True) -> None:
        self.path, self.lowercase = Path(path), lowercase

    def learn(self, texts: Sequence[str]) -> Vocabulary:
        made = library()
        file = self._file()
        try:
            if file.suffix == ".json":
                model = made.Tokenizer.from_file(str(file))
                model.no_padding()
                model.no_truncation()
            else:
                model = self._word_pieces(made, file)
        except Exception as error:  # the library raises plain ones for whatever is wrong with a file
            raise unreadable(file, "", error, "data.tokenizer.path") from error
        words = (PADDING, *_by_number(model.get_vocab()))
        unknown = getattr(model.model, "unk_token", None)
        return Vocabulary(words, model, shift=1, unknown=words.index(unknown) if unknown in words else 1)

    def _file(self) -> Path:
        if self.path.is_file():
            return self.path
        for name in ("tokenizer.json", "vocab.txt"):
            if (self.path / name).is_file():
                return self.path / name
        message = f"no tokenizer.json or vocab.txt in `{self.path}`"
        raise data_error("D101", message, file=self.path, path="data.tokenizer.path")

    def _word_pieces(self, made: Any, file: Path) -> Any:
        words = {word: row for row, word in enumerate(file.read_text(encoding="utf-8").splitlines())}
        if "[UNK]" not in words:
            raise ValueError("no [UNK] among its words")
        model = made.Tokenizer(made.models.WordPiece(words, unk_token="[UNK]"))
        model.normalizer = made.normalizers.BertNormalizer(lowercase=self.lowercase)
        model.pre_tokenizer = made.pre_tokenizers.BertPreTokenizer()
        return model
