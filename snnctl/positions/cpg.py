"""CPG positional encoding: spikes of thresholded sine and cosine pairs."""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from annotated_types import Ge, Gt, Lt
from torch import Tensor

from snnctl.core.catalog import POSITIONS
from snnctl.core.shapes import ShapeError, SignalSpec
from snnctl.positions.base import TablePosition, oscillation


@POSITIONS.register("cpg")
class CPG(TablePosition):
    """Binary code of the position from a bank of central pattern generators.

    Codes are not unique in general: slow pairs stay constant within a short window, the more so the larger
    `base`. Position 0 has every sine silent and every cosine firing. There is no dropout on the code.

    Equation:
        omega_k      = base^(-2k/neurons)
        c[p, 2k]     = 1 if sin(p * omega_k) >= threshold else 0
        c[p, 2k+1]   = 1 if cos(p * omega_k) >= threshold else 0
        p            = t*L + l  (index TL),  l  (index L)
        y[t, l]      = [x[t, l], c[p]]  (concat),  x[t, l] + c[p]  (add)

    Args:
        signal: what comes in; optional, `code` works without.
        neurons: columns of the code, >= 1; an odd number has one sine more (40 as in SeqSNN's recipes).
        base: ratio of the frequency ladder, > 1 (10000 as in SeqSNN's Spikformer recipes; 100 to 1000 give
            fewer collisions in short windows).
        threshold: firing threshold, -1 < threshold < 1; the long-run duty is arccos(threshold)/pi (0.8 as in
            SeqSNN).
        combine: concat keeps spikes binary; add needs `neurons` equal to the width and is not binary.
        index: TL gives a position a different code at each of the T steps (SeqSNN), L the same code.

    Shape: [T, B, L, D] -> [T, B, L, D + neurons] (concat) or [T, B, L, D] (add).

    Raises:
        ShapeError: `combine` is add and `neurons` differs from the width of the signal.

    Source: Lv et al. 2024, "Advancing SNNs for sequential modeling with central pattern generators",
        arXiv 2405.14362; github.com/microsoft/SeqSNN.
    """

    def __init__(
        self,
        signal: SignalSpec | None = None,
        *,
        neurons: Annotated[int, Ge(1)] = 40,
        base: Annotated[float, Gt(1.0)] = 10000.0,
        threshold: Annotated[float, Gt(-1.0), Lt(1.0)] = 0.8,
        combine: Literal["concat", "add"] = "concat",
        index: Literal["TL", "L"] = "TL",
    ) -> None:
        self.neurons = neurons
        self.base = base
        self.threshold = threshold
        self.combine = combine
        self.index = index
        self.binary = combine == "concat"
        rows = 0 if signal is None else signal.length * (signal.steps if index == "TL" else 1)
        super().__init__(signal, rows)

    def describe(self, signal: SignalSpec) -> SignalSpec:
        if self.combine == "concat":
            return signal.replace(features=signal.features + self.neurons)
        if signal.features != self.neurons:
            raise ShapeError(
                f"`neurons` {self.neurons} must equal the width {signal.features} when `combine` is add",
                knob="neurons",
                help=f"use `neurons: {signal.features}` or `combine: concat`",
            )
        return signal.replace(levels=signal.levels + 1)

    def membrane(self, length: int) -> Tensor:
        """The potentials [length, neurons] in float64 that the threshold turns into the code."""
        return oscillation(length, self.neurons, self.base)

    def table(self, length: int) -> Tensor:
        # Compared in float64: in float32 single bits flip beyond some hundred positions.
        return self.membrane(length) >= self.threshold

    def forward(self, x: Tensor) -> Tensor:
        T, B, L, _ = x.shape
        if self.index == "TL":
            code = self.rows(T * L, x).view(T, 1, L, self.neurons)
        else:
            code = self.rows(L, x).view(1, 1, L, self.neurons)
        if self.combine == "add":
            return x + code
        return torch.cat((x, code.expand(T, B, L, self.neurons)), dim=-1)

    def extra_repr(self) -> str:
        names = ("neurons", "base", "threshold", "combine", "index")
        return ", ".join(f"{name}={getattr(self, name)!r}" for name in names)
