"""What is calibrated on data: thresholds, by how high activations go, and biases, by what spikes say too little of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from snnctl.backbones.parts.layers import SpikingLayer
from snnctl.backbones.parts.units import Quantised
from snnctl.convert.support import activations, watch
from snnctl.core.choices import Calibration
from snnctl.core.diagnostic import Diagnostic, DiagnosticError
from snnctl.engine.experiment import Network
from snnctl.neurons.base import SpikingNeuron
from snnctl.neurons.norm import TokenNorm

BINS = 4096
CANDIDATES = 200
ROUNDS = 60


class Histogram:
    """The positive inputs of one activation, in equal bins up to their maximum `top`."""

    def __init__(self, top: float) -> None:
        self.top = top
        self.counts = torch.zeros(BINS, dtype=torch.float64)

    def add(self, x: Tensor) -> None:
        """Values of one batch; those below 0 count for nothing, an activation of 0 is exact at any threshold."""
        if self.top > 0:
            positive = x[x > 0].float()
            self.counts += torch.histc(positive, BINS, 0.0, self.top).double()

    @property
    def centres(self) -> Tensor:
        """[BINS]."""
        return (torch.arange(BINS, dtype=torch.float64) + 0.5) * (self.top / BINS)

    def percentile(self, share: float) -> float:
        """Below which `share` percent of the positive values lie."""
        reached = self.counts.cumsum(0) >= self.counts.sum() * share / 100
        return (int(reached.int().argmax()) + 1) * self.top / BINS

    def best(self, levels: int) -> float:
        """The top of a quantised activation that is nearest to the values in the mean square."""
        tops = torch.linspace(1 / CANDIDATES, 1.0, CANDIDATES, dtype=torch.float64) * self.top
        x = self.centres
        steps = torch.floor(x[None] * levels / tops[:, None] + 0.5).clamp(max=levels) * tops[:, None] / levels
        errors = ((steps - x).square() * self.counts).sum(1)
        return float(tops[errors.argmin()])

    def balanced(self) -> float:
        """theta <- theta + 2 mean(relu(x - theta)), `ROUNDS` times from 0."""
        total = self.counts.sum()
        theta = 0.0
        for _ in range(ROUNDS):
            above = ((self.centres - theta).clamp(min=0) * self.counts).sum() / total
            theta += 2 * float(above)
        return theta


def tops(
    network: nn.Module,
    batches: Callable[[], Iterable[Any]],
    forward: Callable[[Any], object],
    *,
    method: Calibration,
    levels: int,
    percentile: float = 99.9,
) -> dict[str, float]:
    """The top of each activation: what all levels together stand for.

    A quantised activation has learned its own. For rectifiers: max, the highest input that was met; percentile, below
    which so many percent of the positive inputs lie; mse, the nearest in the mean square at these levels; local,
    threshold <- threshold + 2 mean(relu(input - threshold)), repeated.

    Args:
        network: in evaluation mode; `forward` runs it on one batch.
        batches: the calibration data, gone through twice.
        levels: above 0, that the mean over all steps will be able to take; mse fits to them.

    Raises:
        DiagnosticError: E491, an activation never was above 0: nothing can be calibrated.

    Source: Diehl et al. 2015 (max); Rueckauer et al. 2017 (percentile); Bu et al. 2024, arXiv 2409.03368 (local, in
        spikingjelly's reading, here one threshold per layer and a fixed number of rounds); mse is ours.
    """
    units = activations(network)
    found = {name: float(unit.log_top.detach().exp()) for name, unit in units.items() if isinstance(unit, Quantised)}
    rectifiers = {name: unit for name, unit in units.items() if name not in found}
    if not rectifiers:
        return found
    highest = dict.fromkeys(rectifiers, 0.0)

    def note_highest(name: str, x: Tensor, _: Tensor) -> None:
        highest[name] = max(highest[name], float(x.max()))

    watch(rectifiers, batches(), forward, note_highest)
    silent = [name for name, top in highest.items() if top <= 0]
    if silent:
        message = f"activations that are never above 0 on the calibration data: {', '.join(silent)}"
        raise DiagnosticError(Diagnostic("E491", message, help="train longer, or calibrate on more samples"))
    if method == "max":
        return {name: found.get(name, highest.get(name, 0.0)) for name in units}
    histograms = {name: Histogram(top) for name, top in highest.items()}
    watch(rectifiers, batches(), forward, lambda name, x, _: histograms[name].add(x))
    for name, histogram in histograms.items():
        match method:
            case "percentile":
                found[name] = histogram.percentile(percentile)
            case "mse":
                found[name] = histogram.best(levels)
            case "local":
                found[name] = histogram.balanced()
    return {name: found[name] for name in units}


@torch.no_grad()
def correct_biases(
    source: Network,
    target: Network,
    batches: Callable[[], Iterable[Any]],
    forward: Callable[[Network, Any], object],
) -> dict[str, float]:
    """Add to each layer's bias what its neurons' mean output lacks of the activation's, first layer first.

    Args:
        source, target: both in evaluation mode; `target` is changed.
        batches: the calibration data, gone through once per layer.
        forward: runs a network on one batch.

    Returns:
        Mean absolute correction of each layer.

    Source: the bias correction of Li et al. 2021, "A free lunch from ANN", arXiv 2106.06984, in our reading.
    """
    units = activations(source)
    wanted = _means(units, batches, partial(forward, source))
    layers = {f"{name}.neuron": part for name, part in target.named_modules() if isinstance(part, SpikingLayer)}
    changed = {}
    for name in units:
        layer = layers.get(name)
        if layer is None:
            continue  # a neuron behind a sum has no bias of its own
        neuron = layer.neuron
        assert isinstance(neuron, SpikingNeuron)
        lacking = wanted[name] - _means({name: neuron}, batches, partial(forward, target))[name]
        bias = layer.norm.bias if isinstance(layer.norm, TokenNorm) else layer.weights.bias
        if bias is None:
            continue
        bias += lacking.to(bias)
        changed[name] = float(lacking.abs().mean())
    return changed


def _means(
    parts: Mapping[str, nn.Module], batches: Callable[[], Iterable[Any]], forward: Callable[[Any], object]
) -> dict[str, Tensor]:
    """Mean output of each part per channel, over everything that passes."""
    sums: dict[str, Tensor] = {}
    counts: dict[str, int] = {}

    def add(name: str, _: Tensor, said: Tensor) -> None:
        rows = said.flatten(0, -2).double()
        sums[name] = sums.get(name, torch.zeros(rows.shape[1], dtype=torch.float64)) + rows.sum(0)
        counts[name] = counts.get(name, 0) + len(rows)

    watch(parts, batches(), forward, add)
    return {name: total / counts[name] for name, total in sums.items()}
