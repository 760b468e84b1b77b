"""What makes a layer's current: linear maps and convolutions over positions, over space and back over time."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from snnctl.neurons.kernels import can_be_fast, spike_linear


def code_weights(outputs: int, columns: int) -> nn.Parameter | None:
    """Weights [outputs, columns] for a code of a position, at first as torch's own layers; None for no columns."""
    if not columns:
        return None
    weight = nn.Parameter(torch.empty(outputs, columns))
    nn.init.uniform_(weight, -(columns**-0.5), columns**-0.5)
    return weight


def add_code(current: Tensor, weight: nn.Parameter | None, code: Tensor | None) -> Tensor:
    """W x + W_c c, where there are weights for a code."""
    if weight is None:
        return current
    assert code is not None, "a layer with weights for a code is called with one"
    return current + F.linear(code, weight)


class LinearWeights(nn.Linear):
    """A linear layer for spikes: a single row of them is added up event by event, where that is faster.

    A code of the position may come beside the spikes, through weights of its own: W x + W_c c equals one layer over
    [x, c], without making that wider tensor.

    Args:
        inputs, outputs: sizes of the last axis.
        adds_bias: whether the bias is added here; else it is left to the norm behind, where it costs nothing.
        code: columns of the code, 0 = none.

    Shape: [*, inputs] -> [*, outputs]; the code is [T or 1, 1, L, code].
    """

    def __init__(self, inputs: int, outputs: int, *, adds_bias: bool, code: int = 0) -> None:
        super().__init__(inputs, outputs)
        self.adds_bias = adds_bias
        self.code_weight = code_weights(outputs, code)

    def forward(self, input: Tensor, code: Tensor | None = None) -> Tensor:
        """W x, with or without the bias, and W_c c where there are weights for a code."""
        current = spike_linear(input, self.weight, self.bias if self.adds_bias else None)
        return add_code(current, self.code_weight, code)

    def extra_repr(self) -> str:
        return super().extra_repr() + ("" if self.code_weight is None else f", code={self.code_weight.shape[1]}")


class ConvWeights(nn.Conv2d):
    """A convolution that can leave its bias to the norm behind, as `LinearWeights`.

    Shape: [N, inputs, H, W] -> [N, outputs, H', W'].
    """

    adds_bias = True
    code_weight: nn.Parameter | None = None

    def forward(self, input: Tensor) -> Tensor:
        """W * x, with or without the bias."""
        stride: tuple[int, ...] = self.stride
        if self.kernel_size == (1, 1) and self.padding == (0, 0):
            # What is stepped over is left out before: the backward pass of a strided 1 x 1 convolution over few
            # channels that lie last writes beyond its memory (oneDNN, issue 6035).
            left = input[..., :: stride[0], :: stride[1]]
            input, stride = left.contiguous(memory_format=torch.channels_last), (1, 1)
        bias = self.bias if self.adds_bias else None
        return F.conv2d(input, self.weight, bias, stride, self.padding, self.dilation, self.groups)


class TemporalWeights(nn.Conv1d):
    """A causal convolution over L with features last: position l sees l and earlier ones only.

    Args:
        inputs, outputs: sizes of the last axis.
        kernel: taps, >= 1.
        dilation: positions from one tap to the next, >= 1.
        adds_bias, code: as in `LinearWeights`.

    Shape: [T, B, L, inputs] -> [T, B, L, outputs].
    """

    def __init__(
        self, inputs: int, outputs: int, kernel: int, *, dilation: int = 1, adds_bias: bool, code: int = 0
    ) -> None:
        super().__init__(inputs, outputs, kernel, dilation=dilation)
        self.adds_bias = adds_bias
        self.reach = (kernel - 1) * dilation
        self.code_weight = code_weights(outputs, code)

    def forward(self, input: Tensor, code: Tensor | None = None) -> Tensor:
        """W * x, with or without the bias, and W_c c where there are weights for a code."""
        sequences = F.pad(input.flatten(0, 1), (0, 0, self.reach, 0)).transpose(1, 2)
        bias = self.bias if self.adds_bias else None
        current = F.conv1d(sequences, self.weight, bias, dilation=self.dilation).transpose(1, 2)
        return add_code(current.reshape(*input.shape[:-1], self.out_channels), self.code_weight, code)


