"""Memory of one call: what is saved for the backward pass, and the highest level it reaches."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.autograd.profiler import profile


def saved_bytes(call: Callable[[], object], kept: Iterable[Tensor] = ()) -> int:
    """Bytes of the storages that autograd keeps for the backward pass, each counted once.

    The input counts if it is kept: it cannot be freed before. `kept` (parameters, buffers) does not. Custom
    functions are counted as well, as far as they use `save_for_backward`.
    """
    own = {t.untyped_storage()._cdata for t in kept}
    found: dict[int, Any] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in own:
            found[storage._cdata] = storage  # held, so that no later storage gets its address
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        call()
    return sum(storage.nbytes() for storage in found.values())


def peak_bytes(call: Callable[[], object]) -> int:
    """Most bytes that torch holds at a time during `call`, above what it held before.

    Every allocation and release of torch's CPU allocator is recorded and summed up in order. What libraries below
    torch allocate for themselves is not seen.
    """
    with profile(profile_memory=True) as profiled:  # torch.profiler's, which wraps it, first loads all of inductor
        call()
    assert profiled.kineto_results is not None
    events = sorted((e for e in profiled.kineto_results.events() if e.name() == "[memory]"), key=lambda e: e.start_ns())
    level = highest = 0
    for event in events:
        level += event.nbytes()
        highest = max(highest, level)
    return highest
