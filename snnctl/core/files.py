"""Writing files so that a kill at any moment leaves either the old or the new one, whole; JSON for any reader."""

from __future__ import annotations

import errno
import json
import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from snnctl.core.diagnostic import Diagnostic, DiagnosticError
from snnctl.core.owned import held, sweep

# What a system says that has no room left, or lets nobody write there: no fault of the command that was given.
_FULL = (errno.ENOSPC, errno.EFBIG, *([errno.EDQUOT] if hasattr(errno, "EDQUOT") else []))
_CLOSED = (errno.EROFS, errno.EACCES, errno.EPERM)
_PROBE = bytes(1 << 16)
_TORCH_COULD_NOT_WRITE = (". unexpected pos ", "PytorchStreamWriter failed")  # which does not say why
_NUMPY_COULD_NOT_WRITE = re.compile(r"\d+ requested and \d+ written")  # an OSError without a number
_MARK = "????????.snnctl.tmp"  # of names that are only for the time of writing


def system_fault(error: BaseException, place: Path | str = "", *, reading: bool = False) -> Diagnostic | None:
    """E412 if `error`, or what it came from, says that nothing more can be written; else None.

    Args:
        place: what was to be written.
        reading: whether `error` may come from reading; then missing permissions are none of it.
    """
    found: BaseException | None = error
    seen = 0
    while found is not None and seen < 16:
        number = found.errno if isinstance(found, OSError) else None
        reason = f"{found.strerror}" if isinstance(found, OSError) else ""
        if number is None and isinstance(found, OSError) and _NUMPY_COULD_NOT_WRITE.search(str(found)):
            number, reason = errno.ENOSPC, os.strerror(errno.ENOSPC)
        if number in _FULL:
            help = (
                "make room (`df -h`, `quota`), or raise the limit on files (`ulimit -f`); then give the command again"
            )
            return _unwritable(place or _named(found), reason, help)
        if number == errno.EIO and not reading:
            return _unwritable(place or _named(found), reason, "look after the disk; then give the command again")
        if number == errno.EROFS or (number in _CLOSED and not reading):
            help = "let it be written (`chmod u+w`, another mount), or name another place; then give the command again"
            return _unwritable(place or _named(found), reason, help)
        found, seen = found.__cause__ or found.__context__, seen + 1
    return None


def _named(error: BaseException) -> str:
    return str(getattr(error, "filename", None) or "")


def _unwritable(place: Path | str, reason: str, help: str) -> Diagnostic:
    where = f"`{place}`" if str(place) else "a file"
    notes = ("what was written before is whole",)
    return Diagnostic("E412", f"{where} cannot be written: {reason}", help=help, notes=notes)


def home() -> Path:
    """The user's folder; one that is not there for a user who has none, as in containers."""
    try:
        return Path.home()
    except RuntimeError:
        return Path("/nonexistent")


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a temporary file beside it, of the same name, flush it to disk, then rename it to `path`.

    Neighbours that a kill left half written are removed.

    Raises:
        OSError: it cannot be written, whatever a library that `write` calls has made of that.
    """
    sweep(path.parent, f".{_literal(path.name)}.{_MARK}")
    # A folder of its own is locked, not the file: libraries (HDF5) lock that themselves.
    folder = _temporary(path)
    temporary = folder / path.name
    folder.mkdir()
    try:
        with held(folder):
            try:
                write(temporary)
            except Exception as error:
                if not isinstance(error, OSError) or error.errno is None:
                    _ask_the_disk(temporary, error)
                raise
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())
            os.replace(temporary, path)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _ask_the_disk(path: Path, error: Exception) -> None:
    """Libraries say of a full disk what they like, of their own types; mostly their words tell, and a try always.

    The words come first: where several processes fill a disk, there may be room again by now.
    """
    text = str(error)
    for number in (*_FULL, errno.EROFS, errno.EIO):
        if os.strerror(number) in text:
            raise OSError(number, os.strerror(number), str(path)) from error
    if any(words in text for words in _TORCH_COULD_NOT_WRITE):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path)) from error
    try:
        with path.open("ab") as file:
            file.write(_PROBE)
            file.flush()
            os.fsync(file.fileno())
    except OSError as found:
        raise found from error


def _temporary(path: Path) -> Path:
    # Random, not the process id: in containers those repeat.
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}.snnctl.tmp")


def _literal(name: str) -> str:
    """A name within a pattern, as it is."""
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)


def write_bytes(path: Path, data: bytes) -> None:
    """`write_atomically` for what is there already."""
    write_atomically(path, lambda temporary: temporary.write_bytes(data))


def write_text(path: Path, text: str) -> None:
    """`write_bytes` for text."""
    write_bytes(path, text.encode())


@contextmanager
def whole_folder(final: Path) -> Iterator[Path]:
    """A folder with a temporary name, which becomes `final` when the block is left without an error.

    A kill at any moment leaves `final` whole or not at all; what a kill left is removed by the next call for the same
    parent. A folder at `final` must be empty.

    Raises:
        OSError: it cannot be made, or `final` is not empty.
    """
    temporary = _temporary(final)
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
        sweep(final.parent, f".*.{_MARK}")
        temporary.mkdir()
        with held(temporary):
            yield temporary
            if final.exists():
                final.rmdir()
            os.replace(temporary, final)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def writing(out: Path) -> Iterator[None]:
    """Failures to write within the block become errors.

    Raises:
        DiagnosticError: E412, nothing more can be written there; U453, `out` is no place for it.
    """
    try:
        yield
    except OSError as error:
        fault = system_fault(error, out)
        if fault is not None:
            raise DiagnosticError(fault) from error
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
