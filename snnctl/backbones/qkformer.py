"""QKFormer for sequences: cheap token attention first, spiking self-attention after it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar

from annotated_types import Ge, Gt
from torch import Tensor, nn

from snnctl.backbones.parts.hierarchy import Hierarchy, Layered
from snnctl.backbones.parts.mask_attention import QKTokenAttention, SharedKeyAttention
from snnctl.backbones.parts.transformer import (
    AttentionMap,
    Embed,
    attention_rules,
    highest_value,
    make_block,
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


@BACKBONES.register("qkformer")
class QKFormer(Layered):
    """Blocks with Q-K token attention, then blocks with spiking self-attention; all positions stay (one scale).

    The hierarchical form for images, which halves the image between stages, is another network. A position that
    acts on attention maps reaches the self-attention blocks alone.

    Equation:
        x = neuron(Linear(position(x)))      with `embed_norm` BN after Linear
        x = x + QKTA(x);  x = x + MLP(x)     repeated `qk_depth` times
        x = x + SSA(x);   x = x + MLP(x)     repeated `depth` times

    Args:
        signal: the encoder's output [T, B, L, F].
        dim: D, width of a token, >= 1 (256 as in SeqSNN).
        qk_depth: blocks with token attention, >= 1 (2 as in arXiv 2501.16745).
        depth: blocks with self-attention after them, >= 0 (2 as in arXiv 2501.16745).
        heads: attention heads, >= 1, divides `dim` (8 as in SeqSNN).
        hidden: width inside the MLPs, >= 1; null means 4 * dim.
        position: positional encoding, applied to the encoder's spikes.
        neuron: neuron of every layer; one instance per place.
        attention_map: map of the self-attention, as in `spikformer`.
        attention_scale: factor on the self-attention product, > 0; null sizes it, as in `spikformer`.
        learn_attention_scale: whether that scale is learned, as in `spikformer`.
        attention_threshold: as in `spikformer`, > 0.
        embed: always has a layer before the blocks; needed has one only where the width or a code calls for it: after a
            patch_split of width `dim`, for the codes of cpg and its like alone, as published for images.
        embed_norm: whether BatchNorm follows the embedding.
        norm_gain: initial gain of every BatchNorm, > 0 (1 is torch's).
        hierarchy: time constants over depth, layer by layer or block by block; null leaves the neuron's.
        spiking: false builds the non-spiking twin: the same layers and sizes, rectifiers for neurons (the encoder's
            too), softmax attention (in the first blocks with the keys as values).

    Shape: [T, B, L, F] -> [T, B, L, dim].

    Raises:
        ShapeError: `heads` does not divide `dim`, or the position does not fit the signal or the map.

    Source: Zhou et al. 2024, "QKFormer", arXiv 2403.16552; for series as in arXiv 2501.16745.
    """

    takes_ragged: ClassVar[bool] = True

    def __init__(
        self,
        signal: SignalSpec,
        *,
        dim: Annotated[int, Ge(1)] = 256,
        qk_depth: Annotated[int, Ge(1)] = 2,
        depth: Annotated[int, Ge(0)] = 2,
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
        self.position = units.place(
            position,
            signal,
            ("agreement", "pairs") if depth else (),
            "qkformer" if depth else "qkformer with `depth: 0`",
        )
        self.embed = spiking_layer(embed, self.position, dim, units, norm_gain if embed_norm else None)
        cheap = [
            make_block(
                QKTokenAttention(dim, heads, units.hidden, norm_gain=norm_gain)
                if spiking
                else SharedKeyAttention(dim, heads, norm_gain=norm_gain),
                dim,
                4 * dim if hidden is None else hidden,
                units,
                norm_gain=norm_gain,
                code=self.position.block_code,
            )
            for _ in range(qk_depth)
        ]
        self.blocks = nn.ModuleList(
            [
                *cheap,
                *make_blocks(
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
                ),
            ]
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
