"""The moving average of the weights, which is evaluated and saved in their place."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

# Where a tensor lies: the parameters or buffers of a module, and its name there. The tensor itself may be replaced.
Slot = tuple[dict[str, Any], str]


class MovingAverage(AveragedModel):
    """torch's moving average of parameters and buffers; both are looked up once, not at every step.

    Equation:
        average <- decay * average + (1 - decay) * weights,  the first time the weights themselves

    Args:
        network: what is averaged; its modules stay these.
        decay: share of the average that stays at a step, 0 < decay < 1.

    Source: torch.optim.swa_utils; checkpoints and numbers are the same, to the bit.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        super().__init__(network, multi_avg_fn=get_ema_multi_avg_fn(decay), use_buffers=True)
        self._pairs = list(zip(_slots(self.module), _slots(network), strict=True))

    @torch.no_grad()
    def update(self) -> None:
        """Take in the weights as they are now."""
        alike: dict[torch.dtype, tuple[list[Tensor], list[Tensor]]] = {}
        for (own, own_name), (given, name) in self._pairs:
            averages, weights = alike.setdefault(own[own_name].dtype, ([], []))
            averages.append(own[own_name])
            weights.append(given[name])
        first = int(self.n_averaged) == 0
        for averages, weights in alike.values():
            if first:
                for average, weight in zip(averages, weights, strict=True):
                    average.copy_(weight)
            else:
                assert self.multi_avg_fn is not None
                self.multi_avg_fn(averages, weights, self.n_averaged)
        self.n_averaged += 1


def _slots(network: nn.Module) -> Iterator[Slot]:
    """Of every parameter and every buffer; one that several modules share is met once."""
    seen: set[int] = set()
    for held in ("_parameters", "_buffers"):
        for module in network.modules():
            tensors: dict[str, Any] = getattr(module, held)
            for name, tensor in tensors.items():
                if tensor is not None and id(tensor) not in seen:
                    seen.add(id(tensor))
                    yield tensors, name
