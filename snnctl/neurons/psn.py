"""Parallel spiking neurons: no reset, so one matrix product over time gives all steps at once."""

from __future__ import annotations

import math
from contextlib import nullcontext
from typing import Annotated, NoReturn

import torch
from annotated_types import Ge
from torch import Tensor, nn

from snnctl.core.catalog import NEURONS
from snnctl.core.shapes import ShapeError
from snnctl.neurons.base import SpikingNeuron
from snnctl.neurons.surrogate import AnySurrogate, Surrogate, make_surrogate


class _Parallel(SpikingNeuron):
    """Weights from every step to every step, shared by all channels, and a bias per step."""

    def __init__(self, channels: int, *, steps: Annotated[int, Ge(1)], surrogate: AnySurrogate = "atan") -> None:
        super().__init__(channels)
        self.steps = steps
        self.surrogate: Surrogate = make_surrogate(surrogate)
        self.weight = nn.Parameter(torch.empty(steps, steps))
        self.bias = nn.Parameter(torch.full((steps, 1), -1.0))
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))

    @property
    def fixed_steps(self) -> int:
        return self.steps

    def _fire(self, weight: Tensor, bias: Tensor, x: Tensor) -> Tensor:
        """Spikes [t, B, *] where weight [t, T] @ x [T, B, *] + bias [t, 1] >= 0, in the dtype of `x`."""
        kind = x.device.type
        has_autocast = torch.amp.is_autocast_available(kind)
        with torch.autocast(kind, enabled=False) if has_autocast else nullcontext():
            h = torch.addmm(bias.to(x.dtype), weight.to(x.dtype), x.flatten(1))
        return self.surrogate.spike(h).unflatten(1, x.shape[1:])


@NEURONS.register("psn")
class PSN(_Parallel):
    """Parallel spiking neuron, in which every step sees all others, the later ones too.

    Not causal: it needs the whole input at once, has no state and cannot stream.

    Equation:
        h = weight @ x + bias            over time, weight [steps, steps], bias [steps, 1]
        s = 1 if h >= 0 else 0

    Args:
        channels: size of the last axis; the parameters are shared by all channels.
        steps: T, the number of steps, >= 1; the input must have exactly so many.
        surrogate: derivative of the spike (atan as in spikingjelly 2.0).

    Shape: [steps, B, *, channels] -> [steps, B, *, channels].

    Raises:
        ShapeError: the input has another number of steps.
        ValueError: a state is passed in or asked for.

    Source: Fang et al. 2023, "Parallel spiking neurons with high efficiency and ability to learn long-term
        dependencies", arXiv 2304.12760; spikingjelly 2.0 (PSN) for the initialisation: weight as in a linear layer,
        bias -1.
    """

    causal = False
    streams = False

    def initial_state(self, x0: Tensor) -> tuple[()]:
        return ()

    def step(self, x_t: Tensor, state: tuple[()]) -> NoReturn:
        raise ValueError("psn has no single step: each depends on the whole input")

    def scan(self, x: Tensor, state: tuple[()]) -> tuple[Tensor, tuple[()]]:
        if len(x) != self.steps:
            message = f"psn is made for {self.steps} steps, the input has {len(x)}"
            raise ShapeError(message, knob="steps", help=f"use `steps: {len(x)}`")
        wide = x.to(torch.promote_types(x.dtype, torch.float32))
        return self._fire(self.weight, self.bias, wide).to(x.dtype), state


@NEURONS.register("masked_psn")
class MaskedPSN(_Parallel):
    """Masked parallel spiking neuron, in which every step sees itself and the steps before.

    Causal, so it can stream, up to `steps` steps in all; whole inputs are one matrix product.

    Equation:
        mask[i, j] = 1 if 0 <= i - j < order else 0
        h = (weight * mask) @ x + bias   over time, weight [steps, steps], bias [steps, 1]
        s = 1 if h >= 0 else 0

    Args:
        channels: size of the last axis; the parameters are shared by all channels.
        steps: the largest number of steps T, >= 1.
        order: how many steps each one sees, itself included, >= 1; null for all before it (default ours).
        surrogate: derivative of the spike (atan as in spikingjelly 2.0).

    Shape: [T, B, *, channels] -> [T, B, *, channels] with T <= steps; the state is the input so far
        [t, B, *, channels], t <= steps.

    Raises:
        ShapeError: the input goes on for more than `steps` steps.

    Source: Fang et al. 2023, "Parallel spiking neurons with high efficiency and ability to learn long-term
        dependencies", arXiv 2304.12760; spikingjelly 2.0 (MaskedPSN) for the initialisation: weight as in a linear
        layer, bias -1. Our reading: masked from the start, as with lambda 1; the mask does not fade in.
    """

    mask: Tensor

    def __init__(
        self,
        channels: int,
        *,
        steps: Annotated[int, Ge(1)],
        order: Annotated[int, Ge(1)] | None = None,
        surrogate: AnySurrogate = "atan",
    ) -> None:
        super().__init__(channels, steps=steps, surrogate=surrogate)
        self.order = order
        ones = torch.ones(steps, steps)
        self.register_buffer("mask", ones.tril() if order is None else ones.tril().triu(1 - order), persistent=False)

    def initial_state(self, x0: Tensor) -> Tensor:
        return x0.new_empty((0, *x0.shape), dtype=torch.promote_types(x0.dtype, torch.float32))

    def step(self, x_t: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        spikes, state = self.scan(x_t.unsqueeze(0), state)
        return spikes[0], state

    def scan(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        seen = torch.cat((state, x.to(state.dtype)))
        if len(seen) > self.steps:
            message = f"masked_psn is made for up to {self.steps} steps, the input has {len(seen)}"
            raise ShapeError(message, knob="steps", help=f"use `steps: {len(seen)}` or more")
        now = slice(len(state), len(seen))
        weight = (self.weight * self.mask)[now, : len(seen)]
        return self._fire(weight, self.bias[now], seen).to(x.dtype), seen
