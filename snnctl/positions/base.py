"""The contract of positional encodings, and the shared handling of precomputed tables."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor, nn

from snnctl.core.catalog import POSITIONS
from snnctl.core.shapes import SignalSpec


class Position(nn.Module):
    """Base of all positional encodings: [T, B, L, D] -> [T, B, L, D'].

    A subclass sets its knobs before it calls this constructor, which asks `describe` for the output.

    Args:
        signal: what comes in; `output` exists only when it is given.
    """

    output: SignalSpec
    binary: bool = True  # whether binary spikes stay binary

    def __init__(self, signal: SignalSpec | None = None) -> None:
        super().__init__()
        if signal is not None:
            self.output = self.describe(signal)

    @abstractmethod
    def describe(self, signal: SignalSpec) -> SignalSpec:
        """The output that belongs to the input `signal`."""


# Below the class: a quoted name would not resolve where other modules' annotations are evaluated.
PositionFactory = Callable[[SignalSpec], Position]


class TablePosition(Position):
    """An encoding that is a fixed table with one row per position.

    The table is a non-persistent buffer: it follows the module to a device, but is neither a weight nor
    part of a checkpoint. It grows when a longer input arrives.
    """

    _rows: Tensor

    def __init__(self, signal: SignalSpec | None, rows: int) -> None:
        super().__init__(signal)
        self.register_buffer("_rows", self.code(rows), persistent=False)

    @abstractmethod
    def table(self, length: int) -> Tensor:
        """The first `length` rows, computed on the CPU whatever the default device."""

    def code(self, length: int) -> Tensor:
        """The first `length` rows [length, n], on the CPU in the default dtype."""
        return self.table(length).to(torch.get_default_dtype())

    def rows(self, count: int, like: Tensor) -> Tensor:
        """The first `count` rows on the device and in the dtype of `like`."""
        too_short = self._rows.shape[0] < count
        if too_short or (self._rows.is_meta and not like.is_meta):
            # Not an inference tensor: the same table serves training later.
            with torch.inference_mode(False):
                self._rows = self.table(count).to(device=like.device, dtype=self._rows.dtype)
        return self._rows[:count].to(device=like.device, dtype=like.dtype)


def oscillation(length: int, width: int, base: float) -> Tensor:
    """Sine and cosine pairs in float64 on the CPU: the transformer's sinusoid, and a CPG's membranes.

    Equation:
        u[p, 2k] = sin(p * base^(-2k/width)),  u[p, 2k+1] = cos(p * base^(-2k/width))

    Args:
        length: number of positions p = 0, 1, ...
        width: number of columns; an odd width ends with a sine.
        base: ratio of the frequency ladder.
    """
    position = torch.arange(length, dtype=torch.float64, device="cpu")
    pair = torch.arange((width + 1) // 2, dtype=torch.float64, device="cpu")
    phase = position[:, None] * base ** (-2 * pair / width)
    return torch.stack((phase.sin(), phase.cos()), dim=-1).flatten(1)[:, :width]


def position_factory(position: str | PositionFactory) -> PositionFactory:
    """A factory `signal -> position` from a registered name, or the factory that was given."""
    return POSITIONS.get(position) if isinstance(position, str) else position
