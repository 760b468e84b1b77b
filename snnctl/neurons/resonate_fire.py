"""Resonate-and-fire: a damped oscillator that fires, tuned to inputs of its own frequency."""

from __future__ import annotations

import math
from typing import Annotated

from annotated_types import Gt
from torch import Tensor

from snnctl.core.catalog import NEURONS
from snnctl.core.registry import Slot
from snnctl.neurons.base import SpikingNeuron
from snnctl.neurons.kernels import Reset
from snnctl.neurons.membrane import after_spike, at_rest, known_reset
from snnctl.neurons.surrogate import Surrogate, make_surrogate


@NEURONS.register("resonate_fire")
class ResonateFire(SpikingNeuron):
    """Resonate-and-fire neuron, whose membrane is a damped oscillation in the complex plane.

    The membrane z = u + iv obeys dz/dt = (-1/tau + i omega) z and jumps by the input along u; the step is its exact
    solution, then the jump. An input reaches v, which fires, by rotation alone: never in its own step.

    Equation:
        r = exp(-1/tau)
        w = r * (u * cos(omega) - v * sin(omega)) + x
        h = r * (u * sin(omega) + v * cos(omega))
        s = 1 if h >= v_threshold else 0
        u = w
        v = h * (1 - s)                  reset: hard
        v = h - s * v_threshold          reset: soft

    Args:
        channels: size of the last axis.
        tau: time constant of the damping in steps, > 0 (default of spikingjelly 2.0, there `b` -0.2).
        omega: angular frequency in radians per step, > 0; the period is 2 pi / omega (default of spikingjelly 2.0).
        v_threshold: spike threshold of the imaginary part, > 0 (default of spikingjelly 2.0).
        reset: hard sets the imaginary part to 0, soft subtracts the threshold (default of spikingjelly 2.0).
        detach_reset: whether the gradient ignores the path through the reset (default of spikingjelly 2.0).
        surrogate: derivative of the spike (default of spikingjelly 2.0).

    Shape: [T, B, *, channels] -> [T, B, *, channels]; the state is (u, v), each [B, *, channels]: real and
        imaginary part.

    Raises:
        ValueError: `reset` is neither hard nor soft.

    Source: Izhikevich 2001, "Resonate-and-fire neurons", Neural Networks 14, 883-894; spikingjelly 2.0 (RAFNode) for
        the discrete form. Our reading, as there: a spike resets the imaginary part and leaves the real one.
    """

    def __init__(
        self,
        channels: int,
        *,
        tau: Annotated[float, Gt(0.0)] = 5.0,
        omega: Annotated[float, Gt(0.0)] = 1.0,
        v_threshold: Annotated[float, Gt(0.0)] = 1.0,
        reset: Reset = "hard",
        detach_reset: bool = False,
        surrogate: Annotated[str | Surrogate, Slot("surrogate")] = "sigmoid",
    ) -> None:
        super().__init__(channels)
        self.tau = tau
        self.omega = omega
        self.v_threshold = v_threshold
        self.reset = known_reset(reset)
        self.detach_reset = detach_reset
        self.surrogate = make_surrogate(surrogate)

    def initial_state(self, x0: Tensor) -> tuple[Tensor, Tensor]:
        rest = at_rest(x0)
        return rest, rest

    def step(self, x_t: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        u, v = state
        r = math.exp(-1.0 / self.tau)
        real, imaginary = r * math.cos(self.omega), r * math.sin(self.omega)
        w = real * u - imaginary * v + x_t.to(u.dtype)
        h = imaginary * u + real * v
        spikes = self.surrogate.spike(h - self.v_threshold)
        v = after_spike(h, spikes, v_threshold=self.v_threshold, reset=self.reset, detach_reset=self.detach_reset)
        return spikes.to(x_t.dtype), (w, v)
