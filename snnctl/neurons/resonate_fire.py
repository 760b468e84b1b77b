"""Resonate-and-fire: a damped oscillator that fires, tuned to inputs of its own frequency."""

from __future__ import annotations

import math
from typing import Annotated

from annotated_types import Gt
from torch import Tensor

from snnctl.core.catalog import NEURONS
from snnctl.core.signature import takes_knobs
from snnctl.neurons.membrane import Firing, OneThreshold


@NEURONS.register("resonate_fire")
class ResonateFire(OneThreshold):
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
        tau: time constant of the damping in steps, > 0 (default of spikingjelly 2.0, there `b` -0.2).
        omega: angular frequency in radians per step, > 0; the period is 2 pi / omega (default of spikingjelly 2.0).
        v_threshold: spike threshold of the imaginary part, > 0 (default of spikingjelly 2.0).
        reset: hard sets the imaginary part to 0, soft subtracts the threshold (default of spikingjelly 2.0).

    Shape: [T, B, *, channels] -> [T, B, *, channels]; the state is (u, v), each [B, *, channels]: real and
        imaginary part.

    Raises:
        ShapeError: `reset` is neither hard nor soft.

    Source: Izhikevich 2001, "Resonate-and-fire neurons", Neural Networks 14, 883-894; spikingjelly 2.0 (RAFNode) for
        the discrete form. Our reading, as there: a spike resets the imaginary part and leaves the real one.
    """

    state_parts = 2

    @takes_knobs
    def __init__(
        self,
        channels: int,
        *,
        tau: Annotated[float, Gt(0.0)] = 5.0,
        omega: Annotated[float, Gt(0.0)] = 1.0,
        firing: Firing = Firing(),
    ) -> None:
        super().__init__(channels, firing)
        self.tau = tau
        self.omega = omega

    def step(self, x_t: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        u, v = state
        r = math.exp(-1.0 / self.tau)
        real, imaginary = r * math.cos(self.omega), r * math.sin(self.omega)
        w = real * u - imaginary * v + x_t.to(u.dtype)
        h = imaginary * u + real * v
        spikes = self.surrogate.spike(h - self.v_threshold)
        return spikes.to(x_t.dtype), (w, self.after_spike(h, spikes))
