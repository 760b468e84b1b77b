"""Absolute positions: the transformer's sinusoid and learned vectors, which are added, and a fixed random code."""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from annotated_types import Ge, Gt
from torch import Tensor, nn

from snnctl.core.catalog import POSITIONS
from snnctl.core.seeds import run_seed, stream_seed
from snnctl.core.shapes import ShapeError, SignalSpec
from snnctl.positions.base import (
    Columns,
    Combine,
    Index,
    Position,
    TablePosition,
    combined,
    combined_signal,
    oscillation,
    positions,
)
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
    adds_code = True
    shown = ("features", "base")

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
    adds_code = True

    def __init__(self, signal: SignalSpec) -> None:
        super().__init__(signal)
        self.rows = nn.Parameter(torch.empty(signal.length, signal.features))
        nn.init.normal_(self.rows, std=0.02)

    def describe(self, signal: SignalSpec) -> SignalSpec:
        return signal.replace(kind="real", levels=1)

    def code(self, length: int) -> Tensor:
        return self._first(length).detach().cpu()

    def forward(self, x: Tensor, tokens: Ragged | None = None) -> Tensor:
        code = self.disturb(self._first(positions(x, tokens)), (0,))
        return x + (code if tokens is None else tokens.locate(code))

    def _first(self, length: int) -> Tensor:
        if length > len(self.rows):
            raise ShapeError(f"{length} positions, but vectors were learned for {len(self.rows)}")
        return self.rows[:length]


@POSITIONS.register("random")
class Random(TablePosition):
    """A table of independent fair coin flips, drawn once and never trained: the control for every structured code.

    Drawn from the `position` stream of its seed by a generator of its own, so that neither the order of
    construction nor the length changes a row.

    Equation:
        c[p, j] = -1 or 1 (signs), 0 or 1 (bits), with equal odds
        y[t, l] = [x[t, l], c[p]]  (concat),  x[t, l] + c[p]  (add)      p = t*L + l (TL), l (L)

    Args:
        neurons: columns of the code, >= 1 (40 as for `cpg`).
        values: signs as in SeqSNN, which are not spikes; bits are.
        combine: concat, or add with `neurons` equal to the width.
        index: TL gives a position a different code at each of the T steps (SeqSNN), L the same code.
        seed: of the table, >= 0; null takes the seed of the run (0 outside a run).

    Shape: [T, B, L, D] -> [T, B, L, D + neurons] (concat) or [T, B, L, D] (add).

    Raises:
        ShapeError: `combine` is add and `neurons` differs from the width of the signal.

    Source: RandomPE of github.com/microsoft/SeqSNN.
    """

    adds_code = True
    shown = ("neurons", "values", "combine", "index", "seed")

    def __init__(
        self,
        signal: SignalSpec | None = None,
        *,
        neurons: Columns = 40,
        values: Literal["signs", "bits"] = "signs",
        combine: Combine = "concat",
        index: Index = "TL",
        seed: Annotated[int, Ge(0)] | None = None,
    ) -> None:
        self.neurons = neurons
        self.values = values
        self.combine = combine
        self.index = index
        self.seed = run_seed() if seed is None else seed
        self.binary = values == "bits" and combine == "concat"
        super().__init__(signal)

    def describe(self, signal: SignalSpec) -> SignalSpec:
        signal = combined_signal(signal, self.neurons, self.combine)
        return signal if self.values == "bits" else signal.replace(kind="real", levels=1)

    def table(self, length: int) -> Tensor:
        generator = torch.Generator(device="cpu").manual_seed(stream_seed(self.seed, "position"))
        bits = torch.rand(length, self.neurons, generator=generator, device="cpu", dtype=torch.float64) < 0.5
        return bits if self.values == "bits" else bits.double() * 2 - 1

    def forward(self, x: Tensor, tokens: Ragged | None = None) -> Tensor:
        return combined(x, self.located(x, tokens), self.combine)
