"""The ledger of one forward pass: sums by layer, operation and kind, from which the rows of the count are made."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from snnctl.core.diagnostic import Diagnostic, DiagnosticError
from snnctl.energy.count.counts import COUNTS, Counts, Elementwise, Geometry, Kind, Neurons, Products, Row, Uncounted
from snnctl.energy.count.products import Fan, Tallied, not_spikes
from snnctl.energy.count.signals import Axes, Axis, Signal

Floats = NDArray[np.float64]
Driven = Literal["spike", "real", "zeros"]  # "zeros" until something but a zero state has come
RowKey = tuple[str, str, Kind, Driven]  # layer, operation, kind, and what drives it
_COUNTED = ("events", "popcount", "unary", "active_inputs", "popcount_inputs", "unary_inputs")
_FEW = 1 << 14


@dataclass
class Tally:
    """One row while it grows; every array is [B], one number per sample."""

    samples: int  # B
    steps: int  # T of the network
    timed: bool = False
    same_each_step: bool = True
    raw: bool = False
    foldable: bool = False
    geometry: Geometry | None = None
    feeds: str = ""
    bits: int = 1
    totals: dict[str, float] = field(default_factory=dict)  # per sample, the same for each
    arrays: dict[str, Floats] = field(default_factory=dict)
    by_step: Floats | None = None
    neurons: Neurons | None = None

    def stamp(self, signal: Signal, *, raw: bool | None = None) -> None:
        """What one call's result says of the row: whether it has time, is the same at each step, comes of raw data."""
        self.timed = self.timed or signal.axes.time is not None
        self.same_each_step = self.same_each_step and signal.same_each_step
        self.raw = self.raw or (signal.raw if raw is None else raw)

    def add(self, name: str, amount: float) -> None:
        """`amount` in the whole batch, the same for every sample."""
        self.totals[name] = self.totals.get(name, 0.0) + amount / self.samples

    def spread(self, names: Sequence[str], tensors: Sequence[Tensor], axes: Axes) -> None:
        """Counts that differ from sample to sample; `axes` of their `tensors`, of which equal ones are summed once."""
        made: dict[int, Floats] = {}
        for name, values in zip(names, tensors, strict=True):
            if id(values) not in made:
                made[id(values)] = by_step_and_sample(values, axes).to("cpu", torch.float64).numpy()
            table = made[id(values)]
            per_sample = table.sum(0)
            if len(per_sample) != self.samples:
                per_sample = np.full(self.samples, per_sample.sum() / self.samples)
            self.arrays[name] = self.arrays.get(name, 0.0) + per_sample
            if name == "events" and axes.time is not None and len(table) == self.steps:
                now = table.sum(1) / self.samples
                self.by_step = now if self.by_step is None else self.by_step + now

    def product(self, found: Tallied, axes: Axes, bits: int) -> None:
        """One more product; `axes` of its numbers per leading index."""
        self.bits = max(self.bits, bits)
        for name in ("dense", "inside", "inputs"):
            self.add(name, getattr(found, name))
        self.spread(_COUNTED, [getattr(found, name) for name in _COUNTED], axes)

    def operations(self, found: Elementwise) -> None:
        """Elementwise operations of the whole batch."""
        for name, amount in vars(found).items():
            if amount:
                self.add(name, float(amount))

    def absorb(self, other: Tally) -> None:
        """Take over everything that `other` has counted."""
        for name, total in other.totals.items():
            self.totals[name] = self.totals.get(name, 0.0) + total
        for name, array in other.arrays.items():
            self.arrays[name] = self.arrays.get(name, np.zeros(self.samples)) + array

    def number(self, name: str) -> float | Floats:
        """A count per sample: an array where samples differ."""
        same = self.totals.get(name, 0.0)
        return self.arrays[name] + same if name in self.arrays else same

    def row(self, key: RowKey) -> Row:
        """The row as it stands."""
        layer, op, kind, source = key
        neurons = self.neurons
        if neurons is not None:
            counted: dict[str, Any] = {name: self.number(name) for name in COUNTS["neurons"]}
            neurons = replace(neurons, membranes=self.totals.get("membranes", 0.0), **counted)
        return Row(
            layer=layer,
            op=op,
            kind=kind,
            source="real" if source == "zeros" else source,
            steps=self.steps if self.timed else 1,
            same_each_step=self.same_each_step and self.timed,
            stem=self.raw and kind == "synapse" and source == "real",
            foldable=self.foldable,
            products=Products(**{n: self.number(n) for n in COUNTS["products"]}, bits=self.bits),
            elementwise=Elementwise(**{n: self.number(n) for n in COUNTS["elementwise"]}),
            geometry=self.geometry,
            neurons=neurons,
            feeds=self.feeds,
            events_by_step=() if self.by_step is None else tuple(float(x) for x in self.by_step),
        )


