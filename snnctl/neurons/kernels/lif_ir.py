"""LIF over time as LLVM IR: all steps in one pass over memory, forward and backward.

One file, though a little long: the backward pass repeats the forward one and shares its equation, line by line.

The state [T, N] is cut into segments of neighbouring neurons that stay in the first caches; within a segment
time is the outer loop, so memory is read in order. Each row asks for the memory of the next one ahead of time, to
be written too: the jump to the next step is too far for a processor to foresee (worth 1.3 to 1.5 times).

The backward pass keeps no potentials from the forward pass: it computes them again from the input, segment by
segment, which costs less than writing and reading them would, and is exact. Its equations, with h the potential
before the reset, s the spikes, g the surrogate derivative at h - threshold, and G the gradient that reaches s:

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
from snnctl.neurons.kernels.segments import COMMON, segments
from snnctl.neurons.kernels.vector_ir import I64, Emitter, Real, Stored, Vec

PARAMETERS = ("scalars", "leak", "gain", "threshold", "scale", "shift", "centre")
FORWARD = (*COMMON, *PARAMETERS, "x", "x_stride", "v", "spikes", "v_last")
SUMS = ("sum_gx", "sum_gxx", "sum_leak", "sum_gain", "sum_threshold")
BACKWARD = (*COMMON, *PARAMETERS, "x", "x_stride", "v", "grad_spikes", "grad_v_last", "grad_x", "grad_v", *SUMS)
SCALARS = ("tau", "rate", "leak", "gain", "threshold", "first", "second")


class ScanSpec(NamedTuple):
    """What is fixed when a kernel is compiled.

    Args:
        surrogate: name of a built-in surrogate.
        reset: what a spike does to the membrane.
        detach_reset: whether the gradient ignores the path through the reset.
        levels: highest spike value.
        strict: whether a membrane that just reaches the threshold does not fire.
        early: by how much of a threshold spikes come early.
        signed: whether a membrane below zero fires as one above does, with spikes below zero.
        charge: h = v + (x - v) / tau, the same as a product where 1 / tau is a power of two, or leak * v + gain * x.
        per_channel: leak, gain and threshold differ between channels.
        normed: the input is scaled and shifted per channel first.
        sums: which gradients are summed per channel: "norm" (of the current, and of it times x - centre),
            "parameters" (of leak, gain and threshold).
        smooth: the surrogate's primitive in place of the step, for checks of the gradient.
        real: what is computed in.
        stored: what input and spikes are kept in.
        from_rest: membranes start at 0 and none is given.
        keeps_state: the last membrane is given out (forward), and has a gradient (backward).
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
    normed: bool
    sums: tuple[str, ...]
    smooth: bool
    real: Real
    stored: Stored
    from_rest: bool
    keeps_state: bool


def surrogate_derivative(kind: str, u: Vec, first: Vec, second: Vec) -> Vec:
    """The surrogate's derivative at distance `u` from the threshold; constants as `kernels.choose` gives them."""
    emit = u.emit
    match kind:
        case "atan":
            z = u * first
            return second * emit.reciprocal(z * z + 1.0)
        case "sigmoid":
            decay = emit.exp(0.0 - (u * first).abs())
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


def surrogate_primitive(kind: str, u: Vec, first: Vec, second: Vec) -> Vec:
    """The smooth step whose derivative is `surrogate_derivative`."""
    emit = u.emit
    match kind:
        case "atan":
            return emit.intrinsic("llvm.atan", u * first) * 0.3183098861837907 + 0.5
        case "sigmoid":
            return 1.0 / (emit.exp(0.0 - u * first) + 1.0)
        case "fast_sigmoid":
            return u / (u.abs() * first + 1.0)
        case "rectangle":
            return (u * second + 0.5).clip(0.0, 1.0)
        case "triangle":
            z = (u * first).clip(-1.0, 1.0)
            return z - z * z.abs() * 0.5 + 0.5
    raise ValueError(f"no kernel for surrogate `{kind}`")


class _Equation:
    """The step equation for one vector of neurons, with its parameters at hand."""

    def __init__(self, emit: Emitter, spec: ScanSpec) -> None:
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

    def current(self, x: Vec, index: Any) -> Vec:
        """The input of the neuron: normalised here if the spec says so."""
        if not self.spec.normed:
            return x
        scale = self.emit.load(self.arrays["scale"], index, self.spec.real)
        return x * scale + self.emit.load(self.arrays["shift"], index, self.spec.real)

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
            if self.spec.smooth:
                spikes = surrogate_primitive(self.spec.surrogate, u, self.scalars["first"], self.scalars["second"])
            else:
                spikes = self._fires(u).where(1.0, 0.0)
            return spikes, u, self.emit.vec(1.0)
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
        if self.spec.smooth:
            return h * (1.0 - spikes)
        if self.spec.signed:
            return h * (spikes.abs() > 0.0).where(0.0, 1.0)
        return h * (spikes > 0.0).where(0.0, 1.0)  # a product, so that NaN stays NaN as in the definition

    def derivative(self, u: Vec) -> Vec:
        return surrogate_derivative(self.spec.surrogate, u, self.scalars["first"], self.scalars["second"])


