"""The contract of a read-out, with a default for all that may be asked of one, and a linear path past the spikes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from torch import Tensor, nn

from snnctl.core.shapes import ShapeError, SignalSpec
from snnctl.core.signature import KnobGroup
from snnctl.positions.ragged import Ragged
from snnctl.readouts.ahead import AheadDecoder

Skip = Literal["none", "linear"]
Gathered = Literal["mean", "all", "last"]


@dataclass(frozen=True)
class Skipping(KnobGroup):
    """Whether a path leads past the spikes.

    Args:
        skip: linear adds V * data, a path that does not spike (V starts at 0); results name it.
    """

    skip: Skip = "none"


class Readout(nn.Module):
    """Base of all read-outs.

    Args:
        signal: the backbone's output [T, B, L, D].
        outputs: numbers to predict per sample.
        data: the raw data [B, L, C] that the encoder gets; needed for a skip.
        skip: `linear` adds a linear map of the raw data. That path does not spike: results name it, and show
            what it predicts alone.

    Covariates that are known ahead are decoded by an `AheadDecoder`, whose forecast is added.

    Attributes:
        takes_ragged: whether it also reads sequences of different lengths, packed, see `read_tokens`.
        answers: once per item, at every step, or with frames.
        over_positions: what `read` takes of positions, where it is a function of their mean spikes over T alone: the
            mean of all, all side by side, or the last one; None where it needs more.
        cautions: what a reader of the recipe would not expect.

    Raises:
        ShapeError: a skip without knowing the data.
    """

    takes_ragged: bool = False
    answers: Literal["item", "step", "frames"] = "item"
    over_positions: Gathered | None = None
    cautions: tuple[str, ...] = ()
    skip: nn.Linear | None
    ahead: AheadDecoder | None

    def __init__(self, signal: SignalSpec, outputs: int, data: SignalSpec | None = None, skip: Skip = "none") -> None:
        super().__init__()
        self.signal, self.outputs = signal, outputs
        self.skip = None
        if skip == "linear":
            if data is None:
                raise ShapeError("a skip needs to know the data", knob="skip")
            if data.kind == "tokens":
                raise ShapeError("a skip is a linear map of values, and the data are tokens", knob="skip")
            self.skip = nn.Linear(math.prod(data.inner), outputs, bias=False)
            # The spiking path learns what the line leaves; a line at zero starts as the network without a skip.
            nn.init.zeros_(self.skip.weight)
        self.ahead = None
        if data is not None and data.known and data.known_neurons:
            self.ahead = AheadDecoder(signal, outputs, data)

    def read(self, spikes: Tensor) -> Tensor:
        """The answer to spikes [T, B, L, D]: [B, outputs], [B, T, outputs] at every step, or frames."""
        raise NotImplementedError(type(self).__name__)

    def read_tokens(self, spikes: Tensor, tokens: Ragged) -> Tensor:
        """Numbers [B, outputs] from the packed spikes [T, 1, N, D] of sequences of different lengths."""
        raise NotImplementedError(f"{type(self).__name__} reads sequences of one length")

    def forward(self, spikes: Tensor, data: Tensor | None = None, tokens: Ragged | None = None) -> Tensor:
        y = self.read(spikes) if tokens is None else self.read_tokens(spikes, tokens)
        if self.skip is not None:
            assert data is not None, "a read-out with a skip is called with the data"
            y = y + self.skip(data.flatten(1))
        if self.ahead is not None:
            assert data is not None, "a read-out of covariates is called with the data"
            y = y + self.ahead(data)
        return y
