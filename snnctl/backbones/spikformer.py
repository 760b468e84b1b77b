"""Spikformer for sequences: a spiking transformer encoder whose tokens are positions or patches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar

from annotated_types import Ge, Gt
from torch import Tensor, nn

from snnctl.backbones.parts.hierarchy import Hierarchy, Layered
from snnctl.backbones.parts.transformer import (
    AttentionMap,
    Embed,
    attention_rules,
    highest_value,
    make_blocks,
    spiking_layer,
)
from snnctl.backbones.parts.units import Units
from snnctl.core.catalog import BACKBONES
from snnctl.core.registry import Slot
from snnctl.core.shapes import ShapeError, SignalSpec
from snnctl.neurons.base import NeuronFactory
from snnctl.positions.base import PositionFactory
from snnctl.positions.ragged import Ragged


@BACKBONES.register("spikformer")
class Spikformer(Layered):
    """Spiking transformer: spiking self-attention and MLP with residual adds of spikes.

    Residuals are added after the neuron, so activations are whole numbers up to 1 + 2 * depth. Without a
    position the network is blind to the order of its tokens.

    Equation:
        x = neuron(Linear(position(x)))      with `embed_norm` BN after Linear
        x = x + SSA(x)                       repeated `depth` times
        x = x + MLP(x)

    Args:
        signal: the encoder's output [T, B, L, F].
        dim: D, width of a token, >= 1 (256 as in SeqSNN).
        depth: number of blocks, >= 1 (2 as in SeqSNN).
        heads: attention heads, >= 1, divides `dim` (8 as in SeqSNN).
        hidden: width inside the MLP, >= 1; null means 4 * dim (SeqSNN's d_ff 1024).
        position: positional encoding, applied to the encoder's spikes.
        neuron: neuron of every layer; one instance per place.
        attention_map: dot counts channels that fire in both q and k (Spikformer), xnor those that agree; auto
            takes what the position is made for (xnor for gray and log), else dot.
        attention_scale: factor on the attention product, > 0 (0.125 as in Spikformer); null sizes it by the
            number of positions, the width of a head and the map, so that the neuron behind neither starts
            silent nor saturated (ours).
        learn_attention_scale: whether the scale is learned, as a sigmoid that starts at `attention_scale` (one
            number per block; arXiv 2501.16745 finds that xnor maps need it).
        attention_threshold: threshold of the neuron after the attention product as a share of the neuron's
            own, > 0 (0.5 as in Spikformer; arXiv 2402.01533 prints 0.25).
        embed: always has a layer before the blocks; needed has one only where the width or a code calls for it: after a
            patch_split of width `dim`, for the codes of cpg and its like alone, as published for images.
        embed_norm: whether BatchNorm follows the embedding (the published time-series code has none; with
            few features the first layer may start silent without it).
        norm_gain: initial gain of every BatchNorm, > 0 (1 is torch's; 2 roughly triples the initial rate).
        hierarchy: time constants over depth, layer by layer or block by block; null leaves the neuron's.
        spiking: false builds the non-spiking twin: the same layers and sizes, rectifiers for neurons (the encoder's
            too), softmax attention.

    Shape: [T, B, L, F] -> [T, B, L, dim].

    Raises:
        ShapeError: `heads` does not divide `dim`, or the position does not fit the signal or the map.

    Source: Zhou et al. 2023, "Spikformer", arXiv 2209.15425; time-series form of arXiv 2402.01533,
        github.com/microsoft/SeqSNN.
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
        attention_map: AttentionMap = "auto",
        attention_scale: Annotated[float, Gt(0.0)] | None = 0.125,
        learn_attention_scale: bool = False,
        attention_threshold: Annotated[float, Gt(0.0)] = 0.5,
        embed: Embed = "always",
        embed_norm: bool = False,
        norm_gain: Annotated[float, Gt(0.0)] = 1.0,
        hierarchy: Hierarchy | None = None,
        spiking: bool = True,
    ) -> None:
        given = {
            "dim": dim,
            "heads": heads,
            "attention_scale": attention_scale,
            "learn_attention_scale": learn_attention_scale,
        }
        for knob, message in self.rules(given):
            raise ShapeError(message, knob=knob)
        super().__init__()
        units = Units(neuron, spiking)
        self.position = units.place(position, signal, ("agreement", "pairs"), "spikformer")
        self.embed = spiking_layer(embed, self.position, dim, units, norm_gain if embed_norm else None)
        self.blocks = nn.ModuleList(
            make_blocks(
                depth,
                self.position,
                units,
                dim=dim,
                heads=heads,
                hidden=hidden,
                length=signal.length,
                attention_map=attention_map,
                scale=attention_scale,
                learn_scale=learn_attention_scale,
                threshold=attention_threshold,
                norm_gain=norm_gain,
            )
        )
        self.output = units.output(signal, dim, highest_value(self.embed, self.blocks))
        self.impose(hierarchy, signal)

    @staticmethod
    def rules(knobs: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """Heads split the width evenly; a learned scale is a sigmoid."""
        yield from attention_rules(knobs)

    @property
    def stages(self) -> list[nn.Module]:
        return [self.embed, *self.blocks]

    def forward(self, x: Tensor, tokens: Ragged | None = None) -> Tensor:
        place = self.position.place(x, tokens)
        x = self.embed(self.position(x, tokens), code=place.code)
        for block in self.blocks:
            x = block(x, place, tokens)
        return x
