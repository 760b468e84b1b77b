"""Correcting biases: what a spiking network says too little of, layer by layer, on calibration data."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from snnctl.backbones.parts.layers import SpikingLayer
from snnctl.convert.support import activations
from snnctl.engine.experiment import Network
from snnctl.neurons.base import SpikingNeuron
from snnctl.neurons.norm import TokenNorm


class _Means:
    """Mean output per channel of chosen modules, over everything that passes."""

    def __init__(self, parts: dict[str, nn.Module]) -> None:
        self.sums: dict[str, Tensor] = {}
        self.counts: dict[str, int] = {}
        self.handles = [part.register_forward_hook(self._hook(name)) for name, part in parts.items()]

    def _hook(self, name: str) -> Callable[[nn.Module, Any, Any], None]:
        def add(_module: nn.Module, _args: Any, out: Any) -> None:
            rows = (out[0] if isinstance(out, tuple) else out).detach().flatten(0, -2).double()
            self.sums[name] = self.sums.get(name, torch.zeros(rows.shape[1], dtype=torch.float64)) + rows.sum(0)
            self.counts[name] = self.counts.get(name, 0) + len(rows)

        return add

    def means(self) -> dict[str, Tensor]:
        for handle in self.handles:
            handle.remove()
        return {name: total / self.counts[name] for name, total in self.sums.items()}


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
    wanted = _passed(source, dict(units), batches, forward)
    layers = {f"{name}.neuron": part for name, part in target.named_modules() if isinstance(part, SpikingLayer)}
    changed = {}
    for name in units:
        layer = layers.get(name)
        if layer is None:
            continue  # a neuron behind a sum has no bias of its own
        neuron = layer.neuron
        assert isinstance(neuron, SpikingNeuron)
        lacking = wanted[name] - _passed(target, {name: neuron}, batches, forward)[name]
        bias = layer.norm.bias if isinstance(layer.norm, TokenNorm) else layer.weights.bias
        if bias is None:
            continue
        bias += lacking.to(bias)
        changed[name] = float(lacking.abs().mean())
    return changed


def _passed(
    network: Network,
    parts: dict[str, nn.Module],
    batches: Callable[[], Iterable[Any]],
    forward: Callable[[Network, Any], object],
) -> dict[str, Tensor]:
    watched = _Means(parts)
    for batch in batches():
        forward(network, batch)
    return watched.means()
