"""The neuron contract: state is a value that goes in and comes out; nothing is kept between calls."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from snnctl.core.catalog import NEURONS

State = Any  # a tensor or a tuple of tensors shaped like one time step, [B, *]


class SpikingNeuron(nn.Module):
    """Base of all spiking neurons.

    A neuron maps input current [T, B, *, channels] to spikes of the same shape. `forward` starts from rest
    unless a state is passed in, so there is nothing to reset.

    Args:
        channels: size of the last axis, for per-channel parameters.
        levels: highest spike value; 1 means binary.
    """

    def __init__(self, channels: int, *, levels: int = 1) -> None:
        super().__init__()
        self.channels = channels
        self.levels = levels

    @abstractmethod
    def initial_state(self, x0: Tensor) -> State:
        """The state at rest for one step of input `x0` [B, *, channels]."""

    @abstractmethod
    def step(self, x_t: Tensor, state: State) -> tuple[Tensor, State]:
        """One time step: input [B, *, channels] and state -> (spikes, new state). Pure; this is the definition."""

    def forward(
        self, x: Tensor, state: State | None = None, *, return_state: bool = False
    ) -> Tensor | tuple[Tensor, State]:
        """Run over the leading time axis.

        Args:
            x: input current [T, B, *, channels].
            state: where to go on from; None starts from rest.
            return_state: also return the state after the last step.
        """
        spikes, state = self.scan(x, self.initial_state(x[0]) if state is None else state)
        return (spikes, state) if return_state else spikes

    def scan(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """Apply `step` along time; families with a fast kernel override this."""
        out = []
        for x_t in x:
            spikes, state = self.step(x_t, state)
            out.append(spikes)
        return torch.stack(out), state


NeuronFactory = Callable[[int], SpikingNeuron]


def neuron_factory(neuron: str | NeuronFactory) -> NeuronFactory:
    """A factory `channels -> neuron` from a registered name, or the factory that was given."""
    return NEURONS.get(neuron) if isinstance(neuron, str) else neuron
