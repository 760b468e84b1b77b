"""The contract of a backbone, with a default for all that may be asked of one, and the knobs that most share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Gt, Le
from torch import nn

from snnctl.backbones.parts.hierarchy import Hierarchy, LayerTau, cautions, impose
from snnctl.backbones.parts.units import Units
from snnctl.core.registry import Slot
from snnctl.core.shapes import SignalSpec
from snnctl.core.signature import KnobGroup
from snnctl.neurons.base import NeuronFactory
from snnctl.positions.base import PositionFactory

Count = Annotated[int, Ge(1)]  # of channels, taps
Depth = Annotated[int, Ge(1), Le(1000)]  # of layers or blocks; a million would take minutes to build, and train nothing


class Backbone(nn.Module):
    """Base of all backbones: what the encoder gives, [T, B, L, F], becomes `output`, [T, B, L', D].

    Attributes:
        output: the signal that it gives.
        takes_ragged: whether `forward` also takes sequences of different lengths, packed, and a `Ragged`.
        makes_frames: whether it makes frames itself and goes on from them.
        convertible: whether its non-spiking twin is weights, norms, rectifiers and sums alone.
        cautions: what a reader of the recipe would not expect.
        by_position: whether it can be run position by position, with a state between them, as `OverPositions.advance`.
    """

    output: SignalSpec
    takes_ragged: bool = False
    makes_frames: bool = False
    convertible: bool = False
    cautions: tuple[str, ...] = ()
    by_position: bool = False


class Layered(Backbone):
    """A backbone that is made of stages, layers or blocks in order of depth."""

    layers: nn.ModuleList
    taus: tuple[LayerTau, ...] = ()

    @property
    def stages(self) -> list[nn.Module]:
        """The hidden layers or blocks, the first one first; each holds its neurons, if it has any."""
        return [*self.layers]

    def impose(self, hierarchy: Hierarchy | None, signal: SignalSpec) -> None:
        """Give each stage the time constants of its depth; called once all stages are there."""
        self.taus = impose(hierarchy, self.stages, signal)
        self.cautions = cautions(self.taus)


@dataclass(frozen=True)
class Places(KnobGroup):
    """What stands at the places of a network that tells positions apart.

    Args:
        position: positional encoding, applied to the encoder's spikes.
        neuron: neuron of every layer; one instance per place.
    """

    position: Annotated[str | PositionFactory, Slot("position", factory=True)] = "none"
    neuron: Annotated[str | NeuronFactory, Slot("neuron", factory=True)] = "lif"


@dataclass(frozen=True)
class Stack(KnobGroup):
    """Hidden layers of one width, one after the other.

    Args:
        width: neurons per layer, >= 1.
        layers: hidden layers, >= 1.
    """

    width: Count = 128
    layers: Depth = 2


@dataclass(frozen=True)
class EveryLayer(KnobGroup):
    """What holds for all layers of a network.

    Args:
        norm_gain: initial gain of every BatchNorm, > 0 (2 lets a decayed-input LIF of tau 2 fire from the start,
            ours); null leaves the norms out.
        hierarchy: time constants over depth, layer by layer or block by block; null leaves the neuron's.
        spiking: false builds the non-spiking twin: the same layers and sizes, rectifiers for neurons.
    """

    norm_gain: Annotated[float, Gt(0.0)] | None = 2.0
    hierarchy: Hierarchy | None = None
    spiking: bool = True

    def units(self, neuron: str | NeuronFactory) -> Units:
        """What makes the units."""
        return Units(neuron, self.spiking)


@dataclass(frozen=True)
class NormedLayer(EveryLayer):
    """The same where norms cannot be left out.

    Args:
        norm_gain: initial gain of every BatchNorm, > 0 (1 is torch's; 2 roughly triples the initial rate).
    """

    norm_gain: Annotated[float, Gt(0.0)] = 1.0