def time_conv(x: Tensor, kernel: Tensor, bias: Tensor | None = None, dilation: int = 1) -> Tensor:
    """A convolution over the leading axis, dense in channels: a step sees itself and earlier ones.

    On the CPU it is one matrix product per tap, added up in place. Steps are rows, so that a shift in time is a view:
    nothing is padded, unfolded or moved, and a tap before the first step costs nothing.

    Equation:
        y[t] = sum_k kernel[:, k] x[t - k * dilation] + bias       x = 0 before the first step

    Args:
        x: [T, B, C].
        kernel: [D, K, C]; what stands at k arrives k * dilation steps late.
        bias: [D].
        dilation: steps from one tap to the next, >= 1.

    Returns:
        [T, B, D].
    """
    steps = len(x)
    kernel = kernel[:, : (steps - 1) // dilation + 1]  # a tap that is further back than the data never meets any
    if can_be_fast(x) and can_be_fast(kernel) and x.dtype == kernel.dtype:
        y: Tensor = _Shifts.apply(x.contiguous(), kernel, dilation)
        return y if bias is None else y + bias
    sequences = F.pad(x.permute(1, 2, 0), ((kernel.shape[1] - 1) * dilation, 0))
    return F.conv1d(sequences, kernel.flip(1).transpose(1, 2), bias, dilation=dilation).permute(2, 0, 1)


class _Shifts(torch.autograd.Function):
    """`time_conv` as one product per tap; keeps its input and the kernel, and nothing else."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, kernel: Tensor, dilation: int) -> Tensor:
        steps, batch, _ = x.shape
        rows = x.flatten(0, 1)
        out = rows @ kernel[:, 0].t()
        for k in range(1, kernel.shape[1]):
            late = k * dilation * batch
            out[late:].addmm_(rows[:-late], kernel[:, k].t())
        ctx.save_for_backward(x, kernel)
        ctx.dilation = dilation
        return out.unflatten(0, (steps, batch))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        x, kernel = ctx.saved_tensors
        batch, taps = x.shape[1], kernel.shape[1]
        rows, after = x.flatten(0, 1), gradient.contiguous().flatten(0, 1)
        to_x = after @ kernel[:, 0] if ctx.needs_input_grad[0] else None
        to_kernel = torch.empty_like(kernel) if ctx.needs_input_grad[1] else None
        for k in range(taps):
            late = k * ctx.dilation * batch
            here, back = after[late:], rows[: len(rows) - late]
            if to_x is not None and k:
                to_x[: len(back)].addmm_(here, kernel[:, k])
            if to_kernel is not None:
                torch.mm(here.t(), back, out=to_kernel[:, k])
        return None if to_x is None else to_x.view_as(x), to_kernel, None


class TimeWeights(nn.Module):
    """Weights between two layers over T: what a spike does at its own step and at later ones.

    Class attribute: `sparse_kernel`, zeros of the kernel are no weights, for who counts operations.

    Args:
        inputs, outputs: sizes of the last axis.
        bias: whether there is a bias; a norm behind would cancel it.
        dilation: steps from one tap to the next, >= 1.

    Shape: [T, B, inputs] -> [T, B, outputs].
    """

    sparse_kernel: ClassVar[bool] = False
    adds_bias = True
    code_weight: nn.Parameter | None = None
    weight: nn.Parameter

    def __init__(self, inputs: int, outputs: int, *, bias: bool, dilation: int = 1) -> None:
        super().__init__()
        self.inputs, self.outputs, self.dilation = inputs, outputs, dilation
        self.bias: nn.Parameter | None = nn.Parameter(torch.zeros(outputs)) if bias else None

    @abstractmethod
    def kernel(self) -> Tensor:
        """[outputs, taps, inputs], see `time_conv`."""

    @property
    @abstractmethod
    def reach(self) -> int:
        """How many steps back the last tap lies."""

    def forward(self, x: Tensor) -> Tensor:
        return time_conv(x, self.kernel(), self.bias, self.dilation)

    def extra_repr(self) -> str:
        return f"{self.inputs}, {self.outputs}, reach={self.reach}, bias={self.bias is not None}"


class TimeConv(TimeWeights):
    """A causal convolution over T, see `time_conv`: taps 0, dilation, 2 dilation, ... with a weight each.

    Args:
        inputs, outputs, bias, dilation: as in `TimeWeights`.
        kernel: taps, >= 1.

    Shape: [T, B, inputs] -> [T, B, outputs]; W is [outputs, kernel, inputs].
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, *, bias: bool, dilation: int = 1) -> None:
        super().__init__(inputs, outputs, bias=bias, dilation=dilation)
        self.taps = kernel
        self.weight = nn.Parameter(torch.empty(outputs, kernel, inputs))
        bound = (kernel * inputs) ** -0.5
        nn.init.uniform_(self.weight, -bound, bound)  # as torch's own layers
        if self.bias is not None:
            nn.init.uniform_(self.bias, -bound, bound)

    def kernel(self) -> Tensor:
        return self.weight

    @property
    def reach(self) -> int:
        return (self.taps - 1) * self.dilation

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, kernel={self.taps}, dilation={self.dilation}"
