"""Leaky integrate-and-fire behind a synapse that leaks as well."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Ge, Gt
from torch import Tensor

from snnctl.core.catalog import NEURONS
from snnctl.core.registry import Slot
from snnctl.neurons.base import SpikingNeuron
from snnctl.neurons.kernels import Reset
from snnctl.neurons.membrane import EulerLeak, after_spike, at_rest, known_reset, leak_and_charge
from snnctl.neurons.surrogate import Surrogate, make_surrogate


@NEURONS.register("cuba_lif")
class CubaLIF(EulerLeak, SpikingNeuron):
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
        channels: size of the last axis.
        tau_syn: time constant of the current in steps, >= 1 (default of spikingjelly 2.0, there `c_decay` 0.5).
        tau: membrane time constant in steps, >= 1 (default of spikingjelly 2.0, there `v_decay` 0.75).
        v_threshold: spike threshold, > 0, in units of the membrane (default of spikingjelly 2.0).
        reset: hard sets the membrane to 0 after a spike, soft subtracts the threshold (default of spikingjelly 2.0).
        detach_reset: whether the gradient ignores the path through the reset (default of spikingjelly 2.0).
        surrogate: derivative of the spike (rectangle of width 1 as in spikingjelly 2.0).

    Shape: [T, B, *, channels] -> [T, B, *, channels]; the state is (i, v), each [B, *, channels]: the current and
        the membrane.

    Raises:
        ValueError: `reset` is neither hard nor soft.

    Source: spikingjelly 2.0 (CUBALIFNode); snntorch 1.0 (Synaptic).
    """

    def __init__(
        self,
        channels: int,
        *,
        tau_syn: Annotated[float, Ge(1.0)] = 2.0,
        tau: Annotated[float, Ge(1.0)] = 4.0,
        v_threshold: Annotated[float, Gt(0.0)] = 0.5,
        reset: Reset = "hard",
        detach_reset: bool = False,
        surrogate: Annotated[str | Surrogate, Slot("surrogate")] = "rectangle",
    ) -> None:
        super().__init__(channels)
        self.tau_syn = tau_syn
        self.tau: float | Tensor = tau
        self.v_threshold = v_threshold
        self.reset = known_reset(reset)
        self.detach_reset = detach_reset
        self.surrogate = make_surrogate(surrogate)

    def initial_state(self, x0: Tensor) -> tuple[Tensor, Tensor]:
        rest = at_rest(x0)
        return rest, rest

    def step(self, x_t: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        i, v = state
        i = leak_and_charge(i, x_t.to(i.dtype), tau=self.tau_syn, decay_input=False)
        h = leak_and_charge(v, i, tau=self.tau, decay_input=False)
        spikes = self.surrogate.spike(h - self.v_threshold)
        v = after_spike(h, spikes, v_threshold=self.v_threshold, reset=self.reset, detach_reset=self.detach_reset)
        return spikes.to(x_t.dtype), (i, v)
