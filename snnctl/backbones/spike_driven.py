"""Spike-driven transformer for sequences: residuals between membranes, masks instead of an attention map."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar

from annotated_types import Ge, Gt
from torch import Tensor, nn

from snnctl.backbones.parts.attention import SoftmaxAttention
from snnctl.backbones.parts.hierarchy import Hierarchy, Layered
from snnctl.backbones.parts.layers import NormedLinear, SpikingLinear
from snnctl.backbones.parts.mask_attention import SpikeDrivenAttention
from snnctl.backbones.parts.transformer import Embed, attention_rules, current_layer
from snnctl.backbones.parts.units import Units
from snnctl.core.catalog import BACKBONES
from snnctl.core.registry import Slot
from snnctl.core.shapes import ShapeError, SignalSpec
from snnctl.neurons.base import NeuronFactory
from snnctl.positions.base import Place, PositionFactory
from snnctl.positions.ragged import Ragged


class _Block(nn.Module):
    """Attention and MLP between currents: what enters a weight is always a spike."""

    def __init__(self, dim: int, hidden: int, attention: nn.Module, units: Units, norm_gain: float, code: int) -> None:
        super().__init__()
        self.before_attention = units.hidden(dim)
        self.attention = attention
        self.before_mlp = units.hidden(dim)
        self.widen = SpikingLinear(dim, hidden, units.hidden, norm_gain=norm_gain, code=code)
        self.narrow = NormedLinear(hidden, dim, norm_gain=norm_gain, code=code)

    def forward(self, u: Tensor, place: Place, tokens: Ragged | None) -> Tensor:
        u = u + self.attention(self.before_attention(u), place.bias, tokens)
        hidden = self.widen(self.before_mlp(u), code=place.code)
        current: Tensor = u + self.narrow(hidden, place.code)
        return current


@BACKBONES.register("spike_driven")
class SpikeDriven(Layered):
    """Spike-driven transformer: every weight sees binary spikes, and attention is a mask and a sum.

    Residuals are added before the neuron (membrane shortcut), so all spikes stay binary, and the cost of the
    attention grows linearly with the number of positions.

    Equation:
        u = BN(Linear(position(x)))
        u = u + SDSA(neuron(u))                        repeated `depth` times
        u = u + BN(Linear(neuron(BN(Linear(neuron(u))))))
        y = neuron(u)

    Args:
        signal: the encoder's output [T, B, L, F].
        dim: D, width of a token, >= 1 (256 as in SeqSNN).
        depth: number of blocks, >= 1 (2 as in SeqSNN).
        heads: heads of the twin's softmax attention, >= 1, divides `dim`; masks act on channels, so the spiking
            network does not depend on it (8 as in SeqSNN).
        hidden: width inside the MLPs, >= 1; null means 4 * dim.
        position: positional encoding, applied to the encoder's spikes.
        neuron: neuron of every layer; one instance per place.
        embed: always has a layer before the blocks; needed has none where the encoder hands on currents of width `dim`
            (patch_split with `ends_with: current`, as published for images) and the position adds no code.
        attention_scale: factor on the sum of coincidences, > 0 (1: the sum itself, as published; a log bias
            makes sums larger).
        norm_gain: initial gain of every BatchNorm, > 0 (1 is torch's; 2 roughly triples the initial rate).
        hierarchy: time constants over depth, layer by layer or block by block; null leaves the neuron's.
        spiking: false builds the non-spiking twin: the same layers and sizes, rectifiers for neurons (the encoder's
            too), softmax attention.

    Shape: [T, B, L, F] -> [T, B, L, dim].

    Raises:
        ShapeError: `heads` does not divide `dim`, or the position needs a map of queries and keys (gray).

    Source: Yao et al. 2023, "Spike-driven Transformer", arXiv 2307.01694.
    """

    takes_ragged: ClassVar[bool] = True

    def __init__(
        self,
        signal: SignalSpec,
        *,
        dim: Annotated[int, Ge(1)] = 256,
        depth: Annotated[int, Ge(1)] = 2,
        heads: Annotated[int, Ge(1)] = 8,
        hidden: Annotated[int, Ge(1)] | None = None,
        position: Annotated[str | PositionFactory, Slot("position", factory=True)] = "none",
        neuron: Annotated[str | NeuronFactory, Slot("neuron", factory=True)] = "lif",
        embed: Embed = "always",
        attention_scale: Annotated[float, Gt(0.0)] = 1.0,
        norm_gain: Annotated[float, Gt(0.0)] = 1.0,
        hierarchy: Hierarchy | None = None,
        spiking: bool = True,
    ) -> None:
        for knob, message in self.rules({"dim": dim, "heads": heads}):
            raise ShapeError(message, knob=knob)
        super().__init__()
        units = Units(neuron, spiking)
        self.position = units.place(position, signal, ("pairs",), "spike_driven")
        self.embed = current_layer(embed, self.position, dim, norm_gain)
        self.blocks = nn.ModuleList(
            _Block(
                dim,
                4 * dim if hidden is None else hidden,
                SpikeDrivenAttention(dim, units.hidden, scale=attention_scale, norm_gain=norm_gain)
                if spiking
                else SoftmaxAttention(dim, heads, norm_gain=norm_gain),
                units,
                norm_gain,
                self.position.block_code,
            )
            for _ in range(depth)
        )
        self.neuron = units.hidden(dim)
        self.output = units.output(signal, dim, self.neuron.levels)
        self.impose(hierarchy, signal)

    @staticmethod
    def rules(knobs: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """Heads split the width evenly."""
        yield from attention_rules(knobs)

    @property
    def stages(self) -> list[nn.Module]:
        return [self.embed, *self.blocks, self.neuron]

    def forward(self, x: Tensor, tokens: Ragged | None = None) -> Tensor:
        place = self.position.place(x, tokens)
        u = self.embed(self.position(x, tokens), place.code)
        for block in self.blocks:
            u = block(u, place, tokens)
        spikes: Tensor = self.neuron(u)
        return spikes