@dataclass
class Ledger:
    """The tallies of one forward pass, and which module is running."""

    modules: dict[str, nn.Module]  # that are told apart, by name
    samples: int  # B
    steps: int  # T
    fans: dict[Any, tuple[Fan, float]]  # fan-outs that earlier passes have found
    check: bool  # whether declared spikes are compared with their values
    stack: list[str] = field(default_factory=list)  # names of the modules that are running
    tallies: dict[RowKey, Tally] = field(default_factory=dict)
    covered: float = 0.0
    waiting: list[Tally] = field(default_factory=list)  # layers whose neurons have not been called yet
    missed: dict[tuple[str, str], float] = field(default_factory=dict)

    @property
    def layer(self) -> str:
        """The running module, or "task" for what happens around the network."""
        return self.stack[-1] or "network" if self.stack else "task"

    def tally(self, key: RowKey) -> Tally:
        """The row that `key` belongs to."""
        return self.tallies.setdefault(key, Tally(self.samples, self.steps))

    def fan(self, key: Any, make: Callable[[], tuple[Fan, float]]) -> tuple[Fan, float]:
        """The fan-out of a convolution, computed once per weight and input size."""
        if key not in self.fans:
            self.fans[key] = make()
        return self.fans[key]

    def feed(self, name: str) -> None:
        """The neurons called `name` get the output of every layer that waits for some."""
        for waiting in self.waiting:
            waiting.feeds = name
        self.waiting = []

    def miss(self, op: str, elements: int) -> None:
        """The running module called an operation that no rule covers."""
        key = (op, self.layer)
        self.missed[key] = self.missed.get(key, 0.0) + elements / self.samples

    def verify(self, x: Tensor, signal: Signal, layer: str) -> None:
        """Compare declared spikes with their values.

        Raises:
            DiagnosticError: E510, they are none.
        """
        reason = not_spikes(x, signal) if self.check else ""
        if reason:
            help = "a neuron's `levels` must be its highest spike; real numbers cannot be charged as spikes"
            raise DiagnosticError(Diagnostic("E510", facts={"layer": layer, "reason": reason}, help=help))

    def counts(self, data_steps: int) -> Counts:
        """What was counted; `data_steps` as in `Counts`."""
        for key in [key for key in self.tallies if key[3] == "zeros"]:
            for source in ("spike", "real"):
                other = self.tallies.get((*key[:3], source))
                if other is not None:
                    other.absorb(self.tallies.pop(key))
                    break
        rows = tuple(tally.row(key) for key, tally in self.tallies.items())
        whole = self.covered + sum(self.missed.values()) * self.samples
        missed = tuple(Uncounted(op, layer, elements) for (op, layer), elements in sorted(self.missed.items()))
        return Counts(rows, self.steps, self.covered / whole if whole else 1.0, missed, data_steps=data_steps)


def by_step_and_sample(values: Tensor, axes: Axes) -> Tensor:
    """Sums by step and sample, [T or 1, B or 1], of `values` of any shape; `axes` says where its axes lie."""
    places = sorted((a for a in axes if a is not None), key=lambda axis: (axis.dim, -axis.inner * axis.size))
    shape: list[int] = []
    positions: dict[Axis, int] = {}
    for dim, length in enumerate(values.shape):
        left = length
        for axis in (place for place in places if place.dim == dim):
            shape += [left // (axis.size * axis.inner), axis.size]
            positions[axis] = len(shape) - 1
            left = axis.inner
        shape.append(left)
    split = values.reshape(shape)
    summed = [d for d in range(len(shape)) if d not in positions.values()]
    # Sums of so few small whole numbers are exact in float32, and twice as fast.
    exact = values.dtype if values.numel() <= _FEW * math.prod(a.size for a in positions) else torch.float64
    totals = split.sum(dim=summed, dtype=exact) if summed else split
    if axes.time is None or axes.sample is None or axes.time == axes.sample:  # equal only where T = B = 1
        return totals.reshape((1, -1) if axes.time is None else (-1, 1))
    return totals if positions[axes.time] < positions[axes.sample] else totals.T
