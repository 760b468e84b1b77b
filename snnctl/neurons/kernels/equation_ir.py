"""The step equation of LIF and its kin between autaptic circuits, as LLVM IR, for one vector of neurons.

With h the potential before the reset, s the spikes, g the surrogate derivative at h - threshold, and G the gradient
that reaches s:

    G      = grad_s + dv/ds * grad_v            dv/ds = -h (hard), -threshold (soft), 0 when detached
    grad_h = G * g + dv/dh * grad_v             dv/dh = 1 - s (hard), 1 (soft)
    grad_x = gain * grad_h      grad_v of the step before = leak * grad_h
    grad_threshold = -G * g * m - (soft) s * grad_v      m the index of the nearest threshold, 1 if binary

With a delayed reset the state is v = leak * h - threshold * s and the next potential v + gain * x, so dv/dh = leak,
and the gradient reaches the step before without a leak.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

from snnctl.neurons.kernels.parameters import Charge
from snnctl.neurons.kernels.vector_ir import I64, Emitter, Real, Vec

PARAMETERS = ("scalars", "leak", "gain", "threshold")
SCALARS = ("tau", "rate", "leak", "gain", "threshold", "first", "second")


class EquationSpec(NamedTuple):
    """What is fixed when a kernel is compiled: parts of `reference.Dynamics`, the surrogate by name, and

    Args:
        charge: as in `parameters.Flat`.
        per_channel: leak, gain and threshold differ between channels.
        sums_parameters: the gradients of leak, gain and threshold are wanted.
        real: what is computed in.
    """

    surrogate: str
    reset: Literal["hard", "soft", "delayed"]
    detach_reset: bool
    levels: int
    strict: bool
    early: float
    signed: bool
    charge: Charge
    per_channel: bool
    sums_parameters: bool
    real: Real


def surrogate_derivative(kind: str, u: Vec, first: Vec, second: Vec) -> Vec:
    """The surrogate's derivative at distance `u` from the threshold; constants of `parameters.surrogate_constants`."""
    emit = u.emit
    match kind:
        case "atan":
            z = u * first
            return second * emit.reciprocal(z * z + 1.0)
        case "sigmoid":
            decay = emit.quick_exp(0.0 - (u * first).abs())
            below = decay + 1.0
            return first * decay * emit.reciprocal(below * below)
        case "fast_sigmoid":
            below = u.abs() * first + 1.0
            return emit.reciprocal(below * below)
        case "rectangle":
            return (u.abs() < first).where(second, 0.0)
        case "triangle":
            left = 1.0 - (u * first).abs()
            return (left > 0.0).where(left, 0.0) * first
    raise ValueError(f"no kernel for surrogate `{kind}`")


class StepGradients(NamedTuple):
    """Gradients of one step: of the potential, the input, the membrane before, and the threshold."""

    h: Vec
    current: Vec
    past: Vec
    threshold: Vec


class StepEquation:
    """The step equation for one vector of neurons, with its parameters at hand."""

    def __init__(self, emit: Emitter, spec: EquationSpec) -> None:
        self.emit, self.spec = emit, spec
        base = emit.pointer("scalars")
        self.scalars: dict[str, Vec] = {}
        for index, name in enumerate(SCALARS):
            address = emit.builder.gep(base, [I64(index)], source_etype=emit.scalar)
            self.scalars[name] = emit.spread(emit.builder.load(address, typ=emit.scalar))
        self.arrays = {name: emit.pointer(name) for name in PARAMETERS[1:]}

    def parameter(self, name: str, index: Any) -> Vec:
        if not self.spec.per_channel:
            return self.scalars[name]
        return self.emit.load(self.arrays[name], index, self.spec.real)

    def charge(self, x: Vec, v: Vec, index: Any) -> Vec:
        match self.spec.charge:
            case "divide":
                return v + (x - v) / self.scalars["tau"]
            case "multiply":
                return v + (x - v) * self.scalars["rate"]
        if self.spec.reset == "delayed":
            return v + x * self.parameter("gain", index)
        return v * self.parameter("leak", index) + x * self.parameter("gain", index)

    def fire(self, h: Vec, index: Any) -> tuple[Vec, Vec, Vec]:
        """Spikes, distance from the nearest threshold, and which threshold that is."""
        threshold = self.parameter("threshold", index)
        raised = h.abs() if self.spec.signed else h
        if self.spec.early:
            raised = raised + threshold * self.spec.early
        spikes, u, nearest = self._size(raised, threshold)
        if self.spec.signed:
            spikes = spikes * self.sign(h)
        return spikes, u, nearest

    def sign(self, h: Vec) -> Vec:
        """1, or -1 below zero; 1 everywhere if spikes have no sign."""
        return (h < 0.0).where(-1.0, 1.0) if self.spec.signed else self.emit.vec(1.0)

    def _size(self, h: Vec, threshold: Vec) -> tuple[Vec, Vec, Vec]:
        if self.spec.levels == 1:
            u = h - threshold
            return self._fires(u).where(1.0, 0.0), u, self.emit.vec(1.0)
        nearest = (h / threshold).rint().clip(1.0, float(self.spec.levels))
        u = h - nearest * threshold
        return self._fires(u).where(nearest, nearest - 1.0), u, nearest

    def _fires(self, u: Vec) -> Vec:
        return u > 0.0 if self.spec.strict else u >= 0.0

    def reset(self, h: Vec, spikes: Vec, index: Any) -> Vec:
        if self.spec.reset == "soft":
            return h - spikes * self.parameter("threshold", index)
        if self.spec.reset == "delayed":
            return h * self.parameter("leak", index) - spikes * self.parameter("threshold", index)
        if self.spec.signed:
            return h * (spikes.abs() > 0.0).where(0.0, 1.0)
        return h * (spikes > 0.0).where(0.0, 1.0)  # a product, so that NaN stays NaN as in the definition

    def derivative(self, u: Vec) -> Vec:
        return surrogate_derivative(self.spec.surrogate, u, self.scalars["first"], self.scalars["second"])

    def backward(self, h: Vec, grad_s: Vec, grad_v: Vec, index: Any) -> StepGradients:
        """The gradients of a step with potential `h`, from those that arrive at its spikes and its new membrane."""
        spec = self.spec
        fired, u, nearest = self.fire(h, index)
        slope = self.derivative(u)
        if not spec.detach_reset:
            if spec.reset != "hard":
                grad_s = grad_s - self.parameter("threshold", index) * grad_v
            elif spec.levels == 1:
                grad_s = grad_s - h * self.sign(h) * grad_v
            else:
                more = (fired.abs() if spec.signed else fired) > 1.0
                grad_s = grad_s - more.where(0.0, h * self.sign(h)) * grad_v
        if spec.reset == "hard":
            through = self.reset(grad_v, fired, index)
        else:
            through = grad_v if spec.reset == "soft" else grad_v * self.parameter("leak", index)
        grad_h = grad_s * slope + through
        if spec.reset == "delayed":
            current, past = grad_h * self.parameter("gain", index), grad_h
        elif spec.charge == "linear":
            current, past = grad_h * self.parameter("gain", index), grad_h * self.parameter("leak", index)
        else:
            current = grad_h * self.scalars["rate"]
            past = grad_h - current
        threshold = 0.0 - grad_s * slope * (nearest - spec.early) * self.sign(h)
        if spec.reset != "hard":
            threshold = threshold - fired * grad_v
        return StepGradients(grad_h, current, past, threshold)
