"""A bias on attention maps that falls with the logarithm of the distance."""

from __future__ import annotations

import torch
from torch import Tensor

from snnctl.core.catalog import POSITIONS
from snnctl.core.shapes import SignalSpec
from snnctl.positions.base import Needs, Place, TablePosition, positions
from snnctl.positions.ragged import Ragged


@POSITIONS.register("log")
class LogDistance(TablePosition):
    """Log-PE: whole numbers, fixed in advance, that favour near positions in an attention map.

    The fraction under the logarithm is our reading of a damaged formula: the only one that is never negative and
    falls with distance. On dot-product maps the authors saw training fail.

    Equation:
        R[i, j] = ceil(log2((L - 1) / (|i - j| + 1))), at least 0
        map     = map + R

    Args:
        signal: what comes in; optional, `attention_bias` works without.

    Shape: [T, B, L, D] -> [T, B, L, D]; it acts on attention maps alone.

    Source: Lv et al. 2025, "Toward relative positional encoding in spiking transformers", arXiv 2501.16745.
    """

    needs: Needs | None = "pairs"

    def __init__(self, signal: SignalSpec | None = None) -> None:
        super().__init__(signal, rows=0)
        if signal is not None:  # sized at once: an average of the network's buffers is taken while it trains
            self._rows = self.table(signal.length).to(torch.get_default_dtype())

    def describe(self, signal: SignalSpec) -> SignalSpec:
        return signal

    def code(self, length: int) -> Tensor:
        return torch.empty(length, 0, device="cpu")

    def table(self, length: int) -> Tensor:
        """R itself, one row per position."""
        # Whole-number arithmetic: ceil(log2(a / b)) is the smallest k with b * 2^k >= a.
        by_distance = [next(k for k in range(64) if (distance + 1) << k >= length - 1) for distance in range(length)]
        index = torch.arange(length, device="cpu")
        return torch.tensor(by_distance, device="cpu")[(index[:, None] - index).abs()]

    def attention_bias(self, length: int) -> Tensor | None:
        return self.table(length).to(torch.get_default_dtype())

    def place(self, x: Tensor, tokens: Ragged | None = None) -> Place:
        return Place(bias=self.disturb(self._bias(positions(x, tokens), x), (0, 1)))

    def _bias(self, length: int, like: Tensor) -> Tensor:
        # The map of a shorter sequence is not a part of the map of a longer one: L is in the formula.
        if self._rows.shape[0] != length or (self._rows.is_meta and not like.is_meta):
            with torch.inference_mode(False):
                self._rows = self.table(length).to(like.device, torch.get_default_dtype())
        return self._rows.to(device=like.device, dtype=like.dtype)

    def forward(self, x: Tensor, tokens: Ragged | None = None) -> Tensor:
        return x
