"""Spike-RNN: spiking layers with recurrent weights from position to position, or without any."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import torch
from annotated_types import Gt
from torch import Tensor, nn

from snnctl.backbones.base import EveryLayer, Places, Stack
from snnctl.backbones.parts.layers import SpikingLinear
from snnctl.backbones.parts.recurrence import OverPositions, at_rest, goes_on, spread
from snnctl.backbones.parts.units import Tanh
from snnctl.core.catalog import BACKBONES
from snnctl.core.shapes import SignalSpec
from snnctl.core.signature import takes_knobs
from snnctl.neurons.base import NeuronFactory, State
from snnctl.neurons.norm import TokenNorm
from snnctl.neurons.recurrent import recurrent_scan


class SpikingRecurrent(SpikingLinear):
    """A spiking layer whose spikes at one position are input at the next, step by step.

    The input's current, norm included, is made for all positions at once; only the recurrent product and the neuron
    run position by position. A neuron with a state goes on with it, so its time axis is l*T + t; psn and masked_psn
    have none that could go on and start anew at each position. Its equations stand in `SpikeRNN`; s[t, -1] = 0.

    Args:
        inputs, outputs, neuron, norm_gain, code: as in `SpikingLinear`.
        gain: of the orthogonal initial U, > 0.

    Shape: [T, B, L, inputs] -> [T, B, L, outputs].
    """

    def __init__(self, inputs: int, outputs: int, neuron: NeuronFactory, *, gain: float = 1.0, **knobs: Any) -> None:
        super().__init__(inputs, outputs, neuron, **knobs)
        self.recurrent = nn.Linear(outputs, outputs, bias=False)
        nn.init.orthogonal_(self.recurrent.weight, gain)

    def before_first(self, x: Tensor) -> State:
        """The state before the first position of `x` [T, B, L, *]: only its size counts."""
        spikes = x.new_zeros(*x.shape[:2], self.recurrent.out_features)
        return spikes, at_rest(self.neuron, spikes[0])

    def forward(
        self,
        x: Tensor,
        state: State | None = None,
        *,
        return_state: bool = False,
        code: Tensor | None = None,
        among: Tensor | None = None,
    ) -> Any:
        """Run over positions; the state after the last one is its spikes [T, B, outputs] and the neuron's state.

        Args:
            among: as in `spread`, where the items of a state share inputs.
        """
        currents = spread(self.linear(x, code), among)
        if isinstance(self.norm, TokenNorm):
            currents = self.norm(currents + self.linear.bias)
        spikes, membrane = (None, None) if state is None else state
        if goes_on(self.neuron):
            T, _, L, _ = currents.shape
            steps = currents.permute(2, 0, 1, 3).flatten(0, 1)
            found, membrane = recurrent_scan(
                self.neuron, steps, self.recurrent.weight, spikes, membrane, lag=T, product=self.recurrent
            )
            together = found.unflatten(0, (L, T)).permute(1, 2, 0, 3)
            return (together, (together[:, :, -1], membrane)) if return_state else together
        spikes = torch.zeros_like(currents[:, :, 0]) if spikes is None else spikes
        out = []
        for current in currents.unbind(2):
            spikes = self.neuron(current + self.recurrent(spikes))
            out.append(spikes)
        together = torch.stack(out, dim=2)
        return (together, (spikes, membrane)) if return_state else together


@BACKBONES.register("spike_rnn")
class SpikeRNN(OverPositions):
    """Spiking RNN: membranes and recurrent weights carry earlier positions on to later ones.

    `form: pooled` is what has been released under this name: no recurrent weights, each position by itself, order
    only through the encoder and the position. The non-spiking twin is a tanh RNN, whose T lanes are independent; the
    pooled one has rectifiers.

    Equation:
        x       = neuron(BN(Linear(position(x))))
        I[t, l] = BN(W x[t, l] + b) + U s[t, l-1]             recurrent, repeated `layers` times
        x[:, l] = s[:, l] = neuron(I[:, l])                   the membrane goes on from position l-1
        x       = neuron(BN(Linear(x)))                       pooled, repeated `layers` times

    Args:
        width: D, neurons per layer, >= 1 (128 as in SeqSNN).
        layers: layers behind the first one, >= 1 (2, ours).
        form: recurrent (our reading of arXiv 2402.01533, where the state persists over positions) or pooled (as
            released).
        recurrent_gain: gain of the orthogonal initial U, > 0 (1, ours; unused by pooled).
        norm_gain: initial gain of every BatchNorm, > 0 (2 lets a decayed-input LIF of tau 2 fire from the start,
            ours); null leaves the norms out, as released: then most neurons start silent.
        spiking: false builds the non-spiking twin: the same layers and sizes, other units for neurons.

    Shape: [T, B, L, F] -> [T, B, L, width].

    Raises:
        ShapeError: the position does not fit the signal, or needs an attention map.

    Source: Lv et al. 2024, "Efficient and effective time-series forecasting with SNNs", arXiv 2402.01533;
        github.com/microsoft/SeqSNN for the pooled form. Recurrent weights and norms are ours.
    """

    @takes_knobs
    def __init__(
        self,
        signal: SignalSpec,
        *,
        stack: Stack = Stack(),
        form: Literal["recurrent", "pooled"] = "recurrent",
        places: Places = Places(),
        recurrent_gain: Annotated[float, Gt(0.0)] = 1.0,
        every_layer: EveryLayer = EveryLayer(),
    ) -> None:
        width, units, gain = stack.width, every_layer.units(places.neuron), every_layer.norm_gain
        super().__init__(signal, width, places.position, units, norm_gain=gain, kind="spike_rnn")
        code = self.position.block_code

        def cell(channels: int) -> Any:
            return units.hidden(channels) if units.spiking else Tanh()

        def layer() -> SpikingLinear:
            if form == "pooled":
                return SpikingLinear(width, width, units.hidden, norm_gain=gain, code=code)
            return SpikingRecurrent(width, width, cell, norm_gain=gain, code=code, gain=recurrent_gain)

        made = [layer() for _ in range(stack.layers)]
        self.layers = nn.ModuleList(made)
        self.output = units.output(signal, width, made[-1].neuron.levels)
        self.impose(every_layer.hierarchy, signal)
