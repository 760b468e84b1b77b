"""Delta encoder: the change since the position before drives the neurons."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Ge
from torch import Tensor, nn
from torch.nn import functional as F

from snnctl.core.catalog import ENCODERS
from snnctl.core.registry import Slot
from snnctl.core.shapes import SignalSpec
from snnctl.encoders.base import Encoder
from snnctl.neurons.base import NeuronFactory
from snnctl.neurons.norm import TokenNorm


@ENCODERS.register("delta")
class Delta(Encoder):
    """Expands the difference of neighbouring values into one current per step.

    The order is that of the released code; the paper prints spike(BN(Linear(d))).

    Equation:
        d[0] = 0,  d[l] = x[l] - x[l-1]
        I[t] = w[t] * BN(d) + b[t]
        S    = neuron(I),  or I itself where `neuron` is null

    Args:
        signal: the raw data [B, L, C].
        steps: T, simulation steps per position, >= 1 (4 as in SeqSNN).
        neuron: neuron that makes the spikes, run along T; null hands the currents on, and the backbone's first neuron
            makes the spikes.

    Shape: [B, L, C] -> [T, B, L, C].

    Raises:
        ShapeError: `signal` has been encoded already.

    Source: arXiv 2402.01533; github.com/microsoft/SeqSNN.
    """

    def __init__(
        self,
        signal: SignalSpec,
        *,
        steps: Annotated[int, Ge(1)] = 4,
        neuron: Annotated[str | NeuronFactory, Slot("neuron", factory=True)] | None = "lif",
    ) -> None:
        super().__init__(signal, steps=steps, neuron=neuron)
        self.norm = TokenNorm(1)
        self.linear = nn.Linear(1, steps)

    def currents(self, x: Tensor) -> Tensor:
        change = F.pad(x.diff(dim=1), (0, 0, 1, 0)).unsqueeze(-1)
        currents: Tensor = self.linear(self.norm(change)).movedim(-1, 0)
        return currents
