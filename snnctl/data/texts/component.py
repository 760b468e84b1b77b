"""The `text` data component: texts with one class each, from a name, a file or a folder."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import torch
from annotated_types import Ge, Gt, Lt, MinLen

from snnctl.core.catalog import DATA, TOKENIZERS
from snnctl.core.diagnostic import Diagnostic, DiagnosticError, did_you_mean
from snnctl.core.registry import Slot, SourcePath
from snnctl.core.signature import takes_knobs
from snnctl.data.base import DataSource
from snnctl.data.cache import Progress
from snnctl.data.cuts import SPLIT_NAMES, one_class
from snnctl.data.labels import look_of
from snnctl.data.prepare import Prepared
from snnctl.data.problems import data_error, data_warning
from snnctl.data.texts.anew import FittedTexts
from snnctl.data.texts.dataset import TextData, TextSplit
from snnctl.data.texts.doubts import doubts, mended
from snnctl.data.texts.known import KNOWN
from snnctl.data.texts.labels import LabelRules, Sorted, sort_labels
from snnctl.data.texts.parts import WHOLE, CutSpec, Parts, Texts, class_order, cut, shared_texts, without_shared
from snnctl.data.texts.prepare import prepare
from snnctl.data.texts.readers.files import TextOptions, numbered, read_place
from snnctl.data.texts.readers.tables import LABEL_BEFORE
from snnctl.data.texts.store import cache_stamp, read_prepared
from snnctl.data.texts.tokenizers import Tokenizer, Vocabulary
from snnctl.data.walk import place_of

_DEPTH = 2  # of folders in a folder: train/pos/
_FILES_THAT_TELL = 2000  # of a folder, whose sizes and times say whether it has changed


@DATA.register("text")
class Text(DataSource):
    """Texts with one class each, as tokens.

    A path is a table (.csv, .tsv, .jsonl, .json, .parquet), a file of lines `LABEL text`, or a folder: files for train,
    dev and test in any of these formats, or one file of sentences per class (rt-polarity.pos and rt-polarity.neg), or
    folders train and test with a folder per class. Text files may be packed (.gz, .bz2, .xz). Columns and a header are
    recognised by usual names.

    Splits of the source are kept, and what is missing is taken from train: first test, then val, by seed and in the
    same shares of every class; a text that stands in the source more than once goes to one side. Nothing is ever
    chosen on test.

    Texts without a label are left out and counted. What looks odd is said: labels that may be marks or one class in two
    spellings, texts that the tokenizer does not know or cuts off.

    Args:
        source: a known name (mr, sst2, ...) or a path (./MR, ./reviews.csv).
        tokenizer: how texts become tokens; it learns its vocabulary from train.
        length: L, most tokens of a text, >= 1; longer ones are cut off (128 as in the published table).
        val: share of train that serves as val where the source has none, 0 < val < 1.
        test: share of all that serves as test where the source has none, 0 < test < 1.
        folds: put all texts together and cut them into so many parts, >= 2, one of which is test (10 in the literature
            on MR and Subj); null keeps the source's splits.
        fold: which of them is test, from 0.
        split_seed: of splits that are made here, >= 0; the run's own seed does not touch them.
        repeats: what becomes of texts that stand in two splits: report names them as a leak, remove takes them out of
            train (and out of val, where they stand in test, too).
        text_column, label_column: names of columns; null looks for usual names (text, sentence, review; label, class).
        header: whether CSV and TSV begin with the names of columns; null looks and decides.
        labels: names of the classes by what stands in the data, in the order of the classes ({"0": bad, "1": good});
            null sorts what stands in train. Labels that stand here are classes without doubt.
        encoding: of text files, such as utf-8, latin-1, gb18030; a byte-order mark says more.
        unlabelled: what becomes of texts whose label is empty, null or NaN, or one of the marks.
        unlabelled_marks: labels that stand for none, such as "-1"; null knows empty ones alone.
        label_case: whether labels that differ in case, blanks or width alone (Positive, positive) are classes of their
            own, which is said, or one.

    Shape:
        inputs [B, L] int64, padded with 0, L as long as the batch needs; targets [B].

    Raises:
        DiagnosticError: D1xx a file, D2xx its texts.
    """

    gives: ClassVar[Literal["classes"]] = "classes"

    @takes_knobs
    def __init__(
        self,
        *,
        source: Annotated[str, SourcePath(tuple(KNOWN))],
        tokenizer: Annotated[str | Tokenizer, Slot("tokenizer")] = "word",
        length: Annotated[int, Ge(1)] = 128,
        val: Annotated[float, Gt(0.0), Lt(1.0)] = 0.1,
        test: Annotated[float, Gt(0.0), Lt(1.0)] = 0.1,
        folds: Annotated[int, Ge(2)] | None = None,
        fold: Annotated[int, Ge(0)] = 0,
        split_seed: Annotated[int, Ge(0)] = 0,
        repeats: Literal["report", "remove"] = "report",
        text_column: Annotated[str, MinLen(1)] | None = None,
        label_column: Annotated[str, MinLen(1)] | None = None,
        header: bool | None = None,
        labels: Annotated[dict[str, str], MinLen(2)] | None = None,
        encoding: Annotated[str, MinLen(1)] = "utf-8",
        unlabelled: Literal["drop", "refuse"] = "drop",
        unlabelled_marks: Annotated[list[int | str], MinLen(1)] | None = None,
        label_case: Literal["keep", "ignore"] = "keep",
    ) -> None:
        self.source = source
        self.tokenizer: Tokenizer = TOKENIZERS.get(tokenizer)() if isinstance(tokenizer, str) else tokenizer
        self.length = length
        self.cut = CutSpec(val, test, folds, fold, split_seed)
        self.repeats = repeats
        self.options = TextOptions(text_column, label_column, header, encoding)
        self.labels = labels
        self.label_rules = LabelRules(
            unlabelled, tuple(map(str, unlabelled_marks or ())), label_case, tuple(labels or ())
        )

    @staticmethod
    def rules(knobs: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """The fold is one of the folds; classes have names of their own, and no mark is a class."""
        folds, labels = knobs.get("folds"), knobs.get("labels")
        if folds is not None and knobs.get("fold", 0) >= folds:
            yield "fold", f"`fold` must be below `folds`, which are 0 to {folds - 1}"
        if labels is not None and len(set(labels.values())) < len(labels):
            yield "labels", "`labels` gives two classes the same name"
        both = [mark for mark in knobs.get("unlabelled_marks") or () if str(mark) in (labels or ())]
        if both:
            yield "unlabelled_marks", f"`{both[0]}` is a class in `labels`, and cannot mark texts without one"

    def prepare(self, progress: Progress | None = None, brought: Path | None = None) -> tuple[Prepared, ...]:
        """A named set in the cache; files are read where they lie."""
        return (prepare(self.source, brought, progress=progress),) if self.source in KNOWN else ()

    def load(self) -> TextData:
        """The texts; the last ones that were read are kept, so that a check and what follows read them once."""
        key = self._key()
        if key not in _LAST:
            made = self._load()
            _LAST.clear()
            _LAST[key] = made
        return _LAST[key]

    def _key(self) -> str:
        tokenizer = (type(self.tokenizer).__name__, sorted(vars(self.tokenizer).items(), key=str))
        place = place_of(self.source)
        files = [] if place is None else [place] if place.is_file() else islice(_below(place), _FILES_THAT_TELL)
        stamps = [(str(file), stat.st_size, stat.st_mtime_ns) for file in files for stat in (file.lstat(),)]
        settings = (
            self.source,
            self.length,
            self.cut,
            self.repeats,
            self.options,
            self.labels,
            self.label_rules,
            stamps,
        )
        return repr((tokenizer, settings)) + (cache_stamp(self.source) if self.source in KNOWN else "")

    def _load(self) -> TextData:
        read, warnings = mended(_read(self.source, self.options), self.options.encoding, self.source)
        found = sort_labels(read, self.label_rules, self.source)
        try:
            return self._made(read, found, warnings)
        except DiagnosticError as error:  # what was odd may well be why
            odd = tuple(f"{warning.message}; {warning.help}" for warning in found.warnings)
            raise DiagnosticError(replace(one, notes=(*one.notes, *odd)) for one in error.diagnostics) from error

    def _made(self, read: Parts, found: Sorted, warnings: list[Diagnostic]) -> TextData:
        parts, notes = cut(found.parts, self.cut, self.source)
        leaks: list[str] = []
        if self.repeats == "remove":
            notes += [f"{text}: removed there" for text in shared_texts(parts)]
            parts = without_shared(parts)
        else:
            leaks = shared_texts(parts)
        train = parts["train"]
        present = set(train.labels)
        if len(present) < 2:
            raise one_class(min(present, default=""), self.source)
        wanted = None if self.labels is None else [found.class_of(label) for label in self.labels]
        order = class_order(train, wanted, list(numbered(list(present))))
        vocabulary = self.tokenizer.learn(train.texts)
        splits: dict[str, TextSplit] = {}
        for name in SPLIT_NAMES:
            splits[name] = self._split(parts[name], name, order, vocabulary)
        labels = order if self.labels is None else tuple(self.labels.values())
        return TextData(
            origin=self.source,
            splits=splits,
            words=vocabulary.words,
            labels=labels,
            fitted=self._fitted(vocabulary, labels, dict(zip(order, labels, strict=True)), found, read),
            length=self.length,
            unknown=vocabulary.unknown,
            reading=_reading(read, found, order),
            notes=tuple(notes),
            leaks=tuple(leaks),
            warnings=(
                *found.warnings,
                *self._repeated(leaks),
                *self._absent([label for label in order if label not in present]),
                *doubts(splits, vocabulary, self.source),
                *warnings,
            ),
        )

    def _fitted(
        self, vocabulary: Vocabulary, labels: tuple[str, ...], names: Mapping[str, str], found: Sorted, read: Parts
    ) -> FittedTexts:
        spelled = {written: names[of] for written, of in found.spelled.items() if of in names}
        lines = any(LABEL_BEFORE in part.notes for part in read.values())
        return FittedTexts(labels, self.length, vocabulary, {**names, **spelled}, self.options, lines)

    def _repeated(self, leaks: list[str]) -> Iterator[Diagnostic]:
        if leaks:
            help = "set `data.repeats: remove`; a score on texts that were learned flatters"
            notes = tuple(leaks[1:])
            yield Diagnostic(
                "D280", leaks[0], severity="warning", file=self.source, path="data.repeats", help=help, notes=notes
            )

    def _absent(self, labels: list[str]) -> Iterator[Diagnostic]:
        if labels:
            shown = ", ".join(f"`{label}`" for label in labels[:5])
            message = f"no text of train has the label {shown}, which `data.labels` names"
            help = "write labels as they stand in the data"
            yield data_warning("D278", message, file=self.source, path="data.labels", help=help)

    def _split(self, part: Texts, name: str, order: tuple[str, ...], vocabulary: Vocabulary) -> TextSplit:
        number = {label: i for i, label in enumerate(order)}
        strange = sorted({label for label in part.labels if label not in number})
        if strange:
            shown = ", ".join(f"`{label}`" for label in strange[:5])
            known = ", ".join(f"`{label}`" for label in order[:10])
            where = "`data.labels`" if self.labels is not None else "train"
            message = f"{name} has texts with label {shown}, which {where} does not have"
            help = f"labels there: {known}"
            if "-1" in strange:
                help += '; -1 often stands for texts without a label: `data.unlabelled_marks: ["-1"]` leaves them out'
            elif {look_of(label) for label in strange} & {look_of(label) for label in order}:
                help += "; `data.label_case: ignore` takes those that differ in case or blanks alone for one"
            raise data_error("D212", message, file=self.source, path="data.labels", help=help)
        encoded = vocabulary.encode(part.texts)
        uncut = torch.tensor([len(ids) for ids in encoded], dtype=torch.int64)
        counts = uncut.clamp_max(self.length)
        flat = torch.tensor([i for ids in encoded for i in ids[: self.length]], dtype=torch.int32)
        starts = torch.cat((torch.zeros(1, dtype=torch.int64), counts.cumsum(0)))
        targets = torch.tensor([number[label] for label in part.labels], dtype=torch.int64)
        return TextSplit(part.texts, flat, starts, targets, uncut)


def _reading(read: Parts, found: Sorted, order: tuple[str, ...]) -> dict[str, Any]:
    return {
        "how_it_is_read": list(dict.fromkeys(note for part in read.values() for note in part.notes)),
        "rows": sum(len(part) for part in read.values()),
        "without_label": {"all" if name == WHOLE else name: count for name, count in found.left_out.items()},
        "labels_as_written": {label: found.spellings(label) for label in order},
    }


def _below(folder: Path) -> Iterator[Path]:
    """Files as deep as any layout has them, in an order that is always the same."""
    for inner, folders, names in os.walk(folder):
        folders.sort()
        yield from (Path(inner, name) for name in sorted(names))
        if len(Path(inner).relative_to(folder).parts) == _DEPTH:
            folders.clear()


_LAST: dict[str, TextData] = {}


def _read(source: str, options: TextOptions) -> Parts:
    if source in KNOWN:
        return read_prepared(source)
    if (path := place_of(source)) is not None:
        return read_place(path, options)
    stem = Path(source).name.split(".")[0].lower()
    near = f"for the named set, write `source: {stem}`" if stem in KNOWN else did_you_mean(source, KNOWN)
    help = f"{near}  known names: {', '.join(KNOWN)}".strip()
    raise data_error("D101", f"no file or folder `{source}`", file=source, help=help)
