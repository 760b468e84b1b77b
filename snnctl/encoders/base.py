"""The contract of an encoder, and what most share: currents over T, and a neuron that makes spikes of them."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Annotated, ClassVar

from annotated_types import Ge
from torch import Tensor, nn

from snnctl.core.registry import Slot
from snnctl.core.shapes import ShapeError, SignalSpec
from snnctl.core.signature import KnobGroup
from snnctl.neurons.base import NeuronFactory, neuron_factory
from snnctl.positions.ragged import Ragged


class AnyEncoder(nn.Module):
    """Base of all encoders: they turn data [B, L, C] into spikes (or currents) [T, B, L', F].

    Attributes:
        output: the signal that it gives.
        cautions: what a reader of the recipe would not expect.
        reach: how many rows before and after its own the spikes of a row depend on, and on nothing else but where the
            window ends; None where that cannot be said.
    """

    output: SignalSpec
    cautions: tuple[str, ...] = ()
    reach: tuple[int, int] | None = None

    def tokens(self, ids: Tensor) -> Ragged:
        """Where tokens stand in `ids` [B, L], which differ in length; asked of encoders with a ragged output alone."""
        raise NotImplementedError(f"{type(self).__name__} takes no tokens")


@dataclass(frozen=True)
class Expansion(KnobGroup):
    """How a value is expanded into steps.

    Args:
        steps: T, simulation steps per position, >= 1 (4 as in SeqSNN).
        neuron: neuron that makes the spikes, run along T; null hands the currents on, and the backbone's first neuron
            makes the spikes.
    """

    steps: Annotated[int, Ge(1)] = 4
    neuron: Annotated[str | NeuronFactory, Slot("neuron", factory=True)] | None = "lif"


class Encoder(AnyEncoder):
    """An encoder that makes currents, which a neuron along T turns into spikes.

    Args:
        signal: the raw data, `steps` = 0.
        steps: T, the simulation steps each position is expanded into.
        neuron: name or factory of the neuron that makes the spikes, called with the feature count; None gives
            the currents out as they are.
        length: L' of the output; None keeps that of `signal`.
        features: F of the output; None keeps that of `signal`.

    Raises:
        ShapeError: `signal` has been encoded already.
    """

    takes_tokens: ClassVar[bool] = False

    def __init__(
        self,
        signal: SignalSpec,
        *,
        steps: int,
        neuron: str | NeuronFactory | None,
        length: int | None = None,
        features: int | None = None,
    ) -> None:
        super().__init__()
        if signal.steps:
            raise ShapeError(f"an encoder takes raw data [B, L, C], not {signal.describe()}")
        if signal.kind == "tokens" and not self.takes_tokens:
            message = "the data are tokens, numbers that stand for words, and this encoder takes real values"
            raise ShapeError(message, knob="type", help="use `encoder: {type: embedding}`")
        if signal.frames:
            message = f"the data bring {signal.frames} steps of their own, and this encoder makes its own"
            raise ShapeError(message, knob="type", help="use `encoder: {type: patch_split}`, or `none`")
        features = signal.features if features is None else features
        self.neuron = None if neuron is None else neuron_factory(neuron)(features)
        self.steps = steps
        self.output = SignalSpec(
            steps=steps,
            length=signal.length if length is None else length,
            features=features,
            kind="real" if self.neuron is None else "spikes",
            levels=1 if self.neuron is None else self.neuron.levels,
            ragged=signal.ragged,
            grid=signal.grid if length is None else None,
        )

    @abstractmethod
    def currents(self, x: Tensor) -> Tensor:
        """Input currents [T, B, L', F] of the data [B, L, C]."""

    def forward(self, x: Tensor) -> Tensor:
        currents = self.currents(x)
        if self.neuron is None:
            return currents
        return self.neuron(currents)
