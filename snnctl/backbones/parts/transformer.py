"""What spiking transformers are made of: their knobs, the layer before the blocks, a block with its MLP, the whole."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from annotated_types import Gt
from torch import Tensor, nn

from snnctl.backbones.base import Count, Depth, Layered, NormedLayer, Places
from snnctl.backbones.parts.attention import SoftmaxAttention, SpikingSelfAttention, default_scale
from snnctl.backbones.parts.layers import NormedLinear, SpikingLinear
from snnctl.backbones.parts.mask_attention import token_attention
from snnctl.backbones.parts.units import Units
from snnctl.core.shapes import ShapeError, SignalSpec
from snnctl.core.signature import KnobGroup
from snnctl.neurons.base import NeuronFactory
from snnctl.positions.base import MapKind, Place, Position
from snnctl.positions.ragged import Ragged

AttentionMap = Literal["auto", "dot", "xnor"]
Embed = Literal["always", "needed"]


@dataclass(frozen=True)
class Size(KnobGroup):
    """How large a transformer is.

    Args:
        dim: D, width of a token, >= 1 (256 as in SeqSNN).
        depth: number of blocks, >= 1 (2 as in SeqSNN).
        heads: attention heads, >= 1, divides `dim` (8 as in SeqSNN).
        hidden: width inside the MLP, >= 1; null means 4 * dim (SeqSNN's d_ff 1024).
    """

    dim: Count = 256
    depth: Depth = 2
    heads: Count = 8
    hidden: Count | None = None

    @staticmethod
    def rules(knobs: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """Heads split the width evenly."""
        if knobs["dim"] % knobs["heads"]:
            yield "heads", "`heads` must divide `dim`"

    @property
    def inside(self) -> int:
        """Width inside the MLPs."""
        return 4 * self.dim if self.hidden is None else self.hidden


@dataclass(frozen=True)
class Plan(Places, Size):
    """How large a transformer is, and then what stands at its places."""


@dataclass(frozen=True)
class TransformerLayers(NormedLayer):
    """What holds for all layers of a transformer.

    Args:
        spiking: false builds the non-spiking twin: the same layers and sizes, rectifiers for neurons (the encoder's
            too), softmax attention.
    """


@dataclass(frozen=True)
class Embedding(KnobGroup):
    """The layer between the position and the first block, of networks whose blocks add spikes.

    Args:
        embed: always has a layer before the blocks; needed has one only where the width or a code calls for it: after a
            patch_split of width `dim`, for the codes of cpg and its like alone, as published for images.
        embed_norm: whether BatchNorm follows the embedding.
    """

    embed: Embed = "always"
    embed_norm: bool = False

    def layer(self, position: Position, dim: int, units: Units, norm_gain: float) -> Any:
        """That layer; currents always need one, to become spikes."""
        is_current = units.spiking and position.output.kind == "real"
        if not is_needed(self.embed, position, dim) and not is_current:
            return NoLayer(position.output.levels)
        features, code = position.output.features, position.input_code
        return SpikingLinear(features, dim, units.hidden, norm_gain=norm_gain if self.embed_norm else None, code=code)


@dataclass(frozen=True)
class Attention(KnobGroup):
    """Spiking self-attention.

    Args:
        attention_map: dot counts channels that fire in both q and k (Spikformer), xnor those that agree; auto
            takes what the position is made for (xnor for gray and log), else dot.
        attention_scale: factor on the attention product, > 0 (0.125 as in Spikformer); null sizes it by the
            number of positions, the width of a head and the map, so that the neuron behind neither starts
            silent nor saturated (ours).
        learn_attention_scale: whether the scale is learned, as a sigmoid that starts at `attention_scale` (one
            number per block; arXiv 2501.16745 finds that xnor maps need it).
        attention_threshold: threshold of the neuron after the attention product as a share of the neuron's
            own, > 0 (0.5 as in Spikformer; arXiv 2402.01533 prints 0.25).
    """

    attention_map: AttentionMap = "auto"
    attention_scale: Annotated[float, Gt(0.0)] | None = 0.125
    learn_attention_scale: bool = False
    attention_threshold: Annotated[float, Gt(0.0)] = 0.5

    @staticmethod
    def rules(knobs: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """A learned scale is a sigmoid."""
        scale = knobs.get("attention_scale")
        if knobs.get("learn_attention_scale") and scale is not None and scale >= 1:
            yield "attention_scale", "`attention_scale` must be below 1 where it is learned (`learn_attention_scale`)"

    def kind(self, position: Position) -> MapKind:
        """The kind of map: the one that is asked for, else the one that the position is made for, else dot.

        Raises:
            ShapeError: Gray code, which is counted in agreeing bits, on a dot-product map.
        """
        if self.attention_map == "auto":
            return "dot" if position.needs is None else "xnor"
        if self.attention_map == "dot" and position.needs == "agreement":
            message = "Gray code counts agreeing bits, which a dot-product map does not"
            raise ShapeError(message, knob="attention_map", help="use `attention_map: auto` or xnor")
        return self.attention_map

    def blocks(
        self, size: Size, position: Position, units: Units, *, length: int, norm_gain: float
    ) -> list[TransformerBlock]:
        """`size.depth` blocks with self-attention over `length` positions, or with softmax in a twin."""
        kind, scale = self.kind(position), self.attention_scale
        if scale is None:
            scale = default_scale(kind, length, size.dim // size.heads)

        def attention() -> nn.Module:
            if not units.spiking:
                return SoftmaxAttention(size.dim, size.heads, norm_gain=norm_gain)
            return SpikingSelfAttention(
                size.dim,
                size.heads,
                units.hidden,
                scale=min(scale, 0.99) if self.learn_attention_scale else scale,
                threshold=self.attention_threshold,
                norm_gain=norm_gain,
                kind=kind,
                learn_scale=self.learn_attention_scale,
            )

        code = position.block_code
        return [
            TransformerBlock(attention(), size.dim, size.inside, units, norm_gain=norm_gain, code=code)
            for _ in range(size.depth)
        ]


class SpikingMLP(nn.Module):
    """Two spiking layers, the first one wider.

    Args:
        dim, hidden: D, width of input and output, and the width between the layers.
        neuron, norm_gain, code: of both layers, as in `SpikingLinear`.
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
        return self.narrow(self.widen(x, code=code), code=code)


class TransformerBlock(nn.Module):
    """Attention and MLP, each added to its input after its last neuron: activations are whole numbers.

    The MLP of a twin has a rectifier inside and nothing at its end.

    Shape: [T, B, L, D] -> [T, B, L, D].
    """

    def __init__(
        self, attention: nn.Module, dim: int, hidden: int, units: Units, *, norm_gain: float, code: int = 0
    ) -> None:
        super().__init__()
        self.attention = attention
        self.mlp = SpikingMLP(dim, hidden, units.hidden, norm_gain=norm_gain, code=code, ends_with=units.linear)

    def forward(self, x: Tensor, place: Place, tokens: Ragged | None = None) -> Tensor:
        """`place` is what the position hands on: a bias for the attention map, a code for the MLP."""
        x = x + self.attention(x, place.bias, tokens)
        return x + self.mlp(x, place.code)


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


def current_layer(embed: Embed, position: Position, dim: int, norm_gain: float) -> Any:
    """The first layer of a network whose blocks add currents; spikes always need one: by themselves they are too weak
    a current to make a neuron with a leak fire."""
    if not is_needed(embed, position, dim) and position.output.kind == "real":
        return NoLayer(position.output.levels)
    return NormedLinear(position.output.features, dim, norm_gain=norm_gain, code=position.input_code)


class Transformer(Layered):
    """A position, a first layer, and blocks that also get what the position hands on.

    Shape: [T, B, L, F] -> [T, B, L, D]; or packed tokens [T, 1, N, F] -> [T, 1, N, D].
    """

    position: Position
    embed: Any
    blocks: nn.ModuleList
    takes_ragged = True

    def assemble(
        self,
        tokens: SignalSpec,
        size: Size,
        attention: Attention,
        embedding: Embedding,
        units: Units,
        every_layer: NormedLayer,
        *,
        token_blocks: int = 0,
    ) -> None:
        """Make what stands behind the position of a network whose blocks add spikes, all for `tokens`.

        So many `token_blocks` with token attention come before those with self-attention.
        """
        norm_gain, code = every_layer.norm_gain, self.position.block_code
        self.embed = embedding.layer(self.position, size.dim, units, norm_gain)
        made = []
        for _ in range(token_blocks):
            masks = token_attention(size.dim, size.heads, units, norm_gain=norm_gain)
            made.append(TransformerBlock(masks, size.dim, size.inside, units, norm_gain=norm_gain, code=code))
        made += attention.blocks(size, self.position, units, length=tokens.length, norm_gain=norm_gain)
        self.blocks = nn.ModuleList(made)
        first: int = self.embed.levels if isinstance(self.embed, NoLayer) else self.embed.neuron.levels
        added = sum(2 * block.mlp.narrow.neuron.levels for block in made)  # of an attention and of an MLP
        self.output = units.output(tokens, size.dim, first + added)
        self.impose(every_layer.hierarchy, tokens)

    @property
    def stages(self) -> list[nn.Module]:
        return [self.embed, *self.blocks]

    def forward(self, x: Tensor, tokens: Ragged | None = None) -> Tensor:
        place = self.position.place(x, tokens)
        x = self.embed(self.position(x, tokens), code=place.code)
        for block in self.blocks:
            x = block(x, place, tokens)
        return x
