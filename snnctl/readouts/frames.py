"""The read-out of backbones that make frames themselves."""

from __future__ import annotations

from torch import Tensor

from snnctl.core.catalog import READOUTS
from snnctl.core.shapes import ShapeError, SignalSpec
from snnctl.readouts.base import Readout


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
