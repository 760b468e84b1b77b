"""Counts what a network computes, below all modules: every operation that torch dispatches, wherever it is called.

Operations are told apart by what made their operands (`signals.py`), attributed to the module that called them, and
summed per sample and step. Neurons are the exception: inside one nothing is counted; it stands as one row of updates,
beside those of the circuits that it may have inside.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from snnctl.core.shapes import SignalSpec
from snnctl.energy.count.axes import Axes, Axis
from snnctl.energy.count.counts import Counts, Elementwise
from snnctl.energy.count.dispatch import Watch
from snnctl.energy.count.neuron_work import work_per_update
from snnctl.energy.count.products import Fan
from snnctl.energy.count.signals import Signal, forget, note
from snnctl.neurons.base import neurons_in
from snnctl.positions.base import TablePosition


class OperationCounter:
    """Counts the operations of `network`, batch by batch.

    Args:
        network: in evaluation mode; its hooks are removed when the counter is closed.
        encoded: what the encoder gives, for T and for spikes that no neuron makes; None if there is no encoder.
        check: whether declared spikes are compared with their values in the first batch.
        data_steps: see `Counts`.
    """

    def __init__(
        self, network: nn.Module, *, encoded: SignalSpec | None = None, check: bool = True, data_steps: int = 1
    ) -> None:
        self.network = network
        self.steps = encoded.steps if encoded is not None else 1
        self.encoded = encoded
        self.check = check
        self.data_steps = data_steps
        self._fans: dict[Any, tuple[Tensor, float]] = {}
        # Before there are hooks: the probe runs the neurons.
        self.work: Mapping[str, Elementwise] = {
            name: work_per_update(module, self.steps)
            for name, module in neurons_in(network).items()
            if module.atomic or module.circuits
        }

    def count(self, run: Callable[[], Any], inputs: Tensor, samples: int) -> Counts:
        """The operations of one call of `run`, as arrays with one number per sample.

        Args:
            run: calls the network on `inputs`, under whatever is to be counted around it.
            inputs: the batch; its leading axis runs over samples.
            samples: B.

        Raises:
            DiagnosticError: E510, something declared as spikes is none.
        """
        watch = Watch(self, samples)
        note(inputs, Signal("real", axes=Axes(sample=Axis(0, samples, len(inputs) // samples)), raw=True))
        try:
            with torch.no_grad(), self._declared(), watch.hooks(), watch:
                run()
        finally:
            forget(inputs)
        self.check = False
        return watch.counts()

    @contextmanager
    def _declared(self) -> Iterator[None]:
        """Weights and position codes carry a note of what they are."""
        noted: list[Tensor] = []
        for parameter in self.network.parameters():
            note(parameter, Signal("weight"))
            noted.append(parameter)
        for module in self.network.modules():
            if isinstance(module, TablePosition) and module.binary:
                note(module._rows, Signal("spike"))
                noted.append(module._rows)
        try:
            yield
        finally:
            for tensor in noted:
                forget(tensor)

    def fan(self, key: Any, make: Callable[[], tuple[Fan, float]]) -> tuple[Fan, float]:
        """The fan-out of a convolution, computed once per weight and input size."""
        if key not in self._fans:
            self._fans[key] = make()
        return self._fans[key]
