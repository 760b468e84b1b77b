"""What the autaptic circuits of `stc` do, and how far they carry its membranes, as streaming sums."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from snnctl.measure.watcher import Watcher
from snnctl.neurons.base import neurons_in
from snnctl.neurons.stc import STC, watch_circuits

FLOAT16_MAX = 65504.0


@dataclass(frozen=True)
class LayerCircuits:
    """One layer with circuits.

    Args:
        name: dotted module name in the network.
        largest_membrane: max |u| before the reset, over all neurons, steps and samples.
        mean_beta: mean of the temporal circuit's factor on the past; None where there is no such circuit.
        mean_gamma: mean of the spatial circuit's factor on the input current, likewise.
    """

    name: str
    largest_membrane: float
    mean_beta: float | None
    mean_gamma: float | None


class _Sums:
    def __init__(self) -> None:
        self.largest: Tensor | None = None
        self.factors: dict[str, tuple[Tensor, int]] = {}

    @torch.no_grad()
    def add(self, beta: Tensor | None, gamma: Tensor | None, u: Tensor) -> None:
        largest = torch.stack(torch.aminmax(u.detach())).abs().max()
        self.largest = largest if self.largest is None else torch.maximum(self.largest, largest)
        for name, factor in (("beta", beta), ("gamma", gamma)):
            if factor is not None:
                total, count = self.factors.get(name, (torch.zeros((), dtype=torch.float64), 0))
                mean = factor.detach().sum(dtype=torch.float64).cpu()
                self.factors[name] = total + mean, count + factor.numel()

    def mean(self, name: str) -> float | None:
        found = self.factors.get(name)
        return None if found is None else float(found[0]) / max(found[1], 1)


class CircuitMeter(Watcher):
    """Watches every neuron with circuits in `network` while its `with` block runs; a network without costs nothing.

    Args:
        network: layer names are relative to it.
    """

    def __init__(self, network: nn.Module) -> None:
        named = {id(neuron): name for name, neuron in neurons_in(network).items() if isinstance(neuron, STC)}
        self._names = named
        self._sums: dict[str, _Sums] = {}

    def _watches(self) -> Iterator[AbstractContextManager[Any]]:
        if self._names:
            yield watch_circuits(self._take)

    def _take(self, neuron: STC, beta: Tensor | None, gamma: Tensor | None, u: Tensor) -> None:
        name = self._names.get(id(neuron))
        if name is not None and u.numel():
            self._sums.setdefault(name, _Sums()).add(beta, gamma, u)

    def summary(self) -> list[LayerCircuits]:
        """One entry per layer with circuits that has run, in the network's order."""
        found = []
        for name in self._names.values():
            sums = self._sums.get(name)
            if sums is not None and sums.largest is not None:
                found.append(LayerCircuits(name, float(sums.largest), sums.mean("beta"), sums.mean("gamma")))
        return found
