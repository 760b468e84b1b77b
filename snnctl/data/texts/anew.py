"""New texts for a trained model: its tokenizer and classes, and texts from files, folders, lines and Python."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import torch

from snnctl.core.diagnostic import Diagnostic, DiagnosticError
from snnctl.core.shapes import SignalSpec
from snnctl.data.anew import Fitted, NewItem, NewItems, files_of, names_of, place
from snnctl.data.base import Batch
from snnctl.data.problems import data_error, data_warning
from snnctl.data.texts.dataset import token_signal
from snnctl.data.texts.parts import Texts
from snnctl.data.texts.readers.columns import TEXT_NAMES, TextOptions
from snnctl.data.texts.readers.plain import PACKED, read_lines, read_text, suffix_of
from snnctl.data.texts.readers.tables import LABEL_BEFORE, TABLES, read_table
from snnctl.data.texts.tokenizers import Vocabulary

_MOST_UNKNOWN = 0.5  # of tokens
_LINES = "a text on each line"
_ENDINGS = (*TABLES, ".txt", ".text")


@dataclass(frozen=True, eq=False)
class FittedTexts(Fitted):
    """How texts became tokens.

    Args:
        class_names: of the classes.
        length: L, most tokens of a text; longer ones are cut off.
        vocabulary: with its tokenizer.
        spelled: the name of a class by what stands in a column of labels.
        options: how tables are read.
        labelled_lines: whether training read lines that begin with a label.
    """

    class_names: tuple[str, ...]
    length: int
    vocabulary: Vocabulary
    spelled: Mapping[str, str]
    options: TextOptions
    labelled_lines: bool = False

    kind: ClassVar[str] = "texts"

    @property
    def input_signal(self) -> SignalSpec:
        return token_signal(self.length, self.vocabulary.words)

    def values(self) -> dict[str, Any]:
        options = {name: value for name, value in asdict(self.options).items() if name != "known"}
        return {
            "classes": list(self.class_names),
            "length": self.length,
            "tokenizer": self.vocabulary.to_json(),
            "labels_as_written": dict(self.spelled),
            "read": options,
            "labelled_lines": self.labelled_lines,
        }

    @classmethod
    def of_values(cls, values: Mapping[str, Any]) -> FittedTexts:
        spelled, options = dict(values["labels_as_written"]), TextOptions(**values["read"])
        if type(values["length"]) is not int or values["length"] < 1:
            raise ValueError(f"length is {values['length']!r}")
        return cls(
            names_of(values["classes"]),
            values["length"],
            Vocabulary.of_json(values["tokenizer"]),
            spelled,
            options,
            bool(values["labelled_lines"]),
        )

    def new(self, given: Any) -> NewItems:
        """New texts.

        Args:
            given: a table (.csv, .tsv, .jsonl, .json, .parquet) with or without labels; a file of lines, each a text
                (or `LABEL text`, where training read such lines and each begins with a label that it knows); a folder
                of files, of which those in its folders are a text each; or a list of texts.

        Raises:
            DiagnosticError: D1xx and D2xx, it cannot be read; D102 it holds no text.
        """
        if isinstance(given, str):
            message = "one text is given, not a list of them"
            raise DiagnosticError(Diagnostic("D310", message, help="put it into a list; a file is given as a Path"))
        if not isinstance(given, Path):
            texts = list(given)
            strange = next((one for one in texts if not isinstance(one, str)), None)
            if strange is not None:
                raise DiagnosticError(Diagnostic("D310", f"a {type(strange).__name__} stands among the texts"))
            if not texts:
                raise data_error("D102", "no text is given", path="")
            return self._items([("", Texts(tuple(texts), ("",) * len(texts)))])
        path = place(given)
        if path.is_dir():
            return self._folder(path)
        return self.of_file(path)

    def of_file(self, path: Path, *, lines: bool = False) -> NewItems:
        """The texts of a file; `lines`: each line is one, whatever it is called."""
        return self._items([("", self.read_file(path, lines=lines))])

    def names_texts(self, cells: Sequence[str]) -> bool:
        """Whether a first row holds the name of the column of texts."""
        wanted = TEXT_NAMES if self.options.text is None else (self.options.text,)
        return any(cell in wanted or (self.options.text is None and cell.lower() in wanted) for cell in cells)

    def read_file(self, path: Path, *, lines: bool = False) -> Texts:
        """The texts of a file; `lines`: each line is one, whatever it is called."""
        options = replace(self.options, known=frozenset(self.spelled))
        if suffix_of(path) in TABLES and not lines:
            return read_table(path, options)
        texts = read_lines(path, self.options.encoding)
        if not texts:
            raise data_error("D102", "the file holds no text", file=path, path="")
        pairs = [text.strip().split(None, 1) for text in texts]
        if not lines and self.labelled_lines and all(pair[0] in self.spelled for pair in pairs):
            return Texts(
                tuple("".join(pair[1:]) for pair in pairs), tuple(pair[0] for pair in pairs), (), (LABEL_BEFORE,)
            )
        return Texts(tuple(texts), ("",) * len(texts), notes=(_LINES,))

    def _folder(self, folder: Path) -> NewItems:
        endings = (*_ENDINGS, *(ending + packed for ending in _ENDINGS for packed in PACKED))
        files = files_of(folder, endings, "texts", tuple(self.spelled))
        whole = [(path, name, label) for path, name, label in files if "/" in name and suffix_of(path) not in TABLES]
        if len(whole) < len(files):
            if whole:
                message = f"`{whole[0][1]}` lies in a folder, and others are tables or lines"
                help = "bring tables and files of lines, or folders of files that are a text each"
                raise data_error("D105", message, file=folder, path="", help=help)
            return self._items([(name, self.read_file(path)) for path, name, _ in files])
        doubts = _Doubts(self.vocabulary)

        def items() -> Iterator[NewItem]:
            for path, name, label in whole:

                def read(path: Path = path) -> str:
                    return doubts.seen(read_text(path, self.options.encoding))

                yield NewItem(name, read, self.spelled.get(label, label))

        return NewItems(items(), len(whole), bool(whole[0][2]), ("each file is a text",), doubts.told)

    def _items(self, files: Sequence[tuple[str, Texts]]) -> NewItems:
        doubts, labelled = _Doubts(self.vocabulary), any(any(texts.labels) for _, texts in files)

        def items() -> Iterator[NewItem]:
            for file, texts in files:
                for number, (text, label) in enumerate(zip(texts.texts, texts.labels, strict=True)):
                    name = f"{file}:{number}" if file else str(number)
                    yield NewItem(name, lambda text=text: doubts.seen(text), self.spelled.get(label, label))  # type: ignore[misc]

        how = tuple(dict.fromkeys(note for _, texts in files for note in texts.notes))
        return NewItems(items(), sum(len(texts) for _, texts in files), labelled, how, doubts.told)

    def batch(self, contents: Sequence[str]) -> Batch:
        """Texts as tokens [B, L], padded with 0 to the longest of them."""
        encoded = [ids[: self.length] for ids in self.vocabulary.encode(contents)]
        inputs = torch.zeros(len(encoded), max(map(len, encoded), default=0), dtype=torch.int64)
        for row, ids in zip(inputs, encoded, strict=True):
            row[: len(ids)] = torch.tensor(ids)
        return Batch(inputs, torch.zeros(len(encoded), dtype=torch.int64))


@dataclass
class _Doubts:
    """What is odd about texts, counted while they go by."""

    vocabulary: Vocabulary
    texts: int = 0
    empty: int = 0
    halves: int = 0
    sample: list[str] = field(default_factory=list)

    def seen(self, text: str) -> str:
        """The text, without halves of characters, which no tokenizer takes."""
        self.texts += 1
        self.empty += not text.strip()
        try:
            text.encode()
        except UnicodeEncodeError:
            self.halves += 1
            text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        if len(self.sample) < 1000:
            self.sample.append(text)
        return text

    def told(self) -> list[Diagnostic]:
        found = []
        if self.empty:
            message = f"{self.empty:,} of {self.texts:,} texts are empty: each counts as one unknown word"
            found.append(data_warning("D279", message, path="", help="leave them out"))
        if self.halves:
            message = f"{self.halves:,} texts hold half a character (a lone surrogate), read as \ufffd"
            found.append(data_warning("D279", message, path="", help="write the file as UTF-8 from whole characters"))
        tokens = [one for ids in self.vocabulary.encode(filter(str.strip, self.sample)) for one in ids]
        unknown = tokens.count(self.vocabulary.unknown)
        if tokens and unknown > _MOST_UNKNOWN * len(tokens):
            message = f"{unknown / len(tokens):.0%} of the tokens are unknown to the model"
            help = "are these texts of the language, and in the encoding, of training?"
            found.append(data_warning("D276", message, path="", help=help))
        return found
