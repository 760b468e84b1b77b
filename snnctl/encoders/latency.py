"""Latency code: a value is how early its one spike comes."""

from __future__ import annotations

import math
from typing import Annotated, Literal

import torch
from annotated_types import Ge
from torch import Tensor

from snnctl.core.catalog import ENCODERS
from snnctl.core.shapes import SignalSpec
from snnctl.encoders.coding import Coding


@ENCODERS.register("latency")
class Latency(Coding):
    """Fires once, the earlier the larger the value (time to first spike); no weights.

    Equation:
        u  = clip((x - low) / (high - low), 0, 1)
        t* = round((T - 1) * (1 - u))                           linear
        t* = round(T - 1 - ln(a u + 1)),  a = exp(T - 1) - 1    log
        S[t] = 1 if t = t*, else 0

    Args:
        signal: the raw data [B, L, C].
        low: value that fires last; there is no default, as it depends on how the data are
            scaled: 0 and 1 for images with `normalise: unit`, -2 and 2, say, for scaled series.
        high: value that fires first, > low.
        steps: T, >= 1: as many values can be told apart.
        curve: linear spreads values evenly over time; log gives small values most of it.
        silent: whether values at `low` and below do not fire at all, so that an empty background costs nothing.
        spiking: false hands on u at every step; a non-spiking twin does so by itself.

    Shape: [B, L, C] -> [T, B, L, C].

    Raises:
        ShapeError: `signal` has been encoded already, or `low` is not below `high`.

    Source: as spikingjelly's LatencyEncoder; `silent` is ours.
    """

    def __init__(
        self,
        signal: SignalSpec,
        *,
        low: float,
        high: float,
        steps: Annotated[int, Ge(1)] = 16,
        curve: Literal["linear", "log"] = "linear",
        silent: bool = False,
        spiking: bool = True,
    ) -> None:
        super().__init__(signal, steps=steps, low=low, high=high, spiking=spiking)
        self.curve, self.silent = curve, silent

    def code(self, u: Tensor) -> Tensor:
        last = self.steps - 1
        if self.curve == "linear":
            when = last * (1.0 - u)
        else:
            # ln(a u + 1) from ln(a u): a itself leaves the range of float32 at 90 steps.
            log_a = last + math.log(-math.expm1(-last)) if last else -math.inf
            when = last - torch.logaddexp(u.log() + log_a, torch.zeros_like(u))
        steps = torch.arange(self.steps, device=u.device, dtype=u.dtype).view(-1, *[1] * u.dim())
        spikes = steps == when.round()
        return (spikes & (u > 0) if self.silent else spikes).to(u.dtype)
