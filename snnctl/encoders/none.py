"""No encoding: data that bring their own steps go to the backbone as they are."""

from __future__ import annotations

from torch import Tensor

from snnctl.core.catalog import ENCODERS
from snnctl.core.shapes import ShapeError, SignalSpec
from snnctl.encoders.base import AnyEncoder


@ENCODERS.register("none")
class NoEncoder(AnyEncoder):
    """Hands on data that bring their own steps; spikes stay spikes, other values become currents.

    Equation:
        S[t] = x[t]

    Args:
        signal: data with frames, [B, T, L, C]: spikes, counts, or real values at every step.

    Shape: [B, T, L, C] -> [T, B, L, C].

    Raises:
        ShapeError: the data bring no steps.
    """

    def __init__(self, signal: SignalSpec) -> None:
        super().__init__()
        if signal.steps or not signal.frames:
            message = f"`none` takes data that bring their own steps, not {signal.describe()}"
            raise ShapeError(message, knob="type", help="an encoder such as `repeat` or `conv` makes steps")
        self.output = signal.replace(steps=signal.frames, frames=0)

    def forward(self, x: Tensor) -> Tensor:
        return x.transpose(0, 1)

    def extra_repr(self) -> str:
        return self.output.describe()
