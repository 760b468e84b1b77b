"""The hierarchical QKFormer for images: between its stages rows and columns are halved and channels doubled."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any

from annotated_types import Ge, Gt, Le
from torch import Tensor, nn

from snnctl.backbones.base import Count, Depth, NormedLayer, Places
from snnctl.backbones.parts.images import grid_of, to_images, to_tokens
from snnctl.backbones.parts.mask_attention import token_attention
from snnctl.backbones.parts.patch_embed import PatchEmbedding
from snnctl.backbones.parts.transformer import Attention, Embedding, Size, Transformer, TransformerBlock
from snnctl.core.catalog import BACKBONES
from snnctl.core.shapes import SignalSpec
from snnctl.core.signature import takes_knobs
from snnctl.positions.base import Place
from snnctl.positions.ragged import Ragged


class TokenStage(nn.Module):
    """A patch embedding, and blocks with token attention on its grid.

    Shape: [T, B, C, H, W] -> [T, B, C', H', W'].
    """

    def __init__(self, embedding: PatchEmbedding, blocks: Iterable[TransformerBlock]) -> None:
        super().__init__()
        self.embedding = embedding
        self.blocks = nn.ModuleList(blocks)

    def forward(self, images: Tensor) -> Tensor:
        x = to_tokens(self.embedding(images))
        for block in self.blocks:
            x = block(x, Place())
        return to_images(x, self.embedding.grid)


@BACKBONES.register("qkformer_stages")
class QKFormerStages(Transformer):
    """Stages of patch embedding and blocks: Q-K token attention on fine grids, spiking self-attention on the last one.

    Give it pixels: encoder `repeat` with `neuron: null` for still images (the first convolution then runs once, not at
    every step), `none` for event frames. The published network has no layer for positions: its convolutions see where
    they are, and the rows "Conv-PE" of arXiv 2501.16745 are of its size. Where that paper puts CPG-PE it does not say.
    Here a position acts on the tokens of the last stage, before its blocks (ours); a code gets a layer with BatchNorm.

    Equation:
        x = neurons of convolutions, + those of a shortcut      patch embedding, at the start of each stage
        x = x + QKTA(x);  x = x + MLP(x)                        `depths` times in each stage but the last
        x = neuron(BN(Linear(position(x))))                     last stage, where a code or real numbers call for it
        x = x + SSA(x);   x = x + MLP(x)                        `depths` times in the last stage

    Args:
        signal: the encoder's output [T, B, L, C], with a grid.
        dim: D, channels of the last stage, >= 1; each stage before has half as many (384 for CIFAR, 256 for DVS).
        depths: blocks of each stage, >= 1 ([1, 1, 2] for CIFAR, [1, 1] for DVS).
        heads: attention heads of every block, >= 1, divides the channels of each stage (8 for CIFAR, 16 for DVS).
        mlp_ratio: width inside the MLPs over that outside, > 0 (4 for CIFAR, 1 for DVS).
        first_layers: convolutions of the first patch embedding, >= 2, whose channels double up to those of its stage;
            the shortcut passes the last two, or all but the first (2 for CIFAR, 4 for DVS). Other stages have two.
        first_pools: which of them have a pool, counted from 1 (none for CIFAR, the last three for DVS). Other stages
            have one in the second.
        position: positional encoding of the last stage's tokens.
        attention_map: map of the self-attention, as in `spikformer`.
        attention_scale: factor on the self-attention product, > 0; null sizes it, as in `spikformer`.
        learn_attention_scale: whether that scale is learned, as in `spikformer`.
        attention_threshold: threshold of the neurons inside both kinds of attention, as a share of the neuron's own,
            > 0 (0.5 as published).
        norm_gain: initial gain of every BatchNorm, > 0 (1 is torch's).
        hierarchy: time constants over depth, patch embedding by patch embedding and block by block; null leaves the
            neuron's.
        spiking: false builds the non-spiking twin: the same layers and sizes, rectifiers for neurons (the encoder's
            too), softmax attention (in the stages before the last with the keys as values).

    Shape: [T, B, L, C] -> [T, B, L', dim], L' = rows * columns of the last stage.

    Raises:
        ShapeError: the positions lie on no grid; channels cannot be halved so often or split into heads; the position
            does not fit the map.

    Source: Zhou et al. 2024, "QKFormer", arXiv 2403.16552, github.com/zhouchenlin2096/QKFormer (CIFAR and DVS; the
        first embedding and the pools of its ImageNet form are others). Queries, keys and values have a bias here, which
        the BatchNorm behind takes out again.
    """

    takes_ragged = False

    @takes_knobs
    def __init__(
        self,
        signal: SignalSpec,
        *,
        dim: Count = 384,
        depths: list[Depth] = [1, 1, 2],  # noqa: B006  # never changed
        heads: Count = 8,
        mlp_ratio: Annotated[float, Gt(0.0)] = 4.0,
        first_layers: Annotated[int, Ge(2), Le(30)] = 2,
        first_pools: list[Count] = [],  # noqa: B006  # never changed
        places: Places = Places(),
        attention: Attention = Attention(),
        every_layer: NormedLayer = NormedLayer(),
    ) -> None:
        super().__init__()
        self.grid = grid = grid_of(signal, "qkformer_stages")
        units, norm_gain = every_layer.units(places.neuron), every_layer.norm_gain
        widths = [dim >> halvings for halvings in reversed(range(len(depths)))]
        hidden = [max(1, round(mlp_ratio * width)) for width in widths]
        channels = [signal.features, *(widths[0] >> halvings for halvings in reversed(range(first_layers)))]
        pools, start = set(first_pools), max(1, first_layers - 2)
        embeddings: list[PatchEmbedding] = []
        for width in widths:
            if embeddings:
                channels, pools, start = [width // 2, width, width], {2}, 0
            made = PatchEmbedding(channels, pools, start=start, grid=grid, units=units, norm_gain=norm_gain)
            embeddings.append(made)
            grid = made.grid

        def token_block(width: int, inside: int) -> TransformerBlock:
            threshold = attention.attention_threshold
            masks = token_attention(width, heads, units, norm_gain=norm_gain, threshold=threshold)
            return TransformerBlock(masks, width, inside, units, norm_gain=norm_gain)

        before_last = zip(embeddings[:-1], depths[:-1], widths[:-1], hidden[:-1], strict=True)
        self.token_stages = nn.ModuleList(
            TokenStage(embedding, (token_block(width, inside) for _ in range(depth)))
            for embedding, depth, width, inside in before_last
        )
        self.embedding = embeddings[-1]
        tokens = units.output(signal, dim, self.embedding.levels, grid[0] * grid[1]).replace(grid=grid)
        self.position = units.place(places.position, tokens, ("agreement", "pairs"), "qkformer_stages")
        # Asked of spikes in the twin as well, which has to have the same layers.
        adds_real = self.position.describe(tokens.replace(kind="spikes")).kind == "real"
        embedding = Embedding("always" if adds_real else "needed", embed_norm=True)
        self.assemble(tokens, Size(dim, depths[-1], heads, hidden[-1]), attention, embedding, units, every_layer)

    @staticmethod
    def rules(knobs: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """Channels are whole and split evenly into heads; pools stand in convolutions that exist."""
        dim, stages, layers, pools = knobs["dim"], len(knobs["depths"]), knobs["first_layers"], knobs["first_pools"]
        if not stages:
            yield "depths", "`depths` must name at least one stage"
            return
        first = dim >> (stages - 1)
        if dim % 2 ** (stages - 1):
            yield "dim", f"`dim` must be a multiple of {2 ** (stages - 1)}, as each stage of `depths` doubles the width"
        elif first % 2 ** (layers - 1):
            yield "first_layers", f"the first stage's width {first} cannot be halved {layers - 1} times"
        elif first % knobs["heads"]:
            yield "heads", f"`heads` must divide {first}, the width of the first stage"
        if max(pools, default=0) > layers:
            yield "first_pools", f"there is no convolution {max(pools)}: `first_layers` is {layers}"
        for pool in [pool for pool in pools if pools.count(pool) > 1][:1]:
            yield "first_pools", f"convolution {pool} stands in `first_pools` twice"

    @property
    def stages(self) -> list[nn.Module]:
        before: list[Any] = list(self.token_stages)
        parts = [part for stage in before for part in (stage.embedding, *stage.blocks)]
        return [*parts, self.embedding, *super().stages]

    def forward(self, x: Tensor, tokens: Ragged | None = None) -> Tensor:
        images = to_images(x, self.grid)
        for stage in self.token_stages:
            images = stage(images)
        return super().forward(to_tokens(self.embedding(images)), tokens)
