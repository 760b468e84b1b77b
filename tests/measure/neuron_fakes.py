"""Neurons whose spikes and gradients can be written down by hand."""

from __future__ import annotations

import torch
from torch import Tensor

from snnctl.neurons.base import SpikingNeuron


class Rectangle(torch.autograd.Function):
    """Whole part of x within 0..levels; gradient 1 within half a step of x = 1, else exactly 0."""

    @staticmethod
    def forward(ctx, x: Tensor, levels: int) -> Tensor:
        ctx.save_for_backward(x)
        return x.floor().clamp(0, levels)

    @staticmethod
    def backward(ctx, gradient: Tensor):
        (x,) = ctx.saved_tensors
        return gradient * ((x - 1).abs() < 0.5), None


class Floor(SpikingNeuron):
    """Stateless: fires the whole part of its input."""

    def initial_state(self, x0: Tensor) -> Tensor:
        return torch.zeros_like(x0)

    def step(self, x_t: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        return Rectangle.apply(x_t, self.levels), state
