"""Notes on a run that was made elsewhere or earlier: other versions, another machine, before runs bore a digest."""

from __future__ import annotations

import json
from typing import Any

from snnctl.core.diagnostic import Diagnostic
from snnctl.engine.belonging import Record
from snnctl.engine.environment import environment
from snnctl.engine.run_dir import RunDir

# What results may depend on to the last bit; the number of threads only while weights are still learned.
_BITS = ("snnctl", "torch", "system", "processor", "cpu_capability", "gpus")


def other_machine(run: RunDir, *, training: bool) -> dict[str, tuple[Any, Any]]:
    """What may change the last bits of results and is not as when the run was made: name -> (then, now)."""
    try:
        then = json.loads((run.path / "environment.json").read_text(encoding="utf-8"))
        keys = [key for key in (*_BITS, *["threads"] * training) if key in then]
    except (OSError, ValueError, TypeError):
        return {}  # only notes are lost
    now = environment()
    return {key: (then[key], now[key]) for key in keys if then[key] != now[key]}


def noted(run: RunDir, record: Record, *, training: bool = False) -> list[Diagnostic]:
    """Warnings: U425, other versions or another machine; U426, the run was made before identities were noted."""
    said = []
    other = other_machine(run, training=training)
    if other:
        notes = tuple(f"{key}: then {_text(then)}, now {_text(now)}" for key, (then, now) in other.items())
        said.append(Diagnostic("U425", severity="warning", notes=notes))
    if record.identity is None:
        said.append(Diagnostic("U426", severity="warning", facts={"path": run.path}))
    return said


def _text(value: Any) -> str:
    return ", ".join(map(str, value)) or "none" if isinstance(value, list) else str(value)
