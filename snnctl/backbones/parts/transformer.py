"""What spiking transformers with spike residuals share: a block, and the choice of its attention."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from torch import Tensor, nn

from snnctl.backbones.parts.attention import SoftmaxAttention, SpikingSelfAttention, default_scale
from snnctl.backbones.parts.mlp import SpikingMLP, make_mlp
from snnctl.backbones.parts.units import Units
from snnctl.core.shapes import ShapeError
from snnctl.positions.base import MapKind, Place, Position
from snnctl.positions.ragged import Ragged

AttentionMap = Literal["auto", "dot", "xnor"]


class TransformerBlock(nn.Module):
    """Attention and MLP, each added to its input after its last neuron: activations are whole numbers.

    Equation:
        x = x + attention(x)
        x = x + MLP(x)

    Shape: [T, B, L, D] -> [T, B, L, D].
    """

    def __init__(self, attention: nn.Module, mlp: SpikingMLP) -> None:
        super().__init__()
        self.attention = attention
        self.mlp = mlp

    def forward(self, x: Tensor, place: Place, tokens: Ragged | None = None) -> Tensor:
        """`place` is what the position hands on: a bias for the attention map, a code for the MLP."""
        x = x + self.attention(x, place.bias, tokens)
        spikes: Tensor = x + self.mlp(x, place.code)
        return spikes


def map_kind(wanted: AttentionMap, position: Position) -> MapKind:
    """The kind of map: the one that is asked for, else the one that the position is made for, else dot.

    Raises:
        ShapeError: Gray code, which is counted in agreeing bits, on a dot-product map.
    """
    if wanted == "auto":
        return "dot" if position.needs is None else "xnor"
    if wanted == "dot" and position.needs == "agreement":
        raise ShapeError(
            "Gray code counts agreeing bits, which a dot-product map does not",
            knob="attention_map",
            help="use `attention_map: auto` or xnor",
        )
    return wanted


def make_attention(
    dim: int,
    heads: int,
    units: Units,
    *,
    length: int,
    kind: MapKind,
    scale: float | None,
    learn_scale: bool,
    threshold: float,
    norm_gain: float,
) -> nn.Module:
    """Spiking self-attention, or its twin with softmax; `scale` of None is computed, see `default_scale`."""
    if not units.spiking:
        return SoftmaxAttention(dim, heads, norm_gain=norm_gain)
    value = default_scale(kind, length, dim // heads) if scale is None else scale
    return SpikingSelfAttention(
        dim,
        heads,
        units.hidden,
        scale=min(value, 0.99) if learn_scale else value,
        threshold=threshold,
        norm_gain=norm_gain,
        kind=kind,
        learn_scale=learn_scale,
    )


def make_block(
    attention: nn.Module, dim: int, hidden: int, units: Units, *, norm_gain: float, code: int
) -> TransformerBlock:
    """A block around `attention`."""
    return TransformerBlock(attention, make_mlp(dim, hidden, units, norm_gain=norm_gain, code=code))


def make_blocks(
    depth: int,
    position: Position,
    units: Units,
    *,
    dim: int,
    heads: int,
    hidden: int | None,
    length: int,
    attention_map: AttentionMap,
    scale: float | None,
    learn_scale: bool,
    threshold: float,
    norm_gain: float,
) -> list[TransformerBlock]:
    """`depth` blocks with self-attention over `length` positions; `hidden` of None means 4 * `dim`."""
    kind = map_kind(attention_map, position)
    return [
        make_block(
            make_attention(
                dim,
                heads,
                units,
                length=length,
                kind=kind,
                scale=scale,
                learn_scale=learn_scale,
                threshold=threshold,
                norm_gain=norm_gain,
            ),
            dim,
            4 * dim if hidden is None else hidden,
            units,
            norm_gain=norm_gain,
            code=position.block_code,
        )
        for _ in range(depth)
    ]


def attention_rules(knobs: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Heads split the width evenly; a learned scale is a sigmoid."""
    if knobs["dim"] % knobs["heads"]:
        yield "heads", "`heads` must divide `dim`"
    scale = knobs.get("attention_scale")
    if knobs.get("learn_attention_scale") and scale is not None and scale >= 1:
        yield "attention_scale", "`attention_scale` must be below 1 where it is learned (`learn_attention_scale`)"
