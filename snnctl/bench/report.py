"""The document of a measurement: environment, rows, ratios, and notes without which the figures mislead."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from snnctl.bench.peers import absent
from snnctl.bench.suite import PEERS, Found
from snnctl.engine.environment import environment, keep_freed_memory


def document(found: Found, notes: Sequence[str], *, peers: bool) -> dict[str, Any]:
    """What `snnctl bench --json` prints.

    Args:
        found: what was measured.
        notes: of the caller, before ours.
        peers: whether other libraries were asked for, so that their absence is worth a note.
    """
    every = [*notes, *found.notes, *(absent() if peers else [])]
    if found.interrupted:
        every.append("interrupted: the last case has fewer rounds, later cases are missing")
    if any(row["precision"] == "bf16" for row in found.rows) and not has_bf16_units():
        every.append("this CPU has no bf16 matrix units (amx_bf16): bf16 products may be slower than fp32")
    every.append(
        "saved: what autograd keeps for the backward pass, the input included, parameters not; "
        "peak: most that torch holds at a time above the start of the call"
    )
    return {
        "environment": environment(),
        "peers": {name: _version(name) for name in PEERS},
        "allocator": "keeps freed memory" if keep_freed_memory() else "as the C library has it",
        "rows": found.rows,
        "ratios": found.ratios,
        "notes": every,
        "interrupted": found.interrupted,
    }


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def has_bf16_units(cpuinfo: str = "/proc/cpuinfo") -> bool:
    """Whether the CPU multiplies bfloat16 matrices in hardware; assumed where the system does not say."""
    try:
        with open(cpuinfo, encoding="utf-8") as file:
            flags = [line for line in file if line.startswith("flags")]
    except OSError:
        return True
    return not flags or "amx_bf16" in flags[0].split()
