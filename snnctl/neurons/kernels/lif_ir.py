"""LIF over time as LLVM IR: all steps in one pass over memory, forward and backward.

The state [T, N] is cut into segments of neighbouring neurons that stay in the first caches; within a segment
time is the outer loop, so memory is read in order. Each row asks for the memory of the next one ahead of time, to
be written too: the jump to the next step is too far for a processor to foresee (worth 1.3 to 1.5 times).

The backward pass keeps no potentials from the forward pass: it computes them again from the input, segment by
segment, which costs less than writing and reading them would, and is exact. Its equations are in `equation_ir`.
"""

from __future__ import annotations

from typing import Any

from snnctl.neurons.kernels.equation_ir import PARAMETERS, ScanSpec, StepEquation
from snnctl.neurons.kernels.segments import COMMON, segments
from snnctl.neurons.kernels.vector_ir import I64, Emitter, Vec

FORWARD = (*COMMON, *PARAMETERS, "x", "x_stride", "v", "spikes", "v_last")
SUMS = ("sum_gx", "sum_gxx", "sum_leak", "sum_gain", "sum_threshold")
BACKWARD = (*COMMON, *PARAMETERS, "x", "x_stride", "v", "grad_spikes", "grad_v_last", "grad_x", "grad_v", *SUMS)


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
    equation = StepEquation(emit, spec)
    x, v, spikes, v_last = (emit.pointer(slot) for slot in ("x", "v", "spikes", "v_last"))
    elements, steps, x_stride = (emit.number(slot) for slot in ("elements", "steps", "x_stride"))

    with segments(emit) as (_, base, count, membrane):
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
    return emit.finish()


def backward_ir(spec: ScanSpec, name: str) -> str:
    """Gradients of input, first membrane and (summed per channel) parameters; with `normed`, `grad_x` is that of
    the normalised current, and the sums are what the norm's own gradient needs."""
    emit = Emitter(name, BACKWARD, spec.real)
    builder = emit.builder
    equation = StepEquation(emit, spec)
    pointers = {slot: emit.pointer(slot) for slot in BACKWARD if slot in (*SUMS, "x", "v") or slot.startswith("grad_")}
    elements, steps, x_stride, padded = (emit.number(slot) for slot in ("elements", "steps", "x_stride", "padded"))

    with segments(emit) as (chunk, base, count, carried):
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
                grad_s = emit.load(pointers["grad_spikes"], builder.add(row, index), spec.stored, mask)
                grad_v = emit.load(carried, index, spec.real)
                found = equation.backward(h, grad_s, grad_v, index)
                emit.store(found.current, pointers["grad_x"], builder.add(row, index), spec.stored, mask)
                emit.store(found.past, carried, index, spec.real)

                def add(slot: str, value: Vec) -> None:
                    place = builder.add(builder.mul(chunk, padded), index)
                    so_far = emit.load(pointers[slot], place, spec.real, mask)
                    emit.store(so_far + value, pointers[slot], place, spec.real, mask)

                if "norm" in spec.sums:
                    add("sum_gx", found.current)
                    centre = emit.load(equation.arrays["centre"], index, spec.real)
                    add("sum_gxx", found.current * (x_at(t, index, mask) - centre))
                if "parameters" in spec.sums:
                    add("sum_gain", found.h * equation.current(x_at(t, index, mask), index))
                    leaked = h * grad_v if spec.reset == "delayed" else found.h * before(t, index, mask)
                    add("sum_leak", leaked)
                    add("sum_threshold", found.threshold)

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
    return emit.finish()
