"""Spike-driven transformer for sequences: residuals between membranes, masks instead of an attention map."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Gt
from torch import Tensor, nn

from snnctl.backbones.parts.attention import SoftmaxAttention
from snnctl.backbones.parts.layers import NormedLinear, SpikingLinear
from snnctl.backbones.parts.mask_attention import SpikeDrivenAttention
from snnctl.backbones.parts.transformer import Embed, Plan, Transformer, TransformerLayers, current_layer
from snnctl.backbones.parts.units import Units
from snnctl.core.catalog import BACKBONES
from snnctl.core.shapes import SignalSpec
from snnctl.core.signature import takes_knobs
from snnctl.positions.base import Place
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
        return u + self.narrow(hidden, place.code)


@BACKBONES.register("spike_driven")
class SpikeDriven(Transformer):
    """Spike-driven transformer: every weight sees binary spikes, and attention is a mask and a sum.

    Residuals are added before the neuron (membrane shortcut), so all spikes stay binary, and the cost of the
    attention grows linearly with the number of positions.

    Equation:
        u = BN(Linear(position(x)))
        u = u + SDSA(neuron(u))                        repeated `depth` times
        u = u + BN(Linear(neuron(BN(Linear(neuron(u))))))
        y = neuron(u)

    Args:
        heads: heads of the twin's softmax attention, >= 1, divides `dim`; masks act on channels, so the spiking
            network does not depend on it (8 as in SeqSNN).
        hidden: width inside the MLPs, >= 1; null means 4 * dim.
        embed: always has a layer before the blocks; needed has none where the encoder hands on currents of width `dim`
            (patch_split with `ends_with: current`, as published for images) and the position adds no code.
        attention_scale: factor on the sum of coincidences, > 0 (1: the sum itself, as published; a log bias
            makes sums larger).

    Shape: [T, B, L, F] -> [T, B, L, dim].

    Raises:
        ShapeError: `heads` does not divide `dim`, or the position needs a map of queries and keys (gray).

    Source: Yao et al. 2023, "Spike-driven Transformer", arXiv 2307.01694.
    """

    @takes_knobs
    def __init__(
        self,
        signal: SignalSpec,
        *,
        plan: Plan = Plan(),
        embed: Embed = "always",
        attention_scale: Annotated[float, Gt(0.0)] = 1.0,
        every_layer: TransformerLayers = TransformerLayers(),
    ) -> None:
        super().__init__()
        units, norm_gain = every_layer.units(plan.neuron), every_layer.norm_gain

        def attention() -> nn.Module:
            if not units.spiking:
                return SoftmaxAttention(plan.dim, plan.heads, norm_gain=norm_gain)
            return SpikeDrivenAttention(plan.dim, units.hidden, scale=attention_scale, norm_gain=norm_gain)

        self.position = units.place(plan.position, signal, ("pairs",), "spike_driven")
        self.embed = current_layer(embed, self.position, plan.dim, norm_gain)
        self.blocks = nn.ModuleList(
            _Block(plan.dim, plan.inside, attention(), units, norm_gain, self.position.block_code)
            for _ in range(plan.depth)
        )
        self.neuron = units.hidden(plan.dim)
        self.output = units.output(signal, plan.dim, self.neuron.levels)
        self.impose(every_layer.hierarchy, signal)

    @property
    def stages(self) -> list[nn.Module]:
        return [*super().stages, self.neuron]

    def forward(self, x: Tensor, tokens: Ragged | None = None) -> Tensor:
        return self.neuron(super().forward(x, tokens))
