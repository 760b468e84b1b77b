"""Whether gradients reach the neurons: which channels get exactly none in a training step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from snnctl.measure.watcher import Watcher
from snnctl.neurons.base import neurons_in


@dataclass(frozen=True)
class LayerGradients:
    """How a layer of neurons was reached by gradients.

    Args:
        name: dotted module name in the network.
        channels: size of the last axis.
        zero_share: share of channels whose input got exactly no gradient, 0..1.
        zero_share_above: the same at the neurons' output; where this is lower, the surrogate blocked.
    """

    name: str
    channels: int
    zero_share: float
    zero_share_above: float


@dataclass
class _Reached:
    below: Tensor
    above: Tensor


class GradientMeter(Watcher):
    """Records where gradients arrive during the forward and backward passes inside its `with` block.

    A layer whose input needs no gradient (nothing trainable before it) is left out.

    Args:
        network: the module whose neurons are watched; layer names are relative to it.
    """

    def __init__(self, network: nn.Module) -> None:
        self._neurons = neurons_in(network)
        self._reached: dict[str, _Reached] = {}

    def _watches(self) -> Iterator[AbstractContextManager[Any]]:
        for name, neuron in self._neurons.items():
            yield neuron.register_forward_pre_hook(self._watch_input(name))
            yield neuron.register_forward_hook(self._watch_output(name))

    def _watch_input(self, name: str) -> Callable[[nn.Module, tuple[Any, ...]], tuple[Any, ...] | None]:
        def watch(_module: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...] | None:
            if not (inputs and torch.is_grad_enabled() and inputs[0].requires_grad):
                return None
            current: Tensor = inputs[0]
            if name not in self._reached:
                none = torch.zeros(current.shape[-1], dtype=torch.bool, device=current.device)
                self._reached[name] = _Reached(none, none)
            reached = self._reached[name]

            def record(gradient: Tensor) -> None:
                reached.below = reached.below | _any_per_channel(gradient)

            # An alias of the input: what a residual branch sends back past the neuron must not count.
            alias = current.view_as(current)
            alias.register_hook(record)
            return (alias, *inputs[1:])

        return watch

    def _watch_output(self, name: str) -> Callable[[nn.Module, Any, Any], None]:
        def watch(_module: nn.Module, _inputs: Any, output: Any) -> None:
            spikes: Tensor = output[0] if isinstance(output, tuple) else output
            if name not in self._reached or not spikes.requires_grad:
                return
            reached = self._reached[name]

            def record(gradient: Tensor) -> None:
                reached.above = reached.above | _any_per_channel(gradient)

            spikes.register_hook(record)

        return watch

    def summary(self) -> list[LayerGradients]:
        """One entry per layer whose input needs a gradient, in the network's order."""
        return [
            LayerGradients(
                name=name,
                channels=len(reached.below),
                zero_share=1.0 - int(reached.below.sum()) / len(reached.below),
                zero_share_above=1.0 - int(reached.above.sum()) / len(reached.above),
            )
            for name in self._neurons
            if (reached := self._reached.get(name)) is not None
        ]


def _any_per_channel(gradient: Tensor) -> Tensor:
    return (gradient.detach() != 0).flatten(0, -2).any(0)
