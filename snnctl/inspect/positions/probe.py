"""A linear probe: can the position l be read back from the spikes of a layer?

Features are a token's spike counts over the T steps, one per channel. The probe is a regularised linear discriminant in
closed form: classes are the L positions, all with one covariance. It is fitted on some samples and scored on others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from snnctl.neurons.base import SpikingNeuron

RIDGE = 1e-2  # added to the within-class variance, as a share of a channel's own


@dataclass(frozen=True)
class ProbeScore:
    """How well positions are read back on samples that the probe has not been fitted on."""

    layer: str  # dotted name of the neurons
    channels: int  # how many features a token has
    accuracy: float  # share of tokens whose position is named exactly; chance is 1/L
    mean_error: float  # mean |named - true| in positions


class Discriminant:
    """Sums for a linear discriminant between L = `length` positions; nothing is kept per sample."""

    def __init__(self, length: int, channels: int) -> None:
        self.sums = torch.zeros(length, channels, dtype=torch.float64)
        self.products = torch.zeros(channels, channels, dtype=torch.float64)
        self.samples = 0

    def add(self, features: Tensor) -> None:
        """Add samples [B, L, channels]."""
        self.sums += features.sum(0, dtype=torch.float64)
        flat = features.flatten(0, 1)
        self.products += (flat.mT @ flat).double()  # whole numbers: exact in float32 below 2^24
        self.samples += len(features)

    def fit(self) -> tuple[Tensor, Tensor]:
        """Weights [channels, L] and offsets [L]; the position with the largest score is named."""
        rows = self.samples * len(self.sums)
        means = self.sums / self.samples
        centre = means.mean(0)
        total = self.products / rows - torch.outer(centre, centre)
        scale = total.diagonal().clamp_min(0).sqrt()
        inverse = torch.where(scale > 1e-9, 1 / scale.clamp_min(1e-9), 0.0)  # constant channels take no part
        apart = (means - centre) * inverse
        within = total * torch.outer(inverse, inverse) - apart.mT @ apart / len(apart)
        within += RIDGE * torch.eye(len(within), dtype=torch.float64)
        weights = torch.linalg.solve(within, apart.mT)
        offsets = -0.5 * (apart.mT * weights).sum(0)
        weights = weights * inverse[:, None]
        return weights, offsets - centre @ weights


@contextmanager
def spikes_of(network: nn.Module, length: int, take: Callable[[str, Tensor], None]) -> Iterator[None]:
    """Call `take(layer, counts [B, L, C])` for all neurons whose output is [T, B, L, C] while the block runs."""

    def read(name: str, _module: nn.Module, _inputs: Any, output: Any) -> None:
        spikes = output[0] if isinstance(output, tuple) else output
        if spikes.dim() == 4 and spikes.shape[2] == length:
            take(name, spikes.detach().sum(0, dtype=torch.float32).cpu())

    with ExitStack() as hooks:
        for name, module in network.named_modules():
            if isinstance(module, SpikingNeuron):
                hooks.enter_context(module.register_forward_hook(partial(read, name)))
        yield


def probe(
    network: nn.Module, length: int, fitting: Callable[[], None], testing: Callable[[], None]
) -> list[ProbeScore]:
    """Fit a probe per layer while `fitting` runs the network, then score it while `testing` does, on other samples.

    Layers of another length than `length`, L, are passed over.
    """
    sums: dict[str, Discriminant] = {}

    def collect(name: str, counts: Tensor) -> None:
        sums.setdefault(name, Discriminant(length, counts.shape[-1])).add(counts)

    with spikes_of(network, length, collect):
        fitting()
    fitted = {name: one.fit() for name, one in sums.items()}
    truth = torch.arange(length)
    right = dict.fromkeys(fitted, 0)
    error, seen = dict.fromkeys(fitted, 0), dict.fromkeys(fitted, 0)

    def score(name: str, counts: Tensor) -> None:
        weights, offsets = fitted[name]
        off = ((counts.double() @ weights + offsets).argmax(-1) - truth).abs()
        right[name] += int((off == 0).sum())
        error[name] += int(off.sum())
        seen[name] += off.numel()

    with spikes_of(network, length, score):
        testing()
    return [
        ProbeScore(name, sums[name].sums.shape[1], right[name] / seen[name], error[name] / seen[name])
        for name in fitted
        if seen[name]
    ]
