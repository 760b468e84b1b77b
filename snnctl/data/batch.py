"""What a data module hands to the engine: batches of items, and splits that make them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor


@dataclass(frozen=True)
class Batch:
    """Items and what is to be predicted of them: windows and what follows, or inputs and their classes.

    Args:
        inputs: [B, L, C_in] float32; in forecasting the C target channels first, calendar features after them.
            Tokens are [B, L] int64, padded with 0.
        targets: [B, H, C] float32 in forecasting, [B] int64 in classification.
        observed: shaped as the targets, False where one was missing in the data; None when all are observed.
        soft: [B, K] shares of the classes where items are mixed ones; `targets` is then the class of the first.
    """

    inputs: Tensor
    targets: Tensor
    observed: Tensor | None = None
    soft: Tensor | None = None

    def to(self, device: torch.device | str) -> Batch:
        """The same batch on `device`."""
        observed, soft = (None if part is None else part.to(device) for part in (self.observed, self.soft))
        return Batch(self.inputs.to(device), self.targets.to(device), observed, soft)

    def __len__(self) -> int:
        return len(self.inputs)


class Split(Protocol):
    """One of train, val and test: items that can be gathered by index."""

    def __len__(self) -> int:
        """How many items."""

    def batch(self, indices: Tensor) -> Batch:
        """The items at `indices` (int64 [B])."""
