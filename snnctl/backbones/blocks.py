"""The layer every spiking network is made of: linear, norm, neuron, without a copy in between."""

from __future__ import annotations

import copy
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from snnctl.neurons.base import NeuronFactory
from snnctl.neurons.norm import TokenNorm

Network = TypeVar("Network", bound=nn.Module)


class Unbiased(nn.Linear):
    """A linear layer that leaves its bias to the norm behind it, where it costs nothing."""

    def forward(self, input: Tensor) -> Tensor:
        """W x, without the bias."""
        return F.linear(input, self.weight)


class SpikingLinear(nn.Module):
    """Linear map, BatchNorm over all tokens, neuron along T.

    The weights keep torch's default initialisation: BatchNorm makes their scale irrelevant where it
    follows, and where it does not, the published N(0, 0.02) would leave the neurons silent at the start.

    Features stay the last axis and T the first: the norm's statistics are those of columns of one matrix, the
    neuron's steps are rows of another, and neither needs the tensor moved. With a neuron that has a kernel for it
    (LIF and its kin), norm and neuron are one pass.

    Equation:
        S = neuron(BN(W * x + b))

    Args:
        inputs: size of the last axis of the input.
        outputs: size of the last axis of the output.
        neuron: factory of the neuron, called with `outputs`.
        norm_gain: initial gain of the BatchNorm; None leaves the norm out.

    Shape: [T, B, *, inputs] -> [T, B, *, outputs].
    """

    def __init__(self, inputs: int, outputs: int, neuron: NeuronFactory, *, norm_gain: float | None = 1.0) -> None:
        super().__init__()
        self.linear: nn.Linear = nn.Linear(inputs, outputs) if norm_gain is None else Unbiased(inputs, outputs)
        self.norm: nn.Module = nn.Identity() if norm_gain is None else TokenNorm(outputs, gain=norm_gain)
        self.neuron = neuron(outputs)

    def forward(self, x: Tensor) -> Tensor:
        current = self.linear(x)
        if not isinstance(self.norm, TokenNorm):
            return self._spikes(current)
        if self.neuron.fuses_norm:
            spikes: Tensor = self.neuron(current, norm=self.norm, offset=self.linear.bias)
            return spikes
        return self._spikes(self.norm(current + self.linear.bias))

    def _spikes(self, current: Tensor) -> Tensor:
        spikes: Tensor = self.neuron(current)
        return spikes

    @torch.no_grad()
    def fold_norm(self) -> None:
        """Put what the norm does in evaluation into the weights, and take the norm out."""
        if not isinstance(self.norm, TokenNorm):
            return
        scale, shift = self.norm.in_evaluation()
        folded = nn.utils.skip_init(nn.Linear, *self.linear.weight.shape[::-1], dtype=self.linear.weight.dtype)
        folded = folded.to(self.linear.weight.device).train(self.training)
        folded.weight.copy_(self.linear.weight.double() * scale[:, None])
        folded.bias.copy_(self.linear.bias.double() * scale + shift)
        self.linear, self.norm = folded, nn.Identity()


def fold_norms(network: Network) -> Network:
    """A copy for evaluation whose norms are part of the weights before them; the same outputs, to rounding."""
    folded = copy.deepcopy(network).eval()
    for module in folded.modules():
        if isinstance(module, SpikingLinear):
            module.fold_norm()
    return folded
