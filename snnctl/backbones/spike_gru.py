"""Spike-GRU: a gated recurrent unit whose gates, candidate and hidden state are spikes."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import torch
from torch import Tensor, nn

from snnctl.backbones.base import EveryLayer, Places, Stack
from snnctl.backbones.parts.layers import SpikingLinear
from snnctl.backbones.parts.recurrence import Gate, OverPositions, at_rest, goes_on, spread
from snnctl.backbones.parts.units import Sigmoid, Tanh
from snnctl.backbones.parts.weights import LinearWeights
from snnctl.core.catalog import BACKBONES
from snnctl.core.registry import Slot
from snnctl.core.shapes import SignalSpec
from snnctl.core.signature import takes_knobs
from snnctl.neurons.base import State
from snnctl.neurons.surrogate import Surrogate, make_surrogate

Form = Literal["recurrent", "released"]


class SpikingGRUCell(nn.Module):
    """The gates: a binary hidden state that goes from position to position, for each of the T steps on its own.

    Its equations are those of r, z, n and h in `SpikeGRU`. The input's products are made for all positions at once.
    `released` keeps the hidden state before at 0: r and the recurrent weights then act on nothing and are left out.

    Args:
        inputs, width: size of the last axis of the input, and neurons of each gate.
        form: recurrent or released.
        surrogate: derivative of the spikes; None makes the cell of an ordinary GRU, with sigmoid and tanh.
        code: as in `SpikingLinear`.

    Shape: [T, B, L, inputs] -> [T, B, L, width].
    """

    def __init__(self, inputs: int, width: int, *, form: Form, surrogate: Surrogate | None, code: int = 0) -> None:
        super().__init__()

        def gate(twin: type[nn.Module]) -> Any:
            return twin() if surrogate is None else Gate(width, surrogate=surrogate)

        gates = 3 if form == "recurrent" else 2
        self.width = width
        self.linear = LinearWeights(inputs, gates * width, adds_bias=True, code=code)
        self.recurrent: nn.Linear | None = None
        if form == "recurrent":
            self.recurrent = nn.Linear(width, gates * width, bias=False)
            self.reset = gate(Sigmoid)
        self.update = gate(Sigmoid)
        self.candidate = gate(Tanh)

    def forward(
        self,
        x: Tensor,
        state: Tensor | None = None,
        *,
        return_state: bool = False,
        code: Tensor | None = None,
        among: Tensor | None = None,
    ) -> Any:
        """Run over positions; the state is h [T, B, width] of the last one. `among`: as in `spread`."""
        currents = spread(self.linear(x, code), among)
        if self.recurrent is None:
            z, n = currents.chunk(2, dim=-1)
            released = (1 - self.update(z)) * self.candidate(n)
            return (released, state) if return_state else released
        h = torch.zeros_like(currents[:, :, 0].chunk(3, dim=-1)[0]) if state is None else state
        out = []
        for current in currents.unbind(2):
            in_r, in_z, in_n = current.chunk(3, dim=-1)
            back_r, back_z, back_n = self.recurrent(h).chunk(3, dim=-1)
            r = self.reset(in_r + back_r)
            z = self.update(in_z + back_z)
            n = self.candidate(in_n + r * back_n)
            h = (1 - z) * n + z * h
            out.append(h)
        together = torch.stack(out, dim=2)
        return (together, h) if return_state else together


class SequenceLinear(SpikingLinear):
    """A spiking layer whose neurons go on with their state from position to position, where they have one.

    Their time axis is then l*T + t; psn and masked_psn start anew at each position.

    Shape: [T, B, L, inputs] -> [T, B, L, outputs].
    """

    def forward(
        self, x: Tensor, state: State | None = None, *, return_state: bool = False, code: Tensor | None = None
    ) -> Any:
        """Run over positions and, within each, steps; state and `return_state` as in `SpikingNeuron.forward`."""
        currents = self.linear(x, code)
        if not goes_on(self.neuron):
            return self.fire(currents, state, return_state)
        T, _, L, _ = currents.shape
        found = self.fire(currents.permute(2, 0, 1, 3).flatten(0, 1), state, return_state)
        spikes = found[0] if return_state else found
        spikes = spikes.unflatten(0, (L, T)).permute(1, 2, 0, 3)
        return (spikes, found[1]) if return_state else spikes


class _Layer(nn.Module):
    def __init__(self, cell: SpikingGRUCell, out: SequenceLinear) -> None:
        super().__init__()
        self.cell, self.out = cell, out

    def before_first(self, x: Tensor) -> State:
        """The state before the first position of `x` [T, B, L, *]: h of the cell, and the neuron's."""
        h = x.new_zeros(*x.shape[:2], self.cell.width)
        return h, at_rest(self.out.neuron, x.new_zeros(x.shape[1], self.out.linear.out_features))

    def forward(
        self,
        x: Tensor,
        state: State | None = None,
        *,
        return_state: bool = False,
        code: Tensor | None,
        among: Tensor | None = None,
    ) -> Any:
        before = (None, None) if state is None else state
        spikes, h = self.cell(x, before[0], return_state=True, code=code, among=among)
        if not return_state:
            return self.out(spikes, code=code)
        found, membrane = self.out(spikes, before[1], return_state=True, code=code)
        return found, (h, membrane)


