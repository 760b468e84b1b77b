"""Spikformer for sequences: a spiking transformer encoder whose tokens are positions or patches."""

from __future__ import annotations

from snnctl.backbones.parts.transformer import Attention, Embedding, Plan, Transformer, TransformerLayers
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
        embed_norm: whether BatchNorm follows the embedding (the published time-series code has none; with
            few features the first layer may start silent without it).

    Shape: [T, B, L, F] -> [T, B, L, dim].

    Raises:
        ShapeError: `heads` does not divide `dim`, or the position does not fit the signal or the map.

    Source: Zhou et al. 2023, "Spikformer", arXiv 2209.15425; time-series form of arXiv 2402.01533,
        github.com/microsoft/SeqSNN.
    """

    @takes_knobs
    def __init__(
        self,
        signal: SignalSpec,
        *,
        plan: Plan = Plan(),
        attention: Attention = Attention(),
        embedding: Embedding = Embedding(),
        every_layer: TransformerLayers = TransformerLayers(),
    ) -> None:
        super().__init__()
        units = every_layer.units(plan.neuron)
        self.position = units.place(plan.position, signal, ("agreement", "pairs"), "spikformer")
        self.assemble(signal, plan, attention, embedding, units, every_layer)
