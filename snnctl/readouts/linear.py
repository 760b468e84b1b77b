"""Read-outs without memory: linear maps of mean spike counts over time or of each step; frames as they are."""

from __future__ import annotations

from abc import abstractmethod
from typing import Annotated, Literal

import torch.nn.functional as F
from annotated_types import Ge
from torch import Tensor, nn

from snnctl.core.catalog import READOUTS
from snnctl.core.shapes import ShapeError, SignalSpec
from snnctl.core.signature import takes_knobs
from snnctl.positions.ragged import Ragged
from snnctl.readouts.base import Readout, Skipping


class LinearReadout(Readout):
    """A linear map of what is gathered from the spikes."""

    takes_ragged = True

    @takes_knobs
    def __init__(
        self, signal: SignalSpec, outputs: int, data: SignalSpec | None = None, *, skipping: Skipping = Skipping()
    ) -> None:
        super().__init__(signal, outputs, data, skipping.skip)
        self.linear = nn.Linear(self.inputs(signal), outputs)

    def inputs(self, signal: SignalSpec) -> int:
        """Numbers per sample that are gathered."""
        return signal.features

    @abstractmethod
    def gathered(self, spikes: Tensor) -> Tensor:
        """[T, B, L, D] -> [B, inputs]."""

    @abstractmethod
    def gathered_tokens(self, spikes: Tensor, tokens: Ragged) -> Tensor:
        """The same of packed tokens [T, 1, N, D]."""

    def read(self, spikes: Tensor) -> Tensor:
        return self.linear(self.gathered(spikes))

    def read_tokens(self, spikes: Tensor, tokens: Ragged) -> Tensor:
        return self.linear(self.gathered_tokens(spikes, tokens))


@READOUTS.register("mean_linear")
class MeanLinear(LinearReadout):
    """Linear map of the mean over T and over positions; blind to order, so it adds no position of its own.

    Equation:
        y = W * mean_{t,l} x[t, l] + b   [+ V * flatten(data)]

    Shape: [T, B, L, D] -> [B, outputs].

    Source: github.com/microsoft/SeqSNN; the skip is ours.
    """

    over_positions = "mean"

    def gathered(self, spikes: Tensor) -> Tensor:
        return spikes.mean(dim=(0, 2))

    def gathered_tokens(self, spikes: Tensor, tokens: Ragged) -> Tensor:
        """The mean over the tokens of each sequence."""
        return tokens.total(spikes.mean(dim=0, keepdim=True))[0] / tokens.counts[:, None]


@READOUTS.register("flatten_linear")
class FlattenLinear(LinearReadout):
    """Linear map of the mean over T of all positions side by side; its weights encode position.

    Equation:
        y = W * flatten_{l,d}( mean_t x[t] ) + b   [+ V * flatten(data)]

    Shape: [T, B, L, D] -> [B, outputs].

    Source: head of PatchTST, arXiv 2211.14730; the skip is ours.
    """

    over_positions = "all"

    def inputs(self, signal: SignalSpec) -> int:
        return signal.length * signal.features

    def gathered(self, spikes: Tensor) -> Tensor:
        return spikes.mean(dim=0).flatten(1)

    def gathered_tokens(self, spikes: Tensor, tokens: Ragged) -> Tensor:
        """Zeros where a sequence has no token."""
        rates = tokens.unpack(spikes.mean(dim=0, keepdim=True))[0]
        return F.pad(rates, (0, 0, 0, self.signal.length - rates.shape[1])).flatten(1)


@READOUTS.register("last_linear")
class LastLinear(LinearReadout):
    """Linear map of the mean over T at the last position, for backbones that carry earlier ones there.

    Equation:
        y = W * mean_t x[t, L-1] + b   [+ V * flatten(data)]

    Shape: [T, B, L, D] -> [B, outputs].

    Source: Spike-TCN of github.com/microsoft/SeqSNN; the skip is ours.
    """

    over_positions = "last"

    def gathered(self, spikes: Tensor) -> Tensor:
        return spikes[:, :, -1].mean(dim=0)

    def gathered_tokens(self, spikes: Tensor, tokens: Ragged) -> Tensor:
        """The last token of each sequence."""
        return spikes[:, 0].index_select(1, tokens.last).mean(dim=0)


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
            message = f"{outputs} outputs are not a number of steps for each of {self.targets} tokens"
            help = "`targets` is the number of variables to predict; it goes with a backbone whose tokens are variables"
            raise ShapeError(message, knob="targets", help=f"{help}, such as ispikformer")
        self.over_steps = over_steps
        self.linear = nn.Linear(signal.features, horizon)

    def read(self, spikes: Tensor) -> Tensor:
        tokens = spikes[:, :, : self.targets]
        found = tokens.mean(dim=0) if self.over_steps == "mean" else tokens[-1]
        return self.linear(found).transpose(1, 2).flatten(1)


@READOUTS.register("step_linear")
class StepLinear(Readout):
    """Linear map of the spikes of each step, the mean over positions; it remembers nothing itself.

    Equation:
        y[t] = W * mean_l x[t, l] + b

    Shape: [T, B, L, D] -> [B, T, outputs].
    """

    answers = "step"

    def __init__(self, signal: SignalSpec, outputs: int, data: SignalSpec | None = None) -> None:
        super().__init__(signal, outputs)
        self.linear = nn.Linear(signal.features, outputs)

    def read(self, spikes: Tensor) -> Tensor:
        return self.linear(spikes.mean(dim=2)).transpose(0, 1)


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
            given = signal.describe()
            message = f"`frames` hands on frames of {outputs} values per pixel, and the backbone gives {given}"
            raise ShapeError(message, knob="type", help="backbones that make frames: video_stack, sim_vp")

    def read(self, spikes: Tensor) -> Tensor:
        return spikes.transpose(0, 1)
