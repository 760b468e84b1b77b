"""STC: a neuron whose own layer's last spikes scale what is left of its membrane and what comes in."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from contextvars import ContextVar
from functools import partial
from typing import Annotated, Any

import torch
from torch import Tensor

from snnctl.core.catalog import NEURONS
from snnctl.core.registry import Slot
from snnctl.core.scoped import scoped
from snnctl.core.shapes import ShapeError
from snnctl.core.signature import takes_knobs
from snnctl.neurons.base import Host, NeuronFactory, SpikingNeuron, State, at_rest, neuron_factory
from snnctl.neurons.integrate_fire import IntegrateAndFire
from snnctl.neurons.norm import TokenNorm
from snnctl.neurons.stc_circuit import Autapses, Circuit
from snnctl.neurons.stc_fast import fast_scan
from snnctl.neurons.surrogate import Surrogate

HOSTS = ("glif", "if", "lif", "lm_h", "plif", "tau_lif", "tc_lif")

Take = Callable[["STC", Tensor | None, Tensor | None, Tensor], None]
_take: ContextVar[Take | None] = ContextVar("take", default=None)


def watch_circuits(take: Take) -> AbstractContextManager[None]:
    """Tell `take(neuron, beta, gamma, u)` of every step that a neuron with circuits does within.

    beta and gamma are the circuits' factors [B, *, channels], None where there is no such circuit; u is the membrane
    before the reset.
    """
    return scoped(_take, take)


@NEURONS.register("stc")
class STC(SpikingNeuron):
    """Autaptic spatio-temporal circuits around a host neuron, driven by the layer's own spikes of the step before.

    The temporal circuit scales the past, the spatial one the input current; both factors lie in (0, 2) and are 1 as
    long as the layer is silent and its norms are fresh. The host keeps its constants, its reset and its surrogate.
    Around `if`, as published under the name STC-LIF, nothing leaks: without circuits that neuron is
    integrate-and-fire, not LIF, so IF is the control that shows what the circuits do. In a host of two compartments
    the spatial circuit acts on the current into the dendrite, the temporal one on the soma's own past.

    Equation:
        a = norm(W_h * s[t-1])        beta = 1 + tanh(a)          temporal
        b = norm(W_v * s[t-1])        gamma = 1 + tanh(b)         spatial
        u = A(beta * h) + B(gamma * x)        A, B the host's: u = h + x for `if`
        s, h = as the host fires and resets

    Args:
        host: the neuron that is modulated (if, as published): glif, if, lif, lm_h, plif, tau_lif, tc_lif.
        circuit: which circuits there are; none is the host itself.
        groups: of the circuits' convolutions, a divisor of the channels (16 as published).
        kernel: of the circuits, odd (5 as published); without meaning where `axes` is 0.
        norm: group; layer, one group of all channels; none, a learned bias in its place (group as published).
        norm_groups: of `norm: group`, a divisor of the channels; null = `groups`, as published.
        detach: whether no gradient goes back in time through the circuits; their weights learn all the same (true is
            the default of the published code; its Moving MNIST runs have false).
        axes: how many axes before the channels the kernel spans: 0 (fully connected in blocks, at each position by
            itself), 1 or 2; null = 2 in convolutions over images, else 0.

    Shape: [T, B, *, channels] -> [T, B, *, channels]; the state is the host's, then the last spikes [B, *, channels].

    Raises:
        ShapeError: `host` is no neuron that can be modulated, `groups` or `norm_groups` do not divide the channels,
            each norm group holds a single value, a name is unknown, or `kernel` is even.

    Source: Wang and Yu 2024, "Autaptic synaptic circuit enhances spatio-temporal predictive learning of spiking
        neural networks", arXiv 2406.00405, and its code, stclif, github.com/wangtianyi1874/stclif. The rule for
        other hosts, the fully connected form and the norms besides group are ours.
    """

    atomic = False

    @takes_knobs
    def __init__(
        self,
        channels: int,
        *,
        host: Annotated[str | NeuronFactory, Slot("neuron", factory=True)] = "if",
        autapses: Autapses = Autapses(),
    ) -> None:
        made = neuron_factory(host)(channels)
        if not isinstance(made, Host) or type(made).step is not Host.step:
            message = f"{type(made).__name__} cannot be the host of stc: its step is not told in two halves"
            raise ShapeError(message, knob="host", help=f"hosts: {', '.join(HOSTS)}")
        super().__init__(channels, levels=made.levels)
        self.host: Host = made
        self.leaks, self.signed, self.leak_bounds = made.leaks, made.signed, made.leak_bounds
        self.autapses, self.circuit, self.detach, self.axes = autapses, autapses.circuit, autapses.detach, autapses.axes
        self.atomic = self.circuit == "none" and made.atomic
        self.temporal: Circuit | None
        self.spatial: Circuit | None
        self._make_circuits(self.axes or 0)
        if self.axes == 0:
            self.over_space(0)

    def _make_circuits(self, axes: int) -> None:
        self._spans = axes
        for name in ("temporal", "spatial"):
            wanted = self.circuit in ("both", name)
            setattr(self, name, Circuit(self.channels, self.autapses, axes) if wanted else None)

    def over_space(self, axes: int) -> None:
        """Make the circuits anew with kernels over these axes, unless the knob `axes` says otherwise.

        Raises:
            ShapeError: without axes each norm group holds a single value.
        """
        if self.axes is None and axes != self._spans:
            self._make_circuits(axes)
        for circuit in self.circuits:
            if not circuit.axes:
                circuit.refuse_dead(1)

    @property
    def circuits(self) -> tuple[Circuit, ...]:
        return tuple(circuit for circuit in (self.temporal, self.spatial) if circuit is not None)

    @property
    def scale(self) -> float:
        return self.host.scale

    @property
    def fixed_steps(self) -> int | None:
        return self.host.fixed_steps

    @property
    def surrogate(self) -> Surrogate | None:
        """The host's."""
        return self.host.surrogate

    @surrogate.setter
    def surrogate(self, surrogate: Surrogate | None) -> None:
        self.host.surrogate = surrogate

    def leak_per_step(self) -> Tensor | None:
        """The host's, before any modulation."""
        return self.host.leak_per_step()

    def set_leak(self, leak: Tensor) -> None:
        self.host.set_leak(leak)

    def initial_state(self, x0: Tensor) -> State:
        state = self.host.initial_state(x0)
        return state if self.circuit == "none" else _joined(state, at_rest(x0))

    def modulation(self, s: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """beta and gamma for the spikes [B, *, channels] of the step before; None where there is no such circuit."""
        s = s.detach() if self.detach else s
        beta = None if self.temporal is None else self.temporal(s)
        gamma = None if self.spatial is None else self.spatial(s)
        return beta, gamma

    def charge(self, x_t: Tensor, state: State) -> tuple[Any, ...]:
        """The first half of a step, as the host's `charge`, under the circuits' factors."""
        if self.circuit == "none":
            return self.host.charge(x_t, state)
        *parts, s = state
        beta, gamma = self.modulation(s)
        charged = self.host.charge(x_t, parts[0] if len(parts) == 1 else tuple(parts), beta, gamma)
        take = _take.get()
        if take is not None:
            take(self, beta, gamma, charged[0])
        return charged

    def fire(self, charged: tuple[Any, ...], dtype: torch.dtype) -> tuple[Tensor, State]:
        """The second half: what `charge` gave -> (spikes in `dtype`, new state)."""
        spikes, state = self.host.fire(charged, dtype)
        return spikes, state if self.circuit == "none" else _joined(state, spikes.to(charged[0].dtype))

    def step(self, x_t: Tensor, state: State) -> tuple[Tensor, State]:
        return self.fire(self.charge(x_t, state), x_t.dtype)

    def forward(
        self,
        x: Tensor,
        state: State | None = None,
        *,
        return_state: bool = False,
        norm: TokenNorm | None = None,
        offset: Tensor | None = None,
    ) -> Tensor | tuple[Tensor, State]:
        """Run over the leading time axis, as `SpikingNeuron.forward`; without circuits it is the host that runs."""
        if self.circuit == "none":
            return self.host.forward(x, state, return_state=return_state, norm=norm, offset=offset)
        return super().forward(x, state, return_state=return_state, norm=norm, offset=offset)

    def why_not_compiled(self, axes: int = 1) -> str:
        """Its circuits mix channels, so that none is made of its step; without circuits it is the host that runs."""
        if self.circuit == "none":
            return self.host.why_not_compiled(axes)
        over = "; over images these have kernels of their own" if isinstance(self.host, IntegrateAndFire) else ""
        return f"its circuits mix channels by a convolution at each step{over}"

    def scan(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        if self.circuit == "none":
            return self.host.scan(x, state)
        take = _take.get()
        told = None if take is None else partial(take, self)
        found = fast_scan(self.host, self.temporal, self.spatial, x, state, detach=self.detach, take=told)
        return super().scan(x, state) if found is None else found

    def extra_repr(self) -> str:
        return f"{self.channels}, circuit={self.circuit}, detach={self.detach}"


def _joined(state: State, s: Tensor) -> tuple[Any, ...]:
    """The host's state and the last spikes, as one flat tuple."""
    return (*state, s) if isinstance(state, tuple) else (state, s)
