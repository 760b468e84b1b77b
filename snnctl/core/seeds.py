"""Named random streams: one user seed, independent streams by name, no hidden global state."""

from __future__ import annotations

import hashlib
from contextlib import AbstractContextManager
from contextvars import ContextVar

from snnctl.core.scoped import scoped

STREAMS = ("init", "order", "augment", "encoder", "dropout", "position", "split", "data", "hierarchy")


def stream_seed(seed: int, stream: str, *indices: int) -> int:
    """A 63-bit seed for `stream` of the run seed `seed`, e.g. `stream_seed(1, "order", epoch)`.

    A pure function, the same on every machine and Python version.

    Raises:
        ValueError: `stream` is not one of `STREAMS`.
    """
    if stream not in STREAMS:
        raise ValueError(f"unknown seed stream `{stream}`; known: {', '.join(STREAMS)}")
    text = "/".join(["snnctl", str(seed), stream, *map(str, indices)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


_RUN_SEED: ContextVar[int] = ContextVar("run_seed", default=0)


def run_seed() -> int:
    """The seed of the run whose network is being built; 0 outside of one."""
    return _RUN_SEED.get()


def building_with(seed: int) -> AbstractContextManager[None]:
    """Components built within the block take `seed` for the fixed random parts they own."""
    return scoped(_RUN_SEED, seed)
