"""The neuron contract: state is a value that goes in and comes out; nothing is kept between calls."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from functools import reduce
from inspect import signature
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor, nn

from snnctl.core.catalog import NEURONS
from snnctl.core.signature import knobs
from snnctl.neurons.chunks import scan_in_chunks
from snnctl.neurons.kernels import compiled
from snnctl.neurons.surrogate import Surrogate

if TYPE_CHECKING:
    from snnctl.neurons.norm import TokenNorm

State = Any  # a tensor or a tuple of tensors; as a rule each shaped like one time step, [B, *]


class SpikingNeuron(nn.Module):
    """Base of all spiking neurons.

    A neuron maps input current [T, B, *, channels] to spikes of the same shape. `forward` starts from rest
    unless a state is passed in, so there is nothing to reset.

    Class attributes: `causal`, no spike depends on later input; `streams`, a state can be passed in and asked
    for, so that an input in chunks gives what the whole does; `fuses_norm`, `forward` also takes `norm` and
    `offset`; `atomic`, it is one operation for who counts operations, with nothing but membranes
    inside (beside those, `circuits` can be counted apart); `leaks`, its membrane decays by itself; `state_parts`, the
    number of tensors in its state, alike at rest.
    Attributes `leak_bounds`, where its leak is kept, if anywhere; `signed`, whether spikes run from -levels to levels;
    `surrogate`, the derivative of its spikes, if it has a single one.

    Args:
        channels: size of the last axis, for per-channel parameters.
        levels: highest spike value; 1 means binary.
    """

    causal: ClassVar[bool] = True
    streams: ClassVar[bool] = True
    state_parts: ClassVar[int] = 1
    fuses_norm: ClassVar[bool] = True
    atomic: bool = True
    leaks: bool = True

    leak_bounds: tuple[float, float] | None = None
    signed: bool = False
    surrogate: Surrogate | None = None

    def __init__(self, channels: int, *, levels: int = 1) -> None:
        super().__init__()
        self.channels = channels
        self.levels = levels

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        forward = vars(cls).get("forward")
        if forward is not None:
            cls.fuses_norm = "norm" in signature(forward).parameters

    def over_space(self, axes: int) -> None:
        """Told by a layer, before the first call: the last `axes` axes before the channels are those of an image."""

    @property
    def scale(self) -> float:
        """What a spike of 1 is given out as; spikes are whole multiples of it."""
        return 1.0

    @property
    def circuits(self) -> tuple[nn.Module, ...]:
        """Synapses inside: modules that each map the layer's spikes of the step before, [N, *, channels], to something
        alike; those spikes are the last part of the state. None as a rule."""
        return ()

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

    def training_progress(self, share: float) -> None:
        """Sharpen the surrogate, if it is one that gets steeper; `share` of training is done."""
        if self.surrogate is not None:
            self.surrogate.training_progress(share)

    def penalties(self) -> dict[str, Tensor]:
        """What training shall keep small: vectors by name, see `penalty`. None as a rule."""
        return {}

    def initial_state(self, x0: Tensor) -> State:
        """The state at rest for one step of input `x0` [B, *, channels]: as a rule a membrane, or `state_parts`."""
        rest = at_rest(x0)
        return rest if self.state_parts == 1 else (rest,) * self.state_parts

    @abstractmethod
    def step(self, x_t: Tensor, state: State) -> tuple[Tensor, State]:
        """One time step: input [B, *, channels] and state -> (spikes, new state). Pure; this is the definition."""

    def forward(
        self,
        x: Tensor,
        state: State | None = None,
        *,
        return_state: bool = False,
        norm: TokenNorm | None = None,
        offset: Tensor | None = None,
    ) -> Tensor | tuple[Tensor, State]:
        """Run over the leading time axis: by a kernel that is made from `step`, or step by step.

        Args:
            x: input current [T, B, *, channels].
            state: where to go on from; None starts from rest.
            return_state: also return the state after the last step.
            norm: a norm that the input has yet to pass, with `offset` added first; where there is a kernel, both are
                one.
            offset: [channels].

        Raises:
            ValueError: a state is passed in or asked for, and this neuron does not stream.
        """
        if not self.streams and (state is not None or return_state):
            raise ValueError(f"{type(self).__name__} cannot stream: it has no state to pass in or to return")
        found, scan = None, self.scan
        if type(self).scan is SpikingNeuron.scan:  # whoever scans in another way has no use for a kernel of `step`
            scan = self._stepped
            if norm is not None:
                found = norm.scan(self, x, state, offset, return_state=return_state)
            if found is None:
                x, norm = _normalised(x, norm, offset), None
                found = compiled.scan(self, x, state, return_state=return_state)
        if found is None:
            x = _normalised(x, norm, offset)
            state = self.initial_state(x[0]) if state is None else state
            found = scan_in_chunks(scan, x, state) if self.streams else scan(x, state)
        return found if return_state else found[0]

    @property
    def runs_its_step(self) -> bool:
        """Whether it runs over time by `step` alone, again and again, so that a kernel may do that."""
        kind = type(self)
        return kind.scan is SpikingNeuron.scan and (kind.forward is SpikingNeuron.forward or kind.fuses_norm)

    def why_not_compiled(self, axes: int = 1) -> str:
        """Why no kernel can be made of `step`, so that it runs step by step, or "".

        Args:
            axes: of one step of its input, the batch and the channels not counted.
        """
        if type(self).scan is not SpikingNeuron.scan:
            return "it runs over time in a way of its own (`scan`)"
        if type(self).forward is not SpikingNeuron.forward and not self.fuses_norm:
            return "it runs over time in a way of its own (`forward`)"
        return compiled.why_not(self, torch.zeros(2, 2, *(2,) * axes, self.channels))

    def scan(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """Apply `step` along time; in one kernel where one can be made of it."""
        found = compiled.scan(self, x, state, return_state=True)
        return self._stepped(x, state) if found is None else found

    def _stepped(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        out = []
        for x_t in x.unbind(0):  # its gradient is one stack; indexing would allocate a full-size zero per step
            spikes, state = self.step(x_t, state)
            out.append(spikes)
        return torch.stack(out), state

    def extra_repr(self) -> str:
        names = ("channels", *(knob.name for knob in knobs(type(self))))
        values = {name: getattr(self, name, None) for name in names}
        return ", ".join(f"{name}={v!r}" for name, v in values.items() if v is not None and not isinstance(v, Tensor))


class Host(SpikingNeuron):
    """A neuron whose step is told in two halves, so that others can act between its past and its input.

    Between two steps a factor can lie on what is left of the membrane and one on the input current: with A and B the
    host's own constants, u = A(past * state) + B(drive * x). The autaptic circuits of `stc` do that.
    """

    @abstractmethod
    def charge(
        self, x_t: Tensor, state: State, past: Tensor | None = None, drive: Tensor | None = None
    ) -> tuple[Any, ...]:
        """The first half of a step.

        Args:
            x_t: input current [B, *, channels].
            state: before the step.
            past: factor on what the membrane carries over, [B, *, channels]; None is 1, to the bit.
            drive: factor on the input current, likewise.

        Returns:
            The membrane before the reset [B, *, channels], and whatever else `fire` needs.
        """

    @abstractmethod
    def fire(self, charged: tuple[Any, ...], dtype: torch.dtype) -> tuple[Tensor, State]:
        """The second half: what `charge` gave -> (spikes in `dtype`, new state)."""

    def step(self, x_t: Tensor, state: State) -> tuple[Tensor, State]:
        return self.fire(self.charge(x_t, state), x_t.dtype)


def _normalised(x: Tensor, norm: TokenNorm | None, offset: Tensor | None) -> Tensor:
    return x if norm is None else norm(x if offset is None else x + offset)


def at_rest(x0: Tensor) -> Tensor:
    """A membrane of zeros for one step of input; float32 or wider, as narrow types lose small increments."""
    return torch.zeros_like(x0, dtype=torch.promote_types(x0.dtype, torch.float32))


def scaled(value: Tensor, factor: Tensor | None) -> Tensor:
    return value if factor is None else value * factor


def neurons_in(network: nn.Module) -> dict[str, SpikingNeuron]:
    """The neurons of a network by their dotted name; what lies inside a neuron is a part of it, and left out."""
    found = {name: module for name, module in network.named_modules() if isinstance(module, SpikingNeuron)}
    parts = {id(part) for neuron in found.values() for part in neuron.modules() if part is not neuron}
    return {name: neuron for name, neuron in found.items() if id(neuron) not in parts}


def penalised(network: nn.Module) -> list[SpikingNeuron]:
    """The neurons of a network that have `penalties`."""
    return [module for module in network.modules() if isinstance(module, SpikingNeuron) and module.penalties()]


def penalty(neurons: Sequence[SpikingNeuron]) -> Tensor:
    """What `penalised` neurons add to the loss, a number: by name, the norm of all their vectors together.

    At 0 the gradient is 0.
    """
    together: dict[str, list[Tensor]] = {}
    for neuron in neurons:
        for name, vector in neuron.penalties().items():
            together.setdefault(name, []).append(vector)
    return reduce(Tensor.add, (torch.linalg.vector_norm(torch.cat(vectors)) for vectors in together.values()))


NeuronFactory = Callable[[int], SpikingNeuron]


def neuron_factory(neuron: str | NeuronFactory) -> NeuronFactory:
    """A factory `channels -> neuron` from a registered name, or the factory that was given."""
    return NEURONS.get(neuron) if isinstance(neuron, str) else neuron
