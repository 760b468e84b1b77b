"""Leaky integrate-and-fire whose membrane is scaled by a learned slope and rectified before it fires."""

from __future__ import annotations

from typing import Annotated

import torch
from annotated_types import Gt
from torch import Tensor, nn

from snnctl.core.catalog import NEURONS
from snnctl.core.signature import After, takes_knobs
from snnctl.neurons.membrane import EulerLeak, Firing, OneThreshold, leak_and_charge


@NEURONS.register("klif")
class KLIF(EulerLeak, OneThreshold):
    """Leaky integrate-and-fire neuron with a learned slope, which scales membrane and surrogate alike.

    The slope is one number per layer. The rectifier keeps the membrane from going below rest.

    Equation:
        h = v + (x - v) / tau            with `decay_input`
        h = v * (1 - 1/tau) + x          without
        f = max(k * h, 0)
        s = 1 if f >= v_threshold else 0
        v = f * (1 - s)                  reset: hard
        v = f - s * v_threshold          reset: soft
        v = v / k                        with `scale_reset`

    Args:
        k: slope at the start, > 0 (default of spikingjelly 2.0); later values may have any sign.
        tau: membrane time constant in steps, > 1 (default of spikingjelly 2.0).
        scale_reset: whether the slope is divided out again after the reset (default of spikingjelly 2.0).
        decay_input: whether the input is divided by tau as well (default of spikingjelly 2.0).

    Shape: [T, B, *, channels] -> [T, B, *, channels]; the state is the membrane [B, *, channels].

    Raises:
        ShapeError: `reset` is neither hard nor soft.

    Source: Jiang and Zhang 2023, "KLIF: An optimized spiking neuron unit for tuning surrogate gradient slope and
        membrane potential", arXiv 2302.09238; spikingjelly 2.0 (KLIFNode).
    """

    @takes_knobs
    def __init__(
        self,
        channels: int,
        *,
        k: Annotated[float, Gt(0.0)] = 1.0,
        tau: Annotated[float, Gt(1.0)] = 2.0,
        firing: Firing = Firing(),
        scale_reset: Annotated[bool, After("reset")] = False,
        decay_input: Annotated[bool, After("scale_reset")] = True,
    ) -> None:
        super().__init__(channels, firing)
        self.k = nn.Parameter(torch.tensor(float(k)))
        self.tau: float | Tensor = tau
        self.scale_reset = scale_reset
        self.decay_input = decay_input

    def step(self, x_t: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        k = self.k.to(state.dtype)
        f = torch.relu(k * leak_and_charge(state, x_t.to(state.dtype), tau=self.tau, decay_input=self.decay_input))
        spikes = self.surrogate.spike(f - self.v_threshold)
        v = self.after_spike(f, spikes)
        return spikes.to(x_t.dtype), v / k if self.scale_reset else v
