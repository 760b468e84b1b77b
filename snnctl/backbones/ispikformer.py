"""iSpikformer: a spiking transformer whose tokens are variables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from torch import Tensor

from snnctl.backbones.parts.transformer import Attention, Embedding, Plan, Transformer, TransformerLayers
from snnctl.core.catalog import BACKBONES
from snnctl.core.shapes import ShapeError, SignalSpec
from snnctl.core.signature import After, takes_knobs
from snnctl.positions.base import NoPosition
from snnctl.positions.ragged import Ragged

_REFUSED = (
    "ispikformer takes no position: its tokens are variables, which have no order; order in time is in the weights"
    " of its first layer"
)
_INSTEAD = "use `position: none`, or `code_variables: true` to give each variable a code as its name"


@BACKBONES.register("ispikformer")
class ISpikformer(Transformer):
    """Spiking transformer over variables: each one's window is a token, attention relates variables.

    Order in time enters through the weights of the first layer, which has one per position, so a positional encoding
    has nothing to add and is refused. Variables come in no order and are told apart by their data alone, unless
    `code_variables` names them.

    Equation:
        x = neuron(BN(Linear(x^T)))        x^T [T, B, C, L], L -> dim; `code_variables`: position(x^T)
        x = x + SSA(x)                     repeated `depth` times
        x = x + MLP(x)

    Args:
        position: none, or with `code_variables` the code of a variable, whose number takes the place of l.
        code_variables: whether variable c gets the code of position c, so that the network can tell which one it
            sees (false as in SeqSNN; true is ours).
        attention_map: as for spikformer.
        attention_scale: factor on the attention product, > 0 (0.125 as in Spikformer); null sizes it by the number
            of variables, the width of a head and the map (ours).
        learn_attention_scale: whether the scale is learned, as a sigmoid that starts at `attention_scale`.
        attention_threshold: threshold of the neuron after the attention product as a share of the neuron's own, > 0
            (0.5 as in Spikformer).

    Shape: [T, B, L, C] -> [T, B, C, dim].

    Raises:
        ShapeError: a position without `code_variables`, `heads` does not divide `dim`, or the position does not fit.

    Source: iSpikformer of github.com/microsoft/SeqSNN, arXiv 2402.01533; after Liu et al. 2024, "iTransformer",
        arXiv 2310.06625.
    """

    takes_ragged = False

    @takes_knobs
    def __init__(
        self,
        signal: SignalSpec,
        *,
        plan: Plan = Plan(),
        code_variables: Annotated[bool, After("position")] = False,
        attention: Attention = Attention(),
        every_layer: TransformerLayers = TransformerLayers(),
    ) -> None:
        super().__init__()
        units = every_layer.units(plan.neuron)
        tokens = signal.replace(length=signal.features, features=signal.length)
        self.position = units.place(plan.position, tokens, ("agreement", "pairs"), "ispikformer")
        if not code_variables and not isinstance(self.position, NoPosition):
            raise ShapeError(_REFUSED, knob="position", help=_INSTEAD)
        self.assemble(tokens, plan, attention, Embedding(embed_norm=True), units, every_layer)

    @staticmethod
    def rules(knobs: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """Variables have no position."""
        position = knobs["position"]
        name = position.get("type") if isinstance(position, Mapping) else position
        if isinstance(name, str) and name != "none" and not knobs["code_variables"]:
            yield "position", f"{_REFUSED}; {_INSTEAD}"

    def forward(self, x: Tensor, tokens: Ragged | None = None) -> Tensor:
        return super().forward(x.transpose(2, 3), tokens)
