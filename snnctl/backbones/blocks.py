"""The layer every spiking network is made of: weights, norm, neuron, without a copy in between."""

from __future__ import annotations

import copy
from abc import abstractmethod
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from snnctl.neurons.base import NeuronFactory, State
from snnctl.neurons.kernels import spike_linear
from snnctl.neurons.norm import TokenNorm

Network = TypeVar("Network", bound=nn.Module)


class LinearWeights(nn.Linear):
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


class ConvWeights(nn.Conv2d):
    """A convolution that can leave its bias to the norm behind, as `LinearWeights`.

    Shape: [N, inputs, H, W] -> [N, outputs, H', W'].
    """

    adds_bias = True

    def forward(self, input: Tensor) -> Tensor:
        """W * x, with or without the bias."""
        return self._conv_forward(input, self.weight, self.bias if self.adds_bias else None)


class SpikingLayer(nn.Module):
    """What all layers share: a current [T, B, *, C] passes the norm, if there is one, and the neuron.

    Features stay the last axis and T the first: the norm's statistics are those of columns of one matrix, the
    neuron's steps are rows of another, and neither needs the tensor moved. With a neuron that has a kernel for it
    (LIF and its kin), norm and neuron are one pass.

    Args:
        outputs: C.
        neuron: factory of the neuron, called with `outputs`.
        norm_gain: initial gain of the BatchNorm; None leaves the norm out.
    """

    def __init__(self, outputs: int, neuron: NeuronFactory, norm_gain: float | None) -> None:
        super().__init__()
        self.norm: nn.Module = nn.Identity() if norm_gain is None else TokenNorm(outputs, gain=norm_gain)
        self.neuron = neuron(outputs)

    @property
    @abstractmethod
    def weights(self) -> LinearWeights | ConvWeights:
        """The submodule that makes the current."""

    def fire(self, current: Tensor, state: State | None, return_state: bool) -> Any:
        """Norm and neuron; the current has no bias yet where a norm follows."""
        if not isinstance(self.norm, TokenNorm):
            return self.neuron(current, state, return_state=return_state)
        bias = self.weights.bias
        assert bias is not None
        if self.neuron.fuses_norm:
            return self.neuron(current, state, return_state=return_state, norm=self.norm, offset=bias)
        return self.neuron(self.norm(current + bias), state, return_state=return_state)

    @torch.no_grad()
    def fold_norm(self) -> None:
        """Put what the norm does in evaluation into the weights, and take the norm out."""
        if not isinstance(self.norm, TokenNorm):
            return
        scale, shift = self.norm.in_evaluation()
        weight, bias = self.weights.weight, self.weights.bias
        assert bias is not None
        weight.copy_(weight.double() * scale.view(-1, *(1,) * (weight.dim() - 1)))
        bias.copy_(bias.double() * scale + shift)
        self.weights.adds_bias = True
        self.norm = nn.Identity()


class SpikingLinear(SpikingLayer):
    """Linear map, BatchNorm over all tokens, neuron along T.

    The weights keep torch's default initialisation: BatchNorm makes their scale irrelevant where it
    follows, and where it does not, the published N(0, 0.02) would leave the neurons silent at the start.

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
        linear = LinearWeights(inputs, outputs, adds_bias=norm_gain is None)
        super().__init__(outputs, neuron, norm_gain)
        self.linear = linear

    @property
    def weights(self) -> LinearWeights:
        return self.linear

    def forward(self, x: Tensor, state: State | None = None, *, return_state: bool = False) -> Any:
        """Run over the leading time axis; state and `return_state` as in `SpikingNeuron.forward`."""
        return self.fire(self.linear(x), state, return_state)


class SpikingConv(SpikingLayer):
    """Convolution over H and W, BatchNorm over all tokens, neuron along T.

    Tensors keep the axes [T, B, C, H, W], but lie in memory with the channels last. So convolutions take their fast
    path, and norm and neuron, which want the channels last, get views: nothing is copied between layers.

    Equation:
        S = neuron(BN(W * x + b))

    Args:
        inputs: C of the input.
        outputs: C of the output.
        neuron: factory of the neuron, called with `outputs`.
        kernel: size of the square kernel, >= 1.
        stride: step of the kernel, >= 1.
        padding: zeros around the image; None keeps H and W at stride 1 (odd kernels).
        groups: as in torch's convolution.
        norm_gain: initial gain of the BatchNorm; None leaves the norm out.

    Shape: [T, B, inputs, H, W] -> [T, B, outputs, H', W']; the state is the neuron's, [B, H', W', outputs].
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        neuron: NeuronFactory,
        *,
        kernel: int = 3,
        stride: int = 1,
        padding: int | None = None,
        groups: int = 1,
        norm_gain: float | None = 1.0,
    ) -> None:
        padding = kernel // 2 if padding is None else padding
        conv = ConvWeights(inputs, outputs, kernel, stride, padding, groups=groups)
        conv.adds_bias = norm_gain is None
        super().__init__(outputs, neuron, norm_gain)
        self.conv = conv

    @property
    def weights(self) -> ConvWeights:
        return self.conv

    def forward(self, x: Tensor, state: State | None = None, *, return_state: bool = False) -> Any:
        """Run over the leading time axis; state and `return_state` as in `SpikingNeuron.forward`."""
        images = x.flatten(0, 1).contiguous(memory_format=torch.channels_last)
        current = self.conv(images).permute(0, 2, 3, 1).unflatten(0, x.shape[:2])
        found = self.fire(current, state, return_state)
        if return_state:
            return found[0].permute(0, 1, 4, 2, 3), found[1]
        return found.permute(0, 1, 4, 2, 3)


def fold_norms(network: Network) -> Network:
    """A copy for evaluation whose norms are part of the weights before them; the same outputs, to rounding."""
    folded = copy.deepcopy(network).eval()
    for module in folded.modules():
        if isinstance(module, SpikingLayer):
            module.fold_norm()
    return folded
