"""Linear read-outs of the mean spike count over time: of all positions or of the last."""

from __future__ import annotations

from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor, nn

from snnctl.core.catalog import READOUTS
from snnctl.core.shapes import SignalSpec
from snnctl.positions.ragged import Ragged
from snnctl.readouts.base import Readout, Skip


@READOUTS.register("mean_linear")
class MeanLinear(Readout):
    """Linear map of the mean over T and over positions; blind to order, so it adds no position of its own.

    Equation:
        y = W * mean_{t,l} x[t, l] + b   [+ V * flatten(data)]

    Args:
        signal: the backbone's output [T, B, L, D].
        outputs: numbers to predict per sample.
        data: the raw data [B, L, C] that the encoder gets; needed for a skip.
        skip: linear adds V * data, a path that does not spike (V starts at 0); results name it.

    Shape: [T, B, L, D] -> [B, outputs].

    Source: github.com/microsoft/SeqSNN; the skip is ours.
    """

    takes_ragged: ClassVar[bool] = True

    def __init__(
        self, signal: SignalSpec, outputs: int, data: SignalSpec | None = None, *, skip: Skip = "none"
    ) -> None:
        super().__init__(signal, outputs, data, skip)
        self.linear = nn.Linear(signal.features, outputs)

    def read(self, spikes: Tensor) -> Tensor:
        y: Tensor = self.linear(spikes.mean(dim=(0, 2)))
        return y

    def read_tokens(self, spikes: Tensor, tokens: Ragged) -> Tensor:
        """The mean over the tokens of each sequence."""
        means = tokens.total(spikes.mean(dim=0, keepdim=True))[0] / tokens.counts[:, None]
        y: Tensor = self.linear(means)
        return y


@READOUTS.register("flatten_linear")
class FlattenLinear(Readout):
    """Linear map of the mean over T of all positions side by side; its weights encode position.

    Equation:
        y = W * flatten_{l,d}( mean_t x[t] ) + b   [+ V * flatten(data)]

    Args:
        signal: the backbone's output [T, B, L, D].
        outputs: numbers to predict per sample.
        data: the raw data [B, L, C] that the encoder gets; needed for a skip.
        skip: linear adds V * data, a path that does not spike (V starts at 0); results name it.

    Shape: [T, B, L, D] -> [B, outputs].

    Source: head of PatchTST, arXiv 2211.14730; the skip is ours.
    """

    takes_ragged: ClassVar[bool] = True

    def __init__(
        self, signal: SignalSpec, outputs: int, data: SignalSpec | None = None, *, skip: Skip = "none"
    ) -> None:
        super().__init__(signal, outputs, data, skip)
        self.linear = nn.Linear(signal.length * signal.features, outputs)

    def read(self, spikes: Tensor) -> Tensor:
        y: Tensor = self.linear(spikes.mean(dim=0).flatten(1))
        return y

    def read_tokens(self, spikes: Tensor, tokens: Ragged) -> Tensor:
        """Zeros where a sequence has no token."""
        rates = tokens.unpack(spikes.mean(dim=0, keepdim=True))[0]
        y: Tensor = self.linear(F.pad(rates, (0, 0, 0, self.signal.length - rates.shape[1])).flatten(1))
        return y


@READOUTS.register("last_linear")
class LastLinear(Readout):
    """Linear map of the mean over T at the last position, for backbones that carry earlier ones there.

    Equation:
        y = W * mean_t x[t, L-1] + b   [+ V * flatten(data)]

    Args:
        signal: the backbone's output [T, B, L, D].
        outputs: numbers to predict per sample.
        data: the raw data [B, L, C] that the encoder gets; needed for a skip.
        skip: linear adds V * data, a path that does not spike (V starts at 0); results name it.

    Shape: [T, B, L, D] -> [B, outputs].

    Source: Spike-TCN of github.com/microsoft/SeqSNN; the skip is ours.
    """

    takes_ragged: ClassVar[bool] = True

    def __init__(
        self, signal: SignalSpec, outputs: int, data: SignalSpec | None = None, *, skip: Skip = "none"
    ) -> None:
        super().__init__(signal, outputs, data, skip)
        self.linear = nn.Linear(signal.features, outputs)

    def read(self, spikes: Tensor) -> Tensor:
        y: Tensor = self.linear(spikes[:, :, -1].mean(dim=0))
        return y

    def read_tokens(self, spikes: Tensor, tokens: Ragged) -> Tensor:
        """The last token of each sequence."""
        y: Tensor = self.linear(spikes[:, 0].index_select(1, tokens.last).mean(dim=0))
        return y
