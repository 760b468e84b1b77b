"""The layouts of DVS128 Gesture: a table of labels beside each long recording, or files named after their class."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path, PurePosixPath

from snnctl.data.events.readers.recording import Recording
from snnctl.data.folders import Labelled
from snnctl.data.problems import data_error

_TABLE = "_labels.csv"
_HEAD = ("class", "startTime_usec", "endTime_usec")
_TRIALS = {"train": "trials_to_train.txt", "test": "trials_to_test.txt"}
_PIECE = re.compile(r"(.+\.aedat)#(\d+)-(\d+)")  # FILE#START-END is a piece of a recording
_USER = re.compile(r"user(\d{1,6})_.*\.aedat$")
_MOST_BYTES = 1 << 20  # of a table


@dataclass(frozen=True)
class Row:
    """One labelled recording in a file: all of it, or from `cut[0]` to before `cut[1]` microseconds."""

    label: int
    cut: tuple[int, int] | None

    def of(self, whole: Recording) -> Recording:
        """The piece of a recording, whose events are in the order of time; its times count from where it begins."""
        if self.cut is None:
            return whole
        first, end = whole.t.searchsorted(self.cut)
        piece = whole.where(slice(int(first), int(end)))
        return replace(piece, t=piece.t - self.cut[0])


def grouped(folder: Path, items: list[tuple[str, int]]) -> Iterator[tuple[Path, list[Row]]]:
    """Files and what is to be taken from each, in the order of `items`; a file is named once for all rows in turn."""
    pieces = [(_PIECE.fullmatch(name), name, label) for name, label in items]
    for name, group in groupby(pieces, key=lambda piece: piece[0][1] if piece[0] else piece[1]):
        yield folder / name, [Row(label, (int(cut[2]), int(cut[3])) if cut else None) for cut, _, label in group]


def user_of(path: Path) -> int:
    """The number of who moves in `user07_led.aedat`, -1 where the name tells none."""
    match = _USER.match(path.name)
    return int(match[1]) if match else -1


def tables_of(files: list[str], folder: Path) -> Labelled:
    """Pieces of `x.aedat` with their classes off `x_labels.csv`, parts off trials_to_train.txt and trials_to_test.txt.

    Classes are called after their numbers. Empty where no such table lies.

    Raises:
        DiagnosticError: D222, a table cannot be understood, or what it or a list of trials names is not there.
    """
    there = set(files)
    labelled = {
        name: table
        for name in sorted(there)
        if name.endswith(".aedat") and (table := f"{name.removesuffix('.aedat')}{_TABLE}") in there
    }
    if not labelled:
        return {}
    parts = {part: _trials(name, folder, there) for part, end in _TRIALS.items() for name in there if _is(name, end)}
    if set(parts) != set(_TRIALS):
        parts = {"all": list(labelled)}
    found: Labelled = {}
    for part, names in parts.items():
        found[part] = [
            (f"{name}#{start}-{end}", label)
            for name in names
            for label, start, end in _rows(labelled.get(name, ""), name, folder)
        ]
    return found


def named_after(files: list[str], suffixes: tuple[str, ...]) -> Labelled:
    """`ibmGestureTrain/USER/CLASS.npy` and `ibmGestureTest/...`; empty for another layout."""
    found: Labelled = {}
    for name in sorted(files):
        path = PurePosixPath(name)
        if path.suffix.lower() not in suffixes:
            continue
        part = next((part for part in ("train", "test") if f"ibmgesture{part}" in name.lower()), None)
        if part is None or path.suffix != ".npy":
            return {}
        found.setdefault(part, []).append((name, path.stem))
    return found


def _is(name: str, end: str) -> bool:
    return PurePosixPath(name).name == end


def _trials(name: str, folder: Path, there: set[str]) -> list[str]:
    """The recordings that a list of trials names, which lie beside it."""
    beside = PurePosixPath(name).parent
    text = _text(folder / name)
    found = [str(beside / line.strip()) for line in text.splitlines() if line.strip()]
    missing = next((one for one in found if one not in there), "")
    if missing:
        raise data_error("D222", f"`{name}` names `{missing}`, which is not there", file=folder, help="fetch it again")
    return found


def _rows(table: str, name: str, folder: Path) -> Iterator[tuple[str, int, int]]:
    """Class, start and end of each recording in a file."""
    if not table:
        raise data_error("D222", f"no `{PurePosixPath(name).stem}{_TABLE}` lies beside `{name}`", file=folder)
    path = folder / table
    rows = csv.reader(_text(path).splitlines())
    head = tuple(cell.strip() for cell in next(rows, ()))
    if head != _HEAD:
        message = f"`{table}` begins with {', '.join(head) or 'nothing'}, not with {', '.join(_HEAD)}"
        raise data_error("D222", message, file=path)
    for number, row in enumerate(rows, 2):
        if not any(cell.strip() for cell in row):
            continue
        cells = [cell.strip() for cell in row]
        if len(cells) != 3 or not all(cell.isdecimal() and len(cell) < 19 for cell in cells):
            raise data_error("D222", f"`{','.join(row)}` is no class, start and end", file=path, line=number)
        if int(cells[1]) >= int(cells[2]):
            raise data_error("D222", f"a recording from {cells[1]} to {cells[2]} is empty", file=path, line=number)
        yield str(int(cells[0])), int(cells[1]), int(cells[2])


def _text(path: Path) -> str:
    if path.stat().st_size > _MOST_BYTES:
        raise data_error("D222", f"`{path.name}` has {path.stat().st_size:,} bytes: no table of labels", file=path)
    return path.read_text(encoding="utf-8-sig", errors="replace")
