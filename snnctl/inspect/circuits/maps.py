"""What autaptic circuits do over space: their factors for one sample, as maps."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from snnctl.inspect.activity.rasters import chosen_channels, spread
from snnctl.measure.spikes import codes
from snnctl.measure.watcher import Watcher
from snnctl.neurons.stc import STC, watch_circuits

STEPS_SHOWN = 6
Maps = NDArray[np.float32]


@dataclass(frozen=True)
class FactorMaps:
    """Factors of one layer over space, for one sample.

    Args:
        name: of the layer.
        steps: which are kept, counted from 0.
        of_steps: how many the layer runs.
        channels: which are kept by themselves.
        spikes: mean over channels of the spikes of the step before, which drive the circuits [steps, H, W].
        factors: beta and gamma, where there is such a circuit [1 + channels, steps, H, W]; the mean over channels
            comes first.
    """

    name: str
    steps: list[int]
    of_steps: int
    channels: list[int]
    spikes: Maps
    factors: dict[str, Maps]


def mapped_channels(rates: Tensor) -> list[int]:
    """Of channels with these `rates` [C] the busiest and one of middling rate."""
    return chosen_channels(rates, 3)[:2]


class MapRecorder(Watcher):
    """Keeps the factors of the first sample while the `with` block runs one forward pass.

    Only layers are kept whose circuits span two axes: others have no space to draw.

    Args:
        network: whose layers they are.
        channels: layer -> the channels to keep by themselves; layers that are not named are not kept.
    """

    def __init__(self, network: nn.Module, channels: dict[str, list[int]]) -> None:
        modules = dict(network.named_modules())
        self._channels = channels
        self._layers = {id(modules[name]): name for name in channels if _has_space(modules[name])}
        self._modules = {name: modules[name] for name in self._layers.values()}
        self._factors: dict[str, dict[str, list[Tensor]]] = {}
        self._spikes: dict[str, list[Tensor]] = {}

    def _watches(self) -> Iterator[AbstractContextManager[Any]]:
        if self._layers:
            yield watch_circuits(self._take)
        for name, module in self._modules.items():
            yield module.register_forward_hook(self._hook(name))

    @torch.no_grad()
    def _take(self, neuron: STC, beta: Tensor | None, gamma: Tensor | None, _u: Tensor) -> None:
        name = self._layers.get(id(neuron))
        if name is None:
            return
        kept = self._factors.setdefault(name, {})
        for factor, values in (("beta", beta), ("gamma", gamma)):
            if values is not None and values.dim() == 4 and len(values):
                first = values[0].detach().float()  # [H, W, C]
                alone = first[..., self._channels[name]].movedim(-1, 0)
                kept.setdefault(factor, []).append(torch.cat((first.mean(-1)[None], alone)).cpu())

    def _hook(self, name: str) -> Any:
        def keep(module: nn.Module, _inputs: Any, output: Any) -> None:
            spikes = output[0] if isinstance(output, tuple) else output
            if spikes.dim() == 5 and spikes.shape[1]:
                assert isinstance(module, STC)
                means = codes(module, spikes[:, 0].detach()).float().mean(-1)
                self._spikes.setdefault(name, []).append(means.cpu())

        return keep

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


def _has_space(neuron: nn.Module) -> bool:
    return isinstance(neuron, STC) and any(circuit.axes == 2 for circuit in neuron.circuits)
