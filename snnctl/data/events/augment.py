"""Augmentation of spikes: what is drawn is a pure function of the seed that a batch is given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple

import numpy as np
from annotated_types import Ge, Lt

_SHIFT_SPREAD = 3.0


class Spikes(NamedTuple):
    """Spikes of one recording: times [S] (float64 seconds) and units [S] (int64)."""

    times: Any
    units: Any

    def where(self, kept: Any) -> Spikes:
        """Those of `kept`."""
        return Spikes(self.times[kept], self.units[kept])

    def with_more(self, other: Spikes) -> Spikes:
        """Both."""
        return Spikes(*(np.concatenate(pair) for pair in zip(self, other, strict=True)))


@dataclass(frozen=True)
class SpikeAugment:
    """What is done to training recordings, in this order; evaluation never sees any of it.

    Args:
        blend: share of recordings replaced by a blend with another of their class, spikes of either with even chance.
        drop: share of spikes left out.
        shift: mean of how many units all spikes of a recording move up or down; what leaves the sensor is gone.
        stretch: time runs faster or slower by up to this share, each recording by its own.
        noise: spikes added to a recording at random, on average.
    """

    # Read by pydantic where recipes are validated; this room does not import it.
    __pydantic_config__ = {"extra": "forbid", "strict": True, "allow_inf_nan": False}  # noqa: RUF012

    blend: Annotated[float, Ge(0.0)] = 0.0
    drop: Annotated[float, Ge(0.0), Lt(1.0)] = 0.0
    shift: Annotated[float, Ge(0.0)] = 0.0
    stretch: Annotated[float, Ge(0.0), Lt(1.0)] = 0.0
    noise: Annotated[float, Ge(0.0)] = 0.0

    @classmethod
    def of(cls, value: SpikeAugment | Mapping[str, Any]) -> SpikeAugment:
        """`value` itself, or made from the mapping of a resolved recipe."""
        return value if isinstance(value, SpikeAugment) else cls(**value)

    def blended(self, items: int, random: np.random.Generator) -> Any:
        """Which of the recordings of a batch are blended, [items] bool."""
        return random.random(items) < self.blend if self.blend else np.zeros(items, bool)

    def distance(self, random: np.random.Generator) -> int:
        """How many units the recordings of a batch are shifted by, up or down: max(0, int(shift + 3 N(0, 1)))."""
        return max(0, int(self.shift + _SHIFT_SPREAD * random.standard_normal())) if self.shift else 0

    def changed(self, spikes: Spikes, units: int, seconds: float, by: int, random: np.random.Generator) -> Spikes:
        """One recording after all but the blending.

        Equation:
            shift:   unit += by or -by, with even chance
            stretch: time *= u,  u ~ U(1 - stretch, 1 + stretch)
            noise:   Poisson(noise) spikes more, uniform in [0, seconds) and over units

        Args:
            units: of the source.
            by: see `distance`.

        Source: shift as in the code of Moro et al. 2024, arXiv 2407.18838.
        """
        if self.drop:
            spikes = spikes.where(random.random(len(spikes.times)) >= self.drop)
        if self.shift:
            moved = spikes.units + (by if random.random() < 0.5 else -by)
            spikes = spikes._replace(units=moved).where((moved >= 0) & (moved < units))
        if self.stretch:
            spikes = spikes._replace(times=spikes.times * random.uniform(1 - self.stretch, 1 + self.stretch))
        if self.noise:
            count = random.poisson(self.noise)
            more = Spikes(random.uniform(0, seconds, count), random.integers(units, size=count))
            spikes = spikes.with_more(more)
        return spikes


def blend(one: Spikes, other: Spikes, random: np.random.Generator) -> Spikes:
    """Two recordings mixed.

    Equation:
        other is moved in time and over units so that its mean lies where that of one lies;
        each spike of either is kept with probability 1/2

    Args:
        one, other: where either has no spikes, `one` stays as it is.

    Source: after Nowotny, Turner and Knight 2022, arXiv 2212.01232.
    """
    if not len(one.times) or not len(other.times):
        return one
    later = one.times.mean() - other.times.mean()
    higher = int(np.rint(one.units.mean() - other.units.mean()))
    moved = Spikes(other.times + later, other.units + higher)
    halves = [spikes.where(random.random(len(spikes.times)) < 0.5) for spikes in (one, moved)]
    return halves[0].with_more(halves[1])
