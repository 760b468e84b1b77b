"""A spiking layer whose weights reach back in time."""

from __future__ import annotations

from torch import Tensor

from snnctl.backbones.parts.blocks import SpikingLayer
from snnctl.backbones.parts.dropout import SpikeDropout
from snnctl.backbones.parts.time_conv import TimeWeights
from snnctl.neurons.base import NeuronFactory


class SpikingTimeLayer(SpikingLayer):
    """Weights over T, BatchNorm over batch and time, neuron along T, dropout on the spikes that are passed on.

    Resets and membranes follow the spikes before dropout.

    Equation:
        s = neuron(BN(sum_k W[k] x[t - k]))
        y = dropout(s)

    Args:
        synapses: the weights; with a bias only where there is no norm.
        neuron: factory of the neuron.
        norm_gain: initial gain of the BatchNorm; None leaves the norm out.
        dropout: share of spikes that is dropped, 0 <= x < 1.

    Shape: [T, B, inputs] -> [T, B, outputs].
    """

    def __init__(
        self, synapses: TimeWeights, neuron: NeuronFactory, *, norm_gain: float | None, dropout: float
    ) -> None:
        super().__init__(synapses.outputs, neuron, norm_gain)
        self.synapses = synapses
        self.dropout = SpikeDropout(dropout)

    @property
    def weights(self) -> TimeWeights:
        return self.synapses

    def forward(self, x: Tensor) -> Tensor:
        spikes: Tensor = self.dropout(self.fire(self.synapses(x), None, False))
        return spikes
