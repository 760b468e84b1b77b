"""Read-outs without weights: what the network gives is the answer, as a mean over T or at every step."""

from __future__ import annotations

from torch import Tensor

from snnctl.core.catalog import READOUTS
from snnctl.core.shapes import ShapeError, SignalSpec
from snnctl.readouts.base import Readout


class PlainReadout(Readout):
    """What both share: the network has one output for each number of the answer."""

    def __init__(self, signal: SignalSpec, outputs: int, data: SignalSpec | None = None) -> None:
        super().__init__(signal, outputs)
        if signal.length * signal.features != outputs:
            given = signal.length * signal.features
            message = f"the network has {given} outputs, and the task needs {outputs}"
            raise ShapeError(message, knob="type", help="take a read-out with weights, such as mean_linear")


@READOUTS.register("mean")
class Mean(PlainReadout):
    """The mean over T of what the network gives, without weights: of spikes, their rate.

    Equation:
        y = mean_t x[t]

    Args:
        signal: the backbone's output.
        outputs: numbers to predict per sample; as many as the backbone gives.
        data: the raw data; not used.

    Shape: [T, B, L, D] -> [B, L * D].

    Raises:
        ShapeError: the numbers differ.
    """

    def read(self, spikes: Tensor) -> Tensor:
        return spikes.mean(dim=0).flatten(1)


@READOUTS.register("each_step")
class EachStep(PlainReadout):
    """What the network gives at every step, without weights.

    Equation:
        y[t] = x[t]

    Args:
        signal: the backbone's output.
        outputs: numbers to predict per step; as many as the backbone gives.
        data: the raw data; not used.

    Shape: [T, B, L, D] -> [B, T, L * D].

    Raises:
        ShapeError: the numbers differ.
    """

    answers = "step"

    def read(self, spikes: Tensor) -> Tensor:
        return spikes.flatten(2).transpose(0, 1)
