"""Read-outs that answer at every step."""

from __future__ import annotations

from torch import Tensor, nn

from snnctl.core.catalog import READOUTS
from snnctl.core.shapes import SignalSpec
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
