"""Freed memory stays with the process while it trains.

By default the C library gives large blocks back to the system when they are freed, and the next training step pays
for every page of them again: about as much as the arithmetic of a neuron.
"""

from __future__ import annotations

import ctypes
import os
import sys
from functools import cache

# Parameters of glibc's mallopt (malloc.h).
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX = -1, -2, -4
_NEVER_TRIM, _GROW_BY, _NO_MMAP = -1, 64 << 20, 0


@cache
def keep_freed_memory() -> bool:
    """Ask the C library to keep freed memory for this process; whether it will.

    Only glibc has the switch; elsewhere nothing changes. Whoever sets one of glibc's own MALLOC_ variables has
    decided already, and keeps their setting.
    """
    if not sys.platform.startswith("linux") or any(name.startswith("MALLOC_") for name in os.environ):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    settings = ((_MMAP_MAX, _NO_MMAP), (_TRIM_THRESHOLD, _NEVER_TRIM), (_TOP_PAD, _GROW_BY))
    taken = [mallopt(parameter, value) for parameter, value in settings]
    return all(taken)
