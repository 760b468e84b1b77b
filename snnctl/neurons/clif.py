"""Leaky integrate-and-fire with a second potential that deepens the reset of a busy neuron."""

from __future__ import annotations

from typing import Annotated

import torch
from annotated_types import Gt
from torch import Tensor

from snnctl.core.catalog import NEURONS
from snnctl.neurons.base import SpikingNeuron
from snnctl.neurons.membrane import EulerLeak, leak_and_charge
from snnctl.neurons.surrogate import AnySurrogate, Surrogate, make_surrogate


@NEURONS.register("clif")
class CLIF(EulerLeak, SpikingNeuron):
    """Complementary leaky integrate-and-fire neuron: recent spikes deepen the reset and carry gradient through time.

    Nothing is learned, and the gradient always goes through the reset: that is the path the neuron is made for.

    Equation:
        h = v * (1 - 1/tau) + x
        s = 1 if h >= v_threshold else 0
        m = m * sigmoid(h / tau) + s
        v = h - s * (v_threshold + sigmoid(m))

    Args:
        tau: membrane time constant in steps, > 1 (default of Complementary-LIF and spikingjelly 2.0).
        v_threshold: spike threshold, > 0, in units of the membrane (default of Complementary-LIF and spikingjelly 2.0).
        surrogate: derivative of the spike (rectangle of width 1 as in Complementary-LIF and spikingjelly 2.0).

    Shape: [T, B, *, channels] -> [T, B, *, channels]; the state is (v, m), each [B, *, channels]: the membrane and
        the complementary potential.

    Source: Huang et al. 2024, "CLIF: Complementary leaky integrate-and-fire neuron for spiking neural networks",
        arXiv 2402.04663; github.com/HuuYuLong/Complementary-LIF; spikingjelly 2.0 (ComplementaryLIFNode).
    """

    state_parts = 2

    def __init__(
        self,
        channels: int,
        *,
        tau: Annotated[float, Gt(1.0)] = 2.0,
        v_threshold: Annotated[float, Gt(0.0)] = 1.0,
        surrogate: AnySurrogate = "rectangle",
    ) -> None:
        super().__init__(channels)
        self.tau: float | Tensor = tau
        self.v_threshold = v_threshold
        self.surrogate: Surrogate = make_surrogate(surrogate)

    def step(self, x_t: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        v, m = state
        h = leak_and_charge(v, x_t.to(v.dtype), tau=self.tau, decay_input=False)
        spikes = self.surrogate.spike(h - self.v_threshold)
        m = m * torch.sigmoid(h / self.tau) + spikes
        v = h - spikes * (self.v_threshold + torch.sigmoid(m))
        return spikes.to(x_t.dtype), (v, m)
