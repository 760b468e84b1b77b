"""What stands at the places of a network: spiking neurons, or what its non-spiking twin has there."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from snnctl.core.shapes import ShapeError, SignalSpec
from snnctl.neurons.base import NeuronFactory, SpikingNeuron, neuron_factory
from snnctl.positions.base import Needs, Position, PositionFactory, position_factory


class Unit(nn.Module):
    """Stands for a neuron in a non-spiking twin: called alike, keeps no state."""

    fuses_norm = False
    levels = 1

    def over_space(self, axes: int) -> None:
        """See `SpikingNeuron.over_space`."""

    def activate(self, x: Tensor) -> Tensor:
        """The output for the input x, elementwise."""
        return x

    def forward(self, x: Tensor, state: Any = None, *, return_state: bool = False) -> Any:
        y = self.activate(x)
        return (y, None) if return_state else y


class Integrator(Unit):
    """What is left of a leaky neuron without threshold and reset: real numbers that fade.

    Equation:
        y[t] = leak * y[t-1] + x[t]

    Layers of integrators commute where the weights between them do, so that the order of their time constants cannot
    matter: the control for a hierarchy of time constants.

    Shape: [T, B, *, channels] -> [T, B, *, channels]; the state is y [B, *, channels].
    """

    leak_bounds: tuple[float, float] | None = None

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels
        self.leak: Tensor
        self.register_buffer("leak", torch.tensor(0.5))

    def leak_per_step(self) -> Tensor:
        return self.leak

    def set_leak(self, leak: Tensor) -> None:
        self.leak = leak

    def forward(self, x: Tensor, state: Tensor | None = None, *, return_state: bool = False) -> Any:
        y = torch.zeros_like(x[0]) if state is None else state
        out = []
        for x_t in x.unbind(0):
            y = self.leak * y + x_t
            out.append(y)
        together = torch.stack(out)
        return (together, y) if return_state else together


class Rectifier(Unit):
    """y = max(x, 0)."""

    def activate(self, x: Tensor) -> Tensor:
        return x.relu()


class Sigmoid(Unit):
    """y = 1 / (1 + exp(-x)): a gate of the non-spiking twin."""

    def activate(self, x: Tensor) -> Tensor:
        return torch.sigmoid(x)


class Tanh(Unit):
    """y = tanh(x): bounded, so that a recurrent twin stays so over any length."""

    def activate(self, x: Tensor) -> Tensor:
        return torch.tanh(x)


class Quantised(Unit):
    """A rectifier in steps: clip-floor-shift with a learned top, the activation that spiking neurons reproduce exactly.

    Equation:
        y = top * clip(floor(x * levels / top + 1/2) / levels, 0, 1)

    The gradient goes straight through the floor: 1 within the clip; that of the top is what the equation then gives.

    Args:
        channels: size of the last axis; the top is one for all.
        levels: steps above 0, >= 1.
        top: at first, > 0 (8 as in the authors' code).

    Source: Bu et al. 2022, "Optimal ANN-SNN conversion for high-accuracy and ultra-low-latency spiking neural
        networks", ICLR 2022; github.com/putshua/ANN_SNN_QCFS.
    """

    def __init__(self, channels: int, *, levels: int, top: float = 8.0) -> None:
        super().__init__()
        self.steps = levels
        self.log_top = nn.Parameter(torch.tensor(float(top)).log())

    def activate(self, x: Tensor) -> Tensor:
        top = self.log_top.exp()
        scaled = x * (self.steps / top)
        code = scaled + (torch.floor(scaled + 0.5) - scaled).detach()
        return code.clamp(0, self.steps) * (top / self.steps)

    def extra_repr(self) -> str:
        return f"levels={self.steps}"


class Linear(Unit):
    """y = x: where a twin has no need of a non-linearity, as at the end of a residual branch."""


class Units:
    """Makes the units of a network, one per place.

    Args:
        neuron: name or factory of the spiking neuron.
        spiking: False makes the non-spiking twin: the same layers and sizes, real numbers between them.
        levels: of the twin's activations, which are `Quantised` then; None makes them rectifiers.
    """

    def __init__(self, neuron: str | NeuronFactory, spiking: bool, levels: int | None = None) -> None:
        self.spiking, self.levels = spiking, levels
        self._neuron = neuron_factory(neuron)

    def hidden(self, channels: int) -> Any:
        """A neuron; in the twin a rectifier, or one in steps."""
        if self.spiking:
            return self._neuron(channels)
        return Rectifier() if self.levels is None else Quantised(channels, levels=self.levels)

    def linear(self, channels: int) -> Any:
        """A neuron; in the twin nothing, for queries, keys, values and the ends of residual branches."""
        return self._neuron(channels) if self.spiking else Linear()

    def place(
        self, position: str | PositionFactory, signal: SignalSpec, offers: tuple[Needs, ...] = (), kind: str = ""
    ) -> Position:
        """The position of a backbone whose attention `offers` something to positions.

        Raises:
            ShapeError: the position acts on attention, and the backbone `kind` has none of that sort.
        """
        made = position_factory(position)(signal)
        if made.needs is not None and made.needs not in offers:
            wants, help = "attention", "use it in spikformer, ispikformer, qkformer or spike_driven"
            if made.needs == "agreement":
                wants, help = "a map of queries and keys", "gray can be concatenated instead (`combine: concat`)"
            message = f"position {type(made).__name__} acts on {wants}, which {kind or 'this backbone'} does not have"
            raise ShapeError(message, knob="position", help=help)
        if not self.spiking:
            for name, child in made.named_children():
                if isinstance(child, SpikingNeuron):
                    setattr(made, name, Rectifier())
        return made

    def output(self, signal: SignalSpec, features: int, levels: int, length: int | None = None) -> SignalSpec:
        """What a backbone gives: whole numbers 0..levels, or real ones from a twin."""
        return signal.replace(
            length=signal.length if length is None else length,
            features=features,
            kind="spikes" if self.spiking else "real",
            levels=levels if self.spiking else 1,
        )
