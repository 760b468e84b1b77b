"""A network over windows that slide on by one row: every window under way at once, each advanced by one position a row.

A recurrent network begins each window at rest, so that its state after one window is no use to the next, which begins
a row later. Called on the whole window, it makes `window` steps for each new row. Here all windows that the newest row
lies in are held at once, as one batch: the window that began k rows ago stands at place k. A new row takes each of
them on by one place, in one step of that batch, and ends the oldest. What is computed is the same, and so are the
answers, to the rounding of products whose batches are of other sizes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, cast

import torch
from torch import Tensor

from snnctl.backbones.parts.recurrence import OverPositions
from snnctl.core.shapes import SignalSpec
from snnctl.engine.experiment import Network


@dataclass(frozen=True)
class Under:
    """All windows under way after a row; a value, so that it can be kept and gone back to.

    Args:
        rows: the last raw rows [G, 1, F] that the encoder reaches over.
        count: rows seen.
        states: of the layers after that row, leaves with places as their batch; None = nothing has been seen.
        sums: [places x G, D], spikes summed over T and over the places of each window so far; None where not needed.
        outputs: mean spikes over T at every place, [places x G, D], of the last rows; empty where not needed.
        last: [T, G, 1, D], the output at the last place.
    """

    rows: tuple[Tensor, ...] = ()
    count: int = 0
    states: Any = None
    sums: Tensor | None = None
    outputs: tuple[Tensor, ...] = ()
    last: Tensor | None = None


def why_not(network: Network, window: int) -> str:
    """Why windows of a network cannot be advanced row by row, the answers unchanged, in words; "" where they can."""
    backbone: Any = network.backbone
    encoder, readout = network.encoder, network.readout
    if network.ragged or not backbone.by_position:
        return f"{_called(backbone)} does not go from position to position with a state"
    if encoder.reach is None:
        return f"what the encoder {_called(encoder)} makes of a row depends on where in the window it stands"
    if not backbone.position.adds_code:
        return f"the position {_called(backbone.position)} looks at neighbouring rows"
    if readout.over_positions is None:
        return f"the read-out {_called(readout)} needs every step of the whole window"
    if sum(encoder.reach) >= window:
        return "the encoder reaches over the whole window"
    if any(getattr(module, "always_batch", False) for module in network.modules()):
        return "a norm takes the statistics of its batch"
    signal = network.signals["encoder"]
    if signal.length != window:
        return "the encoder gives another number of positions than there are rows"
    example = next(network.parameters()).new_zeros(signal.steps, 1, 1, signal.features)
    if -1 in _leaves(_batch_axes(backbone, example)):
        return "a neuron counts the steps since the window began"
    return ""


class SlidingNetwork:
    """The windows of one series under way through a network.

    Args:
        network: ready to predict, of which `why_not` says nothing.
        window: L, rows that it sees.
        like: an input [G, *, F] of G items at once; its size counts, and where it lies.
    """

    def __init__(self, network: Network, window: int, like: Tensor) -> None:
        self.network, self.window, self.items = network, window, len(like)
        reach = network.encoder.reach
        assert reach is not None, "`why_not` asks for that"
        self.back, self.ahead = reach
        self.places = window - self.ahead
        self._backbone = cast(OverPositions, network.backbone)
        self._gathered = network.readout.over_positions
        signal: SignalSpec = network.signals["encoder"]
        position = self._backbone.position
        empty = like.new_zeros(signal.steps, 1, window, signal.features)
        # What the position adds or sets beside, place by place; None where it does neither.
        added = position(empty)
        self._added = None if added.shape == empty.shape and not added.any() else added
        self._code = position.place(empty).code
        one = empty[:, :, :1]
        self._axes = _batch_axes(self._backbone, one)
        self._rest = self._backbone.before_first(one.expand(-1, self.items, -1, -1))
        self._among = self._sharing(like.device)
        self.under = Under()

    @property
    def full(self) -> bool:
        """Whether a window has ended."""
        return self.under.count >= self.window

    def restart(self) -> None:
        """Forget all rows."""
        self.under = Under()

    def size(self) -> int:
        """About how many bytes it holds once windows are under way."""
        leaves = [leaf for leaf in _leaves(self._rest) if isinstance(leaf, Tensor)]
        held = sum(leaf.numel() * leaf.element_size() for leaf in leaves)
        outputs = 4 * self.items * self.network.signals["backbone"].features
        return self.places * (held + outputs * (self.places if self._gathered == "all" else 1))

    def push(self, row: Tensor) -> None:
        """Take all windows on by one row, [G, 1, F]."""
        rows = (*self.under.rows, row)[-(self.back + 1 + self.ahead) :]
        self.under = replace(self.under, rows=rows, count=self.under.count + 1)
        if len(rows) > self.ahead:
            self.under = self._advanced(self.under)

    def answer(self, data: Tensor) -> Tensor:
        """What the network says of the window that the last row ends.

        Args:
            data: that window, [G, L, F], for paths that lead past the spikes.

        Returns:
            [G, outputs].
        """
        assert self.full, "a window has ended"
        found: Tensor = self.network.readout(self._gather(), data)
        return found

    def _sharing(self, device: torch.device) -> Tensor:
        """Which of the encoded rows each window sees: near its start it lacks rows before, as no other does."""
        kinds = torch.arange(self.places, device=device).clamp(max=self.back)
        return (kinds[:, None] * self.items + torch.arange(self.items, device=device)).flatten()

    def _encoded(self, rows: tuple[Tensor, ...]) -> Tensor:
        """The row before the last `ahead` ones as windows at place 0, 1, ... see it, `back` + 1 of them.

        Returns:
            [T, (back + 1) x G, 1, F].
        """
        here, found = len(rows) - 1 - self.ahead, []
        for place in range(self.back + 1):
            reach = min(place, here)  # at the start of a series no window that counts lacks rows
            spikes = self.network.encoder(torch.cat(rows[here - reach :], dim=1))
            found.append(spikes[:, :, reach : reach + 1])
        return torch.cat(found, dim=1) if self.back else found[0]

    def _advanced(self, under: Under) -> Under:
        x, among, every = self._encoded(under.rows), self._among, slice(0, self.places)
        if self._added is not None or self._code is not None:
            y, states = self._at(x.index_select(1, among), self._begun(under.states), every)
        else:
            y, states = self._backbone.advance(x, self._begun(under.states), among=among)
            if y.shape[1] != len(among):
                y = y.index_select(1, among)
        sums, outputs = under.sums, under.outputs
        if self._gathered == "mean":
            now = y.sum(dim=0)[:, 0]
            before = now.new_zeros(now.shape) if sums is None else sums
            sums = now + torch.cat((torch.zeros_like(now[: self.items]), before[: -self.items]))
        elif self._gathered == "all":
            outputs = (*outputs, y.mean(dim=0)[:, 0])[-self.places :]
        return replace(under, states=states, sums=sums, outputs=outputs, last=y[:, -self.items :])

    def _begun(self, states: Any) -> Any:
        """The states before a row: that of the window that begins with it, then those of all others but the oldest."""
        if states is None:
            return _map(lambda rest, axis: torch.cat([rest] * self.places, dim=axis), self._rest, self._axes)
        kept = (self.places - 1) * self.items

        def moved(rest: Tensor, state: Tensor, axis: int) -> Tensor:
            return torch.cat((rest, state.narrow(axis, 0, kept)), dim=axis)

        return _map(moved, self._rest, states, self._axes)

    def _at(self, x: Tensor, states: Any, places: slice) -> tuple[Tensor, Any]:
        """Advance windows at `places` by one; x [T, places x G, 1, F], place by place."""
        code = None
        if self._added is not None:
            added = self._added[:, 0, places].repeat_interleave(self.items, dim=1)[:, :, None]
            own = x.shape[-1]
            x = torch.cat((x + added[..., :own], added[..., own:]), dim=-1)
        if self._code is not None:
            code = self._code[:, 0, places].repeat_interleave(self.items, dim=1)[:, :, None]
        found: tuple[Tensor, Any] = self._backbone.advance(x, states, code)
        return found

    def _last_places(self, under: Under) -> list[Tensor]:
        """Outputs [T, G, 1, D] at the places whose rows the encoder sees beyond the end of the window, as zeros."""
        if not self.ahead:
            return []
        first = (self.places - 1) * self.items
        states = _map(lambda state, axis: state.narrow(axis, first, self.items), under.states, self._axes)
        x = self.network.encoder(torch.cat(under.rows[-(self.back + self.ahead) :], dim=1))[:, :, -self.ahead :]
        found = []
        for further in range(self.ahead):
            place = self.places + further
            y, states = self._at(x[:, :, further : further + 1], states, slice(place, place + 1))
            found.append(y)
        return found

    def _gather(self) -> Tensor:
        """What the read-out takes of the window that has ended, as spikes that say the same, [T or 1, G, *, D]."""
        under, ends = self.under, self._last_places(self.under)
        if self._gathered == "mean":
            assert under.sums is not None, "made with every row"
            total = under.sums[-self.items :]
            for y in ends:
                total = total + y.sum(dim=0)[:, 0]
            return (total / (self.network.signals["backbone"].steps * self.window))[None, :, None]
        if self._gathered == "all":
            places = [each[at * self.items : (at + 1) * self.items] for at, each in enumerate(under.outputs)]
            return torch.stack([*places, *(y.mean(dim=0)[:, 0] for y in ends)], dim=1)[None]
        last = ends[-1] if ends else under.last
        assert last is not None, "made with every row"
        return last


def _called(part: object) -> str:
    return type(part).__name__


def _batch_axes(backbone: Any, one: Tensor) -> Any:
    """The axis of each leaf of a state that runs over the items of a batch; -1 where none does."""
    single, double = (backbone.before_first(one.expand(-1, count, -1, -1)) for count in (1, 2))

    def axis(a: Tensor, b: Tensor) -> int:
        found = [i for i, (m, n) in enumerate(zip(a.shape, b.shape, strict=True)) if m != n]
        return found[0] if found else -1

    return _map(axis, single, double)


def _map(function: Callable[..., Any], *trees: Any) -> Any:
    """`function` of the leaves of trees that are alike: lists and tuples of tensors, None where there is no state."""
    if isinstance(trees[0], list | tuple):
        return tuple(_map(function, *each) for each in zip(*trees, strict=True))
    return None if trees[0] is None else function(*trees)


def _leaves(tree: Any) -> list[Any]:
    return [leaf for each in tree for leaf in _leaves(each)] if isinstance(tree, list | tuple) else [tree]
