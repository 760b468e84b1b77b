"""Signals between components: which axes, how large, spikes or real numbers.

Axis letters, one meaning each in the whole project: T simulation steps, B batch, L position in the data
sequence, C channels or variables, H W space, D model width. Activations are time-first: [T, B, L, D].
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

Kind = Literal["real", "spikes"]


@dataclass(frozen=True)
class SignalSpec:
    """What flows from one component to the next; the batch axis is implied.

    Args:
        steps: T, or 0 for data that has not been encoded yet ([B, L, C]).
        length: L, positions in the sequence.
        features: C or D, size of the last axis.
        kind: "spikes" (whole numbers 0..levels) or "real".
        levels: highest spike value, 1 = binary; meaningless for "real".
    """

    steps: int
    length: int
    features: int
    kind: Kind = "real"
    levels: int = 1

    def shape(self, batch: int) -> tuple[int, ...]:
        """The tensor's shape for a batch of `batch`."""
        inner = (batch, self.length, self.features)
        return (self.steps, *inner) if self.steps else inner

    def describe(self) -> str:
        """`T=4 L=168 D=256 spikes`, for tables and messages."""
        head = f"T={self.steps} " if self.steps else ""
        kind = self.kind if self.kind == "real" or self.levels == 1 else f"spikes 0..{self.levels}"
        return f"{head}L={self.length} D={self.features} {kind}"

    def replace(self, **changes: Any) -> SignalSpec:
        """A copy with some fields changed."""
        return replace(self, **changes)


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
