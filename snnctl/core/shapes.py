"""Signals between components: which axes, how large, spikes or real numbers.

Axis letters, one meaning each in the whole project: T simulation steps, B batch, L position in the data
sequence, C channels or variables, H W space, D model width. Activations are time-first: [T, B, L, D].
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Literal

Kind = Literal["real", "spikes", "tokens"]


@dataclass(frozen=True)
class SignalSpec:
    """What flows from one component to the next; the batch axis is implied.

    Args:
        steps: T, or 0 for data that has not been encoded yet ([B, L, C]).
        length: L, positions in the sequence.
        features: C or D, size of the last axis.
        kind: "spikes" (whole numbers 0..levels), "real", or "tokens" (whole numbers 0..features-1 without a last
            axis, [B, L]; 0 is padding).
        levels: highest spike value, 1 = binary; meaningless for others.
        ragged: whether sequences of a batch differ in length, L being the longest possible; activations are then
            packed, see `snnctl.positions.ragged`.
        words: what each token stands for, by number; empty where that is not known.
        grid: (rows, columns) of an image whose positions these are, row by row; None for a sequence.
        frames: steps that the data itself has, before encoding ([B, frames, L, C]); 0 = none.
        dt_ms: what one of the data's own steps lasts, in milliseconds; 0 = not known.
        ahead: frames to be predicted after those that are seen; 0 = no video is to be continued.
        known: covariates that are known ahead: they are the last features, in their own rows and `later_by` rows later.
        horizon: rows ahead for which they are known.
        known_neurons: spiking neurons of the read-out that decode them.
    """

    steps: int
    length: int
    features: int
    kind: Kind = "real"
    levels: int = 1
    ragged: bool = False
    words: tuple[str, ...] = field(default=(), repr=False, compare=False)
    grid: tuple[int, int] | None = None
    frames: int = 0
    dt_ms: float = 0.0
    ahead: int = 0
    known: int = 0
    horizon: int = 0
    known_neurons: int = 0

    def shape(self, batch: int) -> tuple[int, ...]:
        """The tensor's shape for a batch of `batch`, padded to full length where it is ragged."""
        if self.kind == "tokens":
            return (batch, self.length)
        inner = (batch, *self.inner)
        return (self.steps, *inner) if self.steps else inner

    @property
    def inner(self) -> tuple[int, ...]:
        """The axes of one item, without T: those that a read-out of the raw data flattens."""
        return (*((self.frames,) if self.frames else ()), self.length, self.features)

    def describe(self) -> str:
        """`T=4 L=168 D=256 spikes`, for tables and messages."""
        length = f"L{'<=' if self.ragged else '='}{self.length}"
        if self.kind == "tokens":
            return f"{length} {self.features} tokens"
        head = f"T={self.steps} " if self.steps else ""
        kind = self.kind if self.kind == "real" or self.levels == 1 else f"spikes 0..{self.levels}"
        head += f"frames={self.frames} " if self.frames else ""
        head += f"ahead={self.ahead} " if self.ahead else ""
        grid = f" ({self.grid[0]} x {self.grid[1]})" if self.grid else ""
        dt = f", {self.dt_ms:.4g} ms a step" if self.dt_ms else ""
        return f"{head}{length}{grid} D={self.features} {kind}{dt}"

    def replace(self, **changes: Any) -> SignalSpec:
        return replace(self, **changes)


def later_by(length: int, horizon: int) -> tuple[int, ...]:
    """How many rows later than their own covariates that are known ahead are shown, so that all of the horizon is.

    The last copy ends with the last row of the horizon; where that is longer than the window, there are several.
    """
    copies = -(-horizon // length)
    return tuple(horizon - (copies - 1 - copy) * length for copy in range(copies))


def places_ahead(length: int, horizon: int) -> list[tuple[int, int]]:
    """For each step of the horizon: the row of the window, and which of the later copies there, that show it."""
    later = later_by(length, horizon)
    found = []
    for step in range(length, length + horizon):
        copy = next(i for i, shift in enumerate(later) if step - shift < length)
        found.append((step - later[copy], copy))
    return found


class ShapeError(ValueError):
    """Two components do not fit each other, or a knob does not fit the data's shape.

    Args:
        message: one terse sentence.
        knob: the constructor parameter to change, if one is to blame.
        help: what to do next.
    """

    def __init__(self, message: str, *, knob: str = "", help: str = "") -> None:
        super().__init__(message)
        self.message, self.knob, self.help = message, knob, help
