"""What codes of spikes without weights share: values are brought to 0..1, then written as spikes over T."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor

from snnctl.core.shapes import ShapeError, SignalSpec
from snnctl.encoders.base import Encoder


class Coding(Encoder):
    """Base of `rate`, `latency` and `phase`: no weights, no neuron, binary spikes.

    Args:
        signal: the raw data [B, L, C].
        steps: T.
        low, high: values that become 0 and 1; beyond them values are clipped.
        spiking: false hands on the value in 0..1 at every step.

    Raises:
        ShapeError: `signal` has been encoded already, or `low` is not below `high`.
    """

    def __init__(self, signal: SignalSpec, *, steps: int, low: float, high: float, spiking: bool) -> None:
        super().__init__(signal, steps=steps, neuron=None)
        for knob, message in self.rules({"low": low, "high": high}):
            raise ShapeError(message, knob=knob)
        self.low, self.high, self.spiking = low, high, spiking
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
