"""Direct encoding: each value, or its change since the one before, is the current of every step; or none at all."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from snnctl.core.catalog import ENCODERS
from snnctl.core.shapes import ShapeError, SignalSpec
from snnctl.core.signature import takes_knobs
from snnctl.encoders.base import AnyEncoder, Encoder, Expansion
from snnctl.neurons.norm import TokenNorm


@ENCODERS.register("repeat")
class Repeat(Encoder):
    """Feeds each value as a constant current for T steps; no parameters of its own.

    Equation:
        I[t] = x
        S    = neuron(I),  or I itself where `neuron` is null

    Shape: [B, L, C] -> [T, B, L, C].

    Source: Lv et al. 2024, "Efficient and effective time-series forecasting with SNNs", arXiv 2402.01533.
    """

    reach = (0, 0)

    @takes_knobs
    def __init__(self, signal: SignalSpec, *, expansion: Expansion = Expansion()) -> None:
        super().__init__(signal, steps=expansion.steps, neuron=expansion.neuron)

    def currents(self, x: Tensor) -> Tensor:
        return x.expand(self.steps, *x.shape)


@ENCODERS.register("delta")
class Delta(Encoder):
    """Expands the difference of neighbouring values into one current per step.

    The order is that of the released code; the paper prints spike(BN(Linear(d))).

    Equation:
        d[0] = 0,  d[l] = x[l] - x[l-1]
        I[t] = w[t] * BN(d) + b[t]
        S    = neuron(I),  or I itself where `neuron` is null

    Shape: [B, L, C] -> [T, B, L, C].

    Source: arXiv 2402.01533; github.com/microsoft/SeqSNN.
    """

    reach = (1, 0)

    @takes_knobs
    def __init__(self, signal: SignalSpec, *, expansion: Expansion = Expansion()) -> None:
        super().__init__(signal, steps=expansion.steps, neuron=expansion.neuron)
        self.norm = TokenNorm(1)
        self.linear = nn.Linear(1, expansion.steps)

    def currents(self, x: Tensor) -> Tensor:
        change = F.pad(x.diff(dim=1), (0, 0, 1, 0)).unsqueeze(-1)
        return self.linear(self.norm(change)).movedim(-1, 0)


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
