"""Correcting biases: what a spiking network says too little of, layer by layer, on calibration data."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from snnctl.backbones.parts.blocks import SpikingLayer
from snnctl.convert.support import activations, watch
from snnctl.engine.experiment import Network
from snnctl.neurons.base import SpikingNeuron
from snnctl.neurons.norm import TokenNorm


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
