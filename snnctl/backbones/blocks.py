"""The layer every spiking network is made of: linear, norm, neuron, without a copy in between."""

from __future__ import annotations

import copy
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from snnctl.neurons.base import NeuronFactory, State
from snnctl.neurons.kernels import spike_linear
from snnctl.neurons.norm import TokenNorm

Network = TypeVar("Network", bound=nn.Module)


class SpikeWeights(nn.Linear):
    """A linear layer for spikes: a single row of them is added up event by event, where that is faster.

    Args:
        inputs, outputs: sizes of the last axis.
        adds_bias: whether the bias is added here; else it is left to the norm behind, where it costs nothing.

    Shape: [*, inputs] -> [*, outputs].
    """

    def __init__(self, inputs: int, outputs: int, *, adds_bias: bool) -> None:
        super().__init__(inputs, outputs)
        self.adds_bias = adds_bias

    def forward(self, input: Tensor) -> Tensor:
        """W x, with or without the bias."""
        return spike_linear(input, self.weight, self.bias if self.adds_bias else None)


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
        self.linear = SpikeWeights(inputs, outputs, adds_bias=norm_gain is None)
        self.norm: nn.Module = nn.Identity() if norm_gain is None else TokenNorm(outputs, gain=norm_gain)
        self.neuron = neuron(outputs)

    def forward(self, x: Tensor, state: State | None = None, *, return_state: bool = False) -> Any:
        """Run over the leading time axis; state and `return_state` as in `SpikingNeuron.forward`."""
        current = self.linear(x)
        if not isinstance(self.norm, TokenNorm):
            return self.neuron(current, state, return_state=return_state)
        if self.neuron.fuses_norm:
            return self.neuron(current, state, return_state=return_state, norm=self.norm, offset=self.linear.bias)
        return self.neuron(self.norm(current + self.linear.bias), state, return_state=return_state)

    @torch.no_grad()
    def fold_norm(self) -> None:
        """Put what the norm does in evaluation into the weights, and take the norm out."""
        if not isinstance(self.norm, TokenNorm):
            return
        scale, shift = self.norm.in_evaluation()
        self.linear.weight.copy_(self.linear.weight.double() * scale[:, None])
        self.linear.bias.copy_(self.linear.bias.double() * scale + shift)
        self.linear.adds_bias = True
        self.norm = nn.Identity()


def fold_norms(network: Network) -> Network:
    """A copy for evaluation whose norms are part of the weights before them; the same outputs, to rounding."""
    folded = copy.deepcopy(network).eval()
    for module in folded.modules():
        if isinstance(module, SpikingLinear):
            module.fold_norm()
    return folded
