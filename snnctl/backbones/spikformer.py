"""Spikformer for sequences: a spiking transformer encoder whose tokens are positions or patches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from annotated_types import Ge, Gt
from torch import Tensor, nn

from snnctl.backbones.attention import SpikingSelfAttention
from snnctl.backbones.blocks import SpikingLinear
from snnctl.backbones.mlp import SpikingMLP
from snnctl.core.catalog import BACKBONES
from snnctl.core.registry import Slot
from snnctl.core.shapes import ShapeError, SignalSpec
from snnctl.neurons.base import NeuronFactory, neuron_factory
from snnctl.positions.base import PositionFactory, position_factory


class _Block(nn.Module):
    def __init__(self, attention: SpikingSelfAttention, mlp: SpikingMLP) -> None:
        super().__init__()
        self.attention = attention
        self.mlp = mlp

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(x)
        spikes: Tensor = x + self.mlp(x)
        return spikes


@BACKBONES.register("spikformer")
class Spikformer(nn.Module):
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
        attention_scale: factor on the attention product, > 0 (0.125 as in Spikformer).
        attention_threshold: threshold of the neuron after the attention product as a share of the neuron's
            own, > 0 (0.5 as in Spikformer; arXiv 2402.01533 prints 0.25).
        embed_norm: whether BatchNorm follows the embedding (the published time-series code has none; with
            few features the first layer may start silent without it).
        norm_gain: initial gain of every BatchNorm, > 0 (1 is torch's; 2 roughly triples the initial rate).

    Shape: [T, B, L, F] -> [T, B, L, dim].

    Raises:
        ShapeError: `heads` does not divide `dim`, or the position does not fit the signal.

    Source: Zhou et al. 2023, "Spikformer", arXiv 2209.15425; time-series form of arXiv 2402.01533,
        github.com/microsoft/SeqSNN.
    """

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
        attention_scale: Annotated[float, Gt(0.0)] = 0.125,
        attention_threshold: Annotated[float, Gt(0.0)] = 0.5,
        embed_norm: bool = False,
        norm_gain: Annotated[float, Gt(0.0)] = 1.0,
    ) -> None:
        for knob, message in self.rules({"dim": dim, "heads": heads}):
            raise ShapeError(message, knob=knob)
        super().__init__()
        make_neuron = neuron_factory(neuron)
        self.position = position_factory(position)(signal)
        self.embed = SpikingLinear(
            self.position.output.features, dim, make_neuron, norm_gain=norm_gain if embed_norm else None
        )
        self.blocks = nn.Sequential(
            *(
                _Block(
                    SpikingSelfAttention(
                        dim,
                        heads,
                        make_neuron,
                        scale=attention_scale,
                        threshold=attention_threshold,
                        norm_gain=norm_gain,
                    ),
                    SpikingMLP(dim, 4 * dim if hidden is None else hidden, make_neuron, norm_gain=norm_gain),
                )
                for _ in range(depth)
            )
        )
        levels = self.embed.neuron.levels * (1 + 2 * depth)
        self.output = SignalSpec(signal.steps, signal.length, dim, kind="spikes", levels=levels)

    @staticmethod
    def rules(knobs: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """Heads split the width evenly."""
        if knobs["dim"] % knobs["heads"]:
            yield "heads", "`heads` must divide `dim`"

    def forward(self, x: Tensor) -> Tensor:
        spikes: Tensor = self.blocks(self.embed(self.position(x)))
        return spikes
