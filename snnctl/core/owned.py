"""Whose a half-made file or folder is: its maker holds a lock on it, and what nobody holds is a leftover of a kill."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

_YOUNG = 1.0  # seconds between making something and holding its lock, at most


def locked(path: Path) -> int | Literal[False] | None:
    """A descriptor that holds the lock of a file or folder, until it is closed or its process ends, however it ends.

    Returns:
        False if another process has it; None where the system or the file system knows no such lock, or nothing is
        there.
    """
    try:
        import fcntl
    except ImportError:
        return None
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return False
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold the lock of what was just made, if there is such a thing."""
    descriptor = locked(path)
    try:
        yield
    finally:
        if descriptor:
            os.close(descriptor)


def ownerless(folder: Path, pattern: str) -> list[Path]:
    """What in `folder` matches and is nobody's; nothing where locks are unknown, since then nobody can tell."""
    found = []
    for path in sorted(folder.glob(pattern)):
        descriptor = locked(path)
        if not descriptor:
            continue
        age = time.time() - os.fstat(descriptor).st_mtime
        os.close(descriptor)
        if not 0 <= age < _YOUNG:
            found.append(path)
    return found


def sweep(folder: Path, pattern: str) -> None:
    """Remove files and folders that a kill left half made."""
    for path in ownerless(folder, pattern):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


@contextmanager
def scratch(prefix: str = ".snnctl-", parent: Path | None = None) -> Iterator[Path]:
    """A folder for the time of a block, in `parent` or among the system's temporary ones; leftovers of kills go."""
    where = Path(tempfile.gettempdir()) if parent is None else parent
    sweep(where, f"{prefix}????????")
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=where))
    try:
        with held(folder):
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
