"""How many spikes a network fires for each item of a batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor, nn

from snnctl.measure.spikes import codes
from snnctl.measure.watcher import Watcher
from snnctl.neurons.base import SpikingNeuron, neurons_in


class SpikesEach(Watcher):
    """Counts the spikes of each item of a batch while its `with` block runs: sums of spike values over all neurons.

    Activations are time-first, [T, B, ...], or tokens of sequences of different lengths, [T, 1, N, D]; a layer that
    gives something else makes the counts unclear.

    Args:
        network: the module whose neurons are watched.
    """

    def __init__(self, network: nn.Module) -> None:
        self._neurons = neurons_in(network)
        self.begin(0)

    def begin(self, items: int, sequences: Tensor | None = None) -> None:
        """A batch of `items` comes next; `sequences` [N] says to which of them each packed token belongs."""
        self.counts = torch.zeros(items, dtype=torch.float64)  # whole numbers, exact up to 2^53
        self.unclear = False
        self._sequences = sequences

    def _watches(self) -> Iterator[AbstractContextManager[Any]]:
        for neuron in self._neurons.values():
            yield neuron.register_forward_hook(self._hook())

    def _hook(self) -> Callable[[nn.Module, Any, Any], None]:
        def count(module: nn.Module, _inputs: Any, output: Any) -> None:
            assert isinstance(module, SpikingNeuron)
            spikes = output[0] if isinstance(output, tuple) else output
            self._count(codes(module, spikes.detach()))

        return count

    @torch.no_grad()
    def _count(self, spikes: Tensor) -> None:
        items, sequences = len(self.counts), self._sequences
        if items == 1:
            self.counts += float(spikes.sum(dtype=torch.float64))
        elif sequences is not None and spikes.dim() > 3 and spikes.shape[1:3] == (1, len(sequences)):
            tokens = spikes.sum((0, 1, *range(3, spikes.dim())), dtype=torch.float64).cpu()
            self.counts.index_add_(0, sequences.cpu(), tokens)
        elif spikes.dim() > 2 and spikes.shape[1] == items:
            self.counts += spikes.sum((0, *range(2, spikes.dim())), dtype=torch.float64).cpu()
        else:
            self.unclear = True
