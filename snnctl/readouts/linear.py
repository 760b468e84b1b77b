"""Linear read-outs of the mean spike count over time."""

from __future__ import annotations

from torch import Tensor, nn

from snnctl.core.catalog import READOUTS
from snnctl.core.shapes import SignalSpec


@READOUTS.register("mean_linear")
class MeanLinear(nn.Module):
    """Linear map of the mean over T and over positions; blind to order, so it adds no position of its own.

    Equation:
        y = W * mean_{t,l} x[t, l] + b

    Args:
        signal: the backbone's output [T, B, L, D].
        outputs: numbers to predict per sample.

    Shape: [T, B, L, D] -> [B, outputs].

    Source: github.com/microsoft/SeqSNN.
    """

    def __init__(self, signal: SignalSpec, outputs: int) -> None:
        super().__init__()
        self.outputs = outputs
        self.linear = nn.Linear(signal.features, outputs)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.linear(x.mean(dim=(0, 2)))
        return y


@READOUTS.register("flatten_linear")
class FlattenLinear(nn.Module):
    """Linear map of the mean over T of all positions side by side; its weights encode position.

    Equation:
        y = W * flatten_{l,d}( mean_t x[t] ) + b

    Args:
        signal: the backbone's output [T, B, L, D].
        outputs: numbers to predict per sample.

    Shape: [T, B, L, D] -> [B, outputs].

    Source: head of PatchTST, arXiv 2211.14730.
    """

    def __init__(self, signal: SignalSpec, outputs: int) -> None:
        super().__init__()
        self.outputs = outputs
        self.linear = nn.Linear(signal.length * signal.features, outputs)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.linear(x.mean(dim=0).flatten(1))
        return y
