"""Local folders of labelled files: are they there, a stamp of what lies in them, parts and classes off their paths."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

from snnctl.core.diagnostic import did_you_mean
from snnctl.data.cache import Part, Source
from snnctl.data.cuts import SPLIT_WORDS, one_class
from snnctl.data.pictures import SUFFIXES
from snnctl.data.problems import data_error
from snnctl.data.walk import files_in, place_of

_NAMES = {word: part for word, part in SPLIT_WORDS.items() if word != "dev"}
Content = TypeVar("Content")
Labelled = dict[str, list[tuple[str, str]]]  # part -> [(name of the item, class)]


def sort_out(names: list[str], origin: Path, suffixes: tuple[str, ...] = SUFFIXES, what: str = "pictures") -> Labelled:
    """Parts and classes read off paths: `[anything/]{train,val,test}/class/.../x.png` or `[anything/]class/.../x.png`.

    Args:
        names: of files.
        origin: what a message calls the set.
        suffixes: of the files that count.
        what: they hold, for messages.

    Raises:
        DiagnosticError: D222, there are no such files, or no class folders.
    """
    paths = sorted(PurePosixPath(name) for name in names if name.lower().endswith(suffixes))
    paths = [path for path in paths if not any(piece.startswith((".", "__MACOSX")) for piece in path.parts)]
    if not paths:
        raise data_error("D222", f"no {what} are in it", file=origin, help=f"it reads {', '.join(suffixes)}")
    depth = _common(paths)
    cut = all(path.parts[depth].lower() in _NAMES for path in paths)
    found: Labelled = {}
    for path in paths:
        pieces = path.parts[depth:]
        part, inner = (_NAMES[pieces[0].lower()], pieces[1:]) if cut else ("all", pieces)
        if len(inner) < 2:
            help = f"put {what} into train/CLASS/, val/CLASS/ and test/CLASS/, or into CLASS/ if the set is not cut"
            raise data_error("D222", f"`{path}` stands in no folder of a class", file=origin, help=help)
        found.setdefault(part, []).append((str(path), inner[0]))
    return found


def _common(paths: list[PurePosixPath]) -> int:
    """How many leading folders all paths share, the folders of parts and classes not counted."""
    depth = 0
    while all(len(path.parts) > depth + 2 for path in paths) and len({path.parts[depth] for path in paths}) == 1:
        if paths[0].parts[depth].lower() in _NAMES:
            break
        depth += 1
    return depth


def class_names(found: Labelled, origin: Path) -> tuple[str, ...]:
    """The classes in the order of their names, numbers by their value.

    Raises:
        DiagnosticError: D213 fewer than two, D223 a part has a class that `train` does not have.
    """
    every = {name for items in found.values() for _, name in items}
    known = {name for _, name in found.get("train", [])} or every
    strangers = sorted(every - known)
    if strangers:
        part = next(part for part, items in found.items() if any(name == strangers[0] for _, name in items))
        message = f"class `{strangers[0]}` is in {part} but not in train"
        raise data_error("D223", message, file=origin)
    if len(known) < 2:
        raise one_class(min(known), origin)
    return tuple(sorted(known, key=lambda name: (0, int(name), name) if name.isdecimal() else (1, 0, name)))


def labelled_source(
    found: Labelled,
    origin: Path,
    format: str,
    read: Callable[[list[tuple[str, int]]], Iterator[Content]],
    told: Callable[[], Mapping[str, Any]] = dict,
) -> Source[Content]:
    """The parts of `found`, whose files are read when they are asked for.

    Args:
        read: gives the items of (name, index of the class), one after the other.
        told: what reading has found, see `Source`.

    Raises:
        DiagnosticError: as `class_names`.
    """
    classes = class_names(found, origin)
    index = {name: number for number, name in enumerate(classes)}
    parts = tuple(
        Part(part, len(items), partial(read, [(name, index[label]) for name, label in items]))
        for part, items in found.items()
    )
    return Source(parts, str(origin), format, classes=classes, findings=told)


def files_below(folder: Path) -> list[str]:
    """Every file in a folder and its folders, relative to it; raises D266, see `files_in`."""
    return [path.relative_to(folder).as_posix() for path in files_in(folder)]


def local_path(text: str, known: Sequence[str], help: str = "") -> Path:
    """The path, if something is there.

    Args:
        text: as a recipe has it.
        known: names that may be meant instead.
        help: what to do instead, where that is more certain.

    Raises:
        DiagnosticError: D101, there is nothing; D104, it is neither a file nor a folder.
    """
    if (path := place_of(text)) is not None:
        return path
    help = help or f"{did_you_mean(text, known)}  known names: {', '.join(known)}".strip()
    raise data_error("D101", f"nothing is at `{text}`", file=text, help=help)


def stamp(path: Path) -> str:
    """A digest of names, sizes and times of change: another one once a file changes."""
    files = sorted(files_in(path)) if path.is_dir() else [path]
    digest = hashlib.sha256()
    for file in files:
        facts = file.stat()
        digest.update(
            f"{file.relative_to(path)}\0{facts.st_size}\0{facts.st_mtime_ns}\0".encode(errors="surrogateescape")
        )
    return digest.hexdigest()
