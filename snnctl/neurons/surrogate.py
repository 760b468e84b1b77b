"""Surrogate gradients: a step in the forward pass, a smooth derivative in the backward pass."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Annotated, Any

import torch
from annotated_types import Gt
from torch import Tensor

from snnctl.core.catalog import SURROGATES
from snnctl.core.registry import Slot


class _Spike(torch.autograd.Function):
    generate_vmap_rule = True  # torch.func works through it

    @staticmethod
    def forward(x: Tensor, surrogate: Surrogate) -> Tensor:
        return (x >= 0).to(x.dtype)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Surrogate], output: Tensor) -> None:
        ctx.save_for_backward(inputs[0])
        ctx.surrogate = inputs[1]

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> tuple[Tensor, None]:
        (x,) = ctx.saved_tensors
        return grad_outputs[0] * ctx.surrogate.gradient(x), None


class Surrogate(ABC):
    """Base of all surrogates; x is the distance of the membrane from the threshold, of any shape."""

    @abstractmethod
    def forward_smooth(self, x: Tensor) -> Tensor:
        """The primitive: a smooth step whose derivative is `gradient`."""

    @abstractmethod
    def gradient(self, x: Tensor) -> Tensor:
        """The derivative used in place of that of the step."""

    def spike(self, x: Tensor) -> Tensor:
        """1 where x >= 0, else 0; the backward pass multiplies by `gradient(x)`."""
        return _Spike.apply(x, self)

    def training_progress(self, share: float) -> None:  # noqa: B027  # most have nothing to do
        """Become what it shall be after this share of training, 0 <= share < 1; as a rule nothing changes."""

    def __repr__(self) -> str:
        knobs = ", ".join(f"{name}={value!r}" for name, value in vars(self).items() if not name.startswith("_"))
        return f"{type(self).__name__}({knobs})"


class Sharpening(Surrogate):
    """Base of surrogates that may get steeper while training.

    A wide derivative reaches many neurons at first, a narrow one is nearer to that of the step at the end.

    Equation:
        steepness = its first value * sharpen^share      share: of training, at the beginning of each epoch

    Args:
        knob: name of the attribute that holds the steepness, or the width.
        sharpen: how many times as steep it is after training, > 0; 1 leaves it.
        width: whether `knob` is one over the steepness.
    """

    def __init__(self, knob: str, sharpen: float, *, width: bool = False) -> None:
        self._knob, self._first, self._width = knob, float(getattr(self, knob)), width
        self._sharpen = sharpen

    def training_progress(self, share: float) -> None:
        if self._sharpen != 1.0:
            setattr(self, self._knob, self._first * self._sharpen ** (-share if self._width else share))


@SURROGATES.register("atan")
class ATan(Sharpening):
    """Arctangent surrogate: heavy tails, so neurons far from threshold still learn.

    Equation:
        s(x)  = arctan(pi/2 * alpha * x) / pi + 1/2
        s'(x) = (alpha / 2) / (1 + (pi/2 * alpha * x)^2)

    Args:
        alpha: steepness, > 0; the peak is alpha/2 (default of spikingjelly 2.0 and snntorch 1.0).
        sharpen: how many times as steep it is at the end of training, > 0; it grows epoch by epoch (ours; 1 = stays).

    Source: Fang et al. 2021, "Incorporating learnable membrane time constant", arXiv 2007.05785;
        spikingjelly 2.0.
    """

    def __init__(self, *, alpha: Annotated[float, Gt(0.0)] = 2.0, sharpen: Annotated[float, Gt(0.0)] = 1.0) -> None:
        self.alpha = alpha
        super().__init__("alpha", sharpen)

    def forward_smooth(self, x: Tensor) -> Tensor:
        return torch.atan(x * (math.pi / 2 * self.alpha)) / math.pi + 0.5

    def gradient(self, x: Tensor) -> Tensor:
        return self.alpha / 2 / (1 + (x * (math.pi / 2 * self.alpha)).square())


@SURROGATES.register("sigmoid")
class Sigmoid(Sharpening):
    """Logistic surrogate.

    Equation:
        s(x)  = 1 / (1 + exp(-alpha * x))
        s'(x) = alpha * s(x) * (1 - s(x))

    Args:
        alpha: steepness, > 0; the peak is alpha/4 (default of spikingjelly 2.0).
        sharpen: how many times as steep it is at the end of training, > 0; it grows epoch by epoch (ours; 1 = stays).

    Source: spikingjelly 2.0.
    """

    def __init__(self, *, alpha: Annotated[float, Gt(0.0)] = 4.0, sharpen: Annotated[float, Gt(0.0)] = 1.0) -> None:
        self.alpha = alpha
        super().__init__("alpha", sharpen)

    def forward_smooth(self, x: Tensor) -> Tensor:
        return torch.sigmoid(x * self.alpha)

    def gradient(self, x: Tensor) -> Tensor:
        s = torch.sigmoid(x * self.alpha)
        return self.alpha * s * (1 - s)


@SURROGATES.register("fast_sigmoid")
class FastSigmoid(Sharpening):
    """Derivative of the fast sigmoid, as in SuperSpike: peak 1 whatever the slope.

    Equation:
        s(x)  = x / (1 + slope * |x|)
        s'(x) = 1 / (1 + slope * |x|)^2

    Args:
        slope: steepness, > 0 (default of snntorch 1.0).
        sharpen: how many times as steep it is at the end of training, > 0; it grows epoch by epoch (ours; 1 = stays).

    Source: Zenke and Ganguli 2018, "SuperSpike", arXiv 1705.11146; snntorch 1.0.
    """

    def __init__(self, *, slope: Annotated[float, Gt(0.0)] = 25.0, sharpen: Annotated[float, Gt(0.0)] = 1.0) -> None:
        self.slope = slope
        super().__init__("slope", sharpen)

    def forward_smooth(self, x: Tensor) -> Tensor:
        return x / (1 + self.slope * x.abs())

    def gradient(self, x: Tensor) -> Tensor:
        return (1 + self.slope * x.abs()).square().reciprocal()


@SURROGATES.register("rectangle")
class Rectangle(Sharpening):
    """Boxcar surrogate: constant within a window around the threshold, zero outside.

    Equation:
        s(x)  = clip(x / width + 1/2, 0, 1)
        s'(x) = 1 / width   if |x| < width / 2, else 0

    Args:
        width: full width of the window with gradient, > 0, in units of the membrane (a_1 = 1 in STBP).
        sharpen: how many times as steep it is at the end of training, > 0; it grows epoch by epoch (ours; 1 = stays).

    Source: Wu et al. 2018, "Spatio-temporal backpropagation" (STBP), arXiv 1706.02609.
    """

    def __init__(self, *, width: Annotated[float, Gt(0.0)] = 1.0, sharpen: Annotated[float, Gt(0.0)] = 1.0) -> None:
        self.width = width
        super().__init__("width", sharpen, width=True)

    def forward_smooth(self, x: Tensor) -> Tensor:
        return (x / self.width + 0.5).clamp(0, 1)

    def gradient(self, x: Tensor) -> Tensor:
        return (x.abs() < self.width / 2).to(x.dtype) / self.width


@SURROGATES.register("triangle")
class Triangle(Sharpening):
    """Triangular surrogate: falls linearly from the threshold to zero; area 1.

    Equation:
        u     = clip(2 * x / width, -1, 1)
        s(x)  = 1/2 + u - u * |u| / 2
        s'(x) = (2 / width) * (1 - |u|)

    Args:
        width: full width of the window with gradient, > 0, in units of the membrane (2 is the piecewise
            quadratic surrogate of spikingjelly 2.0 with its default alpha = 1).
        sharpen: how many times as steep it is at the end of training, > 0; it grows epoch by epoch (ours; 1 = stays).

    Source: Bellec et al. 2018, "Long short-term memory and learning-to-learn", arXiv 1803.09574;
        spikingjelly 2.0.
    """

    def __init__(self, *, width: Annotated[float, Gt(0.0)] = 2.0, sharpen: Annotated[float, Gt(0.0)] = 1.0) -> None:
        self.width = width
        super().__init__("width", sharpen, width=True)

    def forward_smooth(self, x: Tensor) -> Tensor:
        u = (x * (2 / self.width)).clamp(-1, 1)
        return 0.5 + u - u * u.abs() / 2

    def gradient(self, x: Tensor) -> Tensor:
        return (1 - (x * (2 / self.width)).abs()).clamp(min=0) * (2 / self.width)


@SURROGATES.register("straight_through")
class StraightThrough(Rectangle):
    """As if the spike were proportional to the membrane, as far as there are thresholds.

    Each threshold gets a rectangle as wide as the distance between two of them, so that they tile without overlap.

    Equation:
        s'(x) = 1 / q   if |x| < q / 2, else 0      x the distance from the nearest threshold, q the spike's quantum

    Source: ours; the straight-through estimator of quantised networks.
    """

    def __init__(self) -> None:
        super().__init__(width=1.0)

    def across(self, quantum: float) -> Rectangle:
        """The rectangle for thresholds that are this far apart."""
        return Rectangle(width=quantum)


AnySurrogate = Annotated[str | Surrogate, Slot("surrogate")]  # of a constructor: a registered name, or an instance


def make_surrogate(surrogate: str | Surrogate) -> Surrogate:
    """The surrogate of a registered name with its defaults, or the one that was given."""
    return SURROGATES.get(surrogate)() if isinstance(surrogate, str) else surrogate
