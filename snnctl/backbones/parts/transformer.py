"""What spiking transformers are made of: the layer before the blocks, a block, its MLP, the choice of its attention."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal

from torch import Tensor, nn

from snnctl.backbones.parts.attention import SoftmaxAttention, SpikingSelfAttention, default_scale
from snnctl.backbones.parts.layers import NormedLinear, SpikingLinear
from snnctl.backbones.parts.units import Units
from snnctl.core.shapes import ShapeError
from snnctl.neurons.base import NeuronFactory
from snnctl.positions.base import MapKind, Place, Position
from snnctl.positions.ragged import Ragged

AttentionMap = Literal["auto", "dot", "xnor"]
Embed = Literal["always", "needed"]


class SpikingMLP(nn.Module):
    """Two spiking layers, the first one wider.

    Equation:
        y = neuron(BN(Linear(neuron(BN(Linear(x))))))

    Args:
        dim: D, width of input and output.
        hidden: width between the layers.
        neuron: factory of neurons, called once per place.
        norm_gain: initial gain of the BatchNorms.
        code: columns of a code of the position that both layers have weights for; 0 = none.
        ends_with: factory of the last unit; None means `neuron`.

    Shape: [T, B, L, D] -> [T, B, L, D]; the code is [T or 1, 1, L, code].
    """

    def __init__(
        self,
        dim: int,
        hidden: int,
        neuron: NeuronFactory,
        *,
        norm_gain: float,
        code: int = 0,
        ends_with: NeuronFactory | None = None,
    ) -> None:
        super().__init__()
        self.widen = SpikingLinear(dim, hidden, neuron, norm_gain=norm_gain, code=code)
        self.narrow = SpikingLinear(hidden, dim, ends_with or neuron, norm_gain=norm_gain, code=code)

    def forward(self, x: Tensor, code: Tensor | None = None) -> Tensor:
        spikes: Tensor = self.narrow(self.widen(x, code=code), code=code)
        return spikes


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


class NoLayer(nn.Module):
    """Hands its input on; takes a code as the layer does whose place it has, and cannot get one."""

    def __init__(self, levels: int) -> None:
        super().__init__()
        self.levels = levels

    def forward(self, x: Tensor, code: Tensor | None = None) -> Tensor:
        return x


def is_needed(embed: Embed, position: Position, dim: int) -> bool:
    """Whether a layer has to stand there: `needed` asks for one only where the width or a code calls for it."""
    return embed == "always" or position.output.features != dim or position.input_code > 0


def _is_current(position: Position, units: Units) -> bool:
    return units.spiking and position.output.kind == "real"


def spiking_layer(embed: Embed, position: Position, dim: int, units: Units, norm_gain: float | None) -> Any:
    """The first layer of a network whose blocks add spikes; currents always need one, to become spikes."""
    if not is_needed(embed, position, dim) and not _is_current(position, units):
        return NoLayer(position.output.levels)
    return SpikingLinear(position.output.features, dim, units.hidden, norm_gain=norm_gain, code=position.input_code)


def current_layer(embed: Embed, position: Position, dim: int, norm_gain: float) -> Any:
    """The first layer of a network whose blocks add currents; spikes always need one: by themselves they are too weak
    a current to make a neuron with a leak fire."""
    if not is_needed(embed, position, dim) and position.output.kind == "real":
        return NoLayer(position.output.levels)
    return NormedLinear(position.output.features, dim, norm_gain=norm_gain, code=position.input_code)


def highest_value(layer: Any, blocks: Iterable[Any]) -> int:
    """The highest value behind blocks that each add the spikes of an attention and of an MLP."""
    first: int = layer.levels if isinstance(layer, NoLayer) else layer.neuron.levels
    return first + sum(2 * block.mlp.narrow.neuron.levels for block in blocks)


def make_mlp(dim: int, hidden: int, units: Units, *, norm_gain: float, code: int) -> SpikingMLP:
    """The MLP of a block; a twin has a rectifier inside and nothing at its end."""
    return SpikingMLP(dim, hidden, units.hidden, norm_gain=norm_gain, code=code, ends_with=units.linear)


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
