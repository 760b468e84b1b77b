"""Networks along the data's own time: layers whose weights reach back in it, dropout of spikes, and the whole."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated

import torch
from annotated_types import Ge, Gt, Lt
from torch import Tensor, nn

from snnctl.backbones.base import Layered
from snnctl.backbones.parts.hierarchy import Hierarchy
from snnctl.backbones.parts.layers import SpikingLayer
from snnctl.backbones.parts.units import Units
from snnctl.backbones.parts.weights import TimeWeights
from snnctl.core.registry import Slot
from snnctl.core.shapes import SignalSpec
from snnctl.core.signature import KnobGroup
from snnctl.neurons.base import NeuronFactory

_LEVELS = 2**16
_LOWEST = -(2**15)


class SpikeDropout(nn.Module):
    """Takes away a share of the values while training, and makes the others up for it.

    Torch's own dropout draws a number of 32 bits for each value one after the other, which takes longer than all else
    in a small spiking layer; 16 bits are enough for a decision.

    Args:
        p: share taken away, 0 <= p < 1, rounded to a multiple of 1/65536.

    Shape: any -> the same.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p
        self._taken = min(round(p * _LEVELS), _LEVELS - 1)

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self._taken == 0:
            return x
        count = x.numel()
        drawn = torch.empty((count + 3) // 4, dtype=torch.int64, device=x.device).random_(-(2**63), None)
        kept = drawn.view(torch.int16)[:count].view(x.shape) >= _LOWEST + self._taken
        # From a byte, as from a truth value torch converts one value at a time.
        return x * kept.view(torch.uint8).to(x.dtype).mul_(_LEVELS / (_LEVELS - self._taken))

    def extra_repr(self) -> str:
        return f"p={self.p}"


class SpikingTimeLayer(SpikingLayer):
    """Weights over T, BatchNorm over batch and time, neuron along T, dropout on the spikes that are passed on.

    Resets and membranes follow the spikes before dropout.

    Args:
        synapses: the weights; with a bias only where there is no norm.
        neuron, norm_gain: as in `SpikingLayer`.
        dropout: share of spikes that is dropped, 0 <= x < 1.

    Shape: [T, B, inputs] -> [T, B, outputs].
    """

    driven_by = "synapses"

    def __init__(
        self, synapses: TimeWeights, neuron: NeuronFactory, *, norm_gain: float | None, dropout: float
    ) -> None:
        super().__init__(synapses.outputs, neuron, norm_gain)
        self.synapses = synapses
        self.dropout = SpikeDropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        return self.dropout(self.fire(self.synapses(x), None, False))


@dataclass(frozen=True)
class TimeLayers(KnobGroup):
    """What holds for all layers of a network along the data's own time.

    Args:
        dropout: share of a layer's spikes that is dropped on their way on, in training, 0 <= x < 1 (0.4 as published).
        neuron: neuron of every layer; one instance per layer.
        norm_gain: initial gain of every BatchNorm, > 0 (1 as published); null leaves the norms out.
        hierarchy: time constants over depth, layer by layer; null leaves the neuron's.
        spiking: false builds the non-spiking twin: the same layers and sizes, rectifiers for neurons.
    """

    dropout: Annotated[float, Ge(0.0), Lt(1.0)] = 0.4
    neuron: Annotated[str | NeuronFactory, Slot("neuron", factory=True)] = "lif"
    norm_gain: Annotated[float, Gt(0.0)] | None = 1.0
    hierarchy: Hierarchy | None = None
    spiking: bool = True

    @property
    def bias(self) -> bool:
        """Whether weights have one: a norm behind would cancel it."""
        return self.norm_gain is None


class AlongTime(Layered):
    """Layers over the steps that the data bring, one for each of the `synapses`; positions are features side by side.

    Shape: [T, B, L, C] -> [T, B, 1, outputs of the last layer].
    """

    def __init__(self, signal: SignalSpec, synapses: Iterable[TimeWeights], every_layer: TimeLayers) -> None:
        super().__init__()
        units = Units(every_layer.neuron, every_layer.spiking)
        gain, dropout = every_layer.norm_gain, every_layer.dropout
        made = [SpikingTimeLayer(each, units.hidden, norm_gain=gain, dropout=dropout) for each in synapses]
        self.layers = nn.ModuleList(made)
        last = made[-1]
        found = units.output(signal, last.synapses.outputs, last.neuron.levels, length=1)
        self.output = found.replace(grid=None)
        self.impose(every_layer.hierarchy, signal)

    def forward(self, x: Tensor) -> Tensor:
        x = x.flatten(2)
        for layer in self.layers:
            x = layer(x)
        return x.unsqueeze(2)
