"""What neurons do over steps, channels, elements, samples and classes, as streaming whole-number sums."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from snnctl.measure.spikes import SATURATED_AT, LayerSpikes, SpikeMeter
from snnctl.measure.tally import Tally, exact_type

# Elements of one layer that are counted one by one: 8 MB of sums; of a larger layer only channels are.
MOST_ELEMENTS = 2**20
CHANNEL_BINS = 20


@dataclass(frozen=True)
class Elements:
    """Neurons counted one by one: each place and channel of a layer has its own membrane.

    Args:
        counted: how many there are per step and sample, places x channels.
        silent_share: share that never fired.
        saturated_share: share with at least 0.95 of the spikes they could give.
    """

    counted: int
    silent_share: float
    saturated_share: float


@dataclass(frozen=True)
class LayerActivity:
    """What one layer has done.

    Args:
        spikes: its totals.
        neuron: class of its neurons.
        rates: mean spike value per step of each channel, 0..levels.
        rate_by_step: mean spike value per neuron at each step of the layer's own time axis.
        elements: None where there are more than `MOST_ELEMENTS`, or where they differ in number between calls.
        per_sample: spikes per sample; None where the second axis of the layer is not the batch.
        by_class: mean spikes per sample of each class; None without classes or samples.
    """

    spikes: LayerSpikes
    neuron: str
    rates: Tensor
    rate_by_step: list[float]
    elements: Elements | None
    per_sample: Tally | None
    by_class: list[float] | None

    def channel_histogram(self) -> tuple[Any, Any]:
        """Counts [20] and edges [21] of the channels' rates, from 0 to the highest; to `levels` if all are silent."""
        rates = self.rates.numpy()
        return np.histogram(rates, bins=CHANNEL_BINS, range=(0, float(rates.max()) or self.spikes.levels))


class ActivityMeter(SpikeMeter):
    """Counts more of what every `SpikingNeuron` does in the `with` block; memory is constant in the samples.

    Every forward pass stands in a `batch` block. A layer that is called several times in one pass (once per position,
    say) has its steps strung together.

    Args:
        network: whose neurons are watched.
        classes: K, to count per class too.
    """

    def __init__(self, network: nn.Module, classes: int | None = None) -> None:
        super().__init__(network)
        self._layers = {name: _Sums(classes) for name in self._neurons}
        self._network = _Sums(classes)
        self._size = 0
        self.class_sizes = torch.zeros(classes or 0, dtype=torch.int64)

    def _count(self, name: str, levels: int, spikes: Tensor) -> None:
        super()._count(name, levels, spikes)
        self._layers[name].count(spikes, levels, self._size)

    @contextmanager
    def batch(self, size: int, classes: Tensor | None = None) -> Iterator[None]:
        """One forward pass over `size` samples, with the class of each (int64 [B]) where they have one."""
        self._size = size
        yield
        classes = None if classes is None or not len(self.class_sizes) else classes.cpu()
        total = torch.zeros(size, dtype=torch.int64)
        for sums in self._layers.values():
            own = sums.finish(classes)
            if own is not None:
                total += own
        self._network.add_samples(total, classes)
        if classes is not None:
            self.class_sizes += torch.bincount(classes, minlength=len(self.class_sizes))

    def activity(self) -> list[LayerActivity]:
        """One entry per layer that has run, in the network's order."""
        sums = self.state_dict()
        found = []
        for spikes in self.summary():
            own = self._layers[spikes.name]
            rates = sums[spikes.name]["spikes"].double() / max(int(sums[spikes.name]["positions"]), 1)
            found.append(
                LayerActivity(
                    spikes=spikes,
                    neuron=type(self._neurons[spikes.name]).__name__,
                    rates=rates,
                    rate_by_step=(own.by_step.double() / own.step_chances.clamp(min=1)).tolist(),
                    elements=own.found_elements(spikes.levels),
                    per_sample=own.per_sample if own.has_samples else None,
                    by_class=own.mean_by_class(self.class_sizes) if own.has_samples else None,
                )
            )
        return found

    @property
    def per_sample(self) -> Tally:
        """Spikes of the whole network per sample."""
        return self._network.per_sample

    @property
    def by_class(self) -> list[float] | None:
        """Mean spikes of the whole network per sample of each class."""
        return self._network.mean_by_class(self.class_sizes)


class _Sums:
    """The sums of one layer."""

    def __init__(self, classes: int | None) -> None:
        self.by_step = torch.zeros(0, dtype=torch.int64)
        self.step_chances = torch.zeros(0, dtype=torch.int64)
        self.elements: Tensor | None = None
        self.element_chances = 0
        self.counts_elements = True
        self.per_sample = Tally()
        self.has_samples = True
        self._by_class = None if classes is None else torch.zeros(classes, dtype=torch.int64)
        self._pass: list[Tensor] = []
        self._chances: list[Tensor] = []

    @torch.no_grad()
    def count(self, spikes: Tensor, levels: int, size: int) -> None:
        """One call: `spikes` [T, B, *, channels] of 0..levels."""
        places = spikes[0, 0].numel()
        each = spikes.flatten(2).sum(-1, dtype=exact_type(places * levels)).to(torch.int64).cpu()
        if each.shape[1] != size:  # folded into the batch are other axes: whose sample a row is, is not known
            self.has_samples = False
        self._pass.append(each)
        self._chances.append(torch.full((len(each),), each.shape[1] * places))
        self._count_elements(spikes, levels)

    def _count_elements(self, spikes: Tensor, levels: int) -> None:
        elements = spikes[0, 0].numel()
        known = self.elements is None or len(self.elements) == elements
        if not (self.counts_elements and known and elements <= MOST_ELEMENTS):
            self.counts_elements, self.elements = False, None
            return
        runs = spikes.shape[0] * spikes.shape[1]
        found = spikes.flatten(0, 1).flatten(1).sum(0, dtype=exact_type(runs * levels)).to(torch.int64).cpu()
        self.elements = found if self.elements is None else self.elements + found
        self.element_chances += runs

    def finish(self, classes: Tensor | None) -> Tensor | None:
        """The pass is over; the spikes of each of its samples, if they are known."""
        if not self._pass:
            return None
        if self.has_samples:
            own = torch.cat(self._pass).sum(0)
            self.add_samples(own, classes)
        else:
            own = None
        self.by_step = _added(self.by_step, torch.cat([each.sum(1) for each in self._pass]))
        self.step_chances = _added(self.step_chances, torch.cat(self._chances))
        self._pass, self._chances = [], []
        return own

    def add_samples(self, own: Tensor, classes: Tensor | None) -> None:
        """Spikes per sample [B], with their classes."""
        self.per_sample.add(own)
        if self._by_class is not None and classes is not None:
            self._by_class.index_add_(0, classes, own)

    def mean_by_class(self, sizes: Tensor) -> list[float] | None:
        """Mean per sample; nan for a class without samples."""
        return None if self._by_class is None else (self._by_class.double() / sizes).tolist()

    def found_elements(self, levels: int) -> Elements | None:
        """Shares over the elements."""
        if self.elements is None:
            return None
        most = SATURATED_AT * levels * self.element_chances
        return Elements(
            counted=len(self.elements),
            silent_share=float((self.elements == 0).double().mean()),
            saturated_share=float((self.elements >= most).double().mean()),
        )


def _added(one: Tensor, other: Tensor) -> Tensor:
    """The sum of two vectors; the shorter one goes on with zeros."""
    found = torch.zeros(max(len(one), len(other)), dtype=torch.int64)
    found[: len(one)] += one
    found[: len(other)] += other
    return found
