"""How far a converted network is from the one it was made of: answers, layers, spikes, energy."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from snnctl.convert.support import watch
from snnctl.core.choices import SplitName
from snnctl.engine.evaluate import Evaluation, evaluate
from snnctl.engine.experiment import Experiment, Network
from snnctl.engine.runtime import Runtime


@dataclass(frozen=True)
class LayerError:
    """One activation and the neurons in its place, on calibration data or on the split that is reported."""

    name: str
    top: float  # what all levels of the neuron together stand for
    relative: float  # root mean square of the difference over that of the activation
    clipped: float  # share of the activation's values above the top


@dataclass(frozen=True)
class Cell:
    """One number of bits and steps of the spiking network."""

    bits: int
    steps: int
    metrics: Mapping[str, float]  # on the split
    # answers that are not those of the non-spiking network: classes for a classification, else None
    different: int | None
    mean_rate: float  # spikes per neuron and step
    # joules per sample by table of costs, the headline first; empty where energy was not asked for
    costs: Mapping[str, float]


def measured(network: nn.Module, experiment: Experiment, split: SplitName, runtime: Runtime) -> Evaluation:
    """Metrics and spikes on a split."""
    data = experiment.data.split(split)
    return evaluate(network, experiment.task, data, experiment.eval_batch_size, runtime)


@torch.no_grad()
def answers(network: Network, experiment: Experiment, split: SplitName) -> Tensor | None:
    """The class that is given to each item, [N]; None for tasks without classes."""
    if getattr(experiment.task, "needs", "") != "classes":
        return None
    network.eval()
    found = [experiment.task.predict(network, batch).argmax(-1) for batch in batches(experiment, split, None)]
    return torch.cat(found)


def batches(experiment: Experiment, split: SplitName, samples: int | None) -> Iterator[Any]:
    """A split in evaluation batches; at most `samples`, evenly spread."""
    data = experiment.data.split(split)
    count = len(data) if samples is None else min(samples, len(data))
    chosen = torch.linspace(0, len(data) - 1, count).round().long()
    for indices in chosen.split(experiment.eval_batch_size):
        yield data.batch(indices)


@torch.no_grad()
def layer_errors(
    source: Network, target: Network, tops: Mapping[str, float], experiment: Experiment, batches: Iterable[Any]
) -> list[LayerError]:
    """Each activation beside the mean over T of the neurons in its place, summed over all batches."""
    sums = {name: torch.zeros(4, dtype=torch.float64) for name in tops}
    for batch in batches:
        before, after = (_outputs(network, tops, experiment, batch) for network in (source, target))
        for name, top in tops.items():
            wanted, given = before[name], after[name]
            facts = (wanted.square().sum(), (given - wanted).square().sum(), (wanted > top).sum(), wanted.numel())
            sums[name] += torch.tensor([float(one) for one in facts], dtype=torch.float64)
    return [_layer(name, top, *sums[name].tolist()) for name, top in tops.items()]


def _outputs(network: Network, names: Iterable[str], experiment: Experiment, batch: Any) -> dict[str, Tensor]:
    """The mean over T of what each part gives on one batch."""
    kept: dict[str, Tensor] = {}
    parts = dict(network.named_modules())

    def keep(name: str, _: Tensor, said: Tensor) -> None:
        kept[name] = said.mean(0).double()

    watch({name: parts[name] for name in names}, [batch], partial(experiment.task.predict, network.eval()), keep)
    return kept


def _layer(name: str, top: float, size: float, error: float, above: float, count: float) -> LayerError:
    relative = math.sqrt(error / size) if size else float("nan")
    return LayerError(name, top, relative, above / count if count else float("nan"))
