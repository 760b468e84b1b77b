"""What all fast LIF kernels ask of `Dynamics`: constants of the surrogates, and parameters over the last axes."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor

from snnctl.neurons.kernels.reference import Dynamics
from snnctl.neurons.surrogate import ATan, FastSigmoid, Rectangle, Sigmoid, Surrogate, Triangle

Charge = Literal["divide", "multiply", "linear"]

# Built-in surrogate -> its name in the kernels and the two constants that its derivative is made of. A subclass may
# compute something else and is not known.
_SURROGATES: dict[type[Surrogate], Callable[[Any], tuple[str, float, float]]] = {
    ATan: lambda s: ("atan", math.pi / 2 * s.alpha, s.alpha / 2),
    Sigmoid: lambda s: ("sigmoid", s.alpha, 0.0),
    FastSigmoid: lambda s: ("fast_sigmoid", s.slope, 0.0),
    Rectangle: lambda s: ("rectangle", s.width / 2, 1 / s.width),
    Triangle: lambda s: ("triangle", 2 / s.width, 0.0),
}


def surrogate_constants(surrogate: Surrogate) -> tuple[str, float, float]:
    """Name and constants of a surrogate that the kernels know."""
    return _SURROGATES[type(surrogate)](surrogate)


def fits(value: Tensor, x: Tensor) -> bool:
    """Whether a parameter runs over (some of) the last axes of one step of `x`."""
    return value.dim() < x.dim() and all(a in (1, b) for a, b in zip(value.shape[::-1], x.shape[::-1], strict=False))


def misfit(x: Tensor, v: Tensor | None, surrogate: Surrogate, kind: str) -> str:
    """Why no fast kernel of a `kind` can run over this input from these membranes, or ""."""
    if x.dim() < 2 or x.shape[0] == 0:
        return "no steps, or no batch axis"
    if v is not None and v.shape != x.shape[1:]:
        return "the membranes have not the shape of one step"
    return "" if type(surrogate) in _SURROGATES else f"no {kind} kernel for surrogate {type(surrogate).__name__}"


def charge_of(tau: float | None) -> tuple[Charge, float]:
    """How a scan with this tau charges its membranes, and tau as a number."""
    if tau is None:
        return "linear", 1.0
    return "multiply" if math.frexp(tau)[0] == 0.5 else "divide", float(tau)


class Flat(NamedTuple):
    """The parameters of a scan.

    Args:
        charge: h = v + (x - v) / tau, the same as a product where 1 / tau is a power of two, or
            leak * v + gain * x.
        tau: in steps; 1 where the charge is linear.
        leak, gain, threshold: numbers; 1 where there are tensors.
        channels: number of values that the tensors run over; 1 without.
        tensors: leak, gain and threshold over the last axes, flat [channels], if any is a tensor; else empty.
    """

    charge: Charge
    tau: float
    leak: float
    gain: float
    threshold: float
    channels: int
    tensors: list[Tensor]


def flat(x: Tensor, real: torch.dtype, dynamics: Dynamics) -> Flat:
    """The parameters of a scan of `x` computed in `real`; gradients flow back through the tensors."""
    leak, gain, threshold = dynamics.leak, dynamics.gain, dynamics.v_threshold
    charge, tau = charge_of(dynamics.tau)
    if dynamics.tau is not None:
        leak = gain = 1.0
    given = (leak, gain, threshold)
    axes = max((max(p.dim(), 1) for p in given if isinstance(p, Tensor)), default=0)
    tensors: list[Tensor] = []
    channels = 1
    if axes:
        shape = x.shape[-axes:]
        channels = math.prod(shape)
        whole = [p if isinstance(p, Tensor) else torch.tensor(float(p), device=x.device, dtype=real) for p in given]
        tensors = [p.to(real).expand(shape).reshape(-1).contiguous() for p in whole]
    leak, gain, threshold = (1.0 if isinstance(p, Tensor) else float(p) for p in given)
    return Flat(charge, tau, leak, gain, threshold, channels, tensors)
