"""The journal of a search: a line of JSON for each thing that was told; a kill may leave the last one half written."""

from __future__ import annotations

import json
import os
from pathlib import Path

from snnctl.core.diagnostic import Diagnostic, DiagnosticError


def mend_journal(path: Path) -> list[Diagnostic]:
    """Cut off a last line that is half written: Optuna would glue its next record to it, and read neither.

    Nobody else writes meanwhile, on other machines neither: Optuna's own lock is held.

    Returns:
        U462, a warning, if there was such a line.

    Raises:
        DiagnosticError: U463, a line before the last is none of a journal.
    """
    from optuna.storages.journal import JournalFileSymlinkLock

    if not path.is_file() or not _torn(path):
        return []
    lock = JournalFileSymlinkLock(str(path))
    lock.acquire()
    try:
        kept = _torn(path)
        if kept is None:  # another process was faster
            return []
        with path.open("rb+") as file:
            lost = os.fstat(file.fileno()).st_size - kept.bytes
            file.truncate(kept.bytes)
            os.fsync(file.fileno())
    finally:
        lock.release()
    return [Diagnostic("U462", severity="warning", file=str(path), line=kept.lines + 1, facts={"bytes": lost})]


class _Whole:
    """What can be read from the beginning of a journal."""

    def __init__(self) -> None:
        self.bytes = self.lines = 0


def _torn(path: Path) -> _Whole | None:
    """What stands before a last line that is torn; None where none is."""
    found = _Whole()
    with path.open("rb") as file:
        lines = iter(file)
        for line in lines:
            if not _is_record(line):
                if next(lines, None) is not None:
                    help = (
                        "restore it from a copy, or name another --out; finished runs can be told by `snnctl compare`"
                    )
                    raise DiagnosticError(Diagnostic("U463", file=str(path), line=found.lines + 1, help=help))
                return found
            found.bytes += len(line)
            found.lines += 1
    return None


def _is_record(line: bytes) -> bool:
    try:
        return line.endswith(b"\n") and isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False
