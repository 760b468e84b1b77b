"""Spike statistics per layer as streaming whole-number sums; nothing is kept over time or samples."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from snnctl.measure.tally import exact_type
from snnctl.measure.watcher import Watcher
from snnctl.neurons.base import SpikingNeuron, neurons_in
from snnctl.neurons.recurrent import only_for_spikes

# A channel that gives at least this share of the spikes it could give is saturated.
SATURATED_AT = 0.95

MeterState = dict[str, dict[str, Tensor]]


@dataclass(frozen=True)
class LayerSpikes:
    """What one layer of neurons has fired.

    Args:
        name: dotted module name in the network.
        channels: size of the last axis.
        levels: highest spike value, 1 = binary.
        rate: mean spike value per neuron and step, 0..levels.
        nonzero: share of neuron-steps with any spike, 0..1.
        silent_share: share of channels that never fired.
        saturated_share: share of channels with at least 0.95 of the spikes they could give.
        histogram: how often each spike value 0..levels occurred.
        neuron_steps: chances to fire: neurons x steps x samples.
    """

    name: str
    channels: int
    levels: int
    rate: float
    nonzero: float
    silent_share: float
    saturated_share: float
    histogram: tuple[int, ...]
    neuron_steps: int


@dataclass(frozen=True)
class NetworkSpikes:
    """Totals over layers: `mean_rate` weighted by neuron-steps, shares by channels; nan when nothing ran."""

    mean_rate: float
    silent_share: float
    saturated_share: float


def codes(neuron: SpikingNeuron, spikes: Tensor) -> Tensor:
    """What a neuron has given out as whole numbers 0..levels; a spike below zero is one as well."""
    if neuron.scale != 1.0:
        spikes = (spikes / neuron.scale).round()
    return spikes.abs() if neuron.signed else spikes


class SpikeMeter(Watcher):
    """Counts the spikes of every `SpikingNeuron` in a network while its `with` block runs.

    Sums go on over several `with` blocks; a new meter starts from zero. A neuron is counted when it is
    called as a module; one that has not been called yet is absent from the summary.

    Args:
        network: the module whose neurons are watched; layer names are relative to it.

    Raises:
        ValueError: a multi-level neuron gave a spike above its `levels`.
    """

    def __init__(self, network: nn.Module) -> None:
        self._neurons = neurons_in(network)
        self._sums: MeterState = {}

    def _watches(self) -> Iterator[AbstractContextManager[Any]]:
        for name, neuron in self._neurons.items():
            yield neuron.register_forward_hook(self._hook(name))

    def _hook(self, name: str) -> Callable[[nn.Module, Any, Any], None]:
        @only_for_spikes
        def count(module: nn.Module, _inputs: Any, output: Any) -> None:
            spikes = output[0] if isinstance(output, tuple) else output
            assert isinstance(module, SpikingNeuron)
            size = codes(module, spikes.detach())
            self._count(name, int(module.levels), size)

        return count

    @torch.no_grad()
    def _count(self, name: str, levels: int, spikes: Tensor) -> None:
        positions = spikes.numel() // spikes.shape[-1]
        sums = spikes.flatten(0, -2).sum(0, dtype=exact_type(positions * levels)).to(torch.int64)
        if levels == 1:
            fired = sums.sum()
            histogram = torch.stack((spikes.numel() - fired, fired))
        else:
            histogram = torch.bincount(spikes.flatten().to(torch.int32), minlength=levels + 1)
            if len(histogram) > levels + 1:
                raise ValueError(f"`{name}` gave a spike of {len(histogram) - 1}, above its levels = {levels}")
        positions_seen = torch.tensor(positions, dtype=torch.int64)
        seen = self._sums.setdefault(name, {})
        for key, value in (("spikes", sums), ("histogram", histogram), ("positions", positions_seen)):
            seen[key] = seen[key].to(value.device) + value if key in seen else value

    def summary(self) -> list[LayerSpikes]:
        """One entry per layer that has run, in the network's order."""
        return [
            _layer(name, self._neurons[name].levels, self._sums[name]) for name in self._neurons if name in self._sums
        ]

    def totals(self) -> NetworkSpikes:
        """The network's totals."""
        return network_totals(self.summary())

    def state_dict(self) -> MeterState:
        """The sums so far as plain int64 tensors on the CPU; per layer `spikes`, `histogram`, `positions`."""
        return {n: {k: v.to("cpu", copy=True) for k, v in sums.items()} for n, sums in self._sums.items()}

    def load_state(self, state: MeterState) -> None:
        """Go on from the sums in `state`, dropping what was counted here."""
        unknown = set(state) - set(self._neurons)
        if unknown:
            raise ValueError(f"spike sums of unknown layers: {', '.join(sorted(unknown))}")
        self._sums = {name: {key: value.clone() for key, value in sums.items()} for name, sums in state.items()}


def network_totals(layers: list[LayerSpikes]) -> NetworkSpikes:
    """Totals over layers, see `NetworkSpikes`."""
    chances = sum(layer.neuron_steps for layer in layers)
    channels = sum(layer.channels for layer in layers)
    if not chances:
        return NetworkSpikes(*(float("nan"),) * 3)
    return NetworkSpikes(
        mean_rate=sum(layer.rate * layer.neuron_steps for layer in layers) / chances,
        silent_share=sum(layer.silent_share * layer.channels for layer in layers) / channels,
        saturated_share=sum(layer.saturated_share * layer.channels for layer in layers) / channels,
    )


def _layer(name: str, levels: int, sums: dict[str, Tensor]) -> LayerSpikes:
    spikes, positions = sums["spikes"].cpu(), int(sums["positions"])
    histogram = tuple(int(n) for n in sums["histogram"].tolist())
    channels = len(spikes)
    chances = positions * channels
    most = SATURATED_AT * levels * positions
    return LayerSpikes(
        name=name,
        channels=channels,
        levels=levels,
        rate=int(spikes.sum()) / chances if chances else 0.0,
        nonzero=(chances - histogram[0]) / chances if chances else 0.0,
        silent_share=int((spikes == 0).sum()) / channels,
        saturated_share=int((spikes >= most).sum()) / channels if chances else 0.0,
        histogram=histogram,
        neuron_steps=chances,
    )