@BACKBONES.register("spike_gru")
class SpikeGRU(OverPositions):
    """Spiking GRU: gates fire or do not, the hidden state is binary, and a layer of neurons reads it.

    The T steps are independent lanes of the gates: h at (t, l) depends on h at (t, l-1). They meet in the layer that
    reads h, whose membranes run over steps and go on from position to position. `form: released` is what has been
    released under this name: the gates begin at 0 at each position, and only membranes connect positions. The
    non-spiking twin is an ordinary GRU with a rectified layer that reads it.

    Equation:
        x    = neuron(BN(Linear(position(x))))
        r    = spike(W_r x[l] + b_r + U_r h[l-1])             repeated `layers` times, down to the last line
        z    = spike(W_z x[l] + b_z + U_z h[l-1])
        n    = spike(W_n x[l] + b_n + r * (U_n h[l-1]))
        h[l] = (1 - z) * n + z * h[l-1]                       h[-1] = 0; released: h[l] = (1 - z) * n without U
        x[l] = neuron(BN(Linear(h[l])))                       the membrane goes on from position l-1

    Args:
        width: D, neurons per gate and layer, >= 1 (128 as for spike_rnn).
        layers: cells, each with the layer that reads it, >= 1 (1, ours).
        form: recurrent (our reading of arXiv 2402.01533) or released.
        neuron: neuron of the layers; one instance per place.
        surrogate: derivative of the gates' spikes (atan as in SeqSNN).
        norm_gain: initial gain of the BatchNorms, > 0 (2 lets a decayed-input LIF of tau 2 fire from the start,
            ours); null leaves them out. Gates have none: their threshold is 0, so half of them fire at first.
        spiking: false builds the non-spiking twin: the same layers and sizes, other units for neurons.

    Shape: [T, B, L, F] -> [T, B, L, width].

    Raises:
        ShapeError: the position does not fit the signal, or needs an attention map.

    Source: Lv et al. 2024, "Efficient and effective time-series forecasting with SNNs", arXiv 2402.01533, whose
        equations are known to us in part (our reading); github.com/microsoft/SeqSNN for the released form. First
        layer and norms are ours.
    """

    @takes_knobs
    def __init__(
        self,
        signal: SignalSpec,
        *,
        stack: Stack = Stack(layers=1),
        form: Form = "recurrent",
        places: Places = Places(),
        surrogate: Annotated[str | Surrogate, Slot("surrogate")] = "atan",
        every_layer: EveryLayer = EveryLayer(),
    ) -> None:
        width, units, gain = stack.width, every_layer.units(places.neuron), every_layer.norm_gain
        super().__init__(signal, width, places.position, units, norm_gain=gain, kind="spike_gru")
        code = self.position.block_code

        def layer() -> _Layer:
            made = make_surrogate(surrogate) if units.spiking else None
            cell = SpikingGRUCell(width, width, form=form, surrogate=made, code=code)
            return _Layer(cell, SequenceLinear(width, width, units.hidden, norm_gain=gain, code=code))

        made = [layer() for _ in range(stack.layers)]
        self.layers = nn.ModuleList(made)
        self.output = units.output(signal, width, made[-1].out.neuron.levels)
        self.impose(every_layer.hierarchy, signal)
