"""One step of LIF between autaptic circuits as LLVM IR: what the convolutions leave to do, forward and backward.

The convolutions of both circuits are one, whose outputs lie group by group: first those of the temporal circuit, then
those of the spatial one. Maps lie as [samples, positions, channels], y with M channels (2 C, or C of a single
circuit), all else with C. The norm is a scale and a shift per sample and channel, see `circuit_norm_ir`:

    level  = scale * y + shift                    factor = 1 + tanh(level) = 2 / (1 + exp(-2 level))
    h      = charge(gamma * x, beta * v)          spikes and reset as in `equation_ir`

The backward pass computes the step again from x, v and y; its gradients are those of `equation_ir` with one layer more:

    grad_x = gamma * dh/dcurrent * grad_h         grad_v = beta * dh/dv * grad_h
    d_beta = v * dh/dv * grad_h                   d_gamma = x * dh/dcurrent * grad_h
    d      = d_factor * factor * (2 - factor)     of the level, as 1 - tanh^2 = factor * (2 - factor)
"""

from __future__ import annotations

from typing import Any, NamedTuple

from llvmlite import ir

from snnctl.neurons.kernels.circuit_norm_ir import BACKWARD_SUMS, FORWARD_SUMS, NORM, SampleNorm
from snnctl.neurons.kernels.equation_ir import PARAMETERS, EquationSpec, StepEquation
from snnctl.neurons.kernels.vector_ir import I32, I64, VECTOR_BYTES, Emitter, Real, Vec

_SHARED = ("next_chunk", "chunks", "positions", *PARAMETERS, *NORM, "x", "v", "y")
STEP = (*_SHARED, *(slot for slot in FORWARD_SUMS if slot not in PARAMETERS), "spikes", "v_next", "beta", "gamma", "u")
PARAMETER_SUMS = ("sum_leak", "sum_gain", "sum_threshold")
_GRADS = ("grad_spikes", "grad_more", "grad_v", "grad_x", "d", "grad_gain", "grad_bias", *PARAMETER_SUMS)
BACK = (*_SHARED, *(slot for slot in BACKWARD_SUMS if slot not in PARAMETERS), *_GRADS)


class CircuitSpec(NamedTuple):
    """What is fixed when a kernel is compiled.

    Args:
        scan: the host's equation; its `stored` is its `real`.
        channels: C, whole vectors.
        block: channels of a group of the convolution: whole vectors, or a whole number of them in one.
        temporal, spatial: which circuits there are, at least one.
        norm_groups: of the norm of each circuit; 0 = no norm.
        eps: of the norm.
        watched: whether the factors and the membrane before the reset are given out.
        more: whether a second gradient arrives at the spikes, that of the circuits one step later.
        silent: whether nothing fired before, so that y is zero; it is then not read.
    """

    scan: EquationSpec
    channels: int
    block: int
    temporal: bool
    spatial: bool
    norm_groups: int
    eps: float
    watched: bool = False
    more: bool = False
    silent: bool = False

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

    def __init__(self, emit: Emitter, spec: CircuitSpec, at: dict[str, Any]) -> None:
        self.emit, self.spec, self.at = emit, spec, at
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

    def factors(self, place: Any, wide: Any, channel: Any) -> tuple[Vec | None, Vec | None]:
        """beta and gamma of the host's channels from `channel` on; the sample's scales lie at `place`, y at `wide`."""
        shift = self.load(self.at["shift"], place, channel)
        if self.spec.silent:
            return _factor(self.emit, None, None, shift[0]), _factor(self.emit, None, None, shift[1])
        y = self.load(self.at["y"], wide, channel)
        scale = self.load(self.at["scale"], place, channel)
        beta, gamma = (_factor(self.emit, *level) for level in zip(y, scale, shift, strict=True))
        return beta, gamma


def _factor(emit: Emitter, y: Vec | None, scale: Vec | None, shift: Vec | None) -> Vec | None:
    """1 + tanh(y scale + shift), of y = 0 where there is none; None where there is no circuit."""
    if shift is None:
        return None
    level = shift if y is None or scale is None else y * scale + shift
    return 2.0 * emit.reciprocal(emit.quick_exp(level * -2.0) + 1.0)


