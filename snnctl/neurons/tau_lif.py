"""LIF whose leak is exp(-1/tau): with a late reset, a choice of input gains, and a leak that can be learned."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

import torch
from annotated_types import Ge, Gt, Lt
from torch import Tensor, nn

from snnctl.core.catalog import NEURONS
from snnctl.core.signature import takes_knobs
from snnctl.neurons.integrate_fire import IntegrateAndFire, Learned, Spiking
from snnctl.neurons.kernels import AnyReset

InputGain = Literal["one", "leak", "variance", "relative"]
Parameter = Literal["alpha", "log_tau"]
INITIAL_LEAK = (0.1, 0.99)
LONG_LEAK = 0.95


@NEURONS.register("tau_lif")
class TauLIF(IntegrateAndFire):
    """LIF of the temporal-hierarchy networks: leak alpha = exp(-1/tau), late soft reset, strict threshold.

    With the input gain `one` a constant current x lifts the membrane to x / (1 - alpha): a longer tau means a stronger
    drive as well as a longer memory. `leak` takes that apart: the membrane goes to x whatever tau is.

    Equation:
        alpha = clip(exp(-1/tau), leak_min, leak_max)
        h[t] = alpha * h[t-1] + gain * x[t] - v_threshold * s[t-1]        reset: delayed
        h[t] = alpha * v[t-1] + gain * x[t],  v = h (1 - s) or h - s v_threshold    reset: hard or soft
        s[t] = 1 if h[t] > v_threshold else 0
        gain = 1 (one), 1 - alpha (leak), sqrt(1 - alpha^2) (variance), (1 - alpha) / (1 - exp(-1/gain_tau)) (relative)

    Args:
        tau: membrane time constant in steps, > 0 (7.1, 100 ms in steps of 14 ms as in the hSNN code); a `hierarchy`
            overrides it.
        v_threshold: spike threshold, > 0, in units of the membrane (as published).
        reset: delayed takes the threshold off one step late and without the leak (as published), soft at once, hard
            sets the membrane to 0.
        input_gain: factor on the input: one (as published), or leak, variance, relative (controls, ours).
        gain_tau: time constant in steps, > 0, at which `relative` has gain 1.
        leak_min: lower end of alpha in use, > 0 (as published).
        leak_max: upper end of alpha in use, < 1 (.98 as published: 495 ms in steps of 10 ms); beyond either end a
            learned alpha has no gradient.
        learn: whether the time constant is learned: none, one for the layer, one per channel.
        parameter: what is learned: alpha itself (as published), or log tau (ours; alpha stays in (0, 1) by itself).
        penalty_long: weight of ||relu(alpha - .95)|| over all learned leaks of the network, >= 0 (.1 as published).
        penalty_spread: weight of ||alpha - its layer's mean|| over all learned leaks, >= 0 (.01 as published).
        detach_reset: whether the gradient ignores the path through the reset (false as published).
        learn_threshold: whether the threshold is learned, one for the layer or one per channel (its logarithm; ours).
        surrogate: derivative of the spike (rectangle of width 1 as published).

    Shape: [T, B, *, channels] -> [T, B, *, channels]; the state is the membrane [B, *, channels], with the delayed
        reset as the next step finds it.

    Raises:
        ShapeError: a name is unknown, or `gain_tau` is missing.

    Source: Moro et al. 2024, "The role of temporal hierarchy in spiking neural networks", arXiv 2407.18838, and its
        code, github.com/EIS-Hub/hSNN.
    """

    leak_bounds: tuple[float, float]
    _shown = ("learn", "parameter", "input_gain")

    @takes_knobs
    def __init__(
        self,
        channels: int,
        *,
        tau: Annotated[float, Gt(0.0)] = 7.1,
        v_threshold: Annotated[float, Gt(0.0)] = 1.0,
        reset: AnyReset = "delayed",
        input_gain: InputGain = "one",
        gain_tau: Annotated[float, Gt(0.0)] | None = None,
        leak_min: Annotated[float, Gt(0.0), Lt(1.0)] = 1e-5,
        leak_max: Annotated[float, Gt(0.0), Lt(1.0)] = 0.98,
        learn: Learned = "none",
        parameter: Parameter = "alpha",
        penalty_long: Annotated[float, Ge(0.0)] = 0.1,
        penalty_spread: Annotated[float, Ge(0.0)] = 0.01,
        spiking: Spiking = Spiking(detach_reset=False, surrogate="rectangle"),
    ) -> None:
        super().__init__(channels, v_threshold, reset, spiking, strict=True)
        self.input_gain, self.gain_tau = input_gain, gain_tau
        self.leak_bounds = (leak_min, leak_max)
        self.learn, self.parameter = learn, parameter
        self.penalty_long, self.penalty_spread = penalty_long, penalty_spread
        self.raw: Tensor
        self._begin(torch.full((channels,) if learn == "channel" else (), math.exp(-1.0 / tau)))

    @staticmethod
    def rules(knobs: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """A relative gain is relative to something, and the bounds are in order."""
        if knobs["input_gain"] == "relative" and knobs["gain_tau"] is None:
            yield "gain_tau", "`input_gain: relative` needs `gain_tau`"
        if knobs["leak_min"] >= knobs["leak_max"]:
            yield "leak_min", "`leak_min` must be below `leak_max`"

    def _begin(self, leak: Tensor) -> None:
        vars(self).pop("raw", None)
        if self.learn == "none":
            self.register_buffer("raw", leak)
            return
        leak = leak.clamp(*INITIAL_LEAK)
        self.raw = nn.Parameter(leak if self.parameter == "alpha" else (-1.0 / leak.log()).log())

    @property
    def unclipped_leak(self) -> Tensor:
        """alpha before it is clipped, [] or [channels]."""
        if self.learn == "none" or self.parameter == "alpha":
            return self.raw
        return (-(-self.raw).exp()).exp()

    def leak_per_step(self) -> Tensor:
        return self.unclipped_leak.clamp(*self.leak_bounds)

    def set_leak(self, leak: Tensor) -> None:
        if self.learn == "layer" and leak.dim():
            raise ValueError("a leak per channel needs `learn: channel`, or none")
        self._begin(leak.expand(self.channels).clone() if self.learn == "channel" else leak)

    def penalties(self) -> dict[str, Tensor]:
        if self.learn == "none" or not (self.penalty_long or self.penalty_spread):
            return {}
        leak = self.leak_per_step().reshape(-1)
        return {
            "long": self.penalty_long * (leak - LONG_LEAK).relu(),
            "spread": self.penalty_spread * (leak - leak.mean()),
        }

    def _charge(self) -> tuple[float | None, float | Tensor, float | Tensor]:
        leak = self.leak_per_step()
        match self.input_gain:
            case "one":
                return None, leak, 1.0
            case "leak":
                return None, leak, 1.0 - leak
            case "variance":
                return None, leak, (1.0 - leak * leak).sqrt()
        assert self.gain_tau is not None
        return None, leak, (1.0 - leak) / (1.0 - math.exp(-1.0 / self.gain_tau))
