"""The folder that everything snnctl has fetched and decoded lies in, and checksums of what is there."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

Progress = Callable[[int, int | None], None]  # bytes done, and in all where that is known
_CHUNK = 1 << 20
_chosen: ContextVar[Path | None] = ContextVar("chosen", default=None)


@contextmanager
def caching_in(folder: Path | None) -> Iterator[None]:
    """`cache_dir` is `folder` within; None leaves it as it is."""
    token = _chosen.set(_chosen.get() if folder is None else folder)
    try:
        yield
    finally:
        _chosen.reset(token)


def cache_dir() -> Path:
    """`$XDG_CACHE_HOME/snnctl`, or `~/.cache/snnctl`; another folder within `caching_in`."""
    chosen = _chosen.get()
    if chosen is not None:
        return chosen
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if os.path.isabs(base) else Path.home() / ".cache") / "snnctl"


def sha256_file(path: Path, progress: Progress | None = None) -> str:
    """SHA-256 hex of a file."""
    digest, done, total = hashlib.sha256(), 0, path.stat().st_size
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
            done += len(chunk)
            if progress is not None:
                progress(done, total)
    return digest.hexdigest()
