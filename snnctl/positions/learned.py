"""A learned vector per position."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from snnctl.core.catalog import POSITIONS
from snnctl.core.shapes import ShapeError, SignalSpec
from snnctl.positions.base import Position, positions, spread
from snnctl.positions.ragged import Ragged


@POSITIONS.register("learned")
class Learned(Position):
    """Adds a learned vector to each position; the result is real, not spikes.

    Equation:
        y[t, l] = x[t, l] + e[l]      the same for all t and samples; e starts as N(0, 0.02)

    Args:
        signal: what comes in; its length is how many positions there are, its width that of the vectors.

    Shape: [T, B, L, D] -> [T, B, L, D].

    Raises:
        ShapeError: the input is longer than `signal` said.

    Source: Devlin et al. 2019, "BERT", arXiv 1810.04805, including the initial 0.02.
    """

    binary = False

    def __init__(self, signal: SignalSpec) -> None:
        super().__init__(signal)
        self.rows = nn.Parameter(torch.empty(signal.length, signal.features))
        nn.init.normal_(self.rows, std=0.02)

    def describe(self, signal: SignalSpec) -> SignalSpec:
        return signal.replace(kind="real", levels=1)

    def code(self, length: int) -> Tensor:
        return self._first(length).detach().cpu()

    def forward(self, x: Tensor, tokens: Ragged | None = None) -> Tensor:
        return x + spread(self.disturb(self._first(positions(x, tokens)), (0,)), tokens)

    def _first(self, length: int) -> Tensor:
        if length > len(self.rows):
            raise ShapeError(f"{length} positions, but vectors were learned for {len(self.rows)}")
        return self.rows[:length]
