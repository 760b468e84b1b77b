"""What was counted, as numbers: rows, a whole count, and the mean of counts; what is priced and judged.

Every count is per sample (one inference, all time steps). A number is a float, or an array [B] with one value per
sample of a batch: prices are sums of products of them, so the same code serves both.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, fields, replace
from functools import reduce
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Number = float | NDArray[np.float64]

# synapse: weights times a signal; product: signal times signal, as in attention; neuron: updates of membranes;
# lookup: rows of a table by index; the others are elementwise work on the path.
Kind = Literal[
    "synapse",
    "product",
    "lookup",
    "neuron",
    "norm",
    "pool",
    "residual",
    "scale",
    "activation",
    "elementwise",
    "reduction",
]
# What drives a product: spikes, which gate additions, or real numbers, which have to be multiplied.
Source = Literal["spike", "real"]


@dataclass(frozen=True)
class Products:
    """Multiply-accumulates of one layer or of one product of signals.

    `f` is the true fan-out of an input element: how many outputs it reaches through weights that are not zero, without
    padding. `c` is the code of a spike, 0..levels.
    """

    dense: Number = 0.0  # if nothing were zero; taps on padding included, as layers are usually counted
    inside: Number = 0.0  # the same without taps on padding; equals `dense` where there is no padding
    # sum of f over inputs that are not zero: of real ones the effective multiply-accumulates, of two spike signals
    # coincidences
    events: Number = 0.0
    popcount: Number = 0.0  # sum of popcount(c) * f; for two spike signals popcount(a) * popcount(b)
    unary: Number = 0.0  # sum of c * f; for two spike signals a * b
    inputs: Number = 0.0  # input elements
    active_inputs: Number = 0.0  # inputs that are not zero
    popcount_inputs: Number = 0.0  # sum of popcount(c) over inputs
    unary_inputs: Number = 0.0  # sum of c over inputs
    bits: int = 1  # bits of a code, ceil(log2(levels + 1)); for two spike signals the product of both


@dataclass(frozen=True)
class Elementwise:
    """Single operations; `special` are those without a usual price (division, exponential, square root, ...)."""

    adds: Number = 0.0
    muls: Number = 0.0
    compares: Number = 0.0
    special: Number = 0.0


@dataclass(frozen=True)
class Geometry:
    """Sizes of a layer with weights, for models of memory."""

    form: Literal["conv", "fc"]  # convolution (any number of axes) or fully connected
    # inputs, outputs: elements per step and sample
    inputs: int
    outputs: int
    # weights, bias: elements of the parameters; bias 0 = none
    weights: int
    bias: int
    # in_channels, out_channels: of the whole layer
    in_channels: int
    out_channels: int
    kernel: int = 1  # taps per output channel and input channel (k * k for a square kernel), 1 for fc
    kernel_side: int = 1  # k, the largest side
    stride: int = 1  # the smallest step
    groups: int = 1  # as in torch
    levels_in: int = 1  # highest spike value of the input, 1 = binary


@dataclass(frozen=True)
class Neurons:
    """One place of neurons."""

    name: str  # of the neuron's class, as registered
    updates: Number = 0.0  # membranes x steps
    membranes: float = 0.0  # number of neurons
    leaky: bool = True  # whether the membrane decays (a multiplication per update)
    # spikes, popcount_spikes, unary_spikes: what came out: events, bits set, sum of values
    spikes: Number = 0.0
    popcount_spikes: Number = 0.0
    unary_spikes: Number = 0.0
    ever_active: Number = 0.0  # neurons with at least one spike in the sample
    levels: int = 1  # highest spike value
    per_update: Elementwise = field(default_factory=Elementwise)  # operations of one update, read off the step equation


@dataclass(frozen=True)
class Row:
    """One entry of the count: one operation of one layer."""

    layer: str  # dotted module name in the network
    op: str  # what ran, in torch's words: linear, conv2d, matmul, add, ...
    kind: Kind  # see `Kind`
    source: Source = "real"  # what drives a product; "real" for everything else
    steps: int = 1  # how many time steps this stands for; 1 where it has no time axis
    # the input is the same at every step (direct coding), so that it could be computed once
    same_each_step: bool = False
    stem: bool = False  # a layer with weights whose input is data, not spikes
    foldable: bool = False  # a norm in evaluation directly behind a layer with weights: it can be folded into them
    # the counts; the one that does not apply is zero
    products: Products = field(default_factory=Products)
    elementwise: Elementwise = field(default_factory=Elementwise)
    geometry: Geometry | None = None  # of layers with weights
    neurons: Neurons | None = None  # of kind "neuron"
    feeds: str = ""  # the row of the neurons that get this layer's output, by their layer's name; "" for none
    events_by_step: tuple[float, ...] = ()  # events of each step, mean over samples; empty where there is no time axis


@dataclass(frozen=True)
class Counts:
    """Everything that one network did for one sample."""

    rows: tuple[Row, ...]  # in order of execution
    steps: int  # T
    coverage: float = 1.0  # share of computed numbers that a rule covers, 0..1 (movement of data is no computation)
    uncounted: tuple[Uncounted, ...] = ()  # the rest
    samples: int = 1  # how many samples this is the mean of; 1 for a single batch of arrays
    data_steps: int = 1  # steps that the data bring of their own, T or 1: a network without spikes takes each too

    @property
    def coding_steps(self) -> int:
        """Steps over which spikes stand for one number: what a network that does not spike is spared."""
        # A network that goes on from its own frames takes more than it is given.
        return max(1, self.steps // self.data_steps)

    @property
    def neurons(self) -> list[Neurons]:
        """The places of neurons, in order of execution."""
        return [row.neurons for row in self.rows if row.neurons is not None]


@dataclass(frozen=True)
class Uncounted:
    """An operation that no rule covers: its name, where it ran, how many numbers it wrote per sample."""

    op: str
    layer: str
    elements: float


def bits_of(levels: int) -> int:
    """Bits of a spike's code: ceil(log2(levels + 1))."""
    return levels.bit_length()


