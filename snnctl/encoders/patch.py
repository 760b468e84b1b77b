"""Patch encoder: neighbouring positions become one token of width `dim`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from annotated_types import Ge, Gt
from torch import Tensor, nn

from snnctl.core.catalog import ENCODERS
from snnctl.core.registry import Slot
from snnctl.core.shapes import ShapeError, SignalSpec
from snnctl.core.signature import takes_knobs
from snnctl.encoders.base import Encoder
from snnctl.neurons.base import NeuronFactory
from snnctl.neurons.norm import TokenNorm


@ENCODERS.register("patch")
class Patch(Encoder):
    """Embeds patches of the window linearly and feeds each as a constant current for T steps.

    The current does not depend on t, so it is computed once.

    Equation:
        I[t, i] = BN( W * x[i*stride : i*stride + length] + b )
        y       = neuron(I),  or I itself where `neuron` is null

    Args:
        length: positions per patch, >= 1; patches must cover the window exactly.
        dim: D, width of a token, >= 1.
        steps: T, simulation steps per token, >= 1 (4 as in SeqSNN).
        stride: positions from one patch to the next, 1 <= stride <= length; null means `length`, no overlap.
        norm_gain: initial gain of the BatchNorm, > 0 (2: with gain 1 a decayed-input LIF of tau 2 starts
            nearly silent).
        neuron: neuron that makes the spikes, run along T; null hands the current itself to the backbone, whose
            first neuron then makes the spikes: one quantisation of the data less, real-valued products in the
            backbone's first layer.

    Shape: [B, L, C] -> [T, B, N, dim] with N = (L - length) / stride + 1.

    Raises:
        ShapeError: patches would leave positions of the window out, or `signal` has been encoded already.

    Source: patches as in Nie et al. 2023, "A time series is worth 64 words" (PatchTST), arXiv 2211.14730.
    """

    @takes_knobs
    def __init__(
        self,
        signal: SignalSpec,
        *,
        length: Annotated[int, Ge(1)],
        dim: Annotated[int, Ge(1)],
        steps: Annotated[int, Ge(1)] = 4,
        stride: Annotated[int, Ge(1)] | None = None,
        norm_gain: Annotated[float, Gt(0.0)] = 2.0,
        neuron: Annotated[str | NeuronFactory, Slot("neuron", factory=True)] | None = "lif",
    ) -> None:
        step = length if stride is None else stride
        tokens, left = divmod(signal.length - length, step)
        if left or tokens < 0:
            raise _misfit(signal.length, length, stride)
        super().__init__(signal, steps=steps, neuron=neuron, length=tokens + 1, features=dim)
        self.length = length
        self.stride = step
        self.linear = nn.Linear(length * signal.features, dim)
        self.norm = TokenNorm(dim, gain=norm_gain)

    @staticmethod
    def rules(knobs: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """A stride beyond the patch would skip data."""
        if knobs["stride"] is not None and knobs["stride"] > knobs["length"]:
            yield "stride", "`stride` must not exceed `length`: positions between patches would be lost"

    def currents(self, x: Tensor) -> Tensor:
        if self.stride == self.length:
            patches = x.unflatten(1, (-1, self.length))
        else:
            patches = x.unfold(1, self.length, self.stride).transpose(-1, -2)
        tokens: Tensor = self.norm(self.linear(patches.flatten(-2)))
        return tokens.expand(self.steps, *tokens.shape)


def _misfit(window: int, length: int, stride: int | None) -> ShapeError:
    if length > window:
        knob, message = "length", f"patch `length` {length} exceeds the window of {window}"
        help = f"use a `length` of at most {window}"
    elif stride is None or stride == length:
        knob, message = "length", f"patch `length` {length} does not divide the window of {window}"
        help = f"divisors of {window}: {', '.join(str(n) for n in range(1, window + 1) if window % n == 0)}"
    else:
        rest = (window - length) % stride
        knob = "stride"
        message = f"patches of {length} with `stride` {stride} leave the last {rest} of {window} positions out"
        help = f"`stride` must divide {window - length} (window - length)"
    return ShapeError(message, knob=knob, help=help)
