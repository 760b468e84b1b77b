"""Attention maps of a trained network, averaged over samples, steps and heads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from snnctl.inspect.positions.codes import Floats
from snnctl.measure.watcher import Watcher


@dataclass(frozen=True)
class AttentionMap:
    """One block's map."""

    layer: str  # dotted name of the attention module
    matrix: Floats  # [L, L] mean over samples, steps and heads, before scale and bias

    @property
    def by_distance(self) -> tuple[Floats, Floats]:
        """Mean and standard deviation over the entries at |i - j| = 0 .. L-1, on both sides of the diagonal."""
        entries = [
            np.concatenate((np.diagonal(self.matrix, d), np.diagonal(self.matrix, -d))) for d in range(len(self.matrix))
        ]
        return np.array([e.mean() for e in entries]), np.array([e.std() for e in entries])


class AttentionMaps(Watcher):
    """Collects maps of every module that has `scores` while its `with` block runs; one sum per module is kept."""

    def __init__(self, network: nn.Module) -> None:
        self._places = {
            name: (module, packed)
            for name, module in network.named_modules()
            if callable(getattr(module, "scores", None))
            and isinstance(packed := getattr(module, "qkv", getattr(module, "qk", None)), nn.Module)
        }
        self._sums: dict[str, Tensor] = {}
        self._counts: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._places)

    def _watches(self) -> Iterator[AbstractContextManager[Any]]:
        for name, (module, packed) in self._places.items():
            yield packed.register_forward_hook(partial(self._add, name, module))

    @torch.no_grad()
    def _add(self, name: str, attention: Any, _module: nn.Module, _inputs: Any, packed: Any) -> None:
        spikes = packed[0] if isinstance(packed, tuple) else packed
        scores = attention.scores(spikes.float())
        summed = scores.flatten(0, -3).sum(0, dtype=torch.float64).cpu()
        self._counts[name] = self._counts.get(name, 0) + scores.shape[:-2].numel()
        self._sums[name] = self._sums[name] + summed if name in self._sums else summed

    def maps(self) -> list[AttentionMap]:
        """What was collected, in the network's order."""
        return [AttentionMap(name, (total / self._counts[name]).numpy()) for name, total in self._sums.items()]
