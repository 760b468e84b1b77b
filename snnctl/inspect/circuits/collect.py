"""What autaptic circuits do, over neurons, steps and space: as arrays from which the pictures can be drawn anew."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from snnctl.inspect.chosen import chosen_channels, shown_name, spread
from snnctl.measure.circuits import BINS, CircuitWatcher, LayerCircuits, Modulators, circuits_in
from snnctl.measure.spikes import codes
from snnctl.neurons.stc import STC
from snnctl.report.tables import npz

EDGES = np.linspace(0.0, 2.0, BINS + 1)
STEPS_SHOWN = 6
Maps = NDArray[np.float32]


@dataclass(frozen=True)
class FactorMaps:
    """Factors of one layer over space, for one sample."""

    name: str
    steps: list[int]  # which are kept, counted from 0
    of_steps: int  # how many the layer runs
    channels: list[int]  # which are kept by themselves
    spikes: Maps  # mean over channels of the spikes of the step before, which drive the circuits [steps, H, W]
    # beta and gamma, where there is such a circuit [1 + channels, steps, H, W]; the mean over channels comes first
    factors: dict[str, Maps]

    @property
    def title(self) -> str:
        return shown_name(self.name, 60)


@dataclass(frozen=True)
class Circuits:
    """All that the pictures of a network's circuits are drawn from."""

    samples: int = 0  # how many the factors are of
    split: str = ""
    layers: Sequence[Modulators] = ()  # those with circuits, in the network's order
    maps: Sequence[FactorMaps] = ()  # of one sample, of layers that are drawn as rasters and have a height and a width
    sample: tuple[int, int | None] = (0, None)  # its index in the split, and its class or None

    @property
    def totals(self) -> list[LayerCircuits]:
        return [layer.totals for layer in self.layers]

    def to_bytes(self) -> bytes:
        """An .npz with everything: pictures can be drawn anew without network and data."""
        index, label = self.sample
        arrays: dict[str, Any] = {
            "samples": self.samples,
            "split": self.split,
            "sample": [index, -1 if label is None else label],
            "layers": [layer.name for layer in self.layers],
            "maps": [one.name for one in self.maps],
        }
        for number, layer in enumerate(self.layers):
            arrays[f"layer/{number}/largest"] = layer.largest.numpy()
            for name, one in layer.factors.items():
                for part, values in vars(one).items():
                    arrays[f"layer/{number}/{name}/{part}"] = values.numpy()
        for number, maps in enumerate(self.maps):
            shown = {"steps": maps.steps, "of_steps": maps.of_steps, "channels": maps.channels, "spikes": maps.spikes}
            arrays |= {f"map/{number}/{part}": values for part, values in (shown | maps.factors).items()}
        return npz(arrays)


def mapped_channels(rates: Tensor) -> list[int]:
    """Of channels with these `rates` [C] the busiest and one of middling rate."""
    return chosen_channels(rates, 3)[:2]


class MapRecorder(CircuitWatcher):
    """Keeps the factors of the first sample while the `with` block runs one forward pass.

    Of the layers in `channels` (layer -> the channels to keep by themselves), those are kept whose circuits span two
    axes: others have no space to draw.
    """

    def __init__(self, network: nn.Module, channels: dict[str, list[int]]) -> None:
        layers = {
            name: layer for name, layer in circuits_in(network).items() if any(c.axes == 2 for c in layer.circuits)
        }
        super().__init__({name: layers[name] for name in channels if name in layers})
        self._channels = channels
        self._factors: dict[str, dict[str, list[Tensor]]] = {}
        self._spikes: dict[str, list[Tensor]] = {}

    def _watches(self) -> Iterator[AbstractContextManager[Any]]:
        yield from super()._watches()
        for name, neuron in self._layers.items():
            yield neuron.register_forward_hook(partial(self._keep, name))

    @torch.no_grad()
    def _take(self, name: str, beta: Tensor | None, gamma: Tensor | None, u: Tensor) -> None:
        kept = self._factors.setdefault(name, {})
        for factor, values in (("beta", beta), ("gamma", gamma)):
            if values is not None and values.dim() == 4 and len(values):
                first = values[0].detach().float()  # [H, W, C]
                alone = first[..., self._channels[name]].movedim(-1, 0)
                kept.setdefault(factor, []).append(torch.cat((first.mean(-1)[None], alone)).cpu())

    def _keep(self, name: str, module: nn.Module, _inputs: Any, output: Any) -> None:
        spikes = output[0] if isinstance(output, tuple) else output
        if spikes.dim() == 5 and spikes.shape[1]:
            assert isinstance(module, STC)
            means = codes(module, spikes[:, 0].detach()).float().mean(-1)
            self._spikes.setdefault(name, []).append(means.cpu())

    def maps(self) -> list[FactorMaps]:
        """One per layer that has run and has a height and a width; calls of a layer are strung together as steps."""
        found = []
        for name, kept in self._factors.items():
            if not kept or name not in self._spikes:
                continue
            fired = torch.cat(self._spikes[name])
            before = torch.cat((torch.zeros_like(fired[:1]), fired[:-1]))  # layers start at rest
            steps = spread(len(before), STEPS_SHOWN)
            factors = {factor: torch.stack(values, 1)[:, steps].numpy() for factor, values in kept.items()}
            found.append(FactorMaps(name, steps, len(before), self._channels[name], before[steps].numpy(), factors))
        return found
