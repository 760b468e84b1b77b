"""Spikformer for sequences: a spiking transformer encoder whose tokens are positions or patches."""

from __future__ import annotations

from torch import nn

from snnctl.backbones.base import NormedLayer, Places
from snnctl.backbones.parts.transformer import Attention, Embedding, Size, Transformer, highest_value
from snnctl.core.catalog import BACKBONES
from snnctl.core.shapes import SignalSpec
from snnctl.core.signature import takes_knobs


@BACKBONES.register("spikformer")
class Spikformer(Transformer):
    """Spiking transformer: spiking self-attention and MLP with residual adds of spikes.

    Residuals are added after the neuron, so activations are whole numbers up to 1 + 2 * depth. Without a
    position the network is blind to the order of its tokens.

    Equation:
        x = neuron(Linear(position(x)))      with `embed_norm` BN after Linear
        x = x + SSA(x)                       repeated `depth` times
        x = x + MLP(x)

    Args:
        signal: the encoder's output [T, B, L, F].
        embed_norm: whether BatchNorm follows the embedding (the published time-series code has none; with
            few features the first layer may start silent without it).
        spiking: false builds the non-spiking twin: the same layers and sizes, rectifiers for neurons (the encoder's
            too), softmax attention.

    Shape: [T, B, L, F] -> [T, B, L, dim].

    Raises:
        ShapeError: `heads` does not divide `dim`, or the position does not fit the signal or the map.

    Source: Zhou et al. 2023, "Spikformer", arXiv 2209.15425; time-series form of arXiv 2402.01533,
        github.com/microsoft/SeqSNN.
    """

    takes_ragged = True

    @takes_knobs
    def __init__(
        self,
        signal: SignalSpec,
        *,
        size: Size = Size(),
        places: Places = Places(),
        attention: Attention = Attention(),
        embedding: Embedding = Embedding(),
        every_layer: NormedLayer = NormedLayer(),
    ) -> None:
        super().__init__()
        units, norm_gain = every_layer.units(places.neuron), every_layer.norm_gain
        self.position = units.place(places.position, signal, ("agreement", "pairs"), "spikformer")
        self.embed = embedding.layer(self.position, size.dim, units, norm_gain)
        blocks = attention.blocks(size, self.position, units, length=signal.length, norm_gain=norm_gain)
        self.blocks = nn.ModuleList(blocks)
        self.output = units.output(signal, size.dim, highest_value(self.embed, self.blocks))
        self.impose(every_layer.hierarchy, signal)
