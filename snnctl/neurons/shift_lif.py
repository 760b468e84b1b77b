"""LIF whose spikes are powers of two: at the synapse each is a shift and an addition, however high it is."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Ge, Gt, Le
from torch import Tensor

from snnctl.core.catalog import NEURONS
from snnctl.core.signature import After, takes_knobs
from snnctl.neurons.membrane import EulerLeak, Firing, OneThreshold, leak_and_charge


@NEURONS.register("shift_lif")
class ShiftLIF(EulerLeak, OneThreshold):
    """Leaky integrate-and-fire neuron with spikes 0, 1, 2, 4, ..: the largest power of two that the membrane holds.

    With one octave it is the binary LIF. Codes have a single bit set, so an event costs one accumulation under every
    rule that charges bits; the quantisation is finer for small membranes than for large ones.

    Equation:
        h = v + (x - v) / tau            with `decay_input`
        h = v * (1 - 1/tau) + x          without
        q = v_threshold * 2^-fraction_bits
        c = sum_k w_k [h >= 2^k q]       k = 0..octaves-1, w_0 = 1, w_k = 2^(k-1): 0, or 2^floor(log2(h / q)) up to
                                         2^(octaves-1)
        v = h * [c = 0]                  reset: hard
        v = h - c q                      reset: soft

    Args:
        octaves: powers of two that a spike can be, 1 to 8 (3: 1, 2 and 4; ours).
        fraction_bits: bits by which the lowest firing membrane lies below the threshold, 0 to 8.
        tau: membrane time constant in steps, > 1.
        v_threshold: membrane that a spike of 2^fraction_bits stands for, > 0.
        reset: hard sets the membrane to 0 after a spike, soft takes off what the spike stands for.
        decay_input: whether the input is divided by tau as well.
        detach_reset: whether the gradient ignores the path through the reset.
        surrogate: derivative at each of the thresholds, in units of the membrane.

    Shape: [T, B, *, channels] -> [T, B, *, channels]; the state is the membrane [B, *, channels].

    Raises:
        ShapeError: `reset` is neither hard nor soft.

    Source: our reading of the idea of ShiftLIF, arXiv 2605.01866, of which the abstract alone was at hand.
    """

    @takes_knobs
    def __init__(
        self,
        channels: int,
        *,
        octaves: Annotated[int, Ge(1), Le(8)] = 3,
        fraction_bits: Annotated[int, Ge(0), Le(8)] = 0,
        tau: Annotated[float, Gt(1.0)] = 2.0,
        firing: Firing = Firing(reset="soft", detach_reset=True, surrogate="atan"),
        decay_input: Annotated[bool, After("reset")] = True,
    ) -> None:
        super().__init__(channels, firing, levels=2 ** (octaves - 1))
        self.octaves = octaves
        self.fraction_bits = fraction_bits
        self.tau: float | Tensor = tau
        self.quantum = self.v_threshold * 2.0**-fraction_bits
        self.decay_input = decay_input

    def step(self, x_t: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        h = leak_and_charge(state, x_t.to(state.dtype), tau=self.tau, decay_input=self.decay_input)
        fired = self.surrogate.spike(h - self.quantum)
        code = fired
        for k in range(1, self.octaves):
            code = code + 2 ** (k - 1) * self.surrogate.spike(h - 2**k * self.quantum)
        v = self.after_spike(h, fired if self.reset == "hard" else code, self.quantum)
        return code.to(x_t.dtype), v
