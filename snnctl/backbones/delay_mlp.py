"""Fully connected spiking layers whose synapses each have a delay that is learned."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Annotated, Any, ClassVar

import torch
from annotated_types import Ge, Gt, Le
from torch import Tensor, nn

from snnctl.backbones.base import Stack
from snnctl.backbones.parts.time_layers import AlongTime, TimeLayers
from snnctl.backbones.parts.weights import TimeWeights
from snnctl.core.catalog import BACKBONES
from snnctl.core.shapes import ShapeError, SignalSpec
from snnctl.core.signature import takes_knobs


class DelayedWeights(TimeWeights):
    """A weight and a delay per synapse: what comes in goes out `delay` steps later.

    While training, a synapse spreads over the steps around its delay, so that the delay has a gradient; in evaluation
    it has the whole step that is nearest, and that one alone. The delay is held within 0 .. max_delay where it is used;
    a gradient that would push it further out is dropped.

    Equation:
        y[t] = sum_k W * G[k] x[t - k] + b,  k = 0 .. max_delay
        training:   G[k] = exp(-(k - d)^2 / (2 sigma^2)) / its sum over k
        evaluation: G[k] = 1 if k = round(d) else 0
        sigma = sigma_start (sigma_end / sigma_start)^min(share / anneal, 1)       share: of training that is done

    Args:
        inputs, outputs, bias: as in `TimeWeights`.
        max_delay: longest delay in steps, >= 0.
        sigma, sigma_end, anneal: as in `DelayMLP`, in steps.

    Shape: [T, B, inputs] -> [T, B, outputs]; W and d are [outputs, inputs].
    """

    sparse_kernel: ClassVar[bool] = True

    def __init__(
        self,
        inputs: int,
        outputs: int,
        max_delay: int,
        *,
        bias: bool,
        sigma: float,
        sigma_end: float = 0.5,
        anneal: float = 0.25,
    ) -> None:
        super().__init__(inputs, outputs, bias=bias)
        self.max_delay, self.sigma_start, self.sigma_end, self.anneal = max_delay, sigma, sigma_end, anneal
        self.sigma = sigma
        bound = inputs**-0.5
        self.weight = nn.Parameter(torch.empty(outputs, inputs).uniform_(-bound, bound))
        self.delay = nn.Parameter(torch.empty(outputs, inputs).uniform_(0.0, max_delay))

    @property
    def reach(self) -> int:
        return self.max_delay

    def training_progress(self, share: float) -> None:
        """Narrow the synapses, as the training loop says how far it is."""
        done = min(share / self.anneal, 1.0)
        self.sigma = self.sigma_start * (self.sigma_end / self.sigma_start) ** done

    def kernel(self) -> Tensor:
        delay: Tensor = _Held.apply(self.delay, float(self.max_delay))
        delay = delay.unsqueeze(1)
        steps = torch.arange(self.max_delay + 1, dtype=delay.dtype, device=delay.device).unsqueeze(1)
        if self.training:
            spread = ((steps - delay) / self.sigma).square().mul(-0.5).softmax(1)  # never 0/0, however narrow
        else:
            spread = (steps == delay.round()).to(delay.dtype)
        return self.weight.unsqueeze(1) * spread

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, sigma={self.sigma:.4g}"


class _Held(torch.autograd.Function):
    """0 <= x <= most; a gradient passes unless descent along it leads further out."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, most: float) -> Tensor:
        ctx.save_for_backward(x)
        ctx.most = most
        return x.clamp(0.0, most)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (x,) = ctx.saved_tensors
        outwards = ((x <= 0.0) & (gradient > 0)) | ((x >= ctx.most) & (gradient < 0))
        return gradient.masked_fill(outwards, 0.0), None


def delay_in_steps(max_delay: float, dt_ms: float) -> int:
    """Whole steps within `max_delay`: milliseconds where the length of a step is known, else steps."""
    return math.floor(max_delay / dt_ms + 1e-9) if dt_ms else math.floor(max_delay)


@BACKBONES.register("delay_mlp")
class DelayMLP(AlongTime):
    """Spiking layers with learned synaptic delays, for data that bring their own steps (encoder `none`).

    Delays are found by gradients through Gaussians that narrow as training goes on ("dilated convolution with learnable
    spacings", one element per synapse). They want a larger step than weights, and no weight decay; published is a
    hundredfold learning rate: `train.groups: [{match: "*.delay", lr_scale: 100, weight_decay_scale: 0}]`. The published
    network has delays in front of its outputs as well; here a read-out has none. Energy counts a synapse as one weight
    and leaves out what keeps a spike until it is due.

    Equation:
        s[l, t] = neuron(BN(sum_j W[l, :, j] y[l-1, t - d[l, :, j], j]))       y[0] = input; see `DelayedWeights`
        y[l]    = dropout(s[l])

    Args:
        width: neurons per layer, >= 1 (256 as published for SHD; 512 for SSC).
        layers: hidden layers, >= 1 (2 as published for SHD, 3 for SSC).
        max_delay: longest delay, >= 0, in milliseconds where the data say how long a step is, else in steps; rounded
            down to whole steps (250 as published for SHD; 300 for SSC; 0 is the network without delays).
        sigma: standard deviation of the Gaussians before training, in steps, >= sigma_end; null = half the longest
            delay (as published).
        sigma_end: where it ends, in steps, > 0 (0.5 as published).
        anneal: share of training over which it falls, exponentially and by whole epochs, 0 < x <= 1 (0.25 as in the
            code).

    Shape: [T, B, L, C] -> [T, B, 1, width].

    Raises:
        ShapeError: `max_delay` is shorter than one step, or `sigma` below `sigma_end`.

    Source: Hammouamri et al. 2024, "Learning delays in spiking neural networks using dilated convolutions with
        learnable spacings", ICLR, arXiv 2306.17670; github.com/Thvnvtos/SNN-delays.
    """

    @takes_knobs
    def __init__(
        self,
        signal: SignalSpec,
        *,
        stack: Stack = Stack(256),
        max_delay: Annotated[float, Ge(0.0)] = 250.0,
        sigma: Annotated[float, Gt(0.0)] | None = None,
        sigma_end: Annotated[float, Gt(0.0)] = 0.5,
        anneal: Annotated[float, Gt(0.0), Le(1.0)] = 0.25,
        every_layer: TimeLayers = TimeLayers(),
    ) -> None:
        whole = delay_in_steps(max_delay, signal.dt_ms)
        if max_delay and not whole:
            step = f"{signal.dt_ms:.4g} ms" if signal.dt_ms else "1"
            message = f"`max_delay` of {max_delay:g} is shorter than a step of {step}"
            raise ShapeError(message, knob="max_delay", help="0 builds the network without delays")
        start = max(whole / 2, sigma_end) if sigma is None else sigma
        sizes = pairwise([signal.length * signal.features, *[stack.width] * stack.layers])
        delays: dict[str, Any] = {"sigma": start, "sigma_end": sigma_end, "anneal": anneal}
        synapses = (DelayedWeights(*size, whole, bias=every_layer.bias, **delays) for size in sizes)
        super().__init__(signal, synapses, every_layer)
        self.max_delay = whole

    @staticmethod
    def rules(knobs: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """Gaussians narrow, they do not widen."""
        if knobs["sigma"] is not None and knobs["sigma"] < knobs["sigma_end"]:
            yield "sigma", f"`sigma` {knobs['sigma']:g} is below `sigma_end` {knobs['sigma_end']:g}"

    def extra_repr(self) -> str:
        return f"max_delay={self.max_delay} steps"