def _start(emit: Emitter, spec: ScanSpec, v: Any, base: Any, count: Any, membrane: Any) -> None:
    """Bring the first membranes of a segment into `membrane`."""

    def begin(index: Any, mask: Any) -> None:
        start = emit.vec(0.0)
        if not spec.from_rest:
            start = emit.load(v, emit.builder.add(base, index), spec.real, mask)
        emit.store(start, membrane, index, spec.real)

    emit.each_vector(count, begin)


def forward_ir(spec: ScanSpec, name: str) -> str:
    """Spikes and the last membrane from input and the first membrane."""
    emit = Emitter(name, FORWARD, spec.real)
    builder = emit.builder
    equation = _Equation(emit, spec)
    x, v, spikes, v_last = (emit.pointer(slot) for slot in ("x", "v", "spikes", "v_last"))
    elements, steps, x_stride = (emit.number(slot) for slot in ("elements", "steps", "x_stride"))

    def segment(chunk: Any, base: Any, count: Any, membrane: Any) -> None:
        _start(emit, spec, v, base, count, membrane)
        with emit.loop(I64(0), steps) as t:
            x_row = builder.add(builder.mul(t, x_stride), base)
            row = builder.add(builder.mul(t, elements), base)
            # What comes next: the row of the next step, or the first row of the next segment.
            is_last = builder.icmp_signed("==", t, builder.sub(steps, I64(1)))
            following = builder.add(base, count)
            next_x = builder.select(is_last, following, builder.add(x_row, x_stride))
            next_row = builder.select(is_last, following, builder.add(row, elements))

            def step(index: Any, mask: Any) -> None:
                if mask is None:
                    emit.prefetch(x, builder.add(next_x, index), spec.stored)
                    emit.prefetch(spikes, builder.add(next_row, index), spec.stored, write=True)
                current = equation.current(emit.load(x, builder.add(x_row, index), spec.stored, mask), index)
                h = equation.charge(current, emit.load(membrane, index, spec.real), index)
                fired, _, _ = equation.fire(h, index)
                emit.store(fired, spikes, builder.add(row, index), spec.stored, mask)
                emit.store(equation.reset(h, fired, index), membrane, index, spec.real)

            emit.each_vector(count, step)

        def end(index: Any, mask: Any) -> None:
            emit.store(emit.load(membrane, index, spec.real), v_last, builder.add(base, index), spec.real, mask)

        if spec.keeps_state:
            emit.each_vector(count, end)

    segments(emit, segment)
    return emit.finish()


