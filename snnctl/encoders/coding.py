"""Codes without weights: values are brought to 0..1, then written over T as rate, latency or phase."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

import torch
from annotated_types import Ge, Le
from torch import Tensor

from snnctl.core.catalog import ENCODERS
from snnctl.core.seeds import run_seed, stream_seed
from snnctl.core.shapes import ShapeError, SignalSpec
from snnctl.encoders.base import Encoder


class Coding(Encoder):
    """Base of `rate`, `latency` and `phase`: no weights, no neuron, binary spikes.

    Args:
        steps: T.
        low, high: values that become 0 and 1; beyond them values are clipped.
        spiking: false hands on the value in 0..1 at every step.

    Raises:
        ShapeError: `signal` has been encoded already, or `low` is not below `high`.
    """

    def __init__(
        self, signal: SignalSpec, *, low: float, high: float, steps: Annotated[int, Ge(1)] = 16, spiking: bool = True
    ) -> None:
        super().__init__(signal, steps=steps, neuron=None)
        for knob, message in self.rules({"low": low, "high": high}):
            raise ShapeError(message, knob=knob)
        self.low, self.high, self.spiking = low, high, spiking
        self._seed = stream_seed(run_seed(), "encoder")  # of what a code draws in evaluation
        self.output = self.output.replace(kind="spikes" if spiking else "real")

    @staticmethod
    def rules(knobs: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """The range is not empty."""
        low, high = knobs.get("low"), knobs.get("high")
        if low is not None and high is not None and low >= high:
            yield "low", "`low` must be below `high`"

    def unit(self, x: Tensor) -> Tensor:
        """The values brought to 0..1."""
        return ((x - self.low) / (self.high - self.low)).clamp(0.0, 1.0)

    @abstractmethod
    def code(self, u: Tensor) -> Tensor:
        """Spikes [T, B, L, C] in {0, 1} of values [B, L, C] in 0..1."""

    def currents(self, x: Tensor) -> Tensor:
        u = self.unit(x)
        return self.code(u) if self.spiking else u.expand(self.steps, *u.shape)

    def extra_repr(self) -> str:
        return f"steps={self.steps}, low={self.low:g}, high={self.high:g}"


@ENCODERS.register("rate")
class Rate(Coding):
    """Fires at each step with the value as probability, so that the mean over T tells the value; no weights.

    While training every spike is drawn anew. In evaluation the draws are fixed by the run's seed and the same for all
    items, so that results repeat and do not depend on batches.

    Equation:
        u    = clip((x - low) / (high - low), 0, 1)
        S[t] = 1 with probability u, else 0

    Args:
        low: value that never fires; there is no default, as it depends on how the data are
            scaled: 0 and 1 for images with `normalise: unit`, -2 and 2, say, for scaled series.
        high: value that fires at every step, > low.
        steps: T, >= 1; the standard error of the mean over T is sqrt(u (1 - u) / T).
        spiking: false hands on u at every step; a non-spiking twin does so by itself.

    Shape: [B, L, C] -> [T, B, L, C].

    Source: Bernoulli spikes as in spikingjelly's PoissonEncoder and snntorch's spikegen.rate.
    """

    def code(self, u: Tensor) -> Tensor:
        if self.training:
            drawn = torch.rand((self.steps, *u.shape), device=u.device, dtype=u.dtype)
        else:
            generator = torch.Generator().manual_seed(self._seed)
            shape = (self.steps, 1, *u.shape[1:])
            with torch.device("cpu"):
                drawn = torch.rand(shape, generator=generator, dtype=torch.float64).to(u)
        return (drawn < u).to(u.dtype)


@ENCODERS.register("latency")
class Latency(Coding):
    """Fires once, the earlier the larger the value (time to first spike); no weights.

    Equation:
        u  = clip((x - low) / (high - low), 0, 1)
        t* = round((T - 1) * (1 - u))                           linear
        t* = round(T - 1 - ln(a u + 1)),  a = exp(T - 1) - 1    log
        S[t] = 1 if t = t*, else 0

    Args:
        low: value that fires last; there is no default, as it depends on how the data are
            scaled: 0 and 1 for images with `normalise: unit`, -2 and 2, say, for scaled series.
        high: value that fires first, > low.
        steps: T, >= 1: as many values can be told apart.
        curve: linear spreads values evenly over time; log gives small values most of it.
        silent: whether values at `low` and below do not fire at all, so that an empty background costs nothing.
        spiking: false hands on u at every step; a non-spiking twin does so by itself.

    Shape: [B, L, C] -> [T, B, L, C].

    Source: as spikingjelly's LatencyEncoder; `silent` is ours.
    """

    reach = (0, 0)

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


@ENCODERS.register("phase")
class Phase(Coding):
    """Writes the value in binary over T, the highest digit first: 2^T values in T steps; no weights.

    The spike at step t stands for 2^-(t+1), and no neuron behind it is told so: each spike counts alike, unless the
    network learns otherwise.

    Equation:
        u = clip((x - low) / (high - low), 0, 1)
        q = min(floor(u * 2^T), 2^T - 1)
        S[t] = digit T - 1 - t of q

    Args:
        low: value that never fires; there is no default, as it depends on how the data are
            scaled: 0 and 1 for images with `normalise: unit`, -2 and 2, say, for scaled series.
        high: value that fires at every step, > low.
        steps: T, 1 to 24: what float32 can tell apart.
        spiking: false hands on u at every step; a non-spiking twin does so by itself.

    Shape: [B, L, C] -> [T, B, L, C].

    Source: Kim et al. 2018, "Deep neural networks with weighted spikes", Neurocomputing 311; as spikingjelly's
        WeightedPhaseEncoder.
    """

    reach = (0, 0)

    def __init__(
        self,
        signal: SignalSpec,
        *,
        low: float,
        high: float,
        steps: Annotated[int, Ge(1), Le(24)] = 8,
        spiking: bool = True,
    ) -> None:
        super().__init__(signal, steps=steps, low=low, high=high, spiking=spiking)

    def code(self, u: Tensor) -> Tensor:
        count = 2**self.steps
        q = (u.double() * count).floor().clamp(max=count - 1).long()
        digits = torch.arange(self.steps - 1, -1, -1, device=u.device).view(-1, *[1] * u.dim())
        return (q.bitwise_right_shift(digits) & 1).to(u.dtype)
