"""The network of one series of a stream, carried from row to row."""

from __future__ import annotations

import torch
from torch import Tensor

from snnctl.engine.experiment import Network
from snnctl.engine.sliding import SlidingNetwork, Under


class Carrying:
    """A network that is called with whole windows [G, L, F], and runs only what is new in them.

    Rows are numbered as `snnctl.data.series.arriving` numbers them. Where what a row shows has changed, it goes back to
    before that row: `keep` says before which rows that may happen.

    Args:
        network: ready to predict, of which `snnctl.engine.sliding.why_not` says nothing.
        window: L, rows that it sees.
    """

    def __init__(self, network: Network, window: int) -> None:
        self._network, self._window = network, window
        self._sliding: SlidingNetwork | None = None
        self._kept: dict[int, Under] = {}
        self._next = 0  # row that it has not seen yet
        self._row, self._keep = 0, frozenset[int]()

    def size(self) -> int:
        """About how many bytes it holds."""
        return 0 if self._sliding is None else self._sliding.size()

    def at(self, row: int, changed: int, keep: set[int]) -> None:
        """What the next window ends with.

        Args:
            row: its last row.
            changed: the first row that shows something else than in the window before.
            keep: rows that may still change.
        """
        self._row, self._keep = row, frozenset(keep)
        self.changed(changed)

    def changed(self, row: int) -> None:
        """Go back to before a row."""
        if row >= self._next:
            return
        under = self._kept.get(row)
        self._kept = {number: each for number, each in self._kept.items() if number <= row}
        if under is None or self._sliding is None:
            self.restart()
        else:
            self._sliding.under, self._next = under, row

    def restart(self) -> None:
        """Forget all rows: windows begin anew, or too much has changed."""
        self._kept, self._next = {}, -1
        if self._sliding is not None:
            self._sliding.restart()

    def __call__(self, x: Tensor) -> Tensor:
        """What the network says of a window [G, n, F]; zeros while it is no whole one."""
        items, count, _ = x.shape
        sliding = self._sliding = self._sliding or SlidingNetwork(self._network, self._window, x)
        new = self._row + 1 - self._next
        if self._next < 0 or new > count or sliding.under.count == 0:
            sliding.restart()
            self._kept, new = {}, count
        for place in range(count - new, count):
            number = self._row - (count - 1 - place)
            if number in self._keep:
                self._kept[number] = sliding.under
            sliding.push(x[:, place : place + 1])
        self._next = self._row + 1
        oldest = self._row - self._window
        if self._kept:
            self._kept = {
                number: each for number, each in self._kept.items() if number in self._keep and number > oldest
            }
        if count < self._window:
            return x.new_zeros(items, self._network.readout.outputs)
        return sliding.answer(x)


def agree(a: Tensor, b: Tensor) -> bool:
    """Whether two answers are the same but for rounding."""
    return torch.allclose(a, b, rtol=1e-4, atol=1e-5)
