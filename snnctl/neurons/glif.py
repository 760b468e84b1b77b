"""Gated LIF: gates mix exponential with linear leak, hard with soft reset, scaled with plain input."""

from __future__ import annotations

import math
from typing import Annotated

import torch
from annotated_types import Ge, Gt, Lt
from torch import Tensor, nn

from snnctl.core.catalog import NEURONS
from snnctl.core.shapes import ShapeError
from snnctl.neurons.base import Host, at_rest, scaled
from snnctl.neurons.membrane import spike_above
from snnctl.neurons.surrogate import AnySurrogate, Surrogate, make_surrogate


@NEURONS.register("glif")
class GLIF(Host):
    """Gated leaky integrate-and-fire neuron, with everything about the membrane learned per channel.

    All eight quantities lie in (0, 1) and are learned as the logit of a sigmoid; the knobs are where they start.
    The membrane is reset one step after the spike, as part of the next update.

    Equation:
        u = (1 - alpha * (1 - decay)) * u * (1 - gamma * s) - (1 - alpha) * leak
            + (1 - beta * (1 - conduct)) * x - (1 - gamma) * v_subtract * s
        s = 1 if u > v_threshold else 0

    Args:
        channels: size of the last axis, and the number of sets of parameters.
        alpha: gate of the leak at the start, 1 is exponential, 0 linear (default of Gated-LIF).
        beta: gate of the input at the start, 1 scales it by `conduct`, 0 not at all (default of Gated-LIF).
        gamma: gate of the reset at the start, 1 is hard, 0 soft (default of Gated-LIF).
        decay: share of the membrane kept per step at the start (default of Gated-LIF, there `tau`).
        leak: what the linear leak takes per step at the start (default of Gated-LIF for 4 steps).
        conduct: conductance of the input at the start (default of Gated-LIF).
        v_threshold: threshold at the start, and what the soft reset subtracts (default of Gated-LIF).
        learn_gates: whether the three gates are learned, as in the paper, or constants.
        conduct_steps: null for one conductance, or T for one per step, as in Gated-LIF (null is ours).
        surrogate: derivative of the spike (rectangle of width 1 as in Gated-LIF).

    Shape: [T, B, *, channels] -> [T, B, *, channels]; the state is (u, s), each [B, *, channels]: the membrane
        before the reset and the last spikes; with `conduct_steps` also the number of steps seen, an int64 scalar.

    Raises:
        ShapeError: the input goes on for more than `conduct_steps` steps.

    Source: Yao et al. 2022, "GLIF: A unified gated leaky integrate-and-fire neuron", arXiv 2210.13768, and its
        code, Gated-LIF, github.com/Ikarosy/Gated-LIF. Our reading: soft gates, the sigmoid itself, which is an
        option of that code.
    """

    def __init__(
        self,
        channels: int,
        *,
        alpha: Annotated[float, Gt(0.0), Lt(1.0)] = 0.55,
        beta: Annotated[float, Gt(0.0), Lt(1.0)] = 0.65,
        gamma: Annotated[float, Gt(0.0), Lt(1.0)] = 0.55,
        decay: Annotated[float, Gt(0.0), Lt(1.0)] = 0.25,
        leak: Annotated[float, Gt(0.0), Lt(1.0)] = 0.0625,
        conduct: Annotated[float, Gt(0.0), Lt(1.0)] = 0.5,
        v_threshold: Annotated[float, Gt(0.0), Lt(1.0)] = 0.5,
        learn_gates: bool = True,
        conduct_steps: Annotated[int, Ge(1)] | None = None,
        surrogate: AnySurrogate = "rectangle",
    ) -> None:
        super().__init__(channels)
        self.learn_gates = learn_gates
        self.conduct_steps = conduct_steps
        self.surrogate: Surrogate = make_surrogate(surrogate)
        for name, gate in (("alpha_logit", alpha), ("beta_logit", beta), ("gamma_logit", gamma)):
            logit = _logit(gate, channels)
            if learn_gates:
                self.register_parameter(name, nn.Parameter(logit))
            else:
                self.register_buffer(name, logit)
        self.decay_logit = nn.Parameter(_logit(decay, channels))
        self.leak_logit = nn.Parameter(_logit(leak, channels))
        shape = (channels,) if conduct_steps is None else (conduct_steps, channels)
        self.conduct_logit = nn.Parameter(_logit(conduct, *shape))
        self.v_threshold_logit = nn.Parameter(_logit(v_threshold, channels))
        self.v_subtract_logit = nn.Parameter(_logit(v_threshold, channels))

    @property
    def fixed_steps(self) -> int | None:
        return self.conduct_steps

    def initial_state(self, x0: Tensor) -> tuple[Tensor, ...]:
        rest = at_rest(x0)
        if self.conduct_steps is None:
            return rest, rest
        return rest, rest, torch.zeros((), dtype=torch.int64, device="cpu")  # read as an int at every step

    def charge(
        self, x_t: Tensor, state: tuple[Tensor, ...], past: Tensor | None = None, drive: Tensor | None = None
    ) -> tuple[Tensor, ...]:
        u, s, *seen = state
        alpha, beta, gamma, decay, leak, v_threshold, v_subtract = (
            getattr(self, f"{name}_logit").to(u.dtype).sigmoid()
            for name in ("alpha", "beta", "gamma", "decay", "leak", "v_threshold", "v_subtract")
        )
        conduct = self._conductance(*seen).to(u.dtype).sigmoid()
        # Of the past are the membrane and its reset; the linear leak is a constant, and no factor lies on it.
        kept = scaled((1 - alpha * (1 - decay)) * u * (1 - gamma * s), past) - (1 - alpha) * leak
        u = kept + (1 - beta * (1 - conduct)) * scaled(x_t.to(u.dtype), drive)
        return u - scaled((1 - gamma) * v_subtract * s, past), v_threshold, *seen

    def fire(self, charged: tuple[Tensor, ...], dtype: torch.dtype) -> tuple[Tensor, tuple[Tensor, ...]]:
        u, v_threshold, *seen = charged
        s = spike_above(self.surrogate, u - v_threshold)
        return s.to(dtype), (u, s, *(count + 1 for count in seen))

    def _conductance(self, seen: Tensor | None = None) -> Tensor:
        if seen is None:
            return self.conduct_logit
        if int(seen) >= len(self.conduct_logit):
            message = f"glif has conductances for {self.conduct_steps} steps, and there is one more"
            help = "set `conduct_steps` to the number of steps T, or to null"
            raise ShapeError(message, knob="conduct_steps", help=help)
        return self.conduct_logit[int(seen)]


def _logit(value: float, *shape: int) -> Tensor:
    return torch.full(shape, math.log(value / (1.0 - value)))
