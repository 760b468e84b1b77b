"""One step of LIF between autaptic circuits as LLVM IR: what the convolutions leave to do, forward and backward.

The convolutions of both circuits are one, whose outputs lie group by group: first those of the temporal circuit, then
those of the spatial one. Maps lie as [samples, positions, channels], y with M channels (2 C, or C of a single
circuit), all else with C. The norm is a scale and a shift per sample and channel, taken from sums that come before:

    level  = scale * y + shift                    factor = 1 + tanh(level) = 2 / (1 + exp(-2 level))
    h      = charge(gamma * x, beta * v)          spikes and reset as in `equation_ir`

The backward pass computes the step again from x, v and y; its gradients are those of `equation_ir` with one layer more:

    grad_x = gamma * dh/dcurrent * grad_h         grad_v = beta * dh/dv * grad_h
    d_beta = v * dh/dv * grad_h                   d_gamma = x * dh/dcurrent * grad_h
    d      = d_factor * factor * (2 - factor)     of the level, as 1 - tanh^2 = factor * (2 - factor)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from llvmlite import ir

from snnctl.neurons.kernels.equation_ir import PARAMETERS, ScanSpec, StepEquation
from snnctl.neurons.kernels.vector_ir import I32, I64, VECTOR_BYTES, Emitter, Real, Vec

SHARED = ("next_chunk", "chunks", "positions")
SUMS = (*SHARED, "y", "sum_y", "sum_yy")
AFFINE = (*SHARED, "d", "y", "on_d", "on_y", "constant")
_MAPS = ("x", "v", "y")
STEP = (*SHARED, *PARAMETERS, *_MAPS, "spikes", "v_next", "beta", "gamma", "u")
PARAMETER_SUMS = ("sum_leak", "sum_gain", "sum_threshold")
_GRADS = ("grad_spikes", "grad_more", "grad_v", "grad_x", "d", "sum_d", "sum_dy")
BACK = (*SHARED, *PARAMETERS, *_MAPS, *_GRADS, *PARAMETER_SUMS)


class CircuitSpec(NamedTuple):
    """What is fixed when a kernel is compiled.

    Args:
        scan: the host's equation; its `stored` is its `real`.
        channels: C, whole vectors.
        block: channels of a group of the convolution: whole vectors, or a whole number of them in one.
        temporal, spatial: which circuits there are, at least one.
        watched: whether the factors and the membrane before the reset are given out.
        more: whether a second gradient arrives at the spikes, that of the circuits one step later.
    """

    scan: ScanSpec
    channels: int
    block: int
    temporal: bool
    spatial: bool
    watched: bool = False
    more: bool = False

    @property
    def both(self) -> bool:
        return self.temporal and self.spatial

    @property
    def outputs(self) -> int:
        """M."""
        return self.channels * (2 if self.both else 1)


def lanes_of(real: Real) -> int:
    """Values in a vector."""
    return VECTOR_BYTES // (4 if real == "float32" else 8)


def fits_vectors(channels: int, block: int, real: Real) -> bool:
    """Whether there are kernels for so many channels in groups of so many."""
    lanes = lanes_of(real)
    return channels % lanes == 0 and (block % lanes == 0 or lanes % block == 0)


class _Pairs:
    """The two circuits' values for one vector of channels, where they lie block by block."""

    def __init__(self, emit: Emitter, spec: CircuitSpec) -> None:
        self.emit, self.spec = emit, spec
        self.lanes = emit.lanes
        self.whole = spec.block % self.lanes == 0  # else several blocks lie in one vector

    def load(self, base: Any, row: Any, channel: Any) -> tuple[Vec | None, Vec | None]:
        """Values at channel `channel`, those of a row that begins at element `row`: temporal, spatial."""
        emit, builder = self.emit, self.emit.builder
        if not self.spec.both:
            value = emit.load(base, builder.add(row, channel), emit.real)
            return (value, None) if self.spec.temporal else (None, value)
        first, second = self._places(row, channel)
        a, b = emit.load(base, first, emit.real), emit.load(base, second, emit.real)
        return (a, b) if self.whole else (self._shuffled(a, b, 0), self._shuffled(a, b, 1))

    def store(self, temporal: Vec | None, spatial: Vec | None, base: Any, row: Any, channel: Any) -> None:
        """The reverse."""
        emit, builder = self.emit, self.emit.builder
        if temporal is None or spatial is None:
            value = spatial if temporal is None else temporal
            assert value is not None
            emit.store(value, base, builder.add(row, channel), emit.real)
            return
        first, second = self._places(row, channel)
        a, b = (temporal, spatial) if self.whole else self._woven(temporal, spatial)
        emit.store(a, base, first, emit.real)
        emit.store(b, base, second, emit.real)

    def _places(self, row: Any, channel: Any) -> tuple[Any, Any]:
        builder, block = self.emit.builder, self.spec.block
        if not self.whole:
            first = builder.add(row, builder.mul(channel, I64(2)))
            return first, builder.add(first, I64(self.lanes))
        group = builder.sdiv(channel, I64(block))
        first = builder.add(row, builder.add(channel, builder.mul(group, I64(block))))
        return first, builder.add(first, I64(block))

    def _shuffled(self, a: Vec, b: Vec, which: int) -> Vec:
        block = self.spec.block
        picked = [(2 * (lane // block) + which) * block + lane % block for lane in range(self.lanes)]
        return self._shuffle(a, b, picked)

    def _woven(self, temporal: Vec, spatial: Vec) -> tuple[Vec, Vec]:
        block, lanes = self.spec.block, self.lanes
        order = []
        for place in range(2 * lanes):
            number, within = divmod(place, block)
            group, which = divmod(number, 2)
            order.append(which * lanes + group * block + within)
        return self._shuffle(temporal, spatial, order[:lanes]), self._shuffle(temporal, spatial, order[lanes:])

    def _shuffle(self, a: Vec, b: Vec, picked: list[int]) -> Vec:
        mask = ir.Constant(ir.VectorType(I32, self.lanes), picked)
        return Vec(self.emit, self.emit.builder.shuffle_vector(a.value, b.value, mask))


def sums_ir(real: Real, outputs: int, name: str) -> str:
    """Sums of y - y at the first position and of its square, per sample and channel."""
    emit = Emitter(name, SUMS, real)
    builder = emit.builder
    y, sum_y, sum_yy = (emit.pointer(slot) for slot in ("y", "sum_y", "sum_yy"))
    positions = emit.number("positions")
    with emit.shared_work() as sample:
        place = builder.mul(sample, I64(outputs))
        base = builder.mul(place, positions)
        with emit.loop(I64(0), I64(outputs), emit.lanes) as channel:
            at = builder.add(place, channel)
            emit.store(emit.vec(0.0), sum_y, at, real)
            emit.store(emit.vec(0.0), sum_yy, at, real)
        with emit.loop(I64(0), positions) as position:
            row = builder.add(base, builder.mul(position, I64(outputs)))
            with emit.loop(I64(0), I64(outputs), emit.lanes) as channel:
                at = builder.add(place, channel)
                value = emit.load(y, builder.add(row, channel), real) - emit.load(y, builder.add(base, channel), real)
                emit.store(emit.load(sum_y, at, real) + value, sum_y, at, real)
                emit.store(emit.load(sum_yy, at, real) + value * value, sum_yy, at, real)
    return emit.finish()


def affine_ir(real: Real, outputs: int, name: str) -> str:
    """d <- on_d * d + on_y * y + constant, factors per sample and channel, in place."""
    emit = Emitter(name, AFFINE, real)
    builder = emit.builder
    d, y, on_d, on_y, constant = (emit.pointer(slot) for slot in AFFINE[len(SHARED) :])
    positions = emit.number("positions")
    with emit.shared_work() as sample:
        place = builder.mul(sample, I64(outputs))
        base = builder.mul(place, positions)
        with emit.loop(I64(0), positions) as position:
            row = builder.add(base, builder.mul(position, I64(outputs)))
            with emit.loop(I64(0), I64(outputs), emit.lanes) as channel:
                at, factor = builder.add(row, channel), builder.add(place, channel)
                mixed = emit.load(d, at, real) * emit.load(on_d, factor, real)
                mixed = mixed + emit.load(y, at, real) * emit.load(on_y, factor, real)
                emit.store(mixed + emit.load(constant, factor, real), d, at, real)
    return emit.finish()


def _over_maps(emit: Emitter, spec: CircuitSpec, body: Callable[[Any, Any, Any, Any, Any], None]) -> None:
    """Call `body(sample's row of factors, row of y, row of all else, channel, sample)` for each vector of channels."""
    builder = emit.builder
    positions = emit.number("positions")
    with emit.shared_work() as sample:
        place = builder.mul(sample, I64(spec.outputs))
        first = builder.mul(sample, positions)
        with emit.loop(I64(0), positions) as position:
            number = builder.add(first, position)
            wide, row = builder.mul(number, I64(spec.outputs)), builder.mul(number, I64(spec.channels))
            with emit.loop(I64(0), I64(spec.channels), emit.lanes) as channel:
                body(place, wide, row, channel, sample)


def _factor(emit: Emitter, y: Vec | None, scale: Vec | None, shift: Vec | None) -> Vec | None:
    if y is None or scale is None or shift is None:
        return None
    return 2.0 * emit.reciprocal(emit.exp((y * scale + shift) * -2.0) + 1.0)


def _times(value: Vec, factor: Vec | None) -> Vec:
    return value if factor is None else value * factor


def step_ir(spec: CircuitSpec, name: str) -> str:
    """Spikes and the membrane after the step."""
    real = spec.scan.real
    emit = Emitter(name, STEP, real)
    builder = emit.builder
    equation, pairs = StepEquation(emit, spec.scan), _Pairs(emit, spec)
    at = {slot: emit.pointer(slot) for slot in STEP if slot not in (*SHARED, *PARAMETERS)}
    at |= {slot: emit.pointer(slot) for slot in ("scale", "shift")}

    def step(place: Any, wide: Any, row: Any, channel: Any, _sample: Any) -> None:
        index = builder.add(row, channel)
        levels = zip(
            pairs.load(at["y"], wide, channel),
            pairs.load(at["scale"], place, channel),
            pairs.load(at["shift"], place, channel),
            strict=True,
        )
        beta, gamma = (_factor(emit, *level) for level in levels)
        current, past = emit.load(at["x"], index, real), emit.load(at["v"], index, real)
        h = equation.charge(_times(current, gamma), _times(past, beta), channel)
        fired, _, _ = equation.fire(h, channel)
        emit.store(fired, at["spikes"], index, real)
        emit.store(equation.reset(h, fired, channel), at["v_next"], index, real)
        if spec.watched:
            for slot, value in (("beta", beta), ("gamma", gamma), ("u", h)):
                if value is not None:
                    emit.store(value, at[slot], index, real)

    _over_maps(emit, spec, step)
    return emit.finish()


def back_ir(spec: CircuitSpec, name: str) -> str:
    """Gradients of input, membrane (in place) and levels, and the sums that the norm's gradient needs."""
    real = spec.scan.real
    emit = Emitter(name, BACK, real)
    builder = emit.builder
    equation, pairs = StepEquation(emit, spec.scan), _Pairs(emit, spec)
    at = {slot: emit.pointer(slot) for slot in BACK if slot not in (*SHARED, *PARAMETERS)}
    at |= {slot: emit.pointer(slot) for slot in ("scale", "shift")}

    def add(slot: str, value: Vec, index: Any) -> None:
        emit.store(emit.load(at[slot], index, real) + value, at[slot], index, real)

    def back(place: Any, wide: Any, row: Any, channel: Any, sample: Any) -> None:
        index = builder.add(row, channel)
        y = pairs.load(at["y"], wide, channel)
        scale, shift = (pairs.load(at[slot], place, channel) for slot in ("scale", "shift"))
        beta, gamma = (_factor(emit, *level) for level in zip(y, scale, shift, strict=True))
        current, past = emit.load(at["x"], index, real), emit.load(at["v"], index, real)
        driven, kept = _times(current, gamma), _times(past, beta)
        h = equation.charge(driven, kept, channel)
        grad_s, grad_v = emit.load(at["grad_spikes"], index, real), emit.load(at["grad_v"], index, real)
        if spec.more:
            grad_s = grad_s + emit.load(at["grad_more"], index, real)
        found = equation.backward(h, grad_s, grad_v, channel)
        emit.store(_times(found.current, gamma), at["grad_x"], index, real)
        emit.store(_times(found.past, beta), at["grad_v"], index, real)
        d_beta = None if beta is None else past * found.past * beta * (2.0 - beta)
        d_gamma = None if gamma is None else current * found.current * gamma * (2.0 - gamma)
        pairs.store(d_beta, d_gamma, at["d"], wide, channel)
        if "parameters" in spec.scan.sums:
            mine = builder.add(builder.mul(sample, I64(spec.channels)), channel)
            leaked = h * grad_v if spec.scan.reset == "delayed" else found.h * kept
            for slot, value in zip(PARAMETER_SUMS, (leaked, found.h * driven, found.threshold), strict=True):
                add(slot, value, mine)

    def sums(place: Any, base: Any, wide: Any, channel: Any) -> None:
        d = emit.load(at["d"], builder.add(wide, channel), real)
        y = emit.load(at["y"], builder.add(wide, channel), real)
        origin = emit.load(at["y"], builder.add(base, channel), real)
        add("sum_d", d, builder.add(place, channel))
        add("sum_dy", d * (y - origin), builder.add(place, channel))

    positions = emit.number("positions")
    with emit.shared_work() as sample:
        place = builder.mul(sample, I64(spec.outputs))
        first = builder.mul(sample, positions)
        base = builder.mul(first, I64(spec.outputs))
        with emit.loop(I64(0), positions) as position:
            number = builder.add(first, position)
            wide, row = builder.mul(number, I64(spec.outputs)), builder.mul(number, I64(spec.channels))
            with emit.loop(I64(0), I64(spec.channels), emit.lanes) as channel:
                back(place, wide, row, channel, sample)
            with emit.loop(I64(0), I64(spec.outputs), emit.lanes) as channel:
                sums(place, base, wide, channel)
    return emit.finish()
