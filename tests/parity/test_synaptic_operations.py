"""The same synaptic operations as spikingjelly's counter, where all spikes are binary and no weight is zero."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from snnctl.core.shapes import SignalSpec
from snnctl.energy.count.counts import Counts
from snnctl.energy.count.dispatch import OperationCounter
from snnctl.neurons import IF
from snnctl.neurons.kernels import use_kernel


class Convolutions(nn.Module):
    """Stride, padding, groups and dilation between IF neurons, and a spike-spike product at the end."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.third = IF(4), IF(8), IF(8)
        self.a = nn.Conv2d(4, 8, 3, stride=2, padding=1, groups=2)
        self.b = nn.Conv2d(8, 8, 3, padding=2, dilation=2, groups=8)

    def forward(self, x: Tensor) -> Tensor:
        s = self.first(x)
        s = self.second(self._through(self.a, s))
        s = self.third(self._through(self.b, s))
        tokens = s.flatten(2, 3)
        return tokens @ tokens.mT

    @staticmethod
    def _through(layer: nn.Conv2d, spikes: Tensor) -> Tensor:
        images = spikes.flatten(0, 1).permute(0, 3, 1, 2)
        found: Tensor = layer(images).permute(0, 2, 3, 1).unflatten(0, spikes.shape[:2])
        return found


class Linears(nn.Module):
    """Fully connected layers between IF neurons."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = IF(4), IF(9)
        self.a, self.b = nn.Linear(4, 9), nn.Linear(9, 5)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.b(self.second(self.a(self.first(x)) + 0.5))
        return found


def ours(network: nn.Module, x: Tensor) -> Counts:
    encoded = SignalSpec(len(x), 1, x.shape[-1])
    counter = OperationCounter(network, encoded=encoded)
    return counter.count(lambda: network(x), x, 1)  # the whole batch as one sample


@pytest.mark.parametrize("make", [Convolutions, Linears])
def test_binary_spikes_cause_as_many_operations(make: type[nn.Module]) -> None:
    op_counter: Any = pytest.importorskip("spikingjelly.activation_based.op_counter")
    torch.manual_seed(3)
    network = make().eval()
    x = torch.rand(3, 2, 7, 7, 4) * 1.5 if make is Convolutions else torch.rand(3, 2, 4) * 1.5
    theirs = op_counter.SynOpCounter()
    with torch.no_grad(), use_kernel("reference"), op_counter.DispatchCounterMode([theirs]):
        network(x)
    found = ours(network, x)
    counted = sum(float(np.sum(r.products.events)) for r in found.rows if r.kind in ("synapse", "product"))
    assert counted == theirs.get_total() > 0
