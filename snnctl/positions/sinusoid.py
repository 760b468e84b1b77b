"""The transformer's sinusoid, added as real numbers."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Gt
from torch import Tensor

from snnctl.core.catalog import POSITIONS
from snnctl.core.shapes import SignalSpec
from snnctl.positions.base import TablePosition, oscillation
from snnctl.positions.ragged import Ragged


@POSITIONS.register("sinusoid")
class Sinusoid(TablePosition):
    """Adds sine and cosine of the position; the result is real, not spikes.

    Equation:
        e[l, 2k]   = sin(l * base^(-2k/D))
        e[l, 2k+1] = cos(l * base^(-2k/D))
        y[t, l]    = x[t, l] + e[l]      the same for all t

    Args:
        signal: what comes in; its width is the width of the code.
        base: ratio of the frequency ladder, > 1 (10000 as in the Transformer).

    Shape: [T, B, L, D] -> [T, B, L, D].

    Source: Vaswani et al. 2017, "Attention is all you need", arXiv 1706.03762.
    """

    binary = False

    def __init__(self, signal: SignalSpec, *, base: Annotated[float, Gt(1.0)] = 10000.0) -> None:
        self.features = signal.features
        self.base = base
        super().__init__(signal)

    def describe(self, signal: SignalSpec) -> SignalSpec:
        return signal.replace(kind="real", levels=1)

    def table(self, length: int) -> Tensor:
        return oscillation(length, self.features, self.base)

    def forward(self, x: Tensor, tokens: Ragged | None = None) -> Tensor:
        return x + self.located(x, tokens)

    def extra_repr(self) -> str:
        return f"features={self.features}, base={self.base}"
