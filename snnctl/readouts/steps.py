"""Read-outs that answer at every step, or with the frames that a backbone has made."""

from __future__ import annotations

from torch import Tensor, nn

from snnctl.core.catalog import READOUTS
from snnctl.core.shapes import ShapeError, SignalSpec
from snnctl.readouts.base import Readout


@READOUTS.register("step_linear")
class StepLinear(Readout):
    """Linear map of the spikes of each step, the mean over positions; it remembers nothing itself.

    Equation:
        y[t] = W * mean_l x[t, l] + b

    Args:
        signal: the backbone's output [T, B, L, D].
        outputs: numbers to predict per sample and step.
        data: the raw data; not used.

    Shape: [T, B, L, D] -> [B, T, outputs].
    """

    answers = "step"

    def __init__(self, signal: SignalSpec, outputs: int, data: SignalSpec | None = None) -> None:
        super().__init__(signal, outputs)
        self.linear = nn.Linear(signal.features, outputs)

    def read(self, spikes: Tensor) -> Tensor:
        y: Tensor = self.linear(spikes.mean(dim=2)).transpose(0, 1)
        return y


@READOUTS.register("frames")
class Frames(Readout):
    """Hands on the frames that the backbone has made; a network that goes on from its own output reads it out itself.

    Equation:
        y[t] = x[t]

    Args:
        signal: the backbone's output, frames [F, B, L, C] of real numbers.
        outputs: values per pixel, C.
        data: the raw data; not used.

    Shape: [F, B, L, C] -> [B, F, L, C].

    Raises:
        ShapeError: the backbone makes no frames.
    """

    answers = "frames"

    def __init__(self, signal: SignalSpec, outputs: int, data: SignalSpec | None = None) -> None:
        super().__init__(signal, outputs)
        if signal.features != outputs or signal.kind != "real":
            message = (
                f"`frames` hands on frames of {outputs} values per pixel, and the backbone gives {signal.describe()}"
            )
            raise ShapeError(message, knob="type", help="backbones that make frames: video_stack, sim_vp")

    def read(self, spikes: Tensor) -> Tensor:
        return spikes.transpose(0, 1)
