"""What a path means; the files of a folder: links followed, links in a circle and names that cannot be printed told."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from snnctl.data.problems import data_error

_MOST_LINKS = 10_000  # to folders: links to folders of links can stand for more files than there are atoms
_DEEPEST = 100  # folders in folders
_HELP = "remove it, or put the files themselves there"


def place_of(text: str) -> Path | None:
    """The file or folder that a text means, ~ being a home; None where there is none, or where it can be no path.

    Raises:
        DiagnosticError: D104, what is there is a device, a pipe or a socket.
    """
    expanded = os.path.expanduser(text)  # what Path has for these fails for an unknown user, a long name and a NUL
    if not text or not os.path.exists(expanded):
        return None
    if not os.path.isfile(expanded) and not os.path.isdir(expanded):
        raise data_error("D104", "is neither a file nor a folder", file=text)
    return Path(expanded)


def files_in(folder: Path) -> list[Path]:
    """Every file in a folder and its folders, in no order; what begins with a dot may be odd, and is left out then.

    Raises:
        DiagnosticError: D266, a link leads nowhere or to a folder above it, what is named like a file is none, the name
            of a folder cannot be printed, or folders are nested too deep.
    """
    return list(_below(folder, folder, [_identity(folder)], [0]))


def _below(folder: Path, root: Path, above: list[tuple[int, int]], links: list[int]) -> Iterator[Path]:
    try:
        entries = list(os.scandir(folder))
    except OSError as error:
        raise data_error("D104", f"cannot be read: {error.strerror or error}", file=folder) from error
    for entry in entries:
        path, hidden = Path(entry.path), entry.name.startswith(".")
        if _is(entry.is_dir):
            if entry.is_symlink():
                links[0] += 1
                if _identity(path) in above or links[0] > _MOST_LINKS:
                    raise _odd(path, root, "is a link to a folder that it lies in")
            if not entry.name.isprintable() and not hidden:
                raise _odd(
                    path, root, "has a name that cannot be printed", "rename it: folders are the names of classes"
                )
            if len(above) == _DEEPEST:
                message = f"folders are nested deeper than {_DEEPEST}"
                raise data_error("D266", message, file=root, help="put the files further up")
            yield from _below(path, root, [*above, _identity(path)], links)
        elif _is(entry.is_file):
            yield path
        elif path.suffix and not hidden:
            what = "is a link that leads nowhere" if entry.is_symlink() else "is named like a file, and is none"
            raise _odd(path, root, what)


def _is(asked: Callable[[], bool]) -> bool:
    try:
        return asked()
    except OSError:  # a link to itself
        return False


def _identity(folder: Path) -> tuple[int, int]:
    found = folder.stat()
    return found.st_dev, found.st_ino


def _odd(path: Path, root: Path, what: str, help: str = _HELP) -> Exception:
    return data_error("D266", f"`{path.relative_to(root)}` {what}", file=root, help=help)
