"""How much memory there is, and that it ran out: for a library, a thread, a table, before or beside training."""

from __future__ import annotations

from snnctl.core.diagnostic import Diagnostic

# What loaders, threads and allocators say of it; each library has an error type of its own.
_SIGNS = (
    "memoryerror",
    "can't allocate memory",
    "cannot allocate memory",
    "failed to map segment",
    "can't start new thread",
    "unable to allocate",
)


def memory_bytes() -> int:
    """Memory and swap together, used or not: a bound that nothing gets beyond, not what is free."""
    import psutil

    return int(psutil.virtual_memory().total) + int(psutil.swap_memory().total)


def no_memory(text: str) -> Diagnostic | None:
    """E403 if `text`, an error's type and message or the last words of a process, says so; else None."""
    line = next((line for line in reversed(text.splitlines()) if any(sign in line.lower() for sign in _SIGNS)), None)
    if line is None or "static TLS" in line:  # that is of the loader's own, however much memory there is
        return None
    help = "free memory, or raise the limit on it (`ulimit -v`); then give the command again"
    return Diagnostic("E403", help=help, notes=(" ".join(line.split())[:200],))
