"""What several neurons do to a membrane: leak and charge, fire, reset; and the knobs of that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
from annotated_types import Gt
from torch import Tensor, nn

from snnctl.core.signature import KnobGroup
from snnctl.neurons.base import SpikingNeuron
from snnctl.neurons.kernels import Reset
from snnctl.neurons.surrogate import AnySurrogate, Surrogate, make_surrogate


@dataclass(frozen=True)
class Firing(KnobGroup):
    """When a membrane fires, what a spike does to it, and the gradient of both.

    Args:
        v_threshold: spike threshold, > 0, in units of the membrane (default of spikingjelly 2.0).
        reset: hard sets the membrane to 0 after a spike, soft subtracts the threshold (default of spikingjelly 2.0).
        detach_reset: whether the gradient ignores the path through the reset (default of spikingjelly 2.0).
        surrogate: derivative of the spike (default of spikingjelly 2.0).
    """

    v_threshold: Annotated[float, Gt(0.0)] = 1.0
    reset: Reset = "hard"
    detach_reset: bool = False
    surrogate: AnySurrogate = "sigmoid"


class OneThreshold(SpikingNeuron):
    """A neuron with the knobs of `Firing` as attributes."""

    surrogate: Surrogate

    def __init__(self, channels: int, firing: Firing, *, levels: int = 1) -> None:
        super().__init__(channels, levels=levels)
        self.v_threshold = firing.v_threshold
        self.reset: Reset = firing.reset
        self.detach_reset = firing.detach_reset
        self.surrogate = make_surrogate(firing.surrogate)

    def after_spike(self, h: Tensor, spikes: Tensor, v_threshold: float | None = None) -> Tensor:
        fired = spikes.detach() if self.detach_reset else spikes
        if self.reset == "hard":
            return h * (1.0 - fired)
        return h - fired * (self.v_threshold if v_threshold is None else v_threshold)


class EulerLeak(nn.Module):
    """For neurons that keep 1 - 1/tau of their membrane per step: leak and tau in terms of each other."""

    tau: float | Tensor

    def leak_per_step(self) -> Tensor:
        return 1.0 - 1.0 / torch.as_tensor(self.tau)

    def set_leak(self, leak: Tensor) -> None:
        vars(self).pop("tau", None)
        self.register_buffer("tau", 1.0 / (1.0 - leak))


def leak_and_charge(v: Tensor, current: Tensor, *, tau: float | Tensor, decay_input: bool) -> Tensor:
    return v + (current - v) / tau if decay_input else v * (1.0 - 1.0 / tau) + current


def spike_above(surrogate: Surrogate, x: Tensor) -> Tensor:
    """1 where x > 0, else 0: `surrogate.spike` without the threshold itself; its derivative at x is that at -x."""
    return 1.0 - surrogate.spike(-x)
