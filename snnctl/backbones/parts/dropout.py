"""Dropout for spikes: four decisions from each random number, for sequences of many steps."""

from __future__ import annotations

import torch
from torch import Tensor, nn

_LEVELS = 2**16
_LOWEST = -(2**15)


class SpikeDropout(nn.Module):
    """Takes away a share of the values while training, and makes the others up for it.

    Equation:
        y = x * keep / (1 - p),   keep = 0 with probability p, else 1

    Torch's own dropout draws a number of 32 bits for each value one after the other, which takes longer than all else
    in a small spiking layer; 16 bits are enough for a decision.

    Args:
        p: share taken away, 0 <= p < 1, rounded to a multiple of 1/65536.

    Shape: any -> the same.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p
        self._taken = min(round(p * _LEVELS), _LEVELS - 1)

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self._taken == 0:
            return x
        count = x.numel()
        drawn = torch.empty((count + 3) // 4, dtype=torch.int64, device=x.device).random_(-(2**63), None)
        kept = drawn.view(torch.int16)[:count].view(x.shape) >= _LOWEST + self._taken
        # From a byte, as from a truth value torch converts one value at a time.
        return x * (kept.view(torch.uint8).to(x.dtype) * (_LEVELS / (_LEVELS - self._taken)))

    def extra_repr(self) -> str:
        return f"p={self.p}"
