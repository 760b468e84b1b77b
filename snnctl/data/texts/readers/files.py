"""Files of texts (CSV, TSV, JSON, JSON lines, Parquet, lines that begin with their label) and folders of them."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snnctl.core.diagnostic import choices
from snnctl.data.cuts import SPLIT_WORDS
from snnctl.data.problems import data_error, unreadable
from snnctl.data.texts.parts import WHOLE, Parts, Texts, joined

TEXT_NAMES = ("text", "sentence", "review", "content", "comment", "phrase")
LABEL_NAMES = ("label", "labels", "class", "sentiment", "category", "target")
TABLES = (".csv", ".tsv", ".jsonl", ".json", ".ndjson", ".parquet")
# More labels than this in front of lines are words, not labels.
_MOST_LABELS = 100


@dataclass(frozen=True)
class TextOptions:
    """How to read texts.

    Args:
        text, label: names of the columns; None looks for usual names.
        header: whether CSV and TSV begin with names; None looks for usual names there.
        encoding: of text files.
    """

    text: str | None = None
    label: str | None = None
    header: bool | None = None
    encoding: str = "utf-8"


def read_table(path: Path, options: TextOptions) -> Texts:
    """The texts of one file; files of no known suffix hold a label and a text on each line.

    Raises:
        DiagnosticError: D102 to D104 the file, D210 or D211 no column of texts or labels.
    """
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        part = _parquet(path, options)
    elif suffix in (".json", ".jsonl", ".ndjson"):
        part = _json(path, options)
    elif suffix in (".csv", ".tsv"):
        part = _delimited(path, options)
    else:
        part = _labelled_lines(path, options)
    if not len(part):
        raise data_error("D102", "the file holds no text", file=path)
    return part


def read_lines(path: Path, encoding: str) -> list[str]:
    """All lines that are not blank. Only a line feed ends a line: in Latin-1 other characters may look like ends."""
    lines = read_text(path, encoding).split("\n")
    return [line.rstrip("\r") for line in lines if line.strip()]


def read_text(path: Path, encoding: str) -> str:
    """The whole file, without a byte-order mark; raises D103, D104."""
    try:
        return path.read_bytes().decode(encoding).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raw = error.object
        line = raw.count(b"\n", 0, error.start) + 1 if isinstance(raw, bytes) else 0
        help = "set `data.encoding`, for instance to latin-1" if encoding.lower().startswith("utf") else ""
        raise data_error("D103", f"this is not {encoding} text", file=path, line=line, help=help) from None
    except LookupError:
        help = "such as utf-8, latin-1, gb18030"
        raise data_error("D103", f"unknown encoding `{encoding}`", path="data.encoding", help=help) from None
    except OSError as error:
        raise data_error("D104", f"cannot be read: {error.strerror or error}", file=path) from error


def _delimited(path: Path, options: TextOptions) -> Texts:
    text = read_text(path, options.encoding)
    if path.suffix.lower() == ".tsv":  # quotes are part of the text
        rows = [line.rstrip("\r").split("\t") for line in text.split("\n") if line.strip()]
    else:
        try:
            rows = [row for row in csv.reader(io.StringIO(text, newline="")) if row]
        except csv.Error as error:
            raise data_error("D104", f"cannot be read as a table: {error}", file=path) from error
    if not rows:
        raise data_error("D102", "the file is empty", file=path)
    width = len(rows[0])
    for number, row in enumerate(rows, start=1):
        if len(row) != width:
            message = f"row {number} has {len(row)} fields, the first has {width}"
            raise data_error("D201", message, file=path, help="a text with the delimiter in it needs quotes")
    first = [cell.strip() for cell in rows[0]]
    known = {*TEXT_NAMES, *LABEL_NAMES, options.text, options.label}
    header = options.header
    if header is None:
        header = any(cell in known or cell.lower() in known for cell in first)
    if header:
        names, rows = first, rows[1:]
    else:
        names = [f"c{i}" for i in range(width)]
        if width == 2 and options.text is None and options.label is None:
            label = _label_column(rows)
            return Texts(tuple(row[1 - label] for row in rows), tuple(row[label].strip() for row in rows))
    text_at, label_at = _columns(names, options, path)
    return Texts(tuple(row[text_at] for row in rows), tuple(row[label_at].strip() for row in rows))


def _label_column(rows: Sequence[Sequence[str]]) -> int:
    """Of two columns without names the one with fewer different values; the second of equals."""
    different = [len({row[i] for row in rows}) for i in (0, 1)]
    return int(different[1] <= different[0])


def _columns(names: Sequence[str], options: TextOptions, file: Path) -> tuple[int, int]:
    text = _column(names, options.text, TEXT_NAMES, "text", "D210", file)
    return text, _column(names, options.label, LABEL_NAMES, "label", "D211", file)


def _column(names: Sequence[str], wanted: str | None, usual: Sequence[str], what: str, code: str, file: Path) -> int:
    key = f"data.{what}_column"
    if wanted is not None:
        if wanted in names:
            return list(names).index(wanted)
        raise data_error(code, f"no column `{wanted}`", file=file, path=key, help=choices(wanted, names))
    lowered = [name.lower() for name in names]
    found = next((lowered.index(name) for name in usual if name in lowered), None)
    if found is None:
        shown = ", ".join(f"`{name}`" for name in list(names)[:10])
        help = f"name it in `{key}`; columns: {shown}"
        raise data_error(code, f"which column holds the {what}s is not clear", file=file, path=key, help=help)
    return found


def _json(path: Path, options: TextOptions) -> Texts:
    if path.suffix.lower() == ".json":
        rows = _parsed(path, lambda: json.loads(read_text(path, options.encoding)))
    else:
        lines = read_lines(path, options.encoding)
        rows = _parsed(path, lambda: [json.loads(line) for line in lines])
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise data_error("D104", "expected a list of objects, one per text", file=path)
    if not rows:
        raise data_error("D102", "the file is empty", file=path)
    names = list(rows[0])
    text, label = (names[i] for i in _columns(names, options, path))
    return Texts(
        tuple(_plain(row.get(text)) for row in rows),
        tuple(_plain(row.get(label)).strip() for row in rows),
    )


def _parsed(path: Path, parse: Callable[[], Any]) -> Any:
    try:
        return parse()
    except json.JSONDecodeError as error:
        raise data_error("D104", f"cannot be read as JSON: {error.msg}", file=path, line=error.lineno) from error


def _plain(value: Any) -> str:
    return "" if value is None else str(value)


def _parquet(path: Path, options: TextOptions) -> Texts:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise unreadable(path, "", error) from error
    text, label = (table.column_names[i] for i in _columns(table.column_names, options, path))
    order = _class_names(table.schema.metadata, label)
    texts, labels = table[text].to_pylist(), table[label].to_pylist()

    def named(value: Any) -> str:
        return order[value] if order and isinstance(value, int) and 0 <= value < len(order) else _plain(value)

    return Texts(tuple(_plain(t) for t in texts), tuple(named(value) for value in labels), order)


def _class_names(metadata: dict[bytes, bytes] | None, label: str) -> tuple[str, ...]:
    """Names of classes, as `datasets` writes them beside a table."""
    try:
        features = json.loads((metadata or {})[b"huggingface"])["info"]["features"]
        return tuple(features[label]["names"])
    except (KeyError, ValueError, TypeError):
        return ()


def _labelled_lines(path: Path, options: TextOptions) -> Texts:
    lines = read_lines(path, options.encoding)
    pairs = [line.strip().partition(" ") for line in lines]
    labels = {label for label, _, _ in pairs}
    if len(labels) > _MOST_LABELS or len(labels) == len(lines) > 2:
        known = ", ".join(TABLES)
        message = "the lines of the file do not begin with a label"
        help = f"expected lines `LABEL text`, or a table: {known}"
        raise data_error("D105", message, file=path, help=help)
    return Texts(tuple(text for _, _, text in pairs), tuple(label for label, _, _ in pairs))


def numbered(labels: Sequence[str]) -> Iterator[str]:
    """Labels in order: by number where all are numbers, else by text."""
    try:
        yield from sorted(labels, key=int)
    except ValueError:
        yield from sorted(labels)


_NOTES = (".md", ".rst", ".html", ".pdf")
_LAYOUTS = (
    "a folder holds train, dev and test (.tsv, .csv, .jsonl, .parquet, or lines `LABEL text`), one file of sentences"
    " per class (rt-polarity.pos and .neg), folders train and test with a folder per class, or a single table"
)


def read_place(path: Path, options: TextOptions) -> Parts:
    """The parts of a file or a folder.

    Raises:
        DiagnosticError: D101 nothing there, D105 no layout that is known, or what reading a file found.
    """
    if path.is_file():
        return {WHOLE: read_table(path, options)}
    if not path.is_dir():
        raise data_error("D101", f"no file or folder `{path}`", file=path)
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
    else:
        files = [file for file in sorted(folder.iterdir()) if _is_data(file)]
        if len(files) < 2 or any(file.suffix.lower() in TABLES for file in files):
            raise data_error("D105", f"what `{folder}` holds is not clear", file=folder, help=_LAYOUTS)
        same = len({file.stem for file in files}) == 1  # rt-polarity.pos and rt-polarity.neg
        found = [(file.suffix.lstrip(".") if same else file.stem, read_lines(file, options.encoding)) for file in files]
    return joined([Texts(tuple(texts), (name,) * len(texts)) for name, texts in found if texts])