def _times(value: Vec, factor: Vec | None) -> Vec:
    return value if factor is None else value * factor


def _begun(emit: Emitter, spec: CircuitSpec, slots: tuple[str, ...]) -> tuple[StepEquation, SampleNorm, _Pairs, Any]:
    """What both kernels begin with; the last is the number of positions."""
    equation = StepEquation(emit, spec.scan)
    groups = spec.norm_groups * (2 if spec.both else 1)
    norm = SampleNorm(emit, outputs=spec.outputs, groups=groups, eps=spec.eps)
    at = {slot: emit.pointer(slot) for slot in slots if slot not in ("next_chunk", "chunks", "positions")}
    return equation, norm, _Pairs(emit, spec, at), emit.number("positions")


def step_ir(spec: CircuitSpec, name: str) -> str:
    """The norm of the convolution's output, spikes, and the membrane after the step."""
    real = spec.scan.real
    emit = Emitter(name, STEP, real)
    equation, norm, pairs, positions = _begun(emit, spec, STEP)
    builder, at = emit.builder, pairs.at

    def step(place: Any, wide: Any, row: Any, channel: Any) -> None:
        index = builder.add(row, channel)
        beta, gamma = pairs.factors(place, wide, channel)
        current, past = emit.load(at["x"], index, real), emit.load(at["v"], index, real)
        h = equation.charge(_times(current, gamma), _times(past, beta), channel)
        fired, _, _ = equation.fire(h, channel)
        emit.store(fired, at["spikes"], index, real)
        emit.store(equation.reset(h, fired, channel), at["v_next"], index, real)
        if spec.watched:
            for slot, value in (("beta", beta), ("gamma", gamma), ("u", h)):
                if value is not None:
                    emit.store(value, at[slot], index, real)

    with emit.shared_work() as sample:
        norm.level(at, at["y"], sample, silent=spec.silent)
        place = builder.mul(sample, I64(spec.outputs))
        first = builder.mul(sample, positions)
        with emit.loop(I64(0), positions) as position:
            number = builder.add(first, position)
            wide, row = builder.mul(number, I64(spec.outputs)), builder.mul(number, I64(spec.channels))
            with emit.loop(I64(0), I64(spec.channels), emit.lanes) as channel:
                step(place, wide, row, channel)
    return emit.finish()


def back_ir(spec: CircuitSpec, name: str) -> str:
    """Gradients of input, membrane (in place) and convolution's output, those of parameters added to what is there."""
    real = spec.scan.real
    emit = Emitter(name, BACK, real)
    equation, norm, pairs, positions = _begun(emit, spec, BACK)
    builder, at = emit.builder, pairs.at

    def add(slot: str, value: Vec, index: Any) -> None:
        emit.store(emit.load(at[slot], index, real) + value, at[slot], index, real)

    def back(place: Any, wide: Any, row: Any, channel: Any, sample: Any) -> None:
        index = builder.add(row, channel)
        beta, gamma = pairs.factors(place, wide, channel)
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
        if spec.scan.sums_parameters:
            mine = builder.add(builder.mul(sample, I64(spec.channels)), channel)
            leaked = h * grad_v if spec.scan.reset == "delayed" else found.h * kept
            for slot, value in zip(PARAMETER_SUMS, (leaked, found.h * driven, found.threshold), strict=True):
                add(slot, value, mine)

    def sums(place: Any, base: Any, wide: Any, channel: Any) -> None:
        d = emit.load(at["d"], builder.add(wide, channel), real)
        add("sum_d", d, builder.add(place, channel))
        if spec.norm_groups and not spec.silent:
            y = emit.load(at["y"], builder.add(wide, channel), real)
            origin = emit.load(at["y"], builder.add(base, channel), real)
            add("sum_dy", d * (y - origin), builder.add(place, channel))

    with emit.shared_work() as sample:
        norm.clear(at, ("sum_d", "sum_dy"), sample)
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
        norm.back(at, at["y"], at["d"], sample, silent=spec.silent)
    return emit.finish()
