"""Leaky integrate-and-fire, and the same without a leak."""

from __future__ import annotations

import math
from typing import Annotated, get_args

import torch
from annotated_types import Gt
from torch import Tensor

from snnctl.core.catalog import NEURONS
from snnctl.core.registry import Slot
from snnctl.neurons.base import SpikingNeuron
from snnctl.neurons.kernels import Reset, lif_scan
from snnctl.neurons.kernels.reference import lif_step
from snnctl.neurons.surrogate import Surrogate, make_surrogate


class _IntegrateAndFire(SpikingNeuron):
    """One membrane per element; the state is that membrane, kept in float32 or wider."""

    def __init__(
        self,
        channels: int,
        *,
        tau: float,
        decay_input: bool,
        v_threshold: float,
        reset: Reset,
        detach_reset: bool,
        surrogate: str | Surrogate,
    ) -> None:
        super().__init__(channels)
        if reset not in get_args(Reset):  # the kernels branch on one name, so a typo would go unseen
            raise ValueError(f"unknown reset `{reset}`; known: {', '.join(get_args(Reset))}")
        self.tau = tau
        self.decay_input = decay_input
        self.v_threshold = v_threshold
        self.reset: Reset = reset
        self.detach_reset = detach_reset
        self.surrogate = make_surrogate(surrogate)

    def initial_state(self, x0: Tensor) -> Tensor:
        # bfloat16 and float16 lose the small increments of a slow membrane.
        return torch.zeros_like(x0, dtype=torch.promote_types(x0.dtype, torch.float32))

    def step(self, x_t: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        return lif_step(
            x_t,
            state,
            tau=self.tau,
            decay_input=self.decay_input,
            v_threshold=self.v_threshold,
            reset=self.reset,
            detach_reset=self.detach_reset,
            surrogate=self.surrogate,
        )

    def scan(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        return lif_scan(
            x,
            state,
            tau=self.tau,
            decay_input=self.decay_input,
            v_threshold=self.v_threshold,
            reset=self.reset,
            detach_reset=self.detach_reset,
            surrogate=self.surrogate,
        )

    def extra_repr(self) -> str:
        names = ("channels", "tau", "decay_input", "v_threshold", "reset", "detach_reset", "surrogate")
        return ", ".join(f"{name}={getattr(self, name)!r}" for name in names)


@NEURONS.register("lif")
class LIF(_IntegrateAndFire):
    """Leaky integrate-and-fire neuron.

    With `decay_input` a constant input must exceed tau * v_threshold to fire at the first step; without it
    the leak is beta = 1 - 1/tau (tau = 100 is the beta = 0.99 of snntorch recipes).

    Equation:
        h = v + (x - v) / tau            with `decay_input`
        h = v * (1 - 1/tau) + x          without
        s = 1 if h >= v_threshold else 0
        v = h * (1 - s)                  reset: hard
        v = h - s * v_threshold          reset: soft

    Args:
        channels: size of the last axis.
        tau: membrane time constant in steps, > 1 (default of spikingjelly 2.0 and SeqSNN).
        v_threshold: spike threshold, > 0, in units of the membrane (default of spikingjelly 2.0).
        reset: hard sets the membrane to 0 after a spike, soft subtracts the threshold (hard as in SeqSNN).
        decay_input: whether the input is divided by tau as well (default of spikingjelly 2.0).
        detach_reset: whether the gradient ignores the path through the reset (true as in SeqSNN).
        surrogate: derivative of the spike (atan as in SeqSNN).

    Shape: [T, B, *, channels] -> [T, B, *, channels]; the state is the membrane [B, *, channels].

    Raises:
        ValueError: `reset` is neither hard nor soft.

    Source: spikingjelly 2.0 (LIFNode); SeqSNN, github.com/microsoft/SeqSNN, for the settings.
    """

    def __init__(
        self,
        channels: int,
        *,
        tau: Annotated[float, Gt(1.0)] = 2.0,
        v_threshold: Annotated[float, Gt(0.0)] = 1.0,
        reset: Reset = "hard",
        decay_input: bool = True,
        detach_reset: bool = True,
        surrogate: Annotated[str | Surrogate, Slot("surrogate")] = "atan",
    ) -> None:
        super().__init__(
            channels,
            tau=tau,
            decay_input=decay_input,
            v_threshold=v_threshold,
            reset=reset,
            detach_reset=detach_reset,
            surrogate=surrogate,
        )


@NEURONS.register("if")
class IF(_IntegrateAndFire):
    """Integrate-and-fire neuron: LIF without a leak.

    Equation:
        h = v + x
        s = 1 if h >= v_threshold else 0
        v = h * (1 - s)                  reset: hard
        v = h - s * v_threshold          reset: soft

    Args:
        channels: size of the last axis.
        v_threshold: spike threshold, > 0, in units of the membrane (default of spikingjelly 2.0).
        reset: hard sets the membrane to 0 after a spike, soft subtracts the threshold.
        detach_reset: whether the gradient ignores the path through the reset.
        surrogate: derivative of the spike.

    Shape: [T, B, *, channels] -> [T, B, *, channels]; the state is the membrane [B, *, channels].

    Raises:
        ValueError: `reset` is neither hard nor soft.

    Source: spikingjelly 2.0 (IFNode).
    """

    def __init__(
        self,
        channels: int,
        *,
        v_threshold: Annotated[float, Gt(0.0)] = 1.0,
        reset: Reset = "hard",
        detach_reset: bool = True,
        surrogate: Annotated[str | Surrogate, Slot("surrogate")] = "atan",
    ) -> None:
        super().__init__(
            channels,
            tau=math.inf,
            decay_input=False,
            v_threshold=v_threshold,
            reset=reset,
            detach_reset=detach_reset,
            surrogate=surrogate,
        )
