"""What the autaptic circuits of `stc` do, and how far they carry its membranes, over all steps or step by step."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from snnctl.measure.watcher import Watcher
from snnctl.neurons.base import neurons_in
from snnctl.neurons.stc import STC, watch_circuits

FLOAT16_MAX = 65504.0
BINS = 41  # over 0..2; odd, so that 1, where a circuit does nothing, lies in the middle of one


@dataclass(frozen=True)
class LayerCircuits:
    """One layer with circuits.

    Args:
        name: dotted module name in the network.
        largest_membrane: max |u| before the reset, over all neurons, steps and samples.
        mean_beta: mean of the temporal circuit's factor on the past; None where there is no such circuit.
        mean_gamma: mean of the spatial circuit's factor on the input current, likewise.
    """

    name: str
    largest_membrane: float
    mean_beta: float | None
    mean_gamma: float | None


def circuits_in(network: nn.Module) -> dict[str, STC]:
    """Every neuron with circuits by its dotted name, in the network's order."""
    return {name: neuron for name, neuron in neurons_in(network).items() if isinstance(neuron, STC)}


class CircuitWatcher(Watcher):
    """Is told what circuits do at each step while its `with` block runs; without any circuits it costs nothing.

    Args:
        layers: the neurons that are watched, by name.
    """

    def __init__(self, layers: Mapping[str, STC]) -> None:
        self._layers = layers
        self._names = {id(neuron): name for name, neuron in layers.items()}

    def _watches(self) -> Iterator[AbstractContextManager[Any]]:
        if self._names:
            yield watch_circuits(self._told)

    def _told(self, neuron: STC, beta: Tensor | None, gamma: Tensor | None, u: Tensor) -> None:
        name = self._names.get(id(neuron))
        if name is not None and u.numel():
            self._take(name, beta, gamma, u)

    @abstractmethod
    def _take(self, name: str, beta: Tensor | None, gamma: Tensor | None, u: Tensor) -> None:
        """One step of a layer: the factors on the past and on the input (None: no such circuit), and the membrane."""


class CircuitMeter(CircuitWatcher):
    """What every neuron with circuits in `network` does, over all steps.

    Args:
        network: layer names are relative to it.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__(circuits_in(network))
        self._sums: dict[str, _Sums] = {}

    def _take(self, name: str, beta: Tensor | None, gamma: Tensor | None, u: Tensor) -> None:
        self._sums.setdefault(name, _Sums()).add(beta, gamma, u)

    def summary(self) -> list[LayerCircuits]:
        """One entry per layer with circuits that has run, in the network's order."""
        found = []
        for name in self._layers:
            sums = self._sums.get(name)
            if sums is not None and sums.largest is not None:
                found.append(LayerCircuits(name, float(sums.largest), sums.mean("beta"), sums.mean("gamma")))
        return found


class _Sums:
    def __init__(self) -> None:
        self.largest: Tensor | None = None
        self.factors: dict[str, tuple[Tensor, int]] = {}

    @torch.no_grad()
    def add(self, beta: Tensor | None, gamma: Tensor | None, u: Tensor) -> None:
        largest = _largest(u)
        self.largest = largest if self.largest is None else torch.maximum(self.largest, largest)
        for name, factor in (("beta", beta), ("gamma", gamma)):
            if factor is not None:
                total, count = self.factors.get(name, (torch.zeros((), dtype=torch.float64), 0))
                mean = factor.detach().sum(dtype=torch.float64).cpu()
                self.factors[name] = total + mean, count + factor.numel()

    def mean(self, name: str) -> float | None:
        found = self.factors.get(name)
        return None if found is None else float(found[0]) / max(found[1], 1)


def _largest(u: Tensor) -> Tensor:
    return torch.stack(torch.aminmax(u.detach())).abs().max()


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


class ModulatorMeter(CircuitWatcher):
    """What every neuron with circuits in `network` does, step by step; memory is constant in the samples.

    Every forward pass stands in a `batch` block. A layer that is called several times in one pass (once per frame, say)
    has its steps strung together.

    Args:
        network: layer names are relative to it.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__(circuits_in(network))
        self._steps: dict[str, list[_Step]] = {}
        self._reached: dict[str, int] = {}

    @contextmanager
    def batch(self) -> Iterator[None]:
        """One forward pass: steps are counted from 0 again."""
        self._reached.clear()
        yield

    @torch.no_grad()
    def _take(self, name: str, beta: Tensor | None, gamma: Tensor | None, u: Tensor) -> None:
        steps, now = self._steps.setdefault(name, []), self._reached.get(name, 0)
        self._reached[name] = now + 1
        if now == len(steps):
            steps.append(_Step())
        steps[now].add(beta, gamma, u)

    def summary(self) -> list[Modulators]:
        """One entry per layer with circuits that has run, in the network's order."""
        found = []
        for name in self._layers:
            steps = self._steps.get(name)
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
        self.largest = torch.maximum(self.largest, _largest(u).double().cpu())
        for name, values in (("beta", beta), ("gamma", gamma)):
            if values is not None:
                self.factors.setdefault(name, _Factor()).add(values)
