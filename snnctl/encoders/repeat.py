"""Repeat encoder: the value itself is the current of every step."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Ge
from torch import Tensor

from snnctl.core.catalog import ENCODERS
from snnctl.core.registry import Slot
from snnctl.core.shapes import SignalSpec
from snnctl.encoders.base import Encoder
from snnctl.neurons.base import NeuronFactory


@ENCODERS.register("repeat")
class Repeat(Encoder):
    """Feeds each value as a constant current for T steps; no parameters of its own.

    Equation:
        I[t] = x
        S    = neuron(I),  or I itself where `neuron` is null

    Args:
        signal: the raw data [B, L, C].
        steps: T, simulation steps per position, >= 1 (4 as in SeqSNN).
        neuron: neuron that makes the spikes, run along T; null hands the currents on, and the backbone's first neuron
            makes the spikes.

    Shape: [B, L, C] -> [T, B, L, C].

    Raises:
        ShapeError: `signal` has been encoded already.

    Source: Lv et al. 2024, "Efficient and effective time-series forecasting with SNNs", arXiv 2402.01533.
    """

    def __init__(
        self,
        signal: SignalSpec,
        *,
        steps: Annotated[int, Ge(1)] = 4,
        neuron: Annotated[str | NeuronFactory, Slot("neuron", factory=True)] | None = "lif",
    ) -> None:
        super().__init__(signal, steps=steps, neuron=neuron)

    def currents(self, x: Tensor) -> Tensor:
        return x.expand(self.steps, *x.shape)
