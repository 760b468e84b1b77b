"""What recurrent networks over positions share: their frame, whose state goes on, and neurons that are gates."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from snnctl.backbones.base import Layered
from snnctl.backbones.parts.layers import SpikingLinear
from snnctl.backbones.parts.units import Units
from snnctl.core.shapes import SignalSpec
from snnctl.neurons.base import SpikingNeuron, State
from snnctl.neurons.surrogate import Surrogate
from snnctl.positions.base import PositionFactory


def goes_on(neuron: nn.Module) -> bool:
    """Whether the neuron's state can be handed on from one position to the next.

    Neurons that need all steps at once have no state, and those with weights per step take T steps and no more.
    """
    return isinstance(neuron, SpikingNeuron) and neuron.streams and neuron.fixed_steps is None


def at_rest(neuron: nn.Module, x: Tensor) -> State:
    """The state of a neuron before the first position, for one step of input `x` [B, D]; None where none goes on."""
    return neuron.initial_state(x) if isinstance(neuron, SpikingNeuron) and goes_on(neuron) else None


def spread(currents: Tensor, among: Tensor | None) -> Tensor:
    """Currents [T, b, L, D] that several items of a batch share, for each of them: [T, B, L, D].

    Args:
        among: [B] which of the b each item has; None = each has its own.
    """
    return currents if among is None else currents.index_select(1, among)


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

    It also runs position by position: `advance` gives at each what `forward` gives of the whole, to the rounding of
    products whose batches are of other sizes.

    Shape: [T, B, L, F] -> [T, B, L, D].
    """

    by_position = True

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

    def before_first(self, x: Tensor) -> list[Any]:
        """Of each layer, the state before the first position, for spikes `x` [T, B, 1, *]: only its size counts."""
        return [_before_first(layer, x) for layer in self.layers]

    def advance(
        self, x: Tensor, states: list[Any], code: Tensor | None = None, among: Tensor | None = None
    ) -> tuple[Tensor, list[Any]]:
        """One position of B items, which may each stand at another place.

        Args:
            x: [T, b, 1, F], what the position gives there.
            states: of the layers, after the position before.
            code: [T or 1, b, 1, n] that the position gives to layers there, or None.
            among: [B] which of the b each item sees, where several see the same; None = B is b. Only without a code.

        Returns:
            [T, B, 1, D], or [T, b, 1, D] where no layer has a state; the states after it.
        """
        x, after = self.embed(x, code=code), []
        for layer, state in zip(self.layers, states, strict=True):
            if state is None:
                x = layer(x, code=code)
            else:
                x, state = layer(x, state, return_state=True, code=code, among=among)
                among = None
            after.append(state)
        return x, after


def _before_first(layer: nn.Module, x: Tensor) -> Any:
    rest = getattr(layer, "before_first", None)
    return None if rest is None else rest(x)
