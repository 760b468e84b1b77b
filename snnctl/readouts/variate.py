"""Linear read-out per variable, for backbones whose tokens are variables."""

from __future__ import annotations

from typing import Annotated, Literal

from annotated_types import Ge
from torch import Tensor, nn

from snnctl.core.catalog import READOUTS
from snnctl.core.shapes import ShapeError, SignalSpec
from snnctl.core.signature import takes_knobs
from snnctl.readouts.base import Readout, Skipping


@READOUTS.register("variate_linear")
class VariateLinear(Readout):
    """One linear map from a token to its own future, the same for all variables; goes with ispikformer.

    Equation:
        y[c, :]        = W * mean_t x[t, c] + b          or x[T-1, c] with `over_steps` last
        output[h*N + c] = y[c, h]                        N targets, step h: the order of joint forecasting
                                                         [+ V * flatten(data)]

    Args:
        signal: the backbone's output [T, B, C, D], one token per variable.
        outputs: numbers to predict per sample, horizon times targets.
        data: the raw data [B, L, C] that the encoder gets; needed for a skip.
        over_steps: mean of the spikes over T, or those of the last step only (as in SeqSNN).
        targets: N, how many of the first tokens are variables to predict, >= 1; null for all (calendar features
            are tokens behind them).

    Shape: [T, B, C, D] -> [B, outputs].

    Raises:
        ShapeError: there are fewer tokens than targets, or `outputs` is no multiple of the targets.

    Source: github.com/microsoft/SeqSNN (iSpikformer); the skip is ours.
    """

    @takes_knobs
    def __init__(
        self,
        signal: SignalSpec,
        outputs: int,
        data: SignalSpec | None = None,
        *,
        over_steps: Literal["mean", "last"] = "mean",
        targets: Annotated[int, Ge(1)] | None = None,
        skipping: Skipping = Skipping(),
    ) -> None:
        super().__init__(signal, outputs, data, skipping.skip)
        self.targets = signal.length if targets is None else targets
        if self.targets > signal.length:
            raise ShapeError(f"{self.targets} `targets`, but the backbone gives {signal.length} tokens", knob="targets")
        horizon, left = divmod(outputs, self.targets)
        if left or not horizon:
            raise ShapeError(
                f"{outputs} outputs are not a number of steps for each of {self.targets} tokens",
                knob="targets",
                help="`targets` is the number of variables to predict; it goes with a backbone whose tokens are"
                " variables, such as ispikformer",
            )
        self.over_steps = over_steps
        self.linear = nn.Linear(signal.features, horizon)

    def read(self, spikes: Tensor) -> Tensor:
        tokens = spikes[:, :, : self.targets]
        y: Tensor = self.linear(tokens.mean(dim=0) if self.over_steps == "mean" else tokens[-1])
        return y.transpose(1, 2).flatten(1)
