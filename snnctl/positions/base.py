"""The contract of positional encodings, and what they share: tables, codes beside features, grids of images."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, ClassVar, Literal, NamedTuple

import torch
from annotated_types import Ge, Le, MaxLen, MinLen
from torch import Tensor, nn

from snnctl.core.catalog import POSITIONS
from snnctl.core.memory import memory_bytes
from snnctl.core.shapes import ShapeError, SignalSpec
from snnctl.positions.ragged import Ragged

Disturbance = Literal["removed", "shuffled"]
MapKind = Literal["dot", "xnor"]
# What a position can ask of the attention behind it: `agreement`, a map that counts agreeing channels; `pairs`,
# anything that weighs pairs of positions by a bias.
Needs = Literal["agreement", "pairs"]
Combine = Literal["concat", "add"]
Columns = Annotated[int, Ge(1), Le(65_536)]  # of a code
Index = Literal["TL", "L"]  # what a row of a code belongs to: a position at one step, or a position
Grid = Annotated[list[Annotated[int, Ge(1)]], MinLen(2), MaxLen(2)] | Literal["sequence"]


_VALUE = 8  # bytes; tables are computed in float64
_SMALL = 1 << 22  # values of a table that is computed though nothing will run


class Place(NamedTuple):
    """What a position hands to the layers behind it.

    Args:
        code: [T or 1, 1, L, n] for layers with weights for it, or None.
        bias: [L, L] that is added to attention maps before their scale, or None.
    """

    code: Tensor | None = None
    bias: Tensor | None = None


class Position(nn.Module):
    """Base of all positional encodings: [T, B, L, D] -> [T, B, L, D'].

    Both methods also take a batch of sequences of different lengths (`tokens`), whose tokens come packed, [T, 1, N, D].

    A position acts in up to three places. `forward` changes the backbone's input. `place` gives the layers behind
    it a code, for which they have extra weights (`input_code` columns in the first layer, `block_code` in those of
    every block), and a bias for attention (where `needs` is not None).

    A subclass sets its knobs before it calls this constructor, which asks `describe` for the output.

    Args:
        signal: what comes in; `output` exists only when it is given, codes and biases without it, too.
    """

    output: SignalSpec
    binary: bool = True  # whether binary spikes stay binary
    index: Index = "L"
    input_code: int = 0
    block_code: int = 0
    needs: Needs | None = None  # of attention; None works without any
    adds_code: ClassVar[bool] = False  # whether `forward` sets a code of the place beside its input or adds it, no more
    shown: ClassVar[tuple[str, ...]] = ()  # attributes that stand in its repr

    def __init__(self, signal: SignalSpec | None = None) -> None:
        super().__init__()
        self._disturbance: Disturbance | None = None
        self._disturbance_seed = 0
        if signal is not None:
            self.output = self.describe(signal)

    def describe(self, signal: SignalSpec) -> SignalSpec:
        """The output that belongs to the input `signal`: the same, unless `forward` changes it."""
        return signal

    def code(self, length: int) -> Tensor:
        """The first `length` rows [length, n] of the code, on the CPU; [length, 0] where there is none."""
        return torch.empty(length, 0, device="cpu")

    def attention_bias(self, length: int) -> Tensor | None:
        """Whole numbers [length, length] that weigh pairs of positions, on the CPU; None where there are none."""
        return None

    def place(self, x: Tensor, tokens: Ragged | None = None) -> Place:
        """What the layers behind get for the input `x` [T, B, L, D] of `forward`."""
        return Place()

    def forward(self, x: Tensor, tokens: Ragged | None = None) -> Tensor:
        return x

    def extra_repr(self) -> str:
        return ", ".join(f"{name}={getattr(self, name)!r}" for name in self.shown)

    @contextmanager
    def disturbed(self, kind: Disturbance, *, seed: int = 0) -> Iterator[None]:
        """Within the block the code (or bias) is `removed`, all zeros, or its positions are `shuffled`.

        For measuring what a trained network does with its position.

        Args:
            seed: of the permutation, which is the same for all steps and samples.
        """
        before = self._disturbance, self._disturbance_seed
        self._disturbance, self._disturbance_seed = kind, seed
        try:
            yield
        finally:
            self._disturbance, self._disturbance_seed = before

    def disturb(self, code: Tensor, axes: tuple[int, ...]) -> Tensor:
        """`code` as it is, or as `disturbed` asks; `axes` are those that run over positions."""
        if self._disturbance is None:
            return code
        if self._disturbance == "removed":
            return torch.zeros_like(code)
        generator = torch.Generator(device="cpu").manual_seed(self._disturbance_seed)
        order = torch.randperm(code.shape[axes[0]], generator=generator, device="cpu").to(code.device)
        for axis in axes:
            code = code.index_select(axis, order)
        return code

    def laid_out(self, rows: Callable[[int], Tensor], x: Tensor, tokens: Ragged | None) -> Tensor:
        """The code of each place of `x` [T, B, L, D]: [T, 1, L, n] by index TL, [1, 1, L, n] by L.

        Args:
            rows: gives the first rows of the code, [count, n].
        """
        steps, length = x.shape[0] if self.index == "TL" else 1, positions(x, tokens)
        code = self.disturb(rows(steps * length).view(steps, 1, length, -1), (2,))
        return code if tokens is None else tokens.locate(code)


@POSITIONS.register("none")
class NoPosition(Position):
    """Returns its input: the network is told nothing about position.

    Shape: [T, B, L, D] -> [T, B, L, D].
    """

    adds_code = True


# Below the class: a quoted name would not resolve where other modules' annotations are evaluated.
PositionFactory = Callable[[SignalSpec], Position]


class TablePosition(Position):
    """An encoding that is a fixed table with one row per position.

    The table is a non-persistent buffer: it follows the module to a device, but is neither a weight nor
    part of a checkpoint. It grows when a longer input arrives.

    Args:
        rows: how many rows to compute at once; None asks `index` and `signal`.
    """

    _rows: Tensor

    def __init__(self, signal: SignalSpec | None, rows: int | None = None) -> None:
        super().__init__(signal)
        if rows is None:
            rows = 0 if signal is None else self.in_use(signal)
        columns = self.code(1).shape[1] if rows else 0
        self.register_buffer("_rows", self.code(rows if worth_computing(rows, columns) else 0), persistent=False)

    def in_use(self, signal: SignalSpec) -> int:
        """How many rows a signal needs."""
        return signal.length * (signal.steps if self.index == "TL" else 1)

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

    def located(self, x: Tensor, tokens: Ragged | None = None) -> Tensor:
        """The rows laid out over the places of `x`."""
        return self.laid_out(lambda count: self.rows(count, x), x, tokens)


def worth_computing(rows: int, columns: int) -> bool:
    """Whether a table is computed as a network is built: not a large one of a network on `meta`, which only is checked.

    Raises:
        ShapeError: no memory of this machine holds it.
    """
    if rows * columns * _VALUE > memory_bytes():
        message = f"a table of {rows:,} positions and {columns:,} columns takes more than the memory of this machine"
        raise ShapeError(message, help="fewer steps, a shorter window, or another position")
    return rows * columns <= _SMALL or torch.get_default_device().type != "meta"


def positions(x: Tensor, tokens: Ragged | None) -> int:
    """How many positions there are: those of `x` [T, B, L, D], or as many as its packed sequences may have."""
    return x.shape[2] if tokens is None else tokens.length


def combined(x: Tensor, code: Tensor, combine: Combine = "concat") -> Tensor:
    """`x` [T, B, L, D] with `code` [T or 1, 1, L, n] beside its features or added to them."""
    return x + code if combine == "add" else torch.cat((x, code.expand(*x.shape[:-1], code.shape[-1])), dim=-1)


def combined_signal(signal: SignalSpec, neurons: int, combine: Combine) -> SignalSpec:
    """What comes of a signal and a binary code of `neurons` columns.

    Raises:
        ShapeError: the code is to be added, and `neurons` is not the signal's width.
    """
    if combine == "concat":
        return signal.replace(features=signal.features + neurons)
    if signal.features != neurons:
        message = f"`neurons` {neurons} must equal the width {signal.features} when `combine` is add"
        raise ShapeError(message, knob="neurons", help=f"use `neurons: {signal.features}` or `combine: concat`")
    return signal.replace(levels=signal.levels + 1)


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
    phase = position[:, None] * frequencies(width, base)
    return torch.stack((phase.sin(), phase.cos()), dim=-1).flatten(1)[:, :width]


def frequencies(width: int, base: float) -> Tensor:
    """Angular frequency of each pair in radians per position, float64 on the CPU: base^(-2k/width)."""
    pair = torch.arange((width + 1) // 2, dtype=torch.float64, device="cpu")
    return base ** (-2 * pair / width)


def position_factory(position: str | PositionFactory) -> PositionFactory:
    """A factory `signal -> position` from a registered name, or the factory that was given."""
    return POSITIONS.get(position) if isinstance(position, str) else position


def check_grid(grid: Sequence[int] | str | None, signal: SignalSpec) -> tuple[int, int] | None:
    """`grid` as (rows, columns), or None for a sequence; a `grid` of None is that of the signal.

    Raises:
        ShapeError: it does not have two sizes, or their product is not the signal's length.
    """
    if grid is None or isinstance(grid, str):
        return signal.grid if grid is None else None
    if len(grid) != 2:
        raise ShapeError(f"`grid` needs two sizes, got {len(grid)}", knob="grid", help="grid: [rows, columns]")
    rows, columns = grid
    if rows * columns != signal.length:
        message = f"`grid` {rows} x {columns} does not hold the {signal.length} positions of the signal"
        raise ShapeError(message, knob="grid", help="rows times columns must be L")
    return rows, columns
