"""Leaky integrate-and-fire with a threshold that rises with every spike."""

from __future__ import annotations

import math
from typing import Annotated

import torch
from annotated_types import Gt, Le
from torch import Tensor

from snnctl.core.catalog import NEURONS
from snnctl.neurons.base import SpikingNeuron
from snnctl.neurons.surrogate import AnySurrogate, Surrogate, make_surrogate


@NEURONS.register("alif")
class ALIF(SpikingNeuron):
    """Adaptive leaky integrate-and-fire neuron: each spike raises the threshold, which falls back slowly.

    The defaults are those of weights and inputs of order 1 with a threshold of 0.01; only the ratios of
    input, `v_threshold` and `beta` matter. The surrogate sees the distance relative to the threshold.

    Equation:
        alpha = exp(-1/tau), rho = exp(-1/tau_adapt)
        h = v + (1 - alpha) * x
        A = v_threshold + beta * a
        s = 1 if (h - A) / A >= 0 else 0
        v = alpha * h - s * A
        a = rho * a + (1 - rho) * s

    Args:
        tau: membrane time constant in steps, > 0 (default of LSNN-official).
        tau_adapt: time constant of the threshold in steps, > 0 (default of LSNN-official).
        v_threshold: threshold without adaptation, > 0, in units of the membrane (default of LSNN-official).
        beta: rise of the threshold per unit of the spike trace, > 0 (default of LSNN-official).
        dampening: factor on the surrogate's derivative, in (0, 1] (default of LSNN-official).
        detach_reset: whether the gradient ignores the path through the reset (false as in LSNN-official).
        surrogate: derivative of the spike (triangle of half-width 1, as in the paper).

    Shape: [T, B, *, channels] -> [T, B, *, channels]; the state is (v, a), each [B, *, channels]: the membrane
        after leak and reset, and the spike trace.

    Source: Bellec et al. 2018, "Long short-term memory and learning-to-learn in networks of spiking neurons",
        arXiv 1803.09574; github.com/IGITUGraz/LSNN-official for the settings, which fires strictly above the
        threshold and resets by the threshold of the step after. Our reading: fire at the threshold, reset by the
        threshold that was crossed; no refractory time and no delays.
    """

    state_parts = 2

    def __init__(
        self,
        channels: int,
        *,
        tau: Annotated[float, Gt(0.0)] = 20.0,
        tau_adapt: Annotated[float, Gt(0.0)] = 200.0,
        v_threshold: Annotated[float, Gt(0.0)] = 0.01,
        beta: Annotated[float, Gt(0.0)] = 1.6,
        dampening: Annotated[float, Gt(0.0), Le(1.0)] = 0.3,
        detach_reset: bool = False,
        surrogate: AnySurrogate = "triangle",
    ) -> None:
        super().__init__(channels)
        self.tau: float | Tensor = tau
        self.tau_adapt = tau_adapt
        self.v_threshold = v_threshold
        self.beta = beta
        self.dampening = dampening
        self.detach_reset = detach_reset
        self.surrogate: Surrogate = make_surrogate(surrogate)

    def leak_per_step(self) -> Tensor:
        return (-1.0 / torch.as_tensor(self.tau)).exp()

    def set_leak(self, leak: Tensor) -> None:
        vars(self).pop("tau", None)
        self.register_buffer("tau", -1.0 / leak.log())

    def step(self, x_t: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        v, a = state
        alpha = math.exp(-1.0 / self.tau) if isinstance(self.tau, float | int) else (-1.0 / self.tau).exp()
        rho = math.exp(-1.0 / self.tau_adapt)
        h = v + (1.0 - alpha) * x_t.to(v.dtype)
        threshold = self.v_threshold + self.beta * a
        undamped = self.surrogate.spike((h - threshold) / threshold)
        spikes = undamped.detach() + self.dampening * (undamped - undamped.detach())
        fired = spikes.detach() if self.detach_reset else spikes
        v = alpha * h - fired * threshold
        a = rho * a + (1.0 - rho) * spikes
        return spikes.to(x_t.dtype), (v, a)
