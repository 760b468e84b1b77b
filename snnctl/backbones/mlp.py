"""The spiking MLP of a transformer block."""

from __future__ import annotations

from torch import Tensor, nn

from snnctl.backbones.blocks import SpikingLinear
from snnctl.neurons.base import NeuronFactory


class SpikingMLP(nn.Module):
    """Two spiking layers, the first one wider.

    Equation:
        y = neuron(BN(Linear(neuron(BN(Linear(x))))))

    Args:
        dim: D, width of input and output.
        hidden: width between the layers.
        neuron: factory of neurons, called once per place.
        norm_gain: initial gain of the BatchNorms.

    Shape: [T, B, L, D] -> [T, B, L, D].
    """

    def __init__(self, dim: int, hidden: int, neuron: NeuronFactory, *, norm_gain: float) -> None:
        super().__init__()
        self.widen = SpikingLinear(dim, hidden, neuron, norm_gain=norm_gain)
        self.narrow = SpikingLinear(hidden, dim, neuron, norm_gain=norm_gain)

    def forward(self, x: Tensor) -> Tensor:
        spikes: Tensor = self.narrow(self.widen(x))
        return spikes
