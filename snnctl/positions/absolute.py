"""Absolute positions as real numbers that are added: the transformer's sinusoid, and a learned vector each."""

from __future__ import annotations

from typing import Annotated

import torch
from annotated_types import Gt
from torch import Tensor, nn

from snnctl.core.catalog import POSITIONS
from snnctl.core.shapes import ShapeError, SignalSpec
from snnctl.positions.base import Position, TablePosition, oscillation, positions, spread
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
