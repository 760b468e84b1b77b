"""Two-compartment LIF: a dendrite that the soma discharges, and a soma that the dendrite charges."""

from __future__ import annotations

from typing import Annotated

import torch
from annotated_types import Ge, Gt
from torch import Tensor, nn

from snnctl.core.catalog import NEURONS
from snnctl.neurons.base import Host, at_rest, scaled
from snnctl.neurons.surrogate import AnySurrogate, Surrogate, make_surrogate


@NEURONS.register("tc_lif")
class TCLIF(Host):
    """Two-compartment leaky integrate-and-fire neuron, with a dendrite and a soma coupled by learned weights.

    The two couplings are one pair of numbers per layer. The form of stclif is `late_reset`, `detach_reset` and
    `learn_gamma` together, with `gamma` 0 and surrogate sigmoid.

    Equation:
        d = d - sigmoid(c1) * h + x
        d = d - gamma * s                with `late_reset`: s of the step before
        h = h - v_threshold * s          with `late_reset`: s of the step before
        h = h + sigmoid(c2) * d
        s = 1 if h >= v_threshold else 0
        d = d - gamma * s                without
        h = h - v_threshold * s          without

    Args:
        gamma: what a spike takes from the dendrite, >= 0 (default of TC-LIF).
        v_threshold: spike threshold of the soma, > 0, and what a spike takes from it (default of TC-LIF).
        learn_gamma: whether `gamma` is learned, one number per layer, as in stclif (false as in TC-LIF).
        late_reset: whether a spike is subtracted one step later, as in stclif (false as in TC-LIF).
        detach_reset: whether the gradient ignores the path through the reset (false as in TC-LIF).
        surrogate: derivative of the spike (triangle of half-width 1, one of those in TC-LIF).

    Shape: [T, B, *, channels] -> [T, B, *, channels]; the state is (d, h), each [B, *, channels]: dendrite and soma;
        with `late_reset` also the last spikes s.

    Source: Zhang et al. 2024, "TC-LIF: A two-compartment spiking neuron model for long-term sequential modelling",
        arXiv 2308.13250, and its code, TC-LIF, github.com/ZhangShimin1/TC-LIF; the other form is the baseline of
        stclif, github.com/wangtianyi1874/stclif.
    """

    gamma: Tensor

    def __init__(
        self,
        channels: int,
        *,
        gamma: Annotated[float, Ge(0.0)] = 0.5,
        v_threshold: Annotated[float, Gt(0.0)] = 1.0,
        learn_gamma: bool = False,
        late_reset: bool = False,
        detach_reset: bool = False,
        surrogate: AnySurrogate = "triangle",
    ) -> None:
        super().__init__(channels)
        self.c1, self.c2 = (nn.Parameter(torch.tensor(0.0)) for _ in range(2))
        if learn_gamma:
            self.register_parameter("gamma", nn.Parameter(torch.tensor(float(gamma))))
        else:
            self.register_buffer("gamma", torch.tensor(float(gamma)), persistent=False)
        self.v_threshold = v_threshold
        self.learn_gamma = learn_gamma
        self.late_reset = late_reset
        self.detach_reset = detach_reset
        self.surrogate: Surrogate = make_surrogate(surrogate)

    def initial_state(self, x0: Tensor) -> tuple[Tensor, ...]:
        rest = at_rest(x0)
        return (rest, rest, rest) if self.late_reset else (rest, rest)

    def charge(
        self, x_t: Tensor, state: tuple[Tensor, ...], past: Tensor | None = None, drive: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        d, h, *late = state
        to_dendrite, to_soma = self.c1.to(h.dtype).sigmoid(), self.c2.to(h.dtype).sigmoid()
        d = d - to_dendrite * h + scaled(x_t.to(h.dtype), drive)  # the soma as it was before a late reset
        for fired in late:
            d, h = self._discharge(d, h, fired)
        return scaled(h, past) + to_soma * d, d

    def fire(self, charged: tuple[Tensor, Tensor], dtype: torch.dtype) -> tuple[Tensor, tuple[Tensor, ...]]:
        h, d = charged
        spikes = self.surrogate.spike(h - self.v_threshold)
        fired = spikes.detach() if self.detach_reset else spikes
        if self.late_reset:
            return spikes.to(dtype), (d, h, fired)
        return spikes.to(dtype), self._discharge(d, h, fired)

    def _discharge(self, d: Tensor, h: Tensor, fired: Tensor) -> tuple[Tensor, Tensor]:
        return d - self.gamma.to(d.dtype) * fired, h - self.v_threshold * fired
