"""CPG positional encoding: spikes of thresholded sine and cosine pairs, fixed, chosen to be distinct, or learned."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, ClassVar, Literal

import torch
from annotated_types import Gt, Lt
from torch import Tensor, nn

from snnctl.core.catalog import POSITIONS
from snnctl.core.registry import Slot
from snnctl.core.shapes import ShapeError, SignalSpec
from snnctl.core.signature import After, KnobGroup, takes_knobs
from snnctl.neurons.surrogate import Surrogate, make_surrogate
from snnctl.positions.base import (
    Columns,
    Combine,
    Index,
    Place,
    Position,
    TablePosition,
    combined,
    combined_signal,
    oscillation,
)
from snnctl.positions.ragged import Ragged

_MOST_COMPARED = 1 << 14  # rows of which all pairs are compared for each choice
Where = Literal["input", "all"]
Threshold = Annotated[float, Gt(-1.0), Lt(1.0)]


@dataclass(frozen=True)
class Pairs(KnobGroup):
    """The bank of pattern generators, and what its code belongs to.

    Args:
        neurons: columns of the code, >= 1; an odd number has one sine more (40 as in SeqSNN's recipes).
        base: ratio of the frequency ladder, > 1 (10000 as in SeqSNN's Spikformer recipes; 100 to 1000 give
            fewer collisions in short windows); null chooses it so that all codes differ (ours).
        threshold: firing threshold, -1 < threshold < 1; the long-run duty is arccos(threshold)/pi (0.8 as in
            SeqSNN); null chooses it so that all codes differ (ours).
        index: TL gives a position a different code at each of the T steps (SeqSNN), L the same code.
    """

    neurons: Columns = 40
    base: Annotated[float, Gt(1.0)] | None = 10000.0
    threshold: Threshold | None = 0.8
    index: Index = "TL"


@dataclass(frozen=True)
class LearnedPairs(Pairs):
    """The same where base and threshold are learned from a given start."""

    base: Annotated[float, Gt(1.0)] = 1000.0
    threshold: Threshold = 0.8


class CPGTable(TablePosition):
    """What the fixed CPG codes share: the table of their formula, see `CPG`."""

    shown: ClassVar[tuple[str, ...]] = ("neurons", "base", "threshold", "index", "where")
    adds_code = True
    base: float
    threshold: float

    def __init__(self, signal: SignalSpec | None, pairs: Pairs) -> None:
        self.neurons, self.index, base, threshold = pairs.neurons, pairs.index, pairs.base, pairs.threshold
        if base is None or threshold is None:
            if signal is None:
                missing = "base" if base is None else "threshold"
                raise ShapeError("choosing base or threshold needs the signal", knob=missing)
            base, threshold = distinct_code(self.neurons, self.in_use(signal), base, threshold)
        self.base, self.threshold = base, threshold
        super().__init__(signal)

    def membrane(self, length: int) -> Tensor:
        """The potentials [length, neurons] in float64 that the threshold turns into the code."""
        return oscillation(length, self.neurons, self.base)

    def table(self, length: int) -> Tensor:
        # Compared in float64: in float32 single bits flip beyond some hundred positions.
        return self.membrane(length) >= self.threshold


@POSITIONS.register("cpg")
class CPG(CPGTable):
    """Binary code of the position from a bank of central pattern generators.

    Codes are not unique in general: slow pairs stay constant within a short window, the more so the larger
    `base`; a `base` or `threshold` of null is chosen so that all codes in use differ. Position 0 has every sine
    silent and every cosine firing. There is no dropout on the code.

    Equation:
        omega_k      = base^(-2k/neurons)
        c[p, 2k]     = 1 if sin(p * omega_k) >= threshold else 0
        c[p, 2k+1]   = 1 if cos(p * omega_k) >= threshold else 0
        p            = t*L + l  (index TL),  l  (index L)
        y[t, l]      = [x[t, l], c[p]]  (concat),  x[t, l] + c[p]  (add)

    Args:
        combine: concat keeps spikes binary; add needs `neurons` equal to the width and is not binary.
        where: input gives the code to the first layer alone, all also to the layers of every block, through
            weights of their own (SeqSNN's CPG-Full; in a transformer those of the MLPs).

    Shape: [T, B, L, D] -> [T, B, L, D + neurons] (concat) or [T, B, L, D] (add).

    Raises:
        ShapeError: `combine` is add and `neurons` differs from the width of the signal; no base or threshold
            makes all codes differ.

    Source: Lv et al. 2024, "Advancing SNNs for sequential modeling with central pattern generators",
        arXiv 2405.14362; github.com/microsoft/SeqSNN.
    """

    shown = ("neurons", "base", "threshold", "combine", "index", "where")

    @takes_knobs
    def __init__(
        self,
        signal: SignalSpec | None = None,
        *,
        pairs: Pairs = Pairs(),
        combine: Annotated[Combine, After("threshold")] = "concat",
        where: Where = "input",
    ) -> None:
        self.combine = combine
        self.where = where
        self.binary = combine == "concat"
        self.block_code = pairs.neurons if where == "all" else 0
        super().__init__(signal, pairs)

    @staticmethod
    def rules(knobs: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """Inside blocks the code has weights of its own, which is what concat means."""
        if knobs["combine"] == "add" and knobs["where"] == "all":
            yield "where", "`where` all needs `combine` concat"

    def describe(self, signal: SignalSpec) -> SignalSpec:
        return combined_signal(signal, self.neurons, self.combine)

    def place(self, x: Tensor, tokens: Ragged | None = None) -> Place:
        return Place(self.located(x, tokens)) if self.where == "all" else Place()

    def forward(self, x: Tensor, tokens: Ragged | None = None) -> Tensor:
        return combined(x, self.located(x, tokens), self.combine)


@POSITIONS.register("cpg_linear")
class CPGLinear(CPGTable):
    """The CPG code as a position-dependent current: the first layer has weights for it beside those of the data.

    Equal to `cpg` with concat, whose layer's weights are [W | W_c], but the wide tensor is never made: W_c c[p] is
    the same for the whole batch. In a network whose first layer is a convolution (spike_tcn) the code enters at the
    current position alone, where concat would also bring that of earlier taps.

    Equation:
        I[t, l] = W x[t, l] + W_c c[p] + b      c and p as in `cpg`

    Args:
        neurons: columns of the code, >= 1 (40 as in SeqSNN's recipes; its own CPG-Linear has 10).
        base: ratio of the frequency ladder, > 1 (10000 as in SeqSNN); null chooses it so that all codes differ.
        threshold: firing threshold, -1 < threshold < 1 (0.8 as in SeqSNN); null chooses it likewise.
        where: input gives the code to the first layer alone, all also to the layers of every block (SeqSNN).

    Shape: [T, B, L, D] -> [T, B, L, D]; the code goes to the layer behind.

    Source: SpikformerCPG of github.com/microsoft/SeqSNN, without its dropout and its second bias.
    """

    @takes_knobs
    def __init__(self, signal: SignalSpec | None = None, *, pairs: Pairs = Pairs(), where: Where = "input") -> None:
        self.where = where
        self.input_code = pairs.neurons
        self.block_code = pairs.neurons if where == "all" else 0
        super().__init__(signal, pairs)

    def place(self, x: Tensor, tokens: Ragged | None = None) -> Place:
        return Place(self.located(x, tokens))


@POSITIONS.register("cpg_learned")
class LearnedCPG(Position):
    """A CPG code whose base, phases and threshold are learned through a surrogate gradient; ours.

    It starts as the `cpg` of the same knobs. Learned in forms that keep them in range: the base as exp(log(base)),
    the threshold as tanh.

    Equation:
        omega_k      = base^(-2k/neurons)
        c[p, 2k]     = spike(sin(p * omega_k + phi_k) - threshold)
        c[p, 2k+1]   = spike(cos(p * omega_k + phi_k) - threshold)
        y[t, l]      = [x[t, l], c[p]]      p as in `cpg`

    Args:
        neurons: columns of the code, >= 1 (40 as for `cpg`).
        base: initial ratio of the frequency ladder, > 1 (1000: the gradient grows with p * omega).
        threshold: initial firing threshold, -1 < threshold < 1 (0.8 as for `cpg`).
        index: TL gives a position a different code at each of the T steps, L the same code.
        surrogate: gradient of the spike with respect to membrane minus threshold.

    Shape: [T, B, L, D] -> [T, B, L, D + neurons].
    """

    shown = ("neurons", "index")
    adds_code = True

    @takes_knobs
    def __init__(
        self,
        signal: SignalSpec | None = None,
        *,
        pairs: LearnedPairs = LearnedPairs(),
        surrogate: Annotated[str | Surrogate, Slot("surrogate")] = "atan",
    ) -> None:
        self.neurons = pairs.neurons
        self.index = pairs.index
        super().__init__(signal)
        self.log_base = nn.Parameter(torch.tensor(math.log(pairs.base)))
        self.phase = nn.Parameter(torch.zeros((pairs.neurons + 1) // 2))
        self.raw_threshold = nn.Parameter(torch.tensor(math.atanh(pairs.threshold)))
        self.surrogate = make_surrogate(surrogate)

    @property
    def base(self) -> float:
        """Ratio of the frequency ladder as it is now."""
        return math.exp(float(self.log_base.detach()))

    @property
    def threshold(self) -> float:
        """Firing threshold as it is now."""
        return math.tanh(float(self.raw_threshold.detach()))

    def describe(self, signal: SignalSpec) -> SignalSpec:
        return signal.replace(features=signal.features + self.neurons)

    def _potential(self, length: int) -> Tensor:
        """Membranes [length, neurons] in float64, where gradients with large p * omega keep their digits."""
        pair = torch.arange(len(self.phase), dtype=torch.float64, device=self.phase.device)
        omega = (-2 / self.neurons * pair * self.log_base.double()).exp()
        position = torch.arange(length, dtype=torch.float64, device=self.phase.device)
        angle = position[:, None] * omega + self.phase.double()
        return torch.stack((angle.sin(), angle.cos()), dim=-1).flatten(1)[:, : self.neurons]

    @torch.no_grad()
    def membrane(self, length: int) -> Tensor:
        """The potentials [length, neurons] in float64 on the CPU, as learned so far."""
        return self._potential(length).cpu()

    @torch.no_grad()
    def code(self, length: int) -> Tensor:
        spikes = self._potential(length) >= self.raw_threshold.double().tanh()
        return spikes.to("cpu", torch.get_default_dtype())

    def forward(self, x: Tensor, tokens: Ragged | None = None) -> Tensor:
        def spikes(count: int) -> Tensor:
            return self.surrogate.spike(self._potential(count) - self.raw_threshold.double().tanh()).to(x.dtype)

        return combined(x, self.laid_out(spikes, x, tokens))


# What base and threshold are chosen from; coarse on purpose: neighbours on either grid give nearly the same code.
BASES = (2.0, 3.0, 5.0, 10.0, 20.0, 30.0, 50.0, 100.0, 200.0, 300.0, 500.0, 1000.0, 2000.0, 5000.0, 10000.0)
THRESHOLDS = (0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.0)


@cache
def distinct_code(neurons: int, rows: int, base: float | None, threshold: float | None) -> tuple[float, float]:
    """Base and threshold with which the first `rows` codes of `neurons` columns are all distinct.

    Tried are `BASES` with `THRESHOLDS`, and among those without a collision the one whose two nearest rows differ
    in the most bits is taken; then the higher threshold (fewer spikes), then the larger base. Ours: the paper's
    defaults do not avoid collisions.

    Args:
        neurons: columns of the code.
        rows: positions in use: T * L, or L.
        base, threshold: the given one stays; None is chosen.

    Raises:
        ShapeError: none of them is free of collisions, or there are too many rows to compare all pairs of them.
    """
    if rows > _MOST_COMPARED:
        message = (
            f"codes of {rows:,} positions are too many to be compared with each other, at most {_MOST_COMPARED:,} are"
        )
        help = "give `base` and `threshold`, choose index L, or fewer steps"
        raise ShapeError(message, knob="base" if base is None else "threshold", help=help)
    best: tuple[int, float, float] | None = None
    for tried_base in BASES if base is None else (base,):
        membrane = oscillation(rows, neurons, tried_base)
        for tried_threshold in THRESHOLDS if threshold is None else (threshold,):
            distance = smallest_distance(membrane >= tried_threshold)
            candidate = (distance, tried_threshold, tried_base)
            if distance > 0 and (best is None or candidate > best):
                best = candidate
    if best is None:
        given = f" with base {base:g}" if base is not None else ""
        given += f" with threshold {threshold:g}" if threshold is not None else ""
        message = f"no code of {neurons} neurons{given} tells {rows} positions apart"
        help = "raise `neurons`, or let base and threshold both be chosen (null)"
        raise ShapeError(message, knob="neurons", help=help)
    return best[2], best[1]


def smallest_distance(code: Tensor) -> int:
    """Fewest bits in which two rows of the boolean `code` [rows, n] differ; n where there is one row."""
    rows, n = code.shape
    if rows < 2:
        return n
    if len(code.unique(dim=0)) < rows:  # sorts; far cheaper than comparing all pairs
        return 0
    signs = code.float() * 2 - 1
    smallest = n
    for first in range(0, rows, 2048):  # blocks bound the memory
        agreement = signs[first : first + 2048] @ signs.T  # n - 2 * distance
        agreement.diagonal(first).fill_(-n)
        smallest = min(smallest, round((n - agreement.max().item()) / 2))
    return smallest