def backward_ir(spec: ScanSpec, name: str) -> str:
    """Gradients of input, first membrane and (summed per channel) parameters; with `normed`, `grad_x` is that of
    the normalised current, and the sums are what the norm's own gradient needs."""
    emit = Emitter(name, BACKWARD, spec.real)
    builder = emit.builder
    equation = _Equation(emit, spec)
    pointers = {slot: emit.pointer(slot) for slot in BACKWARD if slot in (*SUMS, "x", "v") or slot.startswith("grad_")}
    elements, steps, x_stride, padded = (emit.number(slot) for slot in ("elements", "steps", "x_stride", "padded"))

    def segment(chunk: Any, base: Any, count: Any, carried: Any) -> None:
        # Scratch: one row for the membrane and later its gradient, then the potential of every step.
        potentials = builder.gep(carried, [padded], source_etype=emit.scalar)

        def x_at(t: Any, index: Any, mask: Any) -> Vec:
            row = builder.add(builder.mul(t, x_stride), base)
            return emit.load(pointers["x"], builder.add(row, index), spec.stored, mask)

        def h_at(t: Any, index: Any) -> Vec:
            return emit.load(potentials, builder.add(builder.mul(t, padded), index), spec.real)

        _start(emit, spec, pointers["v"], base, count, carried)
        with emit.loop(I64(0), steps) as t:

            def again(index: Any, mask: Any) -> None:
                if mask is None:
                    ahead = builder.add(builder.mul(builder.add(t, I64(1)), x_stride), base)
                    emit.prefetch(pointers["x"], builder.add(ahead, index), spec.stored)
                current = equation.current(x_at(t, index, mask), index)
                h = equation.charge(current, emit.load(carried, index, spec.real), index)
                fired, _, _ = equation.fire(h, index)
                emit.store(h, potentials, builder.add(builder.mul(t, padded), index), spec.real)
                emit.store(equation.reset(h, fired, index), carried, index, spec.real)

            emit.each_vector(count, again)

        last_row = builder.add(builder.mul(builder.sub(steps, I64(1)), elements), base)

        def turn(index: Any, mask: Any) -> None:
            if mask is None:
                emit.prefetch(pointers["grad_spikes"], builder.add(last_row, index), spec.stored)
                emit.prefetch(pointers["grad_x"], builder.add(last_row, index), spec.stored, write=True)
            grad = emit.vec(0.0)
            if spec.keeps_state:
                grad = emit.load(pointers["grad_v_last"], builder.add(base, index), spec.real, mask)
            emit.store(grad, carried, index, spec.real)

        emit.each_vector(count, turn)
        with emit.loop(builder.sub(steps, I64(1)), I64(0), -1) as t:
            row = builder.add(builder.mul(t, elements), base)
            # What comes next: the row of the step before, or the input of the next segment.
            is_first = builder.icmp_signed("==", t, I64(0))
            source = builder.select(is_first, pointers["x"], pointers["grad_spikes"])
            below = builder.select(is_first, builder.add(base, count), builder.sub(row, elements))

            def back(index: Any, mask: Any) -> None:
                if mask is None:
                    emit.prefetch(source, builder.add(below, index), spec.stored)
                    emit.prefetch(pointers["grad_x"], builder.add(below, index), spec.stored, write=True)
                h = h_at(t, index)
                fired, u, nearest = equation.fire(h, index)
                slope = equation.derivative(u)
                grad_s = emit.load(pointers["grad_spikes"], builder.add(row, index), spec.stored, mask)
                grad_v = emit.load(carried, index, spec.real)
                if not spec.detach_reset:
                    if spec.reset != "hard":
                        grad_s = grad_s - equation.parameter("threshold", index) * grad_v
                    elif spec.levels == 1:
                        grad_s = grad_s - h * equation.sign(h) * grad_v
                    else:
                        more = (fired.abs() if spec.signed else fired) > 1.0
                        grad_s = grad_s - more.where(0.0, h * equation.sign(h)) * grad_v
                if spec.reset == "hard":
                    through = equation.reset(grad_v, fired, index)
                else:
                    through = grad_v if spec.reset == "soft" else grad_v * equation.parameter("leak", index)
                grad_h = grad_s * slope + through
                if spec.reset == "delayed":
                    grad_x = grad_h * equation.parameter("gain", index)
                    grad_before = grad_h
                elif spec.charge == "linear":
                    grad_x = grad_h * equation.parameter("gain", index)
                    grad_before = grad_h * equation.parameter("leak", index)
                else:
                    grad_x = grad_h * equation.scalars["rate"]
                    grad_before = grad_h - grad_x
                emit.store(grad_x, pointers["grad_x"], builder.add(row, index), spec.stored, mask)
                emit.store(grad_before, carried, index, spec.real)

                def add(slot: str, value: Vec) -> None:
                    place = builder.add(builder.mul(chunk, padded), index)
                    so_far = emit.load(pointers[slot], place, spec.real, mask)
                    emit.store(so_far + value, pointers[slot], place, spec.real, mask)

                if "norm" in spec.sums:
                    add("sum_gx", grad_x)
                    centre = emit.load(equation.arrays["centre"], index, spec.real)
                    add("sum_gxx", grad_x * (x_at(t, index, mask) - centre))
                if "parameters" in spec.sums:
                    add("sum_gain", grad_h * equation.current(x_at(t, index, mask), index))
                    leaked = h * grad_v if spec.reset == "delayed" else grad_h * before(t, index, mask)
                    add("sum_leak", leaked)
                    grad_threshold = 0.0 - grad_s * slope * (nearest - spec.early) * equation.sign(h)
                    if spec.reset != "hard":
                        grad_threshold = grad_threshold - fired * grad_v
                    add("sum_threshold", grad_threshold)

            def before(t: Any, index: Any, mask: Any) -> Vec:
                """The membrane that step `t` started from."""
                is_first = builder.icmp_signed("==", t, I64(0))
                earlier = builder.select(is_first, I64(0), builder.sub(t, I64(1)))
                h = h_at(earlier, index)
                fired, _, _ = equation.fire(h, index)
                after = equation.reset(h, fired, index)
                start = emit.vec(0.0)
                if not spec.from_rest:
                    start = emit.load(pointers["v"], builder.add(base, index), spec.real, mask)
                return Vec(emit, builder.select(is_first, start.value, after.value))

            emit.each_vector(count, back)

        def end(index: Any, mask: Any) -> None:
            grad = emit.load(carried, index, spec.real)
            emit.store(grad, pointers["grad_v"], builder.add(base, index), spec.real, mask)

        if not spec.from_rest:
            emit.each_vector(count, end)

    segments(emit, segment)
    return emit.finish()
