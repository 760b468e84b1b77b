"""What recurrent networks over positions share: their frame, whose state goes on, and neurons that are gates."""

from __future__ import annotations

from torch import Tensor, nn

from snnctl.backbones.base import Layered
from snnctl.backbones.parts.layers import SpikingLinear
from snnctl.backbones.parts.units import Units
from snnctl.core.shapes import SignalSpec
from snnctl.neurons.base import SpikingNeuron
from snnctl.neurons.surrogate import Surrogate
from snnctl.positions.base import PositionFactory


def goes_on(neuron: nn.Module) -> bool:
    """Whether the neuron's state can be handed on from one position to the next.

    Neurons that need all steps at once have no state, and those with weights per step take T steps and no more.
    """
    return isinstance(neuron, SpikingNeuron) and neuron.streams and neuron.fixed_steps is None


class Gate(SpikingNeuron):
    """A neuron without a membrane: fires where its current is not negative.

    Shape: [T, B, *, channels] -> [T, B, *, channels]; there is no state.
    """

    leaks = False
    surrogate: Surrogate

    def __init__(self, channels: int, *, surrogate: Surrogate) -> None:
        super().__init__(channels)
        self.surrogate = surrogate

    def initial_state(self, x0: Tensor) -> tuple[()]:
        return ()

    def step(self, x_t: Tensor, state: tuple[()]) -> tuple[Tensor, tuple[()]]:
        return self.surrogate.spike(x_t), state

    def scan(self, x: Tensor, state: tuple[()]) -> tuple[Tensor, tuple[()]]:
        return self.surrogate.spike(x), state


class OverPositions(Layered):
    """A network `kind`: a position, a first layer, and layers that carry on from position to position.

    Shape: [T, B, L, F] -> [T, B, L, D].
    """

    def __init__(
        self,
        signal: SignalSpec,
        width: int,
        position: str | PositionFactory,
        units: Units,
        *,
        norm_gain: float | None,
        kind: str,
    ) -> None:
        super().__init__()
        self.position = units.place(position, signal, kind=kind)
        features, code = self.position.output.features, self.position.input_code
        self.embed = SpikingLinear(features, width, units.hidden, norm_gain=norm_gain, code=code)

    @property
    def stages(self) -> list[nn.Module]:
        return [self.embed, *super().stages]

    def forward(self, x: Tensor) -> Tensor:
        place = self.position.place(x)
        x = self.embed(self.position(x), code=place.code)
        for layer in self.layers:
            x = layer(x, code=place.code)
        return x