def twin_bits(steps: int, levels: int) -> int:
    """Bits of the quantised network that has as many levels: ceil(log2(T * levels + 1)); levels = 2^b - 1."""
    return bits_of(steps * levels)


def total(parts: Iterable[Number]) -> Number:
    """The sum of counts, one after the other."""
    return reduce(operator.add, parts, 0.0)


def mean(number: Number) -> float:
    return float(np.mean(number))


def share(part: Number, whole: Number) -> Number:
    """part / whole; 0 where there is no whole."""
    if np.ndim(part) == 0 and np.ndim(whole) == 0:
        return float(part) / float(whole) if whole else 0.0
    whole = np.asarray(whole, float)
    return np.where(whole > 0, np.asarray(part, float) / np.where(whole > 0, whole, 1.0), 0.0)


SINGLE = tuple(f.name for f in fields(Elementwise))
COUNTS: dict[str, tuple[str, ...]] = {
    "products": tuple(f.name for f in fields(Products) if f.name != "bits"),
    "elementwise": SINGLE,
    "neurons": ("updates", "spikes", "popcount_spikes", "unary_spikes", "ever_active"),
}


def mapped(row: Row, change: Callable[..., Number], *others: Row) -> Row:
    """The row with every count `change`d (not sizes); `change` gets those of the `others` too, in their order."""
    rows = (row, *others)

    def each(part: str) -> dict[str, Any]:
        return {n: change(*(getattr(getattr(r, part), n) for r in rows)) for n in COUNTS[part]}

    known = all(r.neurons is not None for r in rows)
    return replace(
        row,
        products=replace(row.products, **each("products"), bits=max(r.products.bits for r in rows)),
        elementwise=replace(row.elementwise, **each("elementwise")),
        neurons=replace(row.neurons, **each("neurons")) if known and row.neurons is not None else row.neurons,
    )


def in_steps(row: Row, steps: int) -> Row:
    """The row as it were in so many steps, every count in proportion."""
    return replace(mapped(row, lambda number: number * (steps / row.steps)), steps=steps)


@dataclass
class Spread:
    """Mean and standard error of a figure, one value per sample (Chan et al.'s update of Welford's sums)."""

    samples: int = 0
    mean: float = 0.0
    squares: float = 0.0

    def add(self, values: Number, samples: int) -> None:
        """Take in `samples` values; one number stands for all of them."""
        found = np.broadcast_to(np.asarray(values, dtype=np.float64), (samples,))
        step = float(found.mean()) - self.mean
        whole = self.samples + samples
        self.squares += float(((found - found.mean()) ** 2).sum()) + step**2 * self.samples * samples / whole
        self.mean += step * samples / whole
        self.samples = whole

    @property
    def standard_error(self) -> float | None:
        """Of the mean; None with fewer than two samples."""
        return None if self.samples < 2 else float(np.sqrt(self.squares / (self.samples - 1) / self.samples))


@dataclass
class CountMean:
    """The mean of counts that come batch by batch."""

    samples: int = 0
    steps: int = 1
    data_steps: int = 1
    rows: dict[tuple[str, ...], Row] = field(default_factory=dict)
    events: dict[tuple[str, ...], Spread] = field(default_factory=dict)
    uncounted: dict[tuple[str, str], float] = field(default_factory=dict)
    coverage: float = 0.0

    def add(self, counts: Counts, samples: int) -> None:
        """Take in the count of a batch, whose numbers are per sample."""
        whole = self.samples + samples
        old, new = self.samples / whole, samples / whole
        seen: set[tuple[str, ...]] = set()
        for row in counts.rows:
            key: tuple[str, ...] = (row.layer, row.op, row.kind, row.source)
            seen.add(key)
            self.rows[key] = _weighted(self.rows.get(key, row), old if key in self.rows else 0.0, row, new)
            self.events.setdefault(key, Spread()).add(row.products.events, samples)
        for missing in set(self.rows) - seen:
            self.rows[missing] = _weighted(self.rows[missing], old, self.rows[missing], 0.0)
        self.coverage = self.coverage * old + counts.coverage * new
        for item in counts.uncounted:
            place = (item.op, item.layer)
            self.uncounted[place] = self.uncounted.get(place, 0.0) * old + item.elements * new
        self.samples, self.steps, self.data_steps = whole, counts.steps, counts.data_steps

    def counts(self) -> Counts:
        """The mean so far."""
        listed = tuple(Uncounted(op, layer, elements) for (op, layer), elements in sorted(self.uncounted.items()))
        return Counts(tuple(self.rows.values()), self.steps, self.coverage, listed, self.samples, self.data_steps)


def _weighted(a: Row, share_a: float, b: Row, share_b: float) -> Row:
    """share_a * a + share_b * b in every count; sizes and flags are those of b."""
    by_step = tuple(share_a * x + share_b * y for x, y in zip(a.events_by_step, b.events_by_step, strict=False))
    made = mapped(b, lambda of_b, of_a: share_a * mean(of_a) + share_b * mean(of_b), a)
    return replace(made, events_by_step=by_step)
