"""Temporal-convolution SNN: causal convolutions along the data's own time, with kernels and dilations by depth."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Annotated, Any, Literal

from annotated_types import Ge, MinLen

from snnctl.backbones.base import Count, Stack
from snnctl.backbones.parts.time_layers import AlongTime, TimeLayers
from snnctl.backbones.parts.weights import TimeConv
from snnctl.core.catalog import BACKBONES
from snnctl.core.shapes import SignalSpec
from snnctl.core.signature import takes_knobs

Rounding = Literal["paper", "nearest"]
Sizes = Annotated[list[Count], MinLen(1)]


def kernels_by_depth(layers: int, kernel: int, delta: float, rounding: Rounding = "paper") -> list[int]:
    """Taps of each layer: `kernel` in the middle of the network, `delta` more at its end than at its start.

    Equation:
        paper:   first = max(1, trunc(kernel - delta/2)), last = max(1, trunc(kernel + delta/2)),
                 trunc(first + l (last - first) / (layers - 1)), l = 0 .. layers - 1
        nearest: kernel + o[l], o as `offsets_by_depth` has it, at most kernel - 1 to either side
    """
    if layers == 1:
        return [kernel]
    if rounding == "nearest":
        most = kernel - 1
        return [kernel + max(-most, min(most, offset)) for offset in offsets_by_depth(layers, delta)]
    first, last = (max(1, int(kernel + side * delta / 2)) for side in (-1, 1))
    return [int(first + at * (last - first) / (layers - 1)) for at in range(layers)]


def dilations_by_depth(layers: int, dilation: int, delta: float, rounding: Rounding = "paper") -> list[int]:
    """Dilation of each layer, likewise; under `paper` one may come out as 0, which no convolution has.

    Equation:
        paper:   trunc(max(0, dilation + delta (l - (layers - 1) / 2) / (layers - 1)))
        nearest: dilation + o[l], at most dilation - 1 to either side
    """
    if layers == 1:
        return [dilation]
    if rounding == "nearest":
        return kernels_by_depth(layers, dilation, delta, "nearest")
    return [int(max(0.0, dilation + delta * (at - (layers - 1) / 2) / (layers - 1))) for at in range(layers)]


def offsets_by_depth(layers: int, delta: float) -> list[int]:
    """delta (l / (layers - 1) - 1/2), halves rounded away from 0: each has its mirror image, so their sum is 0."""
    exact = [delta * (at - (layers - 1) / 2) / (layers - 1) for at in range(layers)]
    return [int(math.copysign(math.floor(abs(value) + 0.5), value)) for value in exact]


def count_weights(width: int, inputs: int, kernels: Sequence[int], outputs: int = 0) -> int:
    """Weights of the convolutions, and of a linear read-out with so many outputs; no norms, no biases."""
    return width * (inputs * kernels[0] + outputs) + width**2 * sum(kernels[1:])


def matching_width(target: int, inputs: int, kernels: Sequence[int], outputs: int = 0) -> int:
    """The width whose `count_weights` comes nearest to `target`, the smaller one of two."""
    linear, square = inputs * kernels[0] + outputs, sum(kernels[1:])
    root = 2 * target / (linear + math.sqrt(linear**2 + 4 * square * target))
    near = range(max(1, int(root) - 1), int(root) + 3)
    return min(near, key=lambda width: abs(count_weights(width, inputs, kernels, outputs) - target))


@BACKBONES.register("temporal_conv")
class TemporalConv(AlongTime):
    """Convolutions over T with neurons between: delay taps 0, dilation, 2 dilation, ..., each with a weight of its own.

    For data that bring their own steps (encoder `none`): T is the data's time, and no step sees a later one. Positions
    of a step are features side by side. A hierarchy gives later layers longer kernels or wider gaps, so that they look
    further back; since the first kernel meets the inputs, which are many, `kernel_delta` changes the number of weights
    too, and `match_parameters` takes that apart.

    Equation:
        s[l, t] = neuron(BN(sum_k W[l, k] y[l-1, t - k D[l]])),  k = 0 .. K[l] - 1        y[0] = input
        y[l]    = dropout(s[l])

    Args:
        width: neurons per layer, >= 1 (128 as published for SHD; 256 for SSC).
        layers: hidden layers, >= 1 (2 as published).
        kernel: taps per layer, >= 1 (5 as published); the mean over layers where they differ.
        dilation: steps from one tap to the next, >= 1 (5 as published); the mean where layers differ.
        kernel_delta: taps that the last layer has more than the first; negative = fewer (3 in the best published
            network).
        dilation_delta: steps by which the last layer's dilation exceeds the first one's (2 in the best published
            network).
        rounding: of kernels and dilations to whole numbers: paper truncates as published, so that odd deltas shift
            the mean; nearest keeps the mean, halves going outwards (ours).
        kernels: taps of each layer, in place of `kernel` and `kernel_delta`.
        dilations: dilation of each layer, in place of `dilation` and `dilation_delta`.
        match_parameters: number of weights, norms and biases not counted, that `width` is chosen to come nearest to, in
            place of `width` (532480 is the published network with 20 classes); null leaves `width` as it is.
        match_outputs: outputs of a linear read-out whose weights count in `match_parameters`, >= 0: as many as classes,
            or 0 for the convolutions alone.

    Shape: [T, B, L, C] -> [T, B, 1, width].

    Raises:
        ShapeError: lists of another length than `layers`, one layer with a delta, or a dilation of 0.

    Source: Moro et al. 2024, "The role of temporal hierarchy in spiking neural networks", arXiv 2407.18838, and its
        code, github.com/EIS-Hub/hSNN, whose neuron, read-out and within-layer spread are other knobs of a recipe.
    """

    @takes_knobs
    def __init__(
        self,
        signal: SignalSpec,
        *,
        stack: Stack = Stack(),
        kernel: Count = 5,
        dilation: Count = 5,
        kernel_delta: float = 0.0,
        dilation_delta: float = 0.0,
        rounding: Rounding = "paper",
        kernels: Sizes | None = None,
        dilations: Sizes | None = None,
        match_parameters: Count | None = None,
        match_outputs: Annotated[int, Ge(0)] = 0,
        every_layer: TimeLayers = TimeLayers(),
    ) -> None:
        width, layers = stack.width, stack.layers
        taps = list(kernels or kernels_by_depth(layers, kernel, kernel_delta, rounding))
        gaps = list(dilations or dilations_by_depth(layers, dilation, dilation_delta, rounding))
        inputs = signal.length * signal.features
        if match_parameters is not None:
            width = matching_width(match_parameters, inputs, taps, match_outputs)
        sizes = zip(pairwise([inputs, *[width] * layers]), taps, gaps, strict=True)
        synapses = (TimeConv(*size, count, bias=every_layer.bias, dilation=gap) for size, count, gap in sizes)
        super().__init__(signal, synapses, every_layer)
        self.kernels, self.dilations, self.width, self.match_parameters = taps, gaps, width, match_parameters
        self.weight_count = count_weights(width, inputs, taps, match_outputs)

    @staticmethod
    def rules(knobs: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """Lists have an entry per layer; a delta needs two layers; no dilation is 0."""
        layers = knobs["layers"]
        for knob, delta in (("kernels", "kernel_delta"), ("dilations", "dilation_delta")):
            if knobs[knob] is not None and len(knobs[knob]) != layers:
                yield knob, f"`{knob}` has {len(knobs[knob])} entries, `layers` is {layers}"
            if knobs[knob] is None and knobs[delta] and layers == 1:
                yield delta, f"`{delta}` tells the last layer from the first, and there is one"
        if knobs["dilations"] is None:
            found = dilations_by_depth(layers, knobs["dilation"], knobs["dilation_delta"], knobs["rounding"])
            if 0 in found:
                yield "dilation_delta", f"a layer would have a dilation of 0: {', '.join(map(str, found))}"

    @property
    def receptive_field(self) -> int:
        """Steps of the input, the present one included, that one step of the output depends on (membranes aside)."""
        reached = zip(self.kernels, self.dilations, strict=True)
        return 1 + sum((taps - 1) * gap for taps, gap in reached)

    def extra_repr(self) -> str:
        shown = f"width={self.width}, kernels={self.kernels}, dilations={self.dilations}"
        shown += f", receptive_field={self.receptive_field}, weights={self.weight_count}"
        return shown if self.match_parameters is None else f"{shown}, match_parameters={self.match_parameters}"
