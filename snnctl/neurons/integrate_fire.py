"""What LIF, IF and their kin share: one membrane, a threshold, a reset, the kernels, and what a spike is."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from snnctl.core.signature import KnobGroup
from snnctl.neurons.base import Host, at_rest, scaled
from snnctl.neurons.kernels import AnyReset, Dynamics, lif_scan, takes_lif
from snnctl.neurons.kernels.reference import lif_charge, lif_fire
from snnctl.neurons.norm import TokenNorm
from snnctl.neurons.spike_format import SpikeFormat
from snnctl.neurons.surrogate import AnySurrogate, StraightThrough, Surrogate, make_surrogate

Share = Literal["layer", "channel"]
Learned = Literal["none", "layer", "channel"]


@dataclass(frozen=True)
class Spiking(KnobGroup):
    """What a spike is, what it does to the gradient, and whether its threshold is learned.

    Args:
        detach_reset: whether the gradient ignores the path through the reset.
        learn_threshold: whether the threshold is learned, one for the layer or one per channel (as its logarithm;
            ours).
        surrogate: derivative of the spike.
        spike: bits of a spike and how the membrane is rounded to them; null is the binary spike.
    """

    detach_reset: bool = True
    learn_threshold: Learned = "none"
    surrogate: AnySurrogate = "atan"
    spike: SpikeFormat | None = None


class IntegrateAndFire(Host):
    """One membrane per element; the state is that membrane, kept in float32 or wider.

    Args:
        v_threshold: spike threshold, > 0, in units of the membrane.
        reset: what a spike does to the membrane.
        spiking: what a spike is.
        strict: whether a membrane that just reaches the threshold does not fire.

    Raises:
        ValueError: the spike's format is none, or does not fit the threshold.
    """

    one_equation: ClassVar[bool] = True  # whether it is that of `reference.lif_step`, which some kernels know
    surrogate: Surrogate
    start: float = 0.0  # membrane at the start, in quanta

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if {"step", "charge", "fire", "scan"} & set(vars(cls)):
            cls.one_equation = False

    def __init__(
        self, channels: int, v_threshold: float, reset: AnyReset, spiking: Spiking, *, strict: bool = False
    ) -> None:
        self.spike = SpikeFormat() if spiking.spike is None else spiking.spike
        if self.spike.problem():
            raise ValueError(self.spike.problem())
        if self.spike.emit == "value" and spiking.learn_threshold == "channel":
            raise ValueError("`emit: value` needs one threshold for the layer")
        super().__init__(channels, levels=self.spike.highest)
        self.v_threshold = v_threshold
        self.learn_threshold: Learned = spiking.learn_threshold
        self.reset: AnyReset = reset
        self.strict = strict or self.spike.quantizer == "ceil"
        self.signed = self.spike.signed
        self.detach_reset = spiking.detach_reset
        made = make_surrogate(spiking.surrogate)
        self.surrogate = made.across(v_threshold * self.spike.quantum) if isinstance(made, StraightThrough) else made
        self.log_threshold: nn.Parameter | None = None
        if self.learn_threshold != "none":  # its logarithm, so that it stays above 0
            start = torch.full(shape_of(self.learn_threshold, channels), v_threshold).log()
            self.log_threshold = nn.Parameter(start)

    @abstractmethod
    def _charge(self) -> tuple[float | None, float | Tensor, float | Tensor]:
        """tau of the decayed-input form, or None; leak; gain."""

    def dynamics(self) -> Dynamics:
        """The parameters of the step equation as they stand now."""
        tau, leak, gain = self._charge()
        spike = (self.levels, self.strict, self.spike.early, self.signed)
        return Dynamics(self.surrogate, tau, leak, gain, self._quantum(), self.reset, self.detach_reset, *spike)

    @property
    def scale(self) -> float:
        return float(torch.as_tensor(self._quantum()).detach()) if self.spike.emit == "value" else 1.0

    def _quantum(self) -> float | Tensor:
        """The distance between two codes: a number, or learned, [] or [channels]."""
        threshold = self.v_threshold if self.log_threshold is None else self.log_threshold.exp()
        return threshold * self.spike.quantum

    def initial_state(self, x0: Tensor) -> Tensor:
        rest = at_rest(x0)
        return rest + self.start * self.dynamics().v_threshold if self.start else rest

    def charge(
        self, x_t: Tensor, state: Tensor, past: Tensor | None = None, drive: Tensor | None = None
    ) -> tuple[Tensor, Dynamics]:
        dynamics = self.dynamics()
        return lif_charge(scaled(x_t.to(state.dtype), drive), scaled(state, past), dynamics), dynamics

    def fire(self, charged: tuple[Tensor, Dynamics], dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        spikes, state = lif_fire(*charged, dtype)
        return self._emitted(spikes), state

    def _emitted(self, spikes: Tensor) -> Tensor:
        return spikes * torch.as_tensor(self._quantum()).to(spikes.dtype) if self.spike.emit == "value" else spikes

    def forward(
        self,
        x: Tensor,
        state: Tensor | None = None,
        *,
        return_state: bool = False,
        norm: TokenNorm | None = None,
        offset: Tensor | None = None,
    ) -> Tensor | tuple[Tensor, Tensor]:
        """Run over the leading time axis, as `SpikingNeuron.forward`."""
        if not (self.one_equation and takes_lif()):
            return super().forward(x, state, return_state=return_state, norm=norm, offset=offset)
        x = x if norm is None else norm(x if offset is None else x + offset)
        if state is None and self.start:
            state = self.initial_state(x[0])
        spikes, last = lif_scan(x, state, self.dynamics())
        spikes = self._emitted(spikes)
        return (spikes, last) if return_state else spikes

    _shown: tuple[str, ...] = ()

    def extra_repr(self) -> str:
        names = ("channels", *self._shown, "v_threshold", "reset", "detach_reset", "surrogate")
        shown = [f"{name}={getattr(self, name)!r}" for name in names]
        if self.spike != SpikeFormat():
            shown.append(f"spike={self.spike!r}")
        if self.learn_threshold != "none":
            shown.append(f"learn_threshold={self.learn_threshold!r}")
        return ", ".join(shown)


def shape_of(share: str, channels: int) -> tuple[int, ...]:
    """Of a parameter: one for the layer, or one per channel."""
    return (channels,) if share == "channel" else ()
