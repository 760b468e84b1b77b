"""iSpikformer: a spiking transformer whose tokens are variables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from annotated_types import Ge, Gt
from torch import Tensor, nn

from snnctl.backbones.parts.hierarchy import Hierarchy, Layered
from snnctl.backbones.parts.layers import SpikingLinear
from snnctl.backbones.parts.transformer import AttentionMap, attention_rules, make_blocks
from snnctl.backbones.parts.units import Units
from snnctl.core.catalog import BACKBONES
from snnctl.core.registry import Slot
from snnctl.core.shapes import ShapeError, SignalSpec
from snnctl.neurons.base import NeuronFactory
from snnctl.positions.base import PositionFactory
from snnctl.positions.none import NoPosition

_REFUSED = (
    "ispikformer takes no position: its tokens are variables, which have no order; order in time is in the weights"
    " of its first layer"
)
_INSTEAD = "use `position: none`, or `code_variables: true` to give each variable a code as its name"


@BACKBONES.register("ispikformer")
class ISpikformer(Layered):
    """Spiking transformer over variables: each one's window is a token, attention relates variables.

    Order in time enters through the weights of the first layer, which has one per position, so a positional encoding
    has nothing to add and is refused. Variables come in no order and are told apart by their data alone, unless
    `code_variables` names them.

    Equation:
        x = neuron(BN(Linear(x^T)))        x^T [T, B, C, L], L -> dim; `code_variables`: position(x^T)
        x = x + SSA(x)                     repeated `depth` times
        x = x + MLP(x)

    Args:
        signal: the encoder's output [T, B, L, C].
        dim: D, width of a token, >= 1 (256 as in SeqSNN).
        depth: number of blocks, >= 1 (2 as in SeqSNN).
        heads: attention heads, >= 1, divides `dim` (8 as in SeqSNN).
        hidden: width inside the MLP, >= 1; null means 4 * dim (SeqSNN's d_ff 1024).
        position: none, or with `code_variables` the code of a variable, whose number takes the place of l.
        code_variables: whether variable c gets the code of position c, so that the network can tell which one it
            sees (false as in SeqSNN; true is ours).
        neuron: neuron of every layer; one instance per place.
        attention_map: as for spikformer.
        attention_scale: factor on the attention product, > 0 (0.125 as in Spikformer); null sizes it by the number
            of variables, the width of a head and the map (ours).
        learn_attention_scale: whether the scale is learned, as a sigmoid that starts at `attention_scale`.
        attention_threshold: threshold of the neuron after the attention product as a share of the neuron's own, > 0
            (0.5 as in Spikformer).
        norm_gain: initial gain of every BatchNorm, > 0 (1 is torch's; 2 roughly triples the initial rate).
        hierarchy: time constants over depth, layer by layer or block by block; null leaves the neuron's.
        spiking: false builds the non-spiking twin: the same layers and sizes, rectifiers for neurons (the encoder's
            too), softmax attention.

    Shape: [T, B, L, C] -> [T, B, C, dim].

    Raises:
        ShapeError: a position without `code_variables`, `heads` does not divide `dim`, or the position does not fit.

    Source: iSpikformer of github.com/microsoft/SeqSNN, arXiv 2402.01533; after Liu et al. 2024, "iTransformer",
        arXiv 2310.06625.
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
        code_variables: bool = False,
        neuron: Annotated[str | NeuronFactory, Slot("neuron", factory=True)] = "lif",
        attention_map: AttentionMap = "auto",
        attention_scale: Annotated[float, Gt(0.0)] | None = 0.125,
        learn_attention_scale: bool = False,
        attention_threshold: Annotated[float, Gt(0.0)] = 0.5,
        norm_gain: Annotated[float, Gt(0.0)] = 1.0,
        hierarchy: Hierarchy | None = None,
        spiking: bool = True,
    ) -> None:
        given = {
            "dim": dim,
            "heads": heads,
            "position": position,
            "code_variables": code_variables,
            "attention_scale": attention_scale,
            "learn_attention_scale": learn_attention_scale,
        }
        for knob, message in self.rules(given):
            raise ShapeError(message, knob=knob)
        super().__init__()
        units = Units(neuron, spiking)
        tokens = signal.replace(length=signal.features, features=signal.length)
        self.position = units.place(position, tokens, ("agreement", "pairs"), "ispikformer")
        if not code_variables and not isinstance(self.position, NoPosition):
            raise ShapeError(_REFUSED, knob="position", help=_INSTEAD)
        self.embed = SpikingLinear(
            self.position.output.features, dim, units.hidden, norm_gain=norm_gain, code=self.position.input_code
        )
        self.blocks = nn.ModuleList(
            make_blocks(
                depth,
                self.position,
                units,
                dim=dim,
                heads=heads,
                hidden=hidden,
                length=tokens.length,
                attention_map=attention_map,
                scale=attention_scale,
                learn_scale=learn_attention_scale,
                threshold=attention_threshold,
                norm_gain=norm_gain,
            )
        )
        self.output = units.output(signal, dim, self.embed.neuron.levels * (1 + 2 * depth), length=tokens.length)
        self.impose(hierarchy, signal)

    @staticmethod
    def rules(knobs: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """Heads split the width evenly; a learned scale is a sigmoid; variables have no position."""
        yield from attention_rules(knobs)
        position = knobs["position"]
        name = position.get("type") if isinstance(position, Mapping) else position
        if isinstance(name, str) and name != "none" and not knobs["code_variables"]:
            yield "position", f"{_REFUSED}; {_INSTEAD}"

    @property
    def stages(self) -> list[nn.Module]:
        return [self.embed, *self.blocks]

    def forward(self, x: Tensor) -> Tensor:
        x = x.transpose(2, 3)
        place = self.position.place(x)
        x = self.embed(self.position(x), code=place.code)
        for block in self.blocks:
            x = block(x, place)
        return x
