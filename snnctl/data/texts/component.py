"""The `text` data component: texts with one class each, from a name, a file or a folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import torch
from annotated_types import Ge, Gt, Lt, MinLen

from snnctl.core.catalog import DATA, TOKENIZERS
from snnctl.core.diagnostic import did_you_mean
from snnctl.core.registry import Slot, SourcePath
from snnctl.core.signature import takes_knobs
from snnctl.data.base import DataSource
from snnctl.data.cache import Progress
from snnctl.data.cuts import SPLIT_NAMES
from snnctl.data.prepare import Prepared
from snnctl.data.problems import data_error
from snnctl.data.texts.dataset import TextData, TextSplit
from snnctl.data.texts.known import KNOWN
from snnctl.data.texts.parts import CutSpec, Parts, Texts, class_order, cut, shared_texts, without_shared
from snnctl.data.texts.prepare import prepare
from snnctl.data.texts.readers.files import TextOptions, numbered, read_place
from snnctl.data.texts.store import cache_stamp, read_prepared
from snnctl.data.texts.tokenizers import Tokenizer, Vocabulary

_FILES_THAT_TELL = 2000  # of a folder, whose sizes and times say whether it has changed


@DATA.register("text")
class Text(DataSource):
    """Texts with one class each, as tokens.

    A path is a table (.csv, .tsv, .jsonl, .json, .parquet), a file of lines `LABEL text`, or a folder: files for train,
    dev and test in any of these formats, or one file of sentences per class (rt-polarity.pos and rt-polarity.neg), or
    folders train and test with a folder per class. Columns and a header are recognised by usual names.

    Splits of the source are kept, and what is missing is taken from train: first test, then val, by seed and in the
    same shares of every class; a text that stands in the source more than once goes to one side. Nothing is ever
    chosen on test.

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
            null sorts what stands in train.
        encoding: of text files, such as utf-8, latin-1, gb18030.

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
    ) -> None:
        self.source = source
        self.tokenizer: Tokenizer = TOKENIZERS.get(tokenizer)() if isinstance(tokenizer, str) else tokenizer
        self.length = length
        self.cut = CutSpec(val, test, folds, fold, split_seed)
        self.repeats = repeats
        self.options = TextOptions(text_column, label_column, header, encoding)
        self.labels = labels

    @staticmethod
    def rules(knobs: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """The fold is one of the folds; classes have names of their own."""
        folds, labels = knobs.get("folds"), knobs.get("labels")
        if folds is not None and knobs.get("fold", 0) >= folds:
            yield "fold", f"`fold` must be below `folds`, which are 0 to {folds - 1}"
        if labels is not None and len(set(labels.values())) < len(labels):
            yield "labels", "`labels` gives two classes the same name"

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
        place = Path(self.source)
        files = [place] if place.is_file() else sorted(place.rglob("*"))[:_FILES_THAT_TELL] if place.is_dir() else []
        stamps = [(str(file), stat.st_size, stat.st_mtime_ns) for file in files for stat in (file.stat(),)]
        settings = (self.source, self.length, self.cut, self.repeats, self.options, self.labels, stamps)
        return repr((tokenizer, settings)) + (cache_stamp(self.source) if self.source in KNOWN else "")

    def _load(self) -> TextData:
        parts, notes = cut(_read(self.source, self.options), self.cut, self.source)
        leaks: list[str] = []
        if self.repeats == "remove":
            notes += [f"{text}: removed there" for text in shared_texts(parts)]
            parts = without_shared(parts)
        else:
            leaks = shared_texts(parts)
        train = parts["train"]
        order = class_order(
            train, None if self.labels is None else list(self.labels), list(numbered(list(set(train.labels))))
        )
        if len(order) < 2:
            help = "`data.label_column` names the column of labels" if len(train) else ""
            raise data_error("D213", f"all texts of train have the label `{order[0]}`", file=self.source, help=help)
        vocabulary = self.tokenizer.learn(train.texts)
        made: dict[str, TextSplit] = {}
        cut_short: dict[str, int] = {}
        for name in SPLIT_NAMES:
            made[name], cut_short[name] = self._split(parts[name], name, order, vocabulary)
        return TextData(
            origin=self.source,
            splits=made,
            words=vocabulary.words,
            labels=order if self.labels is None else tuple(self.labels.values()),
            length=self.length,
            cut_short=cut_short,
            notes=tuple(notes),
            leaks=tuple(leaks),
        )

    def _split(self, part: Texts, name: str, order: tuple[str, ...], vocabulary: Vocabulary) -> tuple[TextSplit, int]:
        number = {label: i for i, label in enumerate(order)}
        strange = sorted({label for label in part.labels if label not in number})
        if strange:
            shown = ", ".join(f"`{label}`" for label in strange[:5])
            known = ", ".join(f"`{label}`" for label in order[:10])
            where = "`data.labels`" if self.labels is not None else "train"
            message = f"{name} has texts with label {shown}, which {where} does not have"
            help = f"labels there: {known}" + ("; -1 often stands for texts without a label" if "-1" in strange else "")
            raise data_error("D212", message, file=self.source, path="data.labels", help=help)
        encoded = vocabulary.encode(part.texts)
        counts = torch.tensor([min(len(ids), self.length) for ids in encoded], dtype=torch.int64)
        flat = torch.tensor([i for ids in encoded for i in ids[: self.length]], dtype=torch.int32)
        starts = torch.cat((torch.zeros(1, dtype=torch.int64), counts.cumsum(0)))
        targets = torch.tensor([number[label] for label in part.labels], dtype=torch.int64)
        return TextSplit(part.texts, flat, starts, targets), sum(len(ids) > self.length for ids in encoded)


_LAST: dict[str, TextData] = {}


def _read(source: str, options: TextOptions) -> Parts:
    if source in KNOWN:
        return read_prepared(source)
    path = Path(source).expanduser()
    if source and path.exists():
        return read_place(path, options)
    stem = path.name.split(".")[0].lower()
    near = f"for the named set, write `source: {stem}`" if stem in KNOWN else did_you_mean(source, KNOWN)
    help = f"{near}  known names: {', '.join(KNOWN)}".strip()
    raise data_error("D101", f"no file or folder `{source}`", file=source, help=help)
