"""BatchNorm in front of a neuron, for tensors whose channels are the last axis."""

from __future__ import annotations

from torch import Tensor, nn


class TokenNorm(nn.BatchNorm1d):
    """Batch normalisation of the last axis over all others: steps, batch and positions alike.

    Args:
        features: size of the last axis.
        gain: initial scale; 2 lets a decayed-input LIF with tau 2 fire from the start, 1 is torch's.

    Shape: [*, features] -> [*, features].
    """

    def __init__(self, features: int, *, gain: float = 1.0) -> None:
        super().__init__(features)
        nn.init.constant_(self.weight, gain)

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input.flatten(0, -2)).unflatten(0, input.shape[:-1])
