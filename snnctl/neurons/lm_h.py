"""LM-H: a dendrite that remembers and a soma that integrates, with four learned factors between them."""

from __future__ import annotations

from typing import Annotated

import torch
from annotated_types import Ge, Gt, Lt
from torch import Tensor, nn

from snnctl.core.catalog import NEURONS
from snnctl.neurons.base import Host, at_rest, scaled
from snnctl.neurons.surrogate import AnySurrogate, Surrogate, make_surrogate


@NEURONS.register("lm_h")
class LMH(Host):
    """Learnable multi-hierarchical neuron, which starts as integrate-and-fire and learns its leak and memory.

    The factors are four numbers per layer, 0 at the start: the dendrite then passes the current on, keeps
    nothing, and the soma is IF with soft reset. The gradient never goes through the reset.

    Equation:
        d = (sigmoid(p1) - 1/2) * d + (sigmoid(p2) - 1/2) * h + x
        u = (sigmoid(p3) + 1/2) * d + (sigmoid(p4) + 1/2) * h
        s = 1 if u >= v_threshold else 0
        h = u - s * v_threshold

    Args:
        v_threshold: spike threshold of the soma, > 0 (default of STBP_LMH).
        start: soma before the first step, 0 <= start < 1, in thresholds (0 as in stclif; 0.5 in STBP_LMH).
        surrogate: derivative of the spike (triangle of half-width 1 as in STBP_LMH).

    Shape: [T, B, *, channels] -> [T, B, *, channels]; the state is (d, h), each [B, *, channels]: dendrite and soma.

    Source: Hao et al. 2024, "A progressive training framework for spiking neural networks with learnable
        multi-hierarchical model", ICLR, openreview.net/forum?id=g52tgL8jy6, and its code, STBP_LMH,
        github.com/hzc1208/STBP_LMH; stclif, github.com/wangtianyi1874/stclif.
    """

    def __init__(
        self,
        channels: int,
        *,
        v_threshold: Annotated[float, Gt(0.0)] = 1.0,
        start: Annotated[float, Ge(0.0), Lt(1.0)] = 0.0,
        surrogate: AnySurrogate = "triangle",
    ) -> None:
        super().__init__(channels)
        self.p1, self.p2, self.p3, self.p4 = (nn.Parameter(torch.tensor(0.0)) for _ in range(4))
        self.v_threshold = v_threshold
        self.start = start
        self.surrogate: Surrogate = make_surrogate(surrogate)

    def initial_state(self, x0: Tensor) -> tuple[Tensor, Tensor]:
        rest = at_rest(x0)
        return rest, rest + self.start * self.v_threshold

    def charge(
        self, x_t: Tensor, state: tuple[Tensor, Tensor], past: Tensor | None = None, drive: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        d, h = state
        p1, p2, p3, p4 = (p.to(h.dtype).sigmoid() for p in (self.p1, self.p2, self.p3, self.p4))
        d = (p1 - 0.5) * d + (p2 - 0.5) * h + scaled(x_t.to(h.dtype), drive)
        return (p3 + 0.5) * d + (p4 + 0.5) * scaled(h, past), d

    def fire(self, charged: tuple[Tensor, Tensor], dtype: torch.dtype) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        u, d = charged
        spikes = self.surrogate.spike(u - self.v_threshold)
        return spikes.to(dtype), (d, u - spikes.detach() * self.v_threshold)
