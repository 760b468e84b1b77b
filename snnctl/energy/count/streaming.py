"""Means over samples without keeping any: counts as a whole, and spreads of single figures."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace

import numpy as np

from snnctl.energy.count.counts import Counts, Elementwise, Number, Products, Row, Uncounted

_NEURON_COUNTS = ("updates", "spikes", "popcount_spikes", "unary_spikes", "ever_active")


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
            known = self.rows.get(key)
            self.rows[key] = _weighted(row, 0.0, row, new) if known is None else _weighted(known, old, row, new)
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

    def number(x: Number, y: Number) -> float:
        return share_a * float(np.mean(x)) + share_b * float(np.mean(y))

    products = Products(
        **{
            f.name: number(getattr(a.products, f.name), getattr(b.products, f.name))
            for f in fields(Products)
            if f.name != "bits"
        },
        bits=max(a.products.bits, b.products.bits),
    )
    work = Elementwise(
        **{f.name: number(getattr(a.elementwise, f.name), getattr(b.elementwise, f.name)) for f in fields(Elementwise)}
    )
    neurons = b.neurons
    if a.neurons is not None and b.neurons is not None:
        changed = {name: number(getattr(a.neurons, name), getattr(b.neurons, name)) for name in _NEURON_COUNTS}
        neurons = replace(b.neurons, **changed)  # type: ignore[arg-type]
    by_step = tuple(share_a * x + share_b * y for x, y in zip(a.events_by_step, b.events_by_step, strict=False))
    return replace(b, products=products, elementwise=work, neurons=neurons, events_by_step=by_step)
