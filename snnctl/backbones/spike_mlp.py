"""Spike-MLP: fully connected spiking layers along the data's own time, with or without recurrent weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

import torch
from annotated_types import Ge, Gt, Lt
from torch import Tensor, nn

from snnctl.backbones.base import Count, Layered, Stack
from snnctl.backbones.parts.hierarchy import Hierarchy
from snnctl.backbones.parts.layers import SpikingLinear
from snnctl.backbones.parts.recurrence import goes_on
from snnctl.backbones.parts.time_layers import SpikeDropout
from snnctl.backbones.parts.units import Integrator, Tanh, Units
from snnctl.core.catalog import BACKBONES
from snnctl.core.registry import Slot
from snnctl.core.shapes import ShapeError, SignalSpec
from snnctl.core.signature import takes_knobs
from snnctl.neurons.base import NeuronFactory, State
from snnctl.neurons.norm import NormKind
from snnctl.neurons.recurrent import recurrent_scan


class SelfRecurrent(SpikingLinear):
    """A spiking layer whose spikes are its own input one step later; no neuron feeds itself.

    The current of the layer before, norm included, is made for all steps at once; the recurrent product and the neuron
    run step by step. Its equations stand in `SpikeMLP`; s[-1] = 0.

    Args: as `SpikingLinear`, without a code.

    Shape: [T, B, L, inputs] -> [T, B, L, outputs].

    Raises:
        ValueError: the neuron keeps no state from step to step.
    """

    def __init__(self, inputs: int, outputs: int, neuron: NeuronFactory, **knobs: Any) -> None:
        super().__init__(inputs, outputs, neuron, **knobs)
        self.recurrent = nn.Parameter(torch.empty(outputs, outputs))
        nn.init.uniform_(self.recurrent, -(outputs**-0.5), outputs**-0.5)
        self.others: Tensor
        self.register_buffer("others", 1.0 - torch.eye(outputs), persistent=False)

    def forward(
        self, x: Tensor, state: State | None = None, *, return_state: bool = False, code: Tensor | None = None
    ) -> Any:
        """Run over steps; the state after the last one is its spikes [B, L, outputs] and the neuron's state."""
        currents = self.linear(x)
        if not self.linear.adds_bias and self.linear.bias is not None:
            currents = currents + self.linear.bias
        currents = self.norm(currents)
        spikes, membrane = (None, None) if state is None else (state[0][None], state[1])
        found, membrane = recurrent_scan(self.neuron, currents, self.recurrent * self.others, spikes, membrane)
        return (found, (found[-1], membrane)) if return_state else found


@BACKBONES.register("spike_mlp")
class SpikeMLP(Layered):
    """Fully connected spiking layers, one after the other, each along the steps that the data bring.

    A layer sees the spikes of the layer before at the same step. Positions, where there are any, are features beside
    each other: [T, B, L, F] is read as [T, B, 1, L * F].

    Equation:
        I[t] = norm(W x[t]) [+ U s[t-1]]       U has a zero diagonal
        s[t] = neuron(I[t])
        x[t] = dropout(s[t])                   repeated `layers` times; U and the neuron see the spikes before dropout

    Args:
        width: neurons per layer, >= 1 (128 as published).
        layers: hidden layers H, >= 1 (3, ours; published are 2 to 5).
        recurrent: whether each layer has recurrent weights U (uniform in +-1/sqrt(width) at first, the same for all
            layers).
        dropout: share of spikes that the next layer does not see while training, 0 <= p < 1 (.1 as published).
        norm: of the currents, over batch and steps: running = BatchNorm with running statistics in evaluation, batch =
            with those of its batch there, too (as published; a sample's score then depends on its neighbours), layer,
            none.
        norm_gain: initial gain of the norm, > 0 (1 as published).
        weight_scale: weights start uniform in +- this, > 0; null = 1/sqrt(inputs).
        neuron: neuron of every layer.
        hierarchy: time constants over depth, layer by layer; null leaves the neuron's.
        spiking: false builds the non-spiking twin, as `twin` says.
        twin: what the twin has for neurons: rectifier (tanh where it is recurrent), or integrator, leaky but linear,
            the control for a hierarchy (ours; no recurrent weights).
        levels: steps of the twin's rectifiers, clip-floor-shift with a learned top, for conversion; null leaves them
            smooth.

    Shape: [T, B, L, F] -> [T, B, 1, width].

    Raises:
        ShapeError: recurrent weights, and a neuron that keeps no state from step to step.

    Source: Moro et al. 2024, "The role of temporal hierarchy in spiking neural networks", arXiv 2407.18838, and its
        code, github.com/EIS-Hub/hSNN.
    """

    @takes_knobs
    def __init__(
        self,
        signal: SignalSpec,
        *,
        stack: Stack = Stack(layers=3),
        recurrent: bool = False,
        dropout: Annotated[float, Ge(0.0), Lt(1.0)] = 0.1,
        norm: NormKind = "running",
        norm_gain: Annotated[float, Gt(0.0)] = 1.0,
        weight_scale: Annotated[float, Gt(0.0)] | None = None,
        neuron: Annotated[str | NeuronFactory, Slot("neuron", factory=True)] = "tau_lif",
        hierarchy: Hierarchy | None = None,
        spiking: bool = True,
        twin: Literal["rectifier", "integrator"] = "rectifier",
        levels: Count | None = None,
    ) -> None:
        super().__init__()
        width, units = stack.width, Units(neuron, spiking, levels)
        self.convertible = not recurrent and norm in ("running", "none")
        self.norm: NormKind = norm

        def unit(channels: int) -> Any:
            if not spiking and twin == "integrator":
                return Integrator(channels)
            return Tanh() if recurrent and not spiking else units.hidden(channels)

        kind = SelfRecurrent if recurrent else SpikingLinear
        sizes = [signal.length * signal.features, *[width] * stack.layers]
        made = [kind(inputs, width, unit, norm_gain=norm_gain, norm=norm) for inputs in sizes[:-1]]
        if recurrent and spiking and not goes_on(made[0].neuron):
            message = f"{type(made[0].neuron).__name__} keeps no state from step to step, so it cannot be recurrent"
            raise ShapeError(message, knob="neuron", help="take another neuron, or `recurrent: false`")
        if weight_scale is not None:
            for layer in made:
                nn.init.uniform_(layer.linear.weight, -weight_scale, weight_scale)
        self.layers = nn.ModuleList(made)
        self.dropout = SpikeDropout(dropout)
        self.output = units.output(signal, width, made[-1].neuron.levels, length=1).replace(grid=None)
        self.impose(hierarchy, signal)
        if norm == "batch":
            by_batch = "`norm: batch` takes the statistics of each test batch: no sample is scored by itself"
            self.cautions = (*self.cautions, by_batch)

    @staticmethod
    def rules(knobs: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """Recurrent integrators without bounds would run away."""
        if knobs["recurrent"] and knobs["twin"] == "integrator":
            yield "twin", "`twin: integrator` has no recurrent weights; set `recurrent` to false"

    def forward(self, x: Tensor) -> Tensor:
        x = x.flatten(2).unsqueeze(2)
        for layer in self.layers:
            x = self.dropout(layer(x))
        return x
