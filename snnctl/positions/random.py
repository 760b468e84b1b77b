"""A fixed random code."""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from annotated_types import Ge
from torch import Tensor

from snnctl.core.catalog import POSITIONS
from snnctl.core.seeds import run_seed, stream_seed
from snnctl.core.shapes import SignalSpec
from snnctl.positions.base import TablePosition, check_width, concat
from snnctl.positions.ragged import Ragged


@POSITIONS.register("random")
class Random(TablePosition):
    """A table of independent fair coin flips, drawn once and never trained: the control for every structured code.

    Drawn from the `position` stream of its seed by a generator of its own, so that neither the order of
    construction nor the length changes a row.

    Equation:
        c[p, j] = -1 or 1 (signs), 0 or 1 (bits), with equal odds
        y[t, l] = [x[t, l], c[p]]  (concat),  x[t, l] + c[p]  (add)      p = t*L + l (TL), l (L)

    Args:
        signal: what comes in; optional, `code` works without.
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

    def __init__(
        self,
        signal: SignalSpec | None = None,
        *,
        neurons: Annotated[int, Ge(1)] = 40,
        values: Literal["signs", "bits"] = "signs",
        combine: Literal["concat", "add"] = "concat",
        index: Literal["TL", "L"] = "TL",
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
        if self.combine == "concat":
            signal = signal.replace(features=signal.features + self.neurons)
        else:
            check_width(self.neurons, signal)
            signal = signal.replace(levels=signal.levels + 1)
        return signal if self.values == "bits" else signal.replace(kind="real", levels=1)

    def table(self, length: int) -> Tensor:
        generator = torch.Generator(device="cpu").manual_seed(stream_seed(self.seed, "position"))
        bits = torch.rand(length, self.neurons, generator=generator, device="cpu", dtype=torch.float64) < 0.5
        return bits if self.values == "bits" else bits.double() * 2 - 1

    def forward(self, x: Tensor, tokens: Ragged | None = None) -> Tensor:
        code = self.located(x, tokens)
        return x + code if self.combine == "add" else concat(x, code)

    def extra_repr(self) -> str:
        names = ("neurons", "values", "combine", "index", "seed")
        return ", ".join(f"{name}={getattr(self, name)!r}" for name in names)
