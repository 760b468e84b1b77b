"""Which columns of a table hold texts and labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from snnctl.core.diagnostic import choices
from snnctl.data.problems import data_error

TEXT_NAMES = ("text", "sentence", "review", "content", "comment", "phrase")
LABEL_NAMES = ("label", "labels", "class", "sentiment", "category", "target")


@dataclass(frozen=True)
class TextOptions:
    """How to read texts.

    Args:
        text, label: names of the columns; None looks for usual names.
        header: whether CSV and TSV begin with names; None looks for usual names there.
        encoding: of text files.
        known: labels that training knows, where texts are read that need have none; None = every text has one.
    """

    text: str | None = None
    label: str | None = None
    header: bool | None = None
    encoding: str = "utf-8"
    known: frozenset[str] | None = None


def columns_of(
    names: Sequence[str], options: TextOptions, file: Path, first: Sequence[str] = ()
) -> tuple[int, int | None]:
    """Where texts and labels stand; None where labels need not be there, and are not.

    Args:
        names: of the columns.
        first: the first row, where that was not taken for names.

    Raises:
        DiagnosticError: D210 no column of texts, D211 none of labels.
    """
    shown = ", ".join(f"`{name}`" for name in list(names)[:10])
    if first:
        shown += "; the first row, which may hold their names: " + ", ".join(f"`{cell[:20]}`" for cell in first[:10])
    if options.known is None:
        text = _column(names, options.text, TEXT_NAMES, "text", "D210", file, shown)
        return text, _column(names, options.label, LABEL_NAMES, "label", "D211", file, shown)
    text = 0 if len(names) == 1 else _column(names, options.text, TEXT_NAMES, "text", "D210", file, shown)
    lowered = [name.lower() for name in names]
    wanted = LABEL_NAMES if options.label is None else (options.label.lower(),)
    label = next((lowered.index(name) for name in wanted if name in lowered), None)
    return text, None if label == text else label


def _column(
    names: Sequence[str], wanted: str | None, usual: Sequence[str], what: str, code: str, file: Path, shown: str
) -> int:
    key = f"data.{what}_column"
    if wanted is not None and wanted not in names:
        raise data_error(code, f"no column `{wanted}`", file=file, path=key, help=choices(wanted, names))
    lowered = [name.lower() for name in names]
    found = next((lowered.index(name) for name in usual if name in lowered), None)
    at = found if wanted is None else list(names).index(wanted)
    if at is None:
        help = f"name it in `{key}`; columns: {shown}"
        raise data_error(code, f"which column holds the {what}s is not clear", file=file, path=key, help=help)
    if list(names).count(names[at]) > 1:
        message = f"several columns are called `{names[at]}`"
        raise data_error(code, message, file=file, path=key, help="give each a name of its own")
    return at


def told_columns(names: Sequence[str], text: int, label: int | None) -> str:
    """Which columns are read, for people."""
    labels = "no labels" if label is None else f"labels from `{names[label]}`"
    return f"texts from column `{names[text]}`, {labels}"


def label_column(rows: Sequence[Sequence[str]], options: TextOptions, file: Path) -> int:
    """Of two columns without names the one with fewer different values, the second of equals; or that of known labels.

    Raises:
        DiagnosticError: D210, labels are known, and neither column holds them alone.
    """
    if options.known is not None:
        for column in (1, 0):
            if all(row[column].strip() in options.known for row in rows):
                return column
        help = "write the names of columns into the first row, or bring the column of texts alone"
        raise data_error("D210", "which column holds the texts is not clear", file=file, help=help)
    different = [len({row[i] for row in rows}) for i in (0, 1)]
    return int(different[1] <= different[0])
