"""Time-chunk checkpointing: keep the state at the ends of chunks, compute the steps within again."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from contextvars import ContextVar
from typing import Any

import torch
from torch import Tensor

from snnctl.core.scoped import scoped

_chunk: ContextVar[int | None] = ContextVar("chunk", default=None)


def use_time_chunks(steps: int | None) -> AbstractContextManager[None]:
    """Neurons called within keep their state only every `steps` steps for the backward pass; None keeps everything.

    Memory for the backward pass falls from T steps of intermediate values to one chunk's, for one more forward pass.
    Neurons with a fused kernel keep only their input anyway and are not concerned.

    Raises:
        ValueError: `steps` below 1.
    """
    if steps is not None and steps < 1:
        raise ValueError(f"a chunk has at least one step, got {steps}")
    return scoped(_chunk, steps)


def scan_in_chunks(scan: Callable[[Tensor, Any], tuple[Tensor, Any]], x: Tensor, state: Any) -> tuple[Tensor, Any]:
    """`scan(x, state)`, chunk by chunk where `use_time_chunks` asks for it and a gradient may be wanted."""
    steps = _chunk.get()
    if steps is None or steps >= len(x) or not torch.is_grad_enabled():
        return scan(x, state)
    from torch.utils.checkpoint import checkpoint

    out = []
    for part in x.split(steps):
        spikes, state = checkpoint(scan, part, state, use_reentrant=False, preserve_rng_state=False)
        out.append(spikes)
    return torch.cat(out), state
