"""Sums for one forward pass: what a row of the count is built from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from snnctl.energy.count.axes import Axes, by_step_and_sample
from snnctl.energy.count.counts import Elementwise, Geometry, Kind, Neurons, Products, Row
from snnctl.energy.count.products import Tallied

Floats = NDArray[np.float64]
# Layer, operation, kind, and what drives it: "zeros" until something but a zero state has come.
RowKey = tuple[str, str, Kind, Literal["spike", "real", "zeros"]]
_COUNTED = ("events", "popcount", "unary", "active_inputs", "popcount_inputs", "unary_inputs")


@dataclass
class Tally:
    """One row while it grows; every array is [B], one number per sample.

    Args:
        samples: B.
        steps: T of the network.
    """

    samples: int
    steps: int
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

    def add(self, name: str, amount: float) -> None:
        """`amount` in the whole batch, the same for every sample."""
        self.totals[name] = self.totals.get(name, 0.0) + amount / self.samples

    def spread(self, name: str, values: Tensor, axes: Axes) -> None:
        """Counts that differ from sample to sample; `axes` of `values`."""
        self.enter(name, self.table(values, axes), axes)

    def table(self, values: Tensor, axes: Axes) -> Floats:
        """`values` by step and sample: [T or 1, B or 1]."""
        found: Floats = by_step_and_sample(values, axes).to("cpu", torch.float64).numpy()
        return found

    def enter(self, name: str, table: Floats, axes: Axes) -> None:
        """What `table` made of one count, under `name`."""
        per_sample = table.sum(0)
        if len(per_sample) != self.samples:
            per_sample = np.full(self.samples, per_sample.sum() / self.samples)
        known = self.arrays.get(name)
        self.arrays[name] = per_sample if known is None else known + per_sample
        if name == "events" and axes.time is not None and len(table) == self.steps:
            now = table.sum(1) / self.samples
            self.by_step = now if self.by_step is None else self.by_step + now

    def spread_all(self, names: Sequence[str], tensors: Sequence[Tensor], axes: Axes) -> None:
        """Several counts; those of binary spikes are one tensor, which is summed once."""
        made: dict[int, Floats] = {}
        for name, values in zip(names, tensors, strict=True):
            if id(values) not in made:
                made[id(values)] = self.table(values, axes)
            self.enter(name, made[id(values)], axes)

    def product(self, found: Tallied, axes: Axes, bits: int) -> None:
        """One more product; `axes` of its numbers per leading index."""
        self.bits = max(self.bits, bits)
        self.add("dense", found.dense)
        self.add("inside", found.inside)
        self.add("inputs", found.inputs)
        tensors = (found.events, found.popcount, found.unary, found.active, found.popcount_inputs, found.unary_inputs)
        self.spread_all(_COUNTED, tensors, axes)

    def operations(self, found: Elementwise) -> None:
        """Elementwise operations of the whole batch."""
        for name in ("adds", "muls", "compares", "special"):
            amount = getattr(found, name)
            if isinstance(amount, (int, float)) and amount:
                self.add(name, float(amount))

    def absorb(self, other: Tally) -> None:
        """Take over everything that `other` has counted."""
        for name, total in other.totals.items():
            self.totals[name] = self.totals.get(name, 0.0) + total
        for name, array in other.arrays.items():
            self.arrays[name] = self.arrays.get(name, np.zeros(self.samples)) + array

    def number(self, name: str) -> float | Floats:
        """A count per sample: an array where samples differ."""
        if name in self.arrays:
            return self.arrays[name] + self.totals.get(name, 0.0)
        return self.totals.get(name, 0.0)

    def row(self, key: RowKey) -> Row:
        """The row as it stands."""
        layer, op, kind, source = key
        products = Products(
            **{n: self.number(n) for n in ("dense", "inside", "inputs", *_COUNTED)},
            bits=self.bits,
        )
        return Row(
            layer=layer,
            op=op,
            kind=kind,
            source="real" if source == "zeros" else source,
            steps=self.steps if self.timed else 1,
            same_each_step=self.same_each_step and self.timed,
            stem=self.raw and kind == "synapse" and source == "real",
            foldable=self.foldable,
            products=products,
            elementwise=Elementwise(**{n: self.number(n) for n in ("adds", "muls", "compares", "special")}),
            geometry=self.geometry,
            neurons=self.neurons,
            feeds=self.feeds,
            events_by_step=() if self.by_step is None else tuple(float(x) for x in self.by_step),
        )
