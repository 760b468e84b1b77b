"""What no machine of this size can train, told from shapes alone: how many modules, weights, values in a signal."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from math import prod

import torch
from torch import nn
from torch.nn.modules.module import register_module_module_registration_hook

from snnctl.core.memory import memory_bytes
from snnctl.core.shapes import SignalSpec

MOST_MODULES = 25_000  # of one component; a thousand blocks of a transformer are twenty thousand
_COPIES = 2  # that training keeps of every weight, whatever the optimiser: itself and its gradient
_VALUE = 4  # bytes


class TooLargeError(Exception):
    """It cannot be built or trained on this machine; the message says by how much."""


@contextmanager
def few_modules() -> Iterator[None]:
    """What is built within has at most `MOST_MODULES` parts.

    Raises:
        TooLargeError: as soon as there are more, not when all have been made.
    """
    thread, made = threading.get_ident(), 0

    def count(module: nn.Module, name: str, part: nn.Module | None) -> None:
        nonlocal made
        made += threading.get_ident() == thread
        if made > MOST_MODULES:
            raise TooLargeError(f"more than {MOST_MODULES:,} modules")

    handle = register_module_module_registration_hook(count)
    try:
        yield
    finally:
        handle.remove()


def refuse_large_signal(signal: SignalSpec, what: str) -> None:
    """A single item must fit into memory.

    Args:
        what: gives it.

    Raises:
        TooLargeError: one does not.
    """
    _refuse(prod(signal.shape(1)) * _VALUE, f"one item in what {what} gives ({signal.describe()})")


def refuse_large_weights(network: nn.Module) -> None:
    """Weights and their gradients must fit into memory; weights may be on the `meta` device.

    Raises:
        TooLargeError: they do not.
    """
    weights = sum(one.numel() * one.element_size() for one in network.parameters())
    count = sum(one.numel() for one in network.parameters())
    _refuse(weights * _COPIES, f"{count:,} weights with their gradients")


def _refuse(needed: int, what: str) -> None:
    """Beyond the larger one of the machine's memory and that of an accelerator."""
    memory = memory_bytes()
    if needed > memory and torch.cuda.is_available():
        memory = max(
            memory, *(torch.cuda.get_device_properties(i).total_memory for i in range(torch.cuda.device_count()))
        )
    if needed > memory:
        raise TooLargeError(
            f"{what} take {needed / 1e9:,.1f} GB, and this machine has {memory / 1e9:,.1f} GB of memory"
        )
