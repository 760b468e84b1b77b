"""How the factors of autaptic circuits are spread over neurons, and how that changes from step to step."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from snnctl.measure.circuits import LayerCircuits
from snnctl.measure.watcher import Watcher
from snnctl.neurons.base import neurons_in
from snnctl.neurons.stc import STC, watch_circuits

BINS = 41  # over 0..2; odd, so that 1, where a circuit does nothing, lies in the middle of one


@dataclass(frozen=True)
class Spread:
    """One circuit's factor over all neurons and samples, at each step of its layer.

    Args:
        counts: int64 [T, BINS], neurons x samples by factor; bins of equal width over 0..2.
        mean, sd: float64 [T].
    """

    counts: Tensor
    mean: Tensor
    sd: Tensor

    @property
    def total(self) -> tuple[float, float]:
        """Mean and standard deviation over all steps."""
        share = self.counts.sum(1).double() / self.counts.sum()
        mean = (share * self.mean).sum()
        return float(mean), float((share * (self.sd**2 + (self.mean - mean) ** 2)).sum().sqrt())


@dataclass(frozen=True)
class Modulators:
    """What the circuits of one layer do.

    Args:
        name: of the layer.
        largest: max |u| before the reset at each step, over neurons and samples, float64 [T].
        beta: the temporal circuit's factor on the past; None where there is no such circuit.
        gamma: the spatial circuit's factor on the input current, likewise.
    """

    name: str
    largest: Tensor
    beta: Spread | None
    gamma: Spread | None

    @property
    def factors(self) -> dict[str, Spread]:
        """Those that there are, by name."""
        return {name: one for name, one in (("beta", self.beta), ("gamma", self.gamma)) if one is not None}

    @property
    def totals(self) -> LayerCircuits:
        """Over all steps."""
        means = {name: one.total[0] for name, one in self.factors.items()}
        return LayerCircuits(self.name, float(self.largest.max()), means.get("beta"), means.get("gamma"))


class ModulatorMeter(Watcher):
    """Watches every neuron with circuits in `network` while its `with` block runs; memory is constant in the samples.

    Every forward pass stands in a `batch` block. A layer that is called several times in one pass (once per frame, say)
    has its steps strung together.

    Args:
        network: layer names are relative to it.
    """

    def __init__(self, network: nn.Module) -> None:
        self._names = {id(neuron): name for name, neuron in neurons_in(network).items() if isinstance(neuron, STC)}
        self._layers: dict[str, list[_Step]] = {}
        self._reached: dict[str, int] = {}

    def _watches(self) -> Iterator[AbstractContextManager[Any]]:
        if self._names:
            yield watch_circuits(self._take)

    @contextmanager
    def batch(self) -> Iterator[None]:
        """One forward pass: steps are counted from 0 again."""
        self._reached.clear()
        yield

    @torch.no_grad()
    def _take(self, neuron: STC, beta: Tensor | None, gamma: Tensor | None, u: Tensor) -> None:
        name = self._names.get(id(neuron))
        if name is None or not u.numel():
            return
        steps, now = self._layers.setdefault(name, []), self._reached.get(name, 0)
        self._reached[name] = now + 1
        if now == len(steps):
            steps.append(_Step())
        steps[now].add(beta, gamma, u)

    def summary(self) -> list[Modulators]:
        """One entry per layer with circuits that has run, in the network's order."""
        found = []
        for name in self._names.values():
            steps = self._layers.get(name)
            if steps:
                largest = torch.stack([step.largest for step in steps])
                found.append(Modulators(name, largest, _spread(steps, "beta"), _spread(steps, "gamma")))
        return found


def _spread(steps: list[_Step], name: str) -> Spread | None:
    sums = [step.factors[name] for step in steps if name in step.factors]
    if not sums:
        return None
    counts = torch.stack([one.counts for one in sums])
    away, squares = (torch.stack([getattr(one, part) for one in sums]) for part in ("away", "squares"))
    many = counts.sum(1).double()
    return Spread(counts, 1 + away / many, (squares / many - (away / many) ** 2).clamp(min=0).sqrt())


class _Factor:
    """Sums over the values of one factor at one step."""

    def __init__(self) -> None:
        self.counts = torch.zeros(BINS, dtype=torch.int64)
        self.away = torch.zeros((), dtype=torch.float64)  # from 1
        self.squares = torch.zeros((), dtype=torch.float64)

    def add(self, values: Tensor) -> None:
        values = values.detach().flatten()
        bins = (values.float() * (BINS / 2)).long().clamp_(0, BINS - 1)
        self.counts += torch.bincount(bins, minlength=BINS).cpu()
        away = values.double() - 1
        self.away += away.sum().cpu()
        self.squares += away.square().sum().cpu()


class _Step:
    """One step of one layer."""

    def __init__(self) -> None:
        self.largest = torch.zeros((), dtype=torch.float64)
        self.factors: dict[str, _Factor] = {}

    def add(self, beta: Tensor | None, gamma: Tensor | None, u: Tensor) -> None:
        largest = torch.stack(torch.aminmax(u.detach())).abs().max().double().cpu()
        self.largest = torch.maximum(self.largest, largest)
        for name, values in (("beta", beta), ("gamma", gamma)):
            if values is not None:
                self.factors.setdefault(name, _Factor()).add(values)
