"""The relative encoding of spiking transformers: a convolution over neighbouring positions."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Gt
from torch import Tensor, nn

from snnctl.core.catalog import POSITIONS
from snnctl.core.registry import Slot
from snnctl.core.shapes import SignalSpec
from snnctl.neurons.base import NeuronFactory, neuron_factory
from snnctl.neurons.norm import TokenNorm
from snnctl.positions.base import Grid, Position, check_grid
from snnctl.positions.ragged import Ragged


@POSITIONS.register("conv")
class ConvPosition(Position):
    """Adds spikes that depend on a position's neighbours (RPE, Conv-PE): relative position, no absolute one.

    Only edges tell where a position stands; the CPG-PE paper's authors criticise that it acts as a residual branch.

    Equation:
        y = x + neuron(BN(Conv(x)))      kernel 3 (sequence) or 3 x 3 (`grid`), zeros beyond the ends, no bias

    Args:
        neuron: neuron of the branch.
        norm_gain: initial gain of the BatchNorm, > 0 (1 is torch's).
        grid: [rows, columns] of an image whose positions these are, row by row; null takes what the encoder says
            (an image or a sequence), sequence makes it one.

    Shape: [T, B, L, D] -> [T, B, L, D]; parameters 3 D^2 + 2 D, or 9 D^2 + 2 D on an image.

    Raises:
        ShapeError: `grid` does not hold L positions.

    Source: Zhou et al. 2023, "Spikformer", arXiv 2209.15425; ConvPE of github.com/microsoft/SeqSNN, without dropout.
    """

    binary = False

    def __init__(
        self,
        signal: SignalSpec,
        *,
        neuron: Annotated[str | NeuronFactory, Slot("neuron", factory=True)] = "lif",
        norm_gain: Annotated[float, Gt(0.0)] = 1.0,
        grid: Grid | None = None,
    ) -> None:
        self.grid = check_grid(grid, signal)
        channels = signal.features
        self._levels = 1
        super().__init__()
        conv = nn.Conv1d if self.grid is None else nn.Conv2d
        self.conv = conv(channels, channels, 3, padding=1, bias=False)
        self.norm = TokenNorm(channels, gain=norm_gain)
        self.neuron = neuron_factory(neuron)(channels)
        self._levels = self.neuron.levels
        self.output = self.describe(signal)

    def describe(self, signal: SignalSpec) -> SignalSpec:
        return signal if signal.kind == "real" else signal.replace(levels=signal.levels + self._levels)

    def forward(self, x: Tensor, tokens: Ragged | None = None) -> Tensor:
        current = self._current(x) if tokens is None else tokens.pack(self._current(tokens.unpack(x)))
        spikes: Tensor = self.neuron(self.norm(current))
        # With sequences of different lengths, positions are shuffled among all tokens of the batch.
        return x + self.disturb(spikes, (2,))

    def _current(self, x: Tensor) -> Tensor:
        T, B, L, D = x.shape
        channels_first = x.flatten(0, 1).transpose(1, 2)
        if self.grid is not None:
            channels_first = channels_first.unflatten(2, self.grid)
        return self.conv(channels_first).flatten(2).transpose(1, 2).reshape(T, B, L, D)

    def extra_repr(self) -> str:
        return "" if self.grid is None else f"grid={self.grid}"
