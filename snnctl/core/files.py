"""Writing files so that a kill at any moment leaves either the old or the new one, whole; JSON for any reader."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from snnctl.core.diagnostic import Diagnostic, DiagnosticError


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a temporary neighbour, flush it to disk, then rename it to `path`."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        write(temporary)
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_bytes(path: Path, data: bytes) -> None:
    """`write_atomically` for what is there already."""
    write_atomically(path, lambda temporary: temporary.write_bytes(data))


def write_text(path: Path, text: str) -> None:
    """`write_bytes` for text."""
    write_bytes(path, text.encode())


@contextmanager
def writing(out: Path) -> Iterator[None]:
    """Failures to write within the block become errors.

    Raises:
        DiagnosticError: U453, `out` cannot be made or written to.
    """
    try:
        yield
    except OSError as error:
        message = f"`{out}` cannot be written: {error.strerror or error}"
        raise DiagnosticError(Diagnostic("U453", message, help="name another --out")) from error


def finite(value: Any) -> Any:
    """The same document with NaN and infinities, which JSON does not know, as None; tuples become lists."""
    if isinstance(value, float):
        return value if abs(value) < float("inf") else None
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return value


def write_json(path: Path, document: Any) -> None:
    """`write_atomically` for a JSON document; NaN becomes null, so that every reader can read it."""
    write_text(path, json.dumps(finite(document), indent=1) + "\n")
