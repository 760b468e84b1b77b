"""One neuron step by step, and a surrogate that makes the whole neuron a smooth function."""

from typing import Any

import torch
from torch import Tensor

from snnctl.neurons import Sigmoid, SpikingNeuron


class Smooth(Sigmoid):
    """A sigmoid in the forward pass too, so that finite differences see every path a gradient takes."""

    def spike(self, x: Tensor) -> Tensor:
        return self.forward_smooth(x)


def trace(neuron: SpikingNeuron, current: list[float]) -> tuple[list[float], list[tuple[float, ...]]]:
    """Spikes and states after each step for one channel in float64, through the public call."""
    state: Any = None
    spikes, states = [], []
    for value in current:
        out, state = neuron.double()(torch.full((1, 1, 1), value, dtype=torch.float64), state, return_state=True)
        spikes.append(out.item())
        states.append(tuple(part.item() for part in (state if isinstance(state, tuple) else (state,))))
    return spikes, states


def random_current(*shape: int, seed: int = 0, scale: float = 2.0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * scale


def gradients_are_exact(neuron: SpikingNeuron, steps: int = 5) -> bool:
    """Compare the gradients of input and parameters with finite differences; the surrogate must be `Smooth`."""
    assert isinstance(neuron.surrogate, Smooth)
    neuron = neuron.double()
    parameters = list(neuron.parameters())
    x = random_current(steps, 2, neuron.channels, scale=1.0).requires_grad_()
    return bool(torch.autograd.gradcheck(lambda x, *_: neuron(x), (x, *parameters)))
