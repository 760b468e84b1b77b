"""Leaky integrate-and-fire: with a fixed, spread or learned time constant, and without a leak."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import torch
from annotated_types import Ge, Gt, Lt
from torch import Tensor, nn

from snnctl.core.catalog import NEURONS
from snnctl.core.signature import After, takes_knobs
from snnctl.neurons.integrate_fire import IntegrateAndFire, Share, Spiking, shape_of
from snnctl.neurons.kernels import Reset


def _spread(channels: int, tau: float, spread: float) -> Tensor:
    """Time constants [channels] drawn evenly from tau * (1 +- spread), none of them at 1 or below."""
    drawn = torch.empty(channels).uniform_(tau * (1 - spread), tau * (1 + spread))
    return drawn.clamp(min=1.0 + 1e-3)


@NEURONS.register("lif")
class LIF(IntegrateAndFire):
    """Leaky integrate-and-fire neuron.

    With `decay_input` a constant input must exceed tau * v_threshold to fire at the first step; without it
    the leak is beta = 1 - 1/tau (tau = 100 is the beta = 0.99 of snntorch recipes).

    Equation:
        h = v + (x - v) / tau            with `decay_input`
        h = v * (1 - 1/tau) + x          without
        s = 1 if h >= v_threshold else 0
        v = h * (1 - s)                  reset: hard
        v = h - s * v_threshold          reset: soft

    Args:
        tau: membrane time constant in steps, > 1 (default of spikingjelly 2.0 and SeqSNN).
        v_threshold: spike threshold, > 0, in units of the membrane (default of spikingjelly 2.0).
        reset: hard sets the membrane to 0 after a spike, soft subtracts the threshold (hard as in SeqSNN).
        decay_input: whether the input is divided by tau as well (default of spikingjelly 2.0).
        detach_reset: whether the gradient ignores the path through the reset (true as in SeqSNN).
        tau_spread: 0 gives all channels one tau; above, each channel's is drawn evenly from tau * (1 +- tau_spread)
            at initialisation and kept (heterogeneous neurons; the even distribution is ours).
        surrogate: derivative of the spike (atan as in SeqSNN).

    Shape: [T, B, *, channels] -> [T, B, *, channels]; the state is the membrane [B, *, channels].

    Raises:
        ShapeError: `reset` or `learn_threshold` has another name.

    Source: spikingjelly 2.0 (LIFNode); SeqSNN, github.com/microsoft/SeqSNN, for the settings.
    """

    _shown = ("tau", "decay_input")

    @takes_knobs
    def __init__(
        self,
        channels: int,
        *,
        tau: Annotated[float, Gt(1.0)] = 2.0,
        v_threshold: Annotated[float, Gt(0.0)] = 1.0,
        reset: Reset = "hard",
        decay_input: bool = True,
        spiking: Spiking = Spiking(),
        tau_spread: Annotated[float, Ge(0.0), Lt(1.0), After("detach_reset")] = 0.0,
    ) -> None:
        super().__init__(channels, v_threshold, reset, spiking)
        self.tau = tau
        self.decay_input = decay_input
        self.taus: Tensor | None
        self.register_buffer("taus", _spread(channels, tau, tau_spread) if tau_spread else None)

    def _charge(self) -> tuple[float | None, float | Tensor, float | Tensor]:
        if self.taus is not None:
            rate = self.taus.reciprocal()
            return None, 1 - rate, rate if self.decay_input else 1.0
        return (self.tau, 1.0, 1.0) if self.decay_input else (None, 1.0 - 1.0 / self.tau, 1.0)

    def leak_per_step(self) -> Tensor:
        return 1.0 - 1.0 / torch.as_tensor(self.tau if self.taus is None else self.taus)

    def set_leak(self, leak: Tensor) -> None:
        self.taus = 1.0 / (1.0 - leak)


@NEURONS.register("plif")
class PLIF(IntegrateAndFire):
    """Parametric LIF: the time constant is learned.

    Equation:
        rate = sigmoid(w)                        1/tau, w learned from w = -log(tau - 1)
        h = (1 - rate) * v + rate * x            with `decay_input`
        h = (1 - rate) * v + x                   without
        s = 1 if h >= v_threshold else 0
        v = h * (1 - s)                          reset: hard
        v = h - s * v_threshold                  reset: soft

    Args:
        tau: membrane time constant in steps at initialisation, > 1 (default of spikingjelly 2.0).
        share: one time constant for the layer (as published), or one per channel.
        v_threshold: spike threshold, > 0, in units of the membrane.
        reset: hard sets the membrane to 0 after a spike (as published), soft subtracts the threshold.
        decay_input: whether the input is divided by tau as well (as published).
        detach_reset: whether the gradient ignores the path through the reset (the authors' code detaches).
        tau_spread: with one tau per channel, they start evenly drawn from tau * (1 +- tau_spread) (ours).
        learn_threshold: whether the threshold is learned too, one for the layer or one per channel (ours).
        surrogate: derivative of the spike (atan as published).

    Shape: [T, B, *, channels] -> [T, B, *, channels]; the state is the membrane [B, *, channels].

    Raises:
        ShapeError: a name is unknown, or `tau_spread` is given for a shared time constant.

    Source: Fang et al. 2021, "Incorporating learnable membrane time constant", arXiv 2007.05785;
        spikingjelly 2.0 (ParametricLIFNode).
    """

    _shown = ("tau", "share", "decay_input")

    @takes_knobs
    def __init__(
        self,
        channels: int,
        *,
        tau: Annotated[float, Gt(1.0)] = 2.0,
        share: Share = "layer",
        v_threshold: Annotated[float, Gt(0.0)] = 1.0,
        reset: Reset = "hard",
        decay_input: bool = True,
        spiking: Spiking = Spiking(),
        tau_spread: Annotated[float, Ge(0.0), Lt(1.0), After("detach_reset")] = 0.0,
    ) -> None:
        super().__init__(channels, v_threshold, reset, spiking)
        self.tau, self.share, self.decay_input = tau, share, decay_input
        taus = _spread(channels, tau, tau_spread) if tau_spread else torch.full(shape_of(share, channels), float(tau))
        self.w = nn.Parameter(-(taus - 1).log())

    @staticmethod
    def rules(knobs: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """A shared time constant cannot be spread."""
        if knobs["tau_spread"] and knobs["share"] == "layer":
            yield "tau_spread", "`tau_spread` needs `share: channel`"

    def _charge(self) -> tuple[float | None, float | Tensor, float | Tensor]:
        rate = self.w.sigmoid()
        return None, 1 - rate, rate if self.decay_input else 1.0

    def leak_per_step(self) -> Tensor:
        return 1.0 - self.w.sigmoid()

    @torch.no_grad()
    def set_leak(self, leak: Tensor) -> None:
        if leak.dim() > self.w.dim():
            raise ValueError("a leak per channel needs `share: channel`")
        self.w.copy_((1.0 / leak - 1.0).log())


@NEURONS.register("if")
class IF(IntegrateAndFire):
    """Integrate-and-fire neuron: LIF without a leak.

    Equation:
        h = v + x                        v = start * quantum before the first step
        s = 1 if h >= v_threshold else 0
        v = h * (1 - s)                  reset: hard
        v = h - s * v_threshold          reset: soft

    Args:
        v_threshold: spike threshold, > 0, in units of the membrane (default of spikingjelly 2.0).
        reset: hard sets the membrane to 0 after a spike, soft subtracts the threshold.
        start: membrane at the start, 0 to 1, in quanta of the spike (.5 makes the mean over T round to the nearest, as
            in networks converted from non-spiking ones).

    Shape: [T, B, *, channels] -> [T, B, *, channels]; the state is the membrane [B, *, channels].

    Raises:
        ShapeError: `reset` or `learn_threshold` has another name.

    Source: spikingjelly 2.0 (IFNode).
    """

    leaks = False

    @takes_knobs
    def __init__(
        self,
        channels: int,
        *,
        v_threshold: Annotated[float, Gt(0.0)] = 1.0,
        reset: Reset = "hard",
        spiking: Spiking = Spiking(),
        start: Annotated[float, Ge(0.0), Lt(1.0)] = 0.0,
    ) -> None:
        super().__init__(channels, v_threshold, reset, spiking)
        self.start = start

    def _charge(self) -> tuple[float | None, float | Tensor, float | Tensor]:
        return None, 1.0, 1.0
