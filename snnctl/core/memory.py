"""How much memory this machine has: what needs more is refused before it is begun."""

from __future__ import annotations

import psutil


def memory_bytes() -> int:
    """Memory and swap together, used or not: a bound that nothing gets beyond, not what is free."""
    return int(psutil.virtual_memory().total) + int(psutil.swap_memory().total)
