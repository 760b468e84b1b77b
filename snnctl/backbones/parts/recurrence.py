"""What recurrent networks share: whose state goes on from position to position, and the units of their cells."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from snnctl.backbones.parts.units import Unit
from snnctl.neurons.base import SpikingNeuron
from snnctl.neurons.surrogate import Surrogate


def goes_on(neuron: nn.Module) -> bool:
    """Whether the neuron's state can be handed on from one position to the next.

    Neurons that need all steps at once have no state, and those with weights per step take T steps and no more.
    """
    return isinstance(neuron, SpikingNeuron) and neuron.streams and neuron.fixed_steps is None


class Gate(SpikingNeuron):
    """A neuron without a membrane: fires where its current is not negative.

    Equation:
        s = 1 if x >= 0 else 0

    Args:
        channels: size of the last axis.
        surrogate: derivative of the spike.

    Shape: [T, B, *, channels] -> [T, B, *, channels]; there is no state.
    """

    leaks = False
    surrogate: Surrogate

    def __init__(self, channels: int, *, surrogate: Surrogate) -> None:
        super().__init__(channels)
        self.surrogate = surrogate

    def initial_state(self, x0: Tensor) -> tuple[()]:
        return ()

    def step(self, x_t: Tensor, state: tuple[()]) -> tuple[Tensor, tuple[()]]:
        return self.surrogate.spike(x_t), state

    def scan(self, x: Tensor, state: tuple[()]) -> tuple[Tensor, tuple[()]]:
        return self.surrogate.spike(x), state


class Sigmoid(Unit):
    """y = 1 / (1 + exp(-x)): a gate of the non-spiking twin."""

    def activate(self, x: Tensor) -> Tensor:
        return torch.sigmoid(x)


class Tanh(Unit):
    """y = tanh(x): bounded, so that a recurrent twin stays so over any length."""

    def activate(self, x: Tensor) -> Tensor:
        return torch.tanh(x)
