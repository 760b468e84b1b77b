"""What a neuron's step may look at: all attributes of it and of what it holds, and whether any has changed."""

from __future__ import annotations

from collections.abc import Iterator
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any

import torch
from torch import Tensor, nn

LASTING = (str, bytes, int, float, bool, complex, type(None), torch.dtype, torch.device, type)
OF_TORCH = frozenset(vars(nn.Module()))  # what torch keeps in each module


class Watch:
    """Whether anything that a neuron's step may look at has changed: all attributes of it and of what it holds."""

    def __init__(self, neuron: nn.Module) -> None:
        self._looked_at: list[tuple[dict[str, Any], tuple[Any, ...]]] = []
        self._held: list[tuple[Any, Any]] = []
        for found in reachable(neuron):
            if isinstance(found, list | dict | set):
                self._held.append((found, found.copy()))
            else:
                values = vars(found)
                self._looked_at.append((values, tuple(values.values())))

    def unchanged(self) -> bool:
        try:
            for now, before in self._looked_at:
                if tuple(now.values()) != before:
                    return False
            return not self._held or all(now == before for now, before in self._held)
        except (RuntimeError, ValueError):  # arrays that are others than before cannot be compared
            return False


def reachable(neuron: nn.Module) -> Iterator[Any]:
    """Whatever has attributes or entries, from the neuron on."""
    seen: set[int] = set()
    left: list[Any] = [neuron]
    while left:
        found = left.pop()
        if id(found) in seen or isinstance(found, (*LASTING, Tensor, ModuleType)) or callable_only(found):
            continue
        seen.add(id(found))
        if isinstance(found, dict):
            left.extend(found.values())
            yield found
        elif isinstance(found, list | set):
            left.extend(found)
            yield found
        elif isinstance(found, tuple | frozenset):
            left.extend(found)
        elif hasattr(found, "__dict__"):
            yield found
            if isinstance(found, nn.Module):
                left.extend(found._modules.values())
                left.extend(value for name, value in vars(found).items() if name not in OF_TORCH)
            else:
                left.extend(vars(found).values())


def callable_only(found: Any) -> bool:
    """Functions and methods: code, not settings."""
    return isinstance(found, FunctionType | BuiltinFunctionType | MethodType)
