"""The neuron contract: state is a value that goes in and comes out; nothing is kept between calls."""

from __future__ import annotations

import inspect
from abc import abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from snnctl.core.catalog import NEURONS
from snnctl.neurons.chunks import scan_in_chunks

State = Any  # a tensor or a tuple of tensors; as a rule each shaped like one time step, [B, *]


class SpikingNeuron(nn.Module):
    """Base of all spiking neurons.

    A neuron maps input current [T, B, *, channels] to spikes of the same shape. `forward` starts from rest
    unless a state is passed in, so there is nothing to reset.

    Class attributes: `causal`, no spike depends on later input; `streams`, a state can be passed in and asked
    for, so that an input in chunks gives what the whole does; `fuses_norm`, `forward` also takes `norm` and
    `offset`, as LIF's does; `atomic`, it is one operation for who counts operations, with nothing but membranes
    inside; `leaks`, its membrane decays by itself.
    Attributes `leak_bounds`, where its leak is kept, if anywhere, and `signed`, whether
    spikes run from -levels to levels.

    Args:
        channels: size of the last axis, for per-channel parameters.
        levels: highest spike value; 1 means binary.
    """

    causal: ClassVar[bool] = True
    streams: ClassVar[bool] = True
    fuses_norm: ClassVar[bool] = False
    atomic: ClassVar[bool] = True
    leaks: ClassVar[bool] = True

    leak_bounds: tuple[float, float] | None = None
    signed: bool = False

    def __init__(self, channels: int, *, levels: int = 1) -> None:
        super().__init__()
        self.channels = channels
        self.levels = levels

    @property
    def scale(self) -> float:
        """What a spike of 1 is given out as; spikes are whole multiples of it."""
        return 1.0

    @property
    def fixed_steps(self) -> int | None:
        """The only T that this neuron takes; None takes any."""
        return None

    def leak_per_step(self) -> Tensor | None:
        """The share of its membrane that is left after a step, [] or [channels]; None where there is no such share."""
        return None

    def set_leak(self, leak: Tensor) -> None:
        """Take this share, [] or [channels], each 0 < leak < 1, in place of that of the constructor.

        Raises:
            ValueError: this neuron has no such share, or only one for all channels.
        """
        raise ValueError(f"{type(self).__name__} has no time constant of its membrane that could be set")

    def time_constants(self) -> Tensor | None:
        """The membrane's time constants in steps, -1 / ln(leak), [] or [channels]; None where there is none."""
        leak = self.leak_per_step()
        return None if leak is None else -leak.detach().log().reciprocal()

    @abstractmethod
    def initial_state(self, x0: Tensor) -> State:
        """The state at rest for one step of input `x0` [B, *, channels]."""

    @abstractmethod
    def step(self, x_t: Tensor, state: State) -> tuple[Tensor, State]:
        """One time step: input [B, *, channels] and state -> (spikes, new state). Pure; this is the definition."""

    def forward(
        self, x: Tensor, state: State | None = None, *, return_state: bool = False
    ) -> Tensor | tuple[Tensor, State]:
        """Run over the leading time axis.

        Args:
            x: input current [T, B, *, channels].
            state: where to go on from; None starts from rest.
            return_state: also return the state after the last step.

        Raises:
            ValueError: a state is passed in or asked for, and this neuron does not stream.
        """
        if not self.streams and (state is not None or return_state):
            raise ValueError(f"{type(self).__name__} cannot stream: it has no state to pass in or to return")
        state = self.initial_state(x[0]) if state is None else state
        spikes, state = scan_in_chunks(self.scan, x, state) if self.streams else self.scan(x, state)
        return (spikes, state) if return_state else spikes

    def scan(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """Apply `step` along time; families with a fast kernel override this."""
        out = []
        for x_t in x.unbind(0):  # its gradient is one stack; indexing would allocate a full-size zero per step
            spikes, state = self.step(x_t, state)
            out.append(spikes)
        return torch.stack(out), state

    def extra_repr(self) -> str:
        values = {name: getattr(self, name, None) for name in inspect.signature(type(self)).parameters}
        return ", ".join(f"{name}={v!r}" for name, v in values.items() if v is not None and not isinstance(v, Tensor))


NeuronFactory = Callable[[int], SpikingNeuron]


def neuron_factory(neuron: str | NeuronFactory) -> NeuronFactory:
    """A factory `channels -> neuron` from a registered name, or the factory that was given."""
    return NEURONS.get(neuron) if isinstance(neuron, str) else neuron
