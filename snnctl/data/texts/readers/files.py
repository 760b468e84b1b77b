"""Folders of texts, and single files: which part of a set each file is."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from snnctl.data.cuts import SPLIT_WORDS
from snnctl.data.problems import data_error
from snnctl.data.texts.parts import WHOLE, Parts, Texts, joined
from snnctl.data.texts.readers.columns import LABEL_NAMES, TEXT_NAMES, TextOptions
from snnctl.data.texts.readers.plain import read_lines, read_text, suffix_of
from snnctl.data.texts.readers.tables import TABLES, read_table

__all__ = ("LABEL_NAMES", "TEXT_NAMES", "TextOptions", "numbered", "read_place", "read_table")


def numbered(labels: Sequence[str]) -> Iterator[str]:
    """Labels in order: by number where all are numbers, else by text."""
    try:
        yield from sorted(labels, key=int)
    except ValueError:
        yield from sorted(labels)


_UNLABELLED = ("unsup", "unlabeled", "unlabelled")  # folders of texts without a class, as that of IMDb
_NOTES = (".md", ".rst", ".html", ".pdf")
_LAYOUTS = (
    "a folder holds train, dev and test (.tsv, .csv, .jsonl, .parquet, or lines `LABEL text`), one file of sentences"
    " per class (rt-polarity.pos and .neg), folders train and test with a folder per class, or a single table"
)


def read_place(path: Path, options: TextOptions) -> Parts:
    """The parts of a file or a folder.

    Raises:
        DiagnosticError: D101 nothing there, D104 a folder that cannot be listed, D105 no layout that is known,
            or what reading a file found.
    """
    if os.path.isfile(path):
        return {WHOLE: read_table(path, options)}
    if not os.path.isdir(path):
        raise data_error("D101", f"no file or folder `{path}`", file=path)
    try:
        return _parts(path, options)
    except OSError as error:
        raise data_error("D104", f"cannot be read: {error.strerror or error}", file=path) from error


def _parts(path: Path, options: TextOptions) -> Parts:
    files = [file for file in sorted(path.iterdir()) if _is_data(file)]
    splits = _by_split(files) or _by_split(sorted((path / "data").glob("*.parquet")))
    if splits:
        return {name: joined([read_table(file, options) for file in found]) for name, found in splits.items()}
    folders = [folder for folder in sorted(path.iterdir()) if folder.is_dir() and not folder.name.startswith(".")]
    named = {SPLIT_WORDS[folder.name.lower()]: folder for folder in folders if folder.name.lower() in SPLIT_WORDS}
    if named:
        return {name: _classes(folder, options) for name, folder in named.items()}
    if len(files) == 1:
        return {WHOLE: read_table(files[0], options)}
    return {WHOLE: _classes(path, options)}


def _is_data(file: Path) -> bool:
    known = not file.name.startswith(".") and file.suffix.lower() not in _NOTES
    return file.is_file() and known and file.stem.upper() not in ("LICENSE", "README", "SOURCE")


def _by_split(files: list[Path]) -> dict[str, list[Path]]:
    """Files whose name holds the name of one split: train.tsv, stsa.fine.dev, test-00000-of-00001.parquet."""
    found: dict[str, list[Path]] = {}
    for file in files:
        words = file.name.lower().replace("-", ".").replace("_", ".").split(".")
        names = {SPLIT_WORDS[word] for word in words if word in SPLIT_WORDS}
        if len(names) == 1:
            found.setdefault(names.pop(), []).append(file)
    return found if "train" in found else {}


def _classes(folder: Path, options: TextOptions) -> Texts:
    """One file of lines per class, or one folder of files per class."""
    inner = [path for path in sorted(folder.iterdir()) if path.is_dir() and not path.name.startswith(".")]
    if len(inner) > 1:
        found = [
            (path.name, [read_text(file, options.encoding) for file in sorted(path.iterdir()) if _is_data(file)])
            for path in inner
        ]
        found = [("" if name.lower() in _UNLABELLED else name, texts) for name, texts in found]
    else:
        files = [file for file in sorted(folder.iterdir()) if _is_data(file)]
        if len(files) < 2 or any(suffix_of(file) in TABLES for file in files):
            raise data_error("D105", f"what `{folder}` holds is not clear", file=folder, help=_LAYOUTS)
        same = len({file.stem for file in files}) == 1  # rt-polarity.pos and rt-polarity.neg
        found = [(file.suffix.lstrip(".") if same else file.stem, read_lines(file, options.encoding)) for file in files]
    notes = (f"a {'folder' if len(inner) > 1 else 'file'} for each class",)
    return joined([Texts(tuple(texts), (name,) * len(texts), notes=notes) for name, texts in found if texts])
