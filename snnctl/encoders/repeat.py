"""Repeat encoder: the value itself is the current of every step."""

from __future__ import annotations

from torch import Tensor

from snnctl.core.catalog import ENCODERS
from snnctl.core.shapes import SignalSpec
from snnctl.core.signature import takes_knobs
from snnctl.encoders.base import Encoder, Expansion


@ENCODERS.register("repeat")
class Repeat(Encoder):
    """Feeds each value as a constant current for T steps; no parameters of its own.

    Equation:
        I[t] = x
        S    = neuron(I),  or I itself where `neuron` is null

    Args:
        signal: the raw data [B, L, C].
        expansion: knobs, each on its own in a recipe.

    Shape: [B, L, C] -> [T, B, L, C].

    Raises:
        ShapeError: `signal` has been encoded already.

    Source: Lv et al. 2024, "Efficient and effective time-series forecasting with SNNs", arXiv 2402.01533.
    """

    @takes_knobs
    def __init__(self, signal: SignalSpec, *, expansion: Expansion = Expansion()) -> None:
        super().__init__(signal, steps=expansion.steps, neuron=expansion.neuron)

    def currents(self, x: Tensor) -> Tensor:
        return x.expand(self.steps, *x.shape)
