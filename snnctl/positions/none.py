"""No positional encoding."""

from __future__ import annotations

from torch import Tensor

from snnctl.core.catalog import POSITIONS
from snnctl.core.shapes import SignalSpec
from snnctl.positions.base import Position
from snnctl.positions.ragged import Ragged


@POSITIONS.register("none")
class NoPosition(Position):
    """Returns its input: the network is told nothing about position.

    Args:
        signal: what comes in; optional.

    Shape: [T, B, L, D] -> [T, B, L, D].
    """

    def describe(self, signal: SignalSpec) -> SignalSpec:
        return signal

    def forward(self, x: Tensor, tokens: Ragged | None = None) -> Tensor:
        return x
