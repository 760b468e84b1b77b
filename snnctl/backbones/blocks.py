"""The layer every spiking transformer is made of: linear, norm, neuron."""

from __future__ import annotations

from torch import Tensor, nn

from snnctl.neurons.base import NeuronFactory
from snnctl.neurons.norm import TokenNorm


class SpikingLinear(nn.Module):
    """Linear map, BatchNorm over all tokens, neuron along T.

    The weights keep torch's default initialisation: BatchNorm makes their scale irrelevant where it
    follows, and where it does not, the published N(0, 0.02) would leave the neurons silent at the start.

    Equation:
        S = neuron(BN(W * x + b))

    Args:
        inputs: size of the last axis of the input.
        outputs: size of the last axis of the output.
        neuron: factory of the neuron, called with `outputs`.
        norm_gain: initial gain of the BatchNorm; None leaves the norm out.

    Shape: [T, B, L, inputs] -> [T, B, L, outputs].
    """

    def __init__(self, inputs: int, outputs: int, neuron: NeuronFactory, *, norm_gain: float | None = 1.0) -> None:
        super().__init__()
        self.linear = nn.Linear(inputs, outputs)
        self.norm = nn.Identity() if norm_gain is None else TokenNorm(outputs, gain=norm_gain)
        self.neuron = neuron(outputs)

    def forward(self, x: Tensor) -> Tensor:
        spikes: Tensor = self.neuron(self.norm(self.linear(x)))
        return spikes
