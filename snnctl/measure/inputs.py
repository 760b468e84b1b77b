"""What goes into a network: how much of it is not zero, as streaming sums; nothing is kept of the items."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from snnctl.measure.watcher import Watcher


@dataclass(frozen=True)
class Inputs:
    """What has gone into a network.

    Args:
        items: how many, as the network counts them: of channels that are forecast one by one each is an item.
        nonzero: share of their values that are not 0, 0..1.
        empty: share of items whose values are all 0, 0..1.
        constant: whether all values of all items are the same.
    """

    items: int
    nonzero: float
    empty: float
    constant: bool

    @property
    def blank(self) -> bool:
        """Whether there was nothing to learn from."""
        return self.items > 0 and self.constant

    def to_json(self) -> dict[str, float]:
        """`{nonzero, empty_items}`, shares."""
        return {"nonzero": self.nonzero, "empty_items": self.empty}


class InputMeter(Watcher):
    """Counts what an encoder is given while its `with` block runs; sums go on over several blocks.

    Args:
        encoder: the first part of a network; None, where a network has none, sees nothing.

    Shape:
        inputs [B, ...], numbers or tokens (0 is padding).
    """

    def __init__(self, encoder: nn.Module | None) -> None:
        self._encoder = encoder
        self._items = self._values = 0
        self._nonzero = self._empty = torch.zeros((), dtype=torch.int64)
        self._low = self._high = torch.zeros(())

    def _watches(self) -> Iterator[AbstractContextManager[Any]]:
        if self._encoder is not None:
            yield self._encoder.register_forward_pre_hook(self._count)

    @torch.no_grad()
    def _count(self, _: nn.Module, given: tuple[Any, ...]) -> None:
        if not given or not isinstance(given[0], Tensor) or not given[0].numel():
            return
        x = given[0].detach()
        each = torch.count_nonzero(x.flatten(1) if x.dim() > 1 else x[:, None], dim=1)
        low, high = x.aminmax()
        if self._items:  # sums stay where the batches are: a transfer per batch would wait for the accelerator
            low, high = torch.minimum(low, self._low), torch.maximum(high, self._high)
            self._nonzero, self._empty = self._nonzero + each.sum(), self._empty + (each == 0).sum()
        else:
            self._nonzero, self._empty = each.sum(), (each == 0).sum()
        self._low, self._high = low, high
        self._items += len(x)
        self._values += x.numel()

    def summary(self) -> Inputs:
        """All that has been seen so far; of nothing, shares are nan."""
        if not self._items:
            return Inputs(0, float("nan"), float("nan"), False)
        nonzero, empty = int(self._nonzero), int(self._empty)
        return Inputs(self._items, nonzero / self._values, empty / self._items, bool(self._low == self._high))
