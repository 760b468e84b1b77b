"""Recording the spikes of a few samples: chosen layers, channels and columns, one byte each."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from snnctl.inspect.chosen import spread
from snnctl.measure.spikes import codes
from snnctl.measure.watcher import Watcher
from snnctl.neurons.base import SpikingNeuron

CHANNELS_SHOWN = 40
COLUMNS_SHOWN = 240  # more than that are finer than a laptop's pixels


@dataclass(frozen=True)
class Raster:
    """Spikes of one layer for a few samples.

    Args:
        name: of the layer.
        spikes: [samples, channels, T, places] uint8.
        channels: which they are, the busiest first.
        of_channels: how many the layer has.
        places: which places along the flattened axes between batch and channels.
        of_places: how many there are.
        of_steps: how many steps the layer runs; the first ones are kept.
        levels: highest spike value.
    """

    name: str
    spikes: np.ndarray[Any, Any]
    channels: list[int]
    of_channels: int
    places: list[int]
    of_places: int
    of_steps: int
    levels: int


class Recorder(Watcher):
    """Keeps the spikes of chosen layers while the `with` block runs one forward pass over a few samples.

    Args:
        network: whose layers they are.
        channels: layer -> the channels to keep.
    """

    def __init__(self, network: nn.Module, channels: dict[str, list[int]]) -> None:
        modules = dict(network.named_modules())
        self._layers = {name: modules[name] for name in channels}
        self._channels = channels
        self._calls: dict[str, list[Tensor]] = {}

    def _watches(self) -> Iterator[AbstractContextManager[Any]]:
        for name, module in self._layers.items():
            yield module.register_forward_hook(self._hook(name))

    def _hook(self, name: str) -> Any:
        def keep(module: nn.Module, _inputs: Any, output: Any) -> None:
            spikes = output[0] if isinstance(output, tuple) else output
            assert isinstance(module, SpikingNeuron)
            chosen = codes(module, spikes.detach()[..., self._channels[name]]).to(torch.uint8)
            self._calls.setdefault(name, []).append(chosen.unsqueeze(2).flatten(2, -2).cpu())  # [T, B, places, k]

        return keep

    def rasters(self) -> list[Raster]:
        """One per layer that has run; calls of one layer (once per position, say) are strung together as steps."""
        found = []
        for name, calls in self._calls.items():
            spikes = torch.cat(calls)
            steps, _, places, _ = spikes.shape
            kept_steps = min(steps, COLUMNS_SHOWN)
            kept = spread(places, max(1, COLUMNS_SHOWN // kept_steps))
            layer: Any = self._layers[name]
            found.append(
                Raster(
                    name=name,
                    spikes=spikes[:kept_steps][:, :, kept].permute(1, 3, 0, 2).numpy(),
                    channels=self._channels[name],
                    of_channels=layer.channels,
                    places=kept,
                    of_places=places,
                    of_steps=steps,
                    levels=int(layer.levels),
                )
            )
        return found
