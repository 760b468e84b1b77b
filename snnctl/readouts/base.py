"""What every read-out shares: spikes in, numbers out, and an optional linear path past the spikes."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import ClassVar, Literal

from torch import Tensor, nn

from snnctl.core.shapes import ShapeError, SignalSpec
from snnctl.positions.ragged import Ragged

Skip = Literal["none", "linear"]


class Readout(nn.Module):
    """Base of all read-outs.

    Args:
        signal: the backbone's output [T, B, L, D].
        outputs: numbers to predict per sample.
        data: the raw data [B, L, C] that the encoder gets; needed for a skip.
        skip: `linear` adds a linear map of the raw data. That path does not spike: results name it, and show
            what it predicts alone.

    Raises:
        ShapeError: a skip without knowing the data.
    """

    takes_ragged: ClassVar[bool] = False

    def __init__(self, signal: SignalSpec, outputs: int, data: SignalSpec | None, skip: Skip) -> None:
        super().__init__()
        self.signal, self.outputs = signal, outputs
        self.skip: nn.Linear | None = None
        if skip == "linear":
            if data is None:
                raise ShapeError("a skip needs to know the data", knob="skip")
            if data.kind == "tokens":
                raise ShapeError("a skip is a linear map of values, and the data are tokens", knob="skip")
            self.skip = nn.Linear(math.prod(data.inner), outputs, bias=False)
            # The spiking path learns what the line leaves; a line at zero starts as the network without a skip.
            nn.init.zeros_(self.skip.weight)

    @abstractmethod
    def read(self, spikes: Tensor) -> Tensor:
        """Numbers [B, outputs] from spikes [T, B, L, D]."""

    def read_tokens(self, spikes: Tensor, tokens: Ragged) -> Tensor:
        """Numbers [B, outputs] from the packed spikes [T, 1, N, D] of sequences of different lengths."""
        raise NotImplementedError(f"{type(self).__name__} reads sequences of one length")

    def forward(self, spikes: Tensor, data: Tensor | None = None, tokens: Ragged | None = None) -> Tensor:
        y = self.read(spikes) if tokens is None else self.read_tokens(spikes, tokens)
        if self.skip is not None:
            assert data is not None, "a read-out with a skip is called with the data"
            y = y + self.skip(data.flatten(1))
        return y
