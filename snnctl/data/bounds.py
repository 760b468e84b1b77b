"""How much is read of a file that may not be what it says."""

from __future__ import annotations

import os
from pathlib import Path

from snnctl.data.problems import data_error

MOST_PACKED = 1100  # bytes that one packed byte can stand for: deflate gives 1032 at most


def refuse_more_than_memory(needed: int, name: str, path: Path) -> None:
    """Nothing is unpacked that cannot fit.

    Args:
        needed: bytes.
        name: what a message calls it.

    Raises:
        DiagnosticError: D104, this machine has less memory.
    """
    memory = _memory()
    if needed > memory:
        message = f"{name} unpacks to {needed / 1e9:,.1f} GB, and this machine has {memory / 1e9:,.1f} GB of memory"
        raise data_error("D104", message, file=path, help="save a part of it, or in a smaller type")


def _memory() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):  # Windows
        return 1 << 40
