"""Leaky integrate-and-fire behind a synapse that leaks as well."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Ge
from torch import Tensor

from snnctl.core.catalog import NEURONS
from snnctl.core.signature import takes_knobs
from snnctl.neurons.membrane import EulerLeak, Firing, OneThreshold, leak_and_charge


@NEURONS.register("cuba_lif")
class CubaLIF(EulerLeak, OneThreshold):
    """Current-based leaky integrate-and-fire neuron: the input charges a leaky current, and that the membrane.

    In the words of snntorch alpha is 1 - 1/tau_syn and beta is 1 - 1/tau. With `tau_syn` 1 the current keeps
    nothing, and the neuron is LIF without `decay_input`. A spike leaves the current as it is.

    Equation:
        i = i * (1 - 1/tau_syn) + x
        h = v * (1 - 1/tau) + i
        s = 1 if h >= v_threshold else 0
        v = h * (1 - s)                  reset: hard
        v = h - s * v_threshold          reset: soft

    Args:
        tau_syn: time constant of the current in steps, >= 1 (default of spikingjelly 2.0, there `c_decay` 0.5).
        tau: membrane time constant in steps, >= 1 (default of spikingjelly 2.0, there `v_decay` 0.75).
        surrogate: derivative of the spike (rectangle of width 1 as in spikingjelly 2.0).

    Shape: [T, B, *, channels] -> [T, B, *, channels]; the state is (i, v), each [B, *, channels]: the current and
        the membrane.

    Raises:
        ShapeError: `reset` is neither hard nor soft.

    Source: spikingjelly 2.0 (CUBALIFNode); snntorch 1.0 (Synaptic).
    """

    state_parts = 2

    @takes_knobs
    def __init__(
        self,
        channels: int,
        *,
        tau_syn: Annotated[float, Ge(1.0)] = 2.0,
        tau: Annotated[float, Ge(1.0)] = 4.0,
        firing: Firing = Firing(v_threshold=0.5, surrogate="rectangle"),
    ) -> None:
        super().__init__(channels, firing)
        self.tau_syn = tau_syn
        self.tau: float | Tensor = tau

    def step(self, x_t: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        i, v = state
        i = leak_and_charge(i, x_t.to(i.dtype), tau=self.tau_syn, decay_input=False)
        h = leak_and_charge(v, i, tau=self.tau, decay_input=False)
        spikes = self.surrogate.spike(h - self.v_threshold)
        return spikes.to(x_t.dtype), (i, self.after_spike(h, spikes))
