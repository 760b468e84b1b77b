"""Spike-TCN: causal dilated convolutions over positions, for each variable alone or for all together."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal

from torch import Tensor, nn

from snnctl.backbones.base import Count, Depth, EveryLayer, Layered, Places
from snnctl.backbones.parts.layers import SpikingTemporalConv
from snnctl.backbones.parts.units import Units
from snnctl.backbones.parts.weights import LinearWeights
from snnctl.core.catalog import BACKBONES
from snnctl.core.shapes import ShapeError, SignalSpec
from snnctl.core.signature import After, takes_knobs
from snnctl.neurons.norm import TokenNorm

Between = Literal["spikes", "rates"]


class SpikingTCNBlock(nn.Module):
    """Two causal convolutions with neurons, a residual, and a last neuron, as in the equations of `SpikeTCN`.

    Args:
        inputs, outputs: sizes of the last axis.
        norm_gain, norm_join, between: knobs of the network.
        codes: columns of a code that comes beside the input of the first and of the second convolution.
        last: whether the network ends here; a twin then has no rectifier, which could cut off its one channel.
        taps: kernel and dilation.

    Shape: [T, B, L, inputs] -> [T, B, L, outputs].
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        units: Units,
        *,
        norm_gain: float | None,
        norm_join: bool,
        between: Between,
        codes: tuple[int, int] = (0, 0),
        last: bool = False,
        **taps: int,
    ) -> None:
        super().__init__()
        self.between = between
        self.first, self.second = (
            SpikingTemporalConv(size, outputs, units.hidden, norm_gain=norm_gain, code=code, **taps)
            for size, code in zip((inputs, outputs), codes, strict=True)
        )
        self.residual: LinearWeights | None = None
        if inputs != outputs:
            self.residual = LinearWeights(inputs, outputs, adds_bias=True, code=codes[0])
        self.join: nn.Module = nn.Identity()
        if norm_join and norm_gain is not None:
            self.join = TokenNorm(outputs, gain=norm_gain)
        self.neuron = units.linear(outputs) if last else units.hidden(outputs)

    def forward(self, x: Tensor, code: Tensor | None = None) -> Tensor:
        steps = len(x)
        x = self._passed_on(x)
        code = None if code is None else self._passed_on(code)
        y = self._passed_on(self._fire(self.first, x, code, steps))
        y = self._passed_on(self._fire(self.second, y, code, steps))
        current = self.join(y + (x if self.residual is None else self.residual(x, code)))
        return self.neuron(current.expand(steps, *current.shape[1:]))

    def _passed_on(self, x: Tensor) -> Tensor:
        return x.mean(dim=0, keepdim=True) if self.between == "rates" else x

    def _fire(self, layer: SpikingTemporalConv, x: Tensor, code: Tensor | None, steps: int) -> Tensor:
        current = layer.conv(x, code)
        return layer.fire(current.expand(steps, *current.shape[1:]), None, False)


@BACKBONES.register("spike_tcn")
class SpikeTCN(Layered):
    """Spiking TCN: a position sees itself and earlier ones, twice as far with every block.

    With `variables: shared` each variable is a sequence of its own whose features are its spike and the position's
    code, and all variables share the kernels; a last block with one channel gives the variable back. The position
    therefore meets every variable inside the same sums: as a further row that no kernel mixes with the data, as
    released, it could only shift the output. Receptive field: 1 + 2 (kernel - 1) (1 + dilation + dilation^2 + ...).

    Equation:
        x = position(x)
        y = neuron(BN(W2 * neuron(BN(W1 * x))))        causal; dilation^i in block i
        x = neuron(BN(y + x))                          y + R x + b, where sizes differ; BN with `norm_join`
        all three lines `levels` times, and once more with one channel where variables are shared
        rates: each layer's input is the mean over T of the spikes before, fed for T steps

    Args:
        channels: width of a block, >= 1 (16 as in arXiv 2402.01533).
        levels: number of blocks, >= 1 (3 as in arXiv 2402.01533).
        kernel: taps over L, >= 1 (3 as in arXiv 2402.01533 for short windows; 16 for long ones).
        dilation: growth of the distance between taps from block to block, >= 1 (2 as in SeqSNN).
        variables: shared runs every variable alone through the same kernels (as published), mixed all of them as
            features of one sequence.
        between: what goes from layer to layer: spikes (binary, ours), or rates, the means over T (as released: real
            numbers, so that no layer but the last passes spikes on).
        position: positional encoding, applied to the encoder's spikes; built for width 1 where variables are shared.
        norm_join: whether BatchNorm follows the residual add (true, ours: without it a decayed-input LIF needs spikes
            on both paths, and deeper blocks fall silent; false goes with the published neuron, `{type: lif,
            tau: 100, decay_input: false, reset: soft}`).

    Shape: [T, B, L, C] -> [T, B, L, C] (shared) or [T, B, L, channels] (mixed).

    Raises:
        ShapeError: the position does not fit the signal, or needs an attention map.

    Source: Lv et al. 2024, "Efficient and effective time-series forecasting with SNNs", arXiv 2402.01533;
        github.com/microsoft/SeqSNN, without its weight normalisation, which BatchNorm makes idle.
    """

    @takes_knobs
    def __init__(
        self,
        signal: SignalSpec,
        *,
        channels: Count = 16,
        levels: Depth = 3,
        kernel: Count = 3,
        dilation: Count = 2,
        variables: Literal["shared", "mixed"] = "shared",
        between: Between = "spikes",
        places: Places = Places(),
        every_layer: EveryLayer = EveryLayer(),
        norm_join: Annotated[bool, After("norm_gain")] = True,
    ) -> None:
        super().__init__()
        units = every_layer.units(places.neuron)
        self.shared = variables == "shared"
        try:
            alone = signal.replace(features=1) if self.shared else signal
            self.position = units.place(places.position, alone, kind="spike_tcn")
        except ShapeError as error:
            note = "with `variables: shared` a variable is a sequence of width 1" if self.shared else ""
            help = "; ".join(text for text in (error.help, note) if text)
            raise ShapeError(error.message, knob=error.knob, help=help) from None
        first, later = self.position.input_code, self.position.block_code
        widths = [self.position.output.features, *[channels] * levels, *[1] * self.shared]
        made = [
            SpikingTCNBlock(
                *sizes,
                units,
                norm_gain=every_layer.norm_gain,
                norm_join=norm_join,
                between=between,
                codes=(later if i else first, later),
                last=i == len(widths) - 2,
                kernel=kernel,
                dilation=dilation**i,
            )
            for i, sizes in enumerate(pairwise(widths))
        ]
        self.blocks = nn.ModuleList(made)
        features = signal.features if self.shared else channels
        self.output = units.output(signal, features, made[-1].neuron.levels)
        self.impose(every_layer.hierarchy, signal)

    @property
    def stages(self) -> list[nn.Module]:
        return [*self.blocks]

    def forward(self, x: Tensor) -> Tensor:
        batch = x.shape[1]
        if self.shared:
            x = x.transpose(2, 3).flatten(1, 2).unsqueeze(-1)  # [T, B * C, L, 1]
        place = self.position.place(x)
        x = self.position(x)
        for block in self.blocks:
            x = block(x, place.code)
        return x.squeeze(-1).unflatten(1, (batch, -1)).transpose(2, 3) if self.shared else x
