"""The layer that every spiking network is made of: weights, norm, neuron, without a copy in between."""

from __future__ import annotations

import copy
from typing import Any, ClassVar, TypeVar

import torch
from torch import Tensor, nn

from snnctl.backbones.parts.weights import ConvWeights, LinearWeights, TemporalWeights
from snnctl.neurons.base import NeuronFactory, State
from snnctl.neurons.norm import NormKind, TokenNorm, make_norm
from snnctl.neurons.recurrent import row_scan

Network = TypeVar("Network", bound=nn.Module)


class NormedLinear(nn.Module):
    """Linear map and BatchNorm over all tokens, without a neuron: where membranes, not spikes, are added.

    Args:
        inputs, outputs, norm_gain, code: as in `SpikingLinear`.

    Shape: [T, B, *, inputs] -> [T, B, *, outputs].
    """

    def __init__(self, inputs: int, outputs: int, *, norm_gain: float | None = 1.0, code: int = 0) -> None:
        super().__init__()
        self.linear = LinearWeights(inputs, outputs, adds_bias=True, code=code)
        self.norm: nn.Module = nn.Identity() if norm_gain is None else TokenNorm(outputs, gain=norm_gain)

    def forward(self, x: Tensor, code: Tensor | None = None) -> Tensor:
        current = self.linear(x) if self.linear.code_weight is None else self.linear(x, code)
        return self.norm(current)


class SpikingLayer(nn.Module):
    """What all layers share: a current [T, B, *, C] passes the norm, if there is one, and the neuron.

    Features stay the last axis and T the first: the norm's statistics are those of columns of one matrix, the
    neuron's steps are rows of another, and neither needs the tensor moved. With a neuron that has a kernel for it
    (LIF and its kin), norm and neuron are one pass.

    Args:
        outputs: C.
        neuron: factory of the neuron, called with `outputs`.
        norm_gain: initial gain of the norm; None leaves the norm out.
        norm: which norm, as in `make_norm`.
    """

    space: ClassVar[int] = 0  # axes before the channels that are space
    driven_by: ClassVar[str] = "conv"  # name of the submodule that makes the current

    def __init__(
        self, outputs: int, neuron: NeuronFactory, norm_gain: float | None, norm: NormKind = "running"
    ) -> None:
        super().__init__()
        self.norm = make_norm("none" if norm_gain is None else norm, outputs, norm_gain or 1.0)
        self.neuron = neuron(outputs)
        self.neuron.over_space(self.space)

    @property
    def weights(self) -> Any:
        """The submodule that makes the current, one of `weights.py`."""
        return getattr(self, self.driven_by)

    def fire(self, current: Tensor, state: State | None, return_state: bool) -> Any:
        """Norm and neuron; the current has no bias yet where a norm follows."""
        if not isinstance(self.norm, TokenNorm):
            return self.neuron(self.norm(current), state, return_state=return_state)
        bias = self.weights.bias
        if self.neuron.fuses_norm:
            return self.neuron(current, state, return_state=return_state, norm=self.norm, offset=bias)
        current = current if bias is None else current + bias
        return self.neuron(self.norm(current), state, return_state=return_state)

    @torch.no_grad()
    def fold_norm(self) -> None:
        """Put what the norm does in evaluation into the weights, and take the norm out."""
        if not isinstance(self.norm, TokenNorm) or self.norm.always_batch:
            return
        scale, shift = self.norm.in_evaluation()
        weight = self.weights.weight
        if self.weights.bias is None:
            self.weights.bias = nn.Parameter(weight.new_zeros(weight.shape[0]))
        bias = self.weights.bias
        weight.copy_(weight.double() * scale.view(-1, *(1,) * (weight.dim() - 1)))
        if self.weights.code_weight is not None:
            self.weights.code_weight.copy_(self.weights.code_weight.double() * scale[:, None])
        bias.copy_(bias.double() * scale + shift)
        self.weights.adds_bias = True
        self.norm = nn.Identity()


class SpikingLinear(SpikingLayer):
    """Linear map, BatchNorm over all tokens, neuron along T: neuron(BN(W x + W_c c + b)).

    The weights keep torch's default initialisation: BatchNorm makes their scale irrelevant where it
    follows, and where it does not, the published N(0, 0.02) would leave the neurons silent at the start.

    Args:
        inputs, outputs: sizes of the last axis.
        neuron, norm_gain, norm: as in `SpikingLayer`.
        code: columns of a code c of the position that comes beside the input, see `LinearWeights`; 0 = none.

    Shape: [T, B, *, inputs] -> [T, B, *, outputs].
    """

    driven_by = "linear"

    def __init__(
        self,
        inputs: int,
        outputs: int,
        neuron: NeuronFactory,
        *,
        norm_gain: float | None = 1.0,
        code: int = 0,
        norm: NormKind = "running",
    ) -> None:
        normed = norm_gain is not None and norm in ("running", "batch")
        linear = LinearWeights(inputs, outputs, adds_bias=not normed, code=code)
        super().__init__(outputs, neuron, norm_gain, norm)
        self.linear = linear

    def forward(
        self, x: Tensor, state: State | None = None, *, return_state: bool = False, code: Tensor | None = None
    ) -> Any:
        """Run over the leading time axis; state and `return_state` as in `SpikingNeuron.forward`."""
        linear = self.linear
        if linear.code_weight is None:
            if linear.adds_bias and isinstance(self.norm, nn.Identity):
                found = row_scan(self.neuron, x, linear, state)
                if found is not None:
                    return found if return_state else found[0]
            return self.fire(linear(x), state, return_state)
        return self.fire(linear(x, code), state, return_state)


class SpikingTemporalConv(SpikingLayer):
    """Causal convolution over positions, BatchNorm over all tokens, neuron along T.

    Args:
        inputs, outputs, kernel, dilation: as in `TemporalWeights`.
        neuron, norm_gain, code: as in `SpikingLinear`.

    Shape: [T, B, L, inputs] -> [T, B, L, outputs].
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        neuron: NeuronFactory,
        *,
        kernel: int,
        dilation: int = 1,
        norm_gain: float | None = 1.0,
        code: int = 0,
    ) -> None:
        conv = TemporalWeights(inputs, outputs, kernel, dilation=dilation, adds_bias=norm_gain is None, code=code)
        super().__init__(outputs, neuron, norm_gain)
        self.conv = conv

    def forward(self, x: Tensor, code: Tensor | None = None) -> Tensor:
        current = self.conv(x) if self.conv.code_weight is None else self.conv(x, code)
        return self.fire(current, None, False)


class SpikingConv(SpikingLayer):
    """Convolution over H and W, BatchNorm over all tokens, neuron along T.

    Tensors keep the axes [T, B, C, H, W], but lie in memory with the channels last. So convolutions take their fast
    path, and norm and neuron, which want the channels last, get views: nothing is copied between layers.

    Args:
        inputs, outputs: C.
        neuron, norm_gain: as in `SpikingLayer`.
        kernel, stride, groups: as in torch's convolution, of a square kernel.
        padding: zeros around the image; None keeps H and W at stride 1 (odd kernels).
        bias: whether there is a bias; a norm cancels it.

    Shape: [T, B, inputs, H, W] -> [T, B, outputs, H', W']; the state is the neuron's, [B, H', W', outputs].
    """

    space = 2

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
        bias: bool = True,
    ) -> None:
        padding = kernel // 2 if padding is None else padding
        conv = ConvWeights(inputs, outputs, kernel, stride, padding, groups=groups, bias=bias)
        conv.adds_bias = norm_gain is None
        super().__init__(outputs, neuron, norm_gain)
        self.conv = conv

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
