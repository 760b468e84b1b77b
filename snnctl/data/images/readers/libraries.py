"""Sets through the classes of torchvision, and through `datasets`: local folders, Parquet, and ids of the hub."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from snnctl.data.arrays import Item, array_part, numbered
from snnctl.data.cache import Part, Source
from snnctl.data.decoding import Decoder
from snnctl.data.images.known import KnownImages
from snnctl.data.problems import data_error, unreadable

_PARTS = {"train": "train", "validation": "val", "valid": "val", "val": "val", "test": "test"}

_MOST_CLASSES = 10_000


def torchvision_source(known: KnownImages, root: Path, *, download: bool = False) -> Source[Item]:
    """A named set as its torchvision class reads it from `root`, or fetches it to there.

    Raises:
        DiagnosticError: D107 the files are not the genuine ones, D108 no download, D101 they are not there.
    """
    from torchvision import datasets as sets

    make = getattr(sets, known.torchvision)
    by_hand = f"fetch it by other means and run: snnctl data prep {known.name} --from FOLDER"
    parts = []
    try:
        for name, train in (("train", True), ("test", False)):
            found = make(str(root), train=train, download=download)
            parts.append(array_part(name, np.asarray(found.data), np.asarray(found.targets)))
    except RuntimeError as error:  # how torchvision says that files are absent or have another checksum
        if download:
            raise data_error("D108", f"`{known.name}` cannot be downloaded: {error}", help=by_hand) from error
        message = f"the files of `{known.name}` are not in `{root}`, or are not the genuine ones"
        raise data_error("D107", message, file=root, help=f"run: {known.command}") from error
    except OSError as error:
        reason = getattr(error, "reason", None) or error
        raise data_error("D108", f"`{known.name}` cannot be downloaded: {reason}", help=by_hand) from error
    except Exception as error:  # damaged files, of which torchvision checks no sum: struct.error, AssertionError ...
        raise unreadable(root, known.torchvision, error) from error
    return Source(tuple(parts), known.name, "torchvision", known.licence, tuple(found.classes))


def hub_source(name: str, decode: Decoder, *, label: str | None = None, online: bool = True) -> Source[Item]:
    """An image set of `datasets.load_dataset`: an id of the hub, or a folder or Parquet file beside the recipe.

    Args:
        decode: turns pictures into pixels.
        label: the column of the classes; None = the only one with class names, or `fine_label`.
        online: whether `name` is an id rather than a path; for the error message.

    Raises:
        DiagnosticError: D101 or D108 it cannot be had, D204 no such column, D222 no pictures or no classes.
    """
    import datasets

    datasets.disable_progress_bars()
    try:
        if Path(name).is_file():
            loaded = datasets.load_dataset("parquet", data_files=name)
        else:
            loaded = datasets.load_dataset(name)
    except Exception as error:  # the library raises its own, those of its transports, and plain ones
        reason = " ".join(str(error).split())[:200]
        if not online:
            raise data_error("D104", f"`datasets` cannot read it: {reason}", file=name) from error
        help = (
            f"connect and run: snnctl data prep RECIPE; or fetch the set by other means and give its folder as"
            f" `data.source` (instead of `hub: {name}`)"
        )
        raise data_error("D108", f"the set `{name}` cannot be had: {reason}", path="data.hub", help=help) from error
    first = next(iter(loaded.values()))
    picture = next((key for key, kind in first.features.items() if isinstance(kind, datasets.Image)), None)
    if picture is None:
        raise data_error("D222", f"`{name}` has no column of pictures", notes=(f"columns: {_columns(first)}",))
    column = _label_column(first, label, name)
    # A part whose classes are kept back (-1) can be neither learned nor scored.
    loaded = {part: table for part, table in loaded.items() if _has_classes(table[column], part, column, name)}
    if not loaded:
        raise data_error("D222", f"no part of `{name}` has classes in column `{column}`")
    raw = datasets.Image(decode=False)  # errors of damaged pictures are told by our own decoder
    parts = tuple(
        Part(
            _PARTS.get(part, part),
            len(table),
            partial(_rows, table.cast_column(picture, raw), picture, column, decode, name),
        )
        for part, table in loaded.items()
    )
    if len(parts) == 1:
        parts = (replace(parts[0], name="all"),)
    unknown = [part.name for part in parts if part.name not in ("train", "val", "test", "all")]
    if unknown:
        raise data_error("D222", f"`{name}` has a part `{unknown[0]}`; known are train, validation and test")
    kind = first.features[column]
    names = tuple(kind.names) if isinstance(kind, datasets.ClassLabel) else _numbers(loaded, column, name)
    licence = str(getattr(first.info, "license", "") or "")
    return Source(parts, name, "datasets", licence, names, findings=decode.findings)


def _label_column(table: Any, wanted: str | None, name: str) -> str:
    import datasets

    if wanted is not None:
        if wanted not in table.features:
            raise data_error("D204", f"`{name}` has no column `{wanted}`; it has {_columns(table)}", path="data.label")
        return wanted
    found = [key for key, kind in table.features.items() if isinstance(kind, datasets.ClassLabel)]
    found = found or [key for key in table.features if key in ("label", "labels", "class", "target")]
    if "fine_label" in found:
        return "fine_label"
    if len(found) != 1:
        message = f"`{name}` has {len(found) or 'no'} columns that may be the class: {_columns(table)}"
        raise data_error("D222", message, path="data.label", help="name it as `data.label`")
    return found[0]


def _has_classes(values: Sequence[Any], part: str, column: str, name: str) -> bool:
    """Whether the rows of a part have classes; raises D222, some have and others not, or they are no numbers."""
    odd = next((value for value in values if not isinstance(value, int)), 0)
    missing = sum(value == -1 for value in values)
    if odd != 0 or 0 < missing < len(values):
        which = f"{missing:,} of {len(values):,} rows -1" if odd == 0 else f"{odd!r}"
        help = "rows without a class (-1, null) have to be left out; classes are whole numbers from 0 on"
        message = f"column `{column}` of `{name}` has {which} in {part}"
        raise data_error("D222", message, path="data.label", help=help)
    return missing < len(values)


def _numbers(loaded: Any, column: str, name: str) -> tuple[str, ...]:
    """Names of classes that are plain numbers."""
    highest = max(max(table[column], default=-1) for table in loaded.values())
    if not isinstance(highest, int) or highest < 1 or highest > _MOST_CLASSES:
        message = f"the classes in column `{column}` of `{name}` are not numbered from 0 to at most {_MOST_CLASSES:,}"
        raise data_error("D222", message, path="data.label")
    return numbered(highest)


def _rows(table: Any, picture: str, column: str, decode: Decoder, name: str) -> Iterator[Item]:
    for number, row in enumerate(table):
        kept = row[picture] or {}
        content = kept.get("bytes") or Path(kept.get("path") or "")
        yield decode(content, f"{name}[{number}]"), int(row[column])


def _columns(table: Any) -> str:
    return ", ".join(table.features)
