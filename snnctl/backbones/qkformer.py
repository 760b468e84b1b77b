"""QKFormer for sequences: cheap token attention first, spiking self-attention after it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Le

from snnctl.backbones.base import NormedLayer
from snnctl.backbones.parts.transformer import Attention, Embedding, Plan, Transformer
from snnctl.core.catalog import BACKBONES
from snnctl.core.shapes import SignalSpec
from snnctl.core.signature import After, takes_knobs
from snnctl.positions.base import Needs


@dataclass(frozen=True)
class LaterBlocks(Plan):
    """The size of a network that may do without blocks with self-attention."""

    depth: Annotated[int, Ge(0), Le(1000)] = 2


@BACKBONES.register("qkformer")
class QKFormer(Transformer):
    """Blocks with Q-K token attention, then blocks with spiking self-attention; all positions stay (one scale).

    The hierarchical form for images, which halves the image between stages, is another network. A position that
    acts on attention maps reaches the self-attention blocks alone.

    Equation:
        x = neuron(Linear(position(x)))      with `embed_norm` BN after Linear
        x = x + QKTA(x);  x = x + MLP(x)     repeated `qk_depth` times
        x = x + SSA(x);   x = x + MLP(x)     repeated `depth` times

    Args:
        qk_depth: blocks with token attention, >= 1 (2 as in arXiv 2501.16745).
        depth: blocks with self-attention after them, >= 0 (2 as in arXiv 2501.16745).
        hidden: width inside the MLPs, >= 1; null means 4 * dim.
        attention_map: map of the self-attention, as in `spikformer`.
        attention_scale: factor on the self-attention product, > 0; null sizes it, as in `spikformer`.
        learn_attention_scale: whether that scale is learned, as in `spikformer`.
        attention_threshold: as in `spikformer`, > 0.
        norm_gain: initial gain of every BatchNorm, > 0 (1 is torch's).
        spiking: false builds the non-spiking twin: the same layers and sizes, rectifiers for neurons (the encoder's
            too), softmax attention (in the first blocks with the keys as values).

    Shape: [T, B, L, F] -> [T, B, L, dim].

    Raises:
        ShapeError: `heads` does not divide `dim`, or the position does not fit the signal or the map.

    Source: Zhou et al. 2024, "QKFormer", arXiv 2403.16552; for series as in arXiv 2501.16745.
    """

    @takes_knobs
    def __init__(
        self,
        signal: SignalSpec,
        *,
        plan: LaterBlocks = LaterBlocks(),
        qk_depth: Annotated[int, Ge(1), Le(1000), After("dim")] = 2,
        attention: Attention = Attention(),
        embedding: Embedding = Embedding(),
        every_layer: NormedLayer = NormedLayer(),
    ) -> None:
        super().__init__()
        offers: tuple[Needs, ...] = ("agreement", "pairs") if plan.depth else ()
        kind = "qkformer" if plan.depth else "qkformer with `depth: 0`"
        units = every_layer.units(plan.neuron)
        self.position = units.place(plan.position, signal, offers, kind)
        self.assemble(signal, plan, attention, embedding, units, every_layer, token_blocks=qk_depth)
