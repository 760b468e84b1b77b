"""A step over time as LLVM IR: all steps in one pass over memory, forward and backward.

The state [T, N] is cut into segments of neighbouring neurons that stay in the first caches; within a segment
time is the outer loop, so memory is read in order. Each row asks for the memory of the next one ahead of time, to
be written too: the jump to the next step is too far for a processor to foresee (worth 1.3 to 1.5 times).

The backward pass keeps no state from the forward pass: it computes the steps again from the input, segment by segment,
which costs less than writing and reading them would, and is exact. Of each step it keeps, in the caches, the fewest
values from which the gradients can be computed (`form.Backward`).
"""

from __future__ import annotations

from typing import Any

from snnctl.neurons.kernels.emit import Values
from snnctl.neurons.kernels.form import Form, backward_of
from snnctl.neurons.kernels.graph import Node
from snnctl.neurons.kernels.segments import COMMON, segments
from snnctl.neurons.kernels.vector_ir import I64, Emitter, Vec


def forward_slots(form: Form) -> tuple[str, ...]:
    """The arguments of the forward kernel."""
    parts = range(len(form.states))
    smalls = (f"small{k}" for k in range(len(form.per_channel)))
    states, lasts = (f"state{k}" for k in parts), (f"last{k}" for k in parts)
    return (*COMMON, "numbers", *smalls, "x", "x_stride", *states, "spikes", *lasts)


def backward_slots(form: Form) -> tuple[str, ...]:
    """The arguments of the backward kernel."""
    parts, smalls = range(len(form.states)), range(len(form.per_channel))
    given = (*(f"small{k}" for k in smalls), "x", "x_stride", *(f"state{k}" for k in parts), "grad_s")
    found = (*(f"grad_last{k}" for k in parts), "grad_x", *(f"grad_state{k}" for k in parts))
    return (*COMMON, "numbers", *given, *found, *(f"sum{k}" for k in smalls))


class _Scan:
    """What both passes share: where things lie, and how a segment begins."""

    def __init__(self, form: Form, name: str, slots: tuple[str, ...], from_rest: bool) -> None:
        self.form, self.from_rest = form, from_rest
        self.emit = Emitter(name, slots, form.real)
        self.values = Values(self.emit, form)
        self.parts = range(len(form.states))
        self.at = {slot: self.emit.pointer(slot) for slot in slots if slot not in COMMON and slot != "x_stride"}
        self.elements, self.steps, self.x_stride, self.padded = (
            self.emit.number(slot) for slot in ("elements", "steps", "x_stride", "padded")
        )
        self.inputs = {node.args[0]: number for number, node in enumerate(form.nodes) if node.op == "input"}

    def row(self, scratch: Any, number: int) -> Any:
        """A row of a segment's scratch memory; the first ones hold the state, later its gradient."""
        offset = self.emit.builder.mul(self.padded, I64(number))
        return self.emit.builder.gep(scratch, [offset], source_etype=self.emit.scalar) if number else scratch

    def start(self, base: Any, count: Any, rows: list[Any]) -> None:
        """Bring the first state of a segment into its rows."""
        emit, form = self.emit, self.form

        def begin(index: Any, mask: Any) -> None:
            if self.from_rest:
                assert form.rest is not None
                for row, value in zip(rows, self.values.compute(list(form.rest), {}, index), strict=True):
                    emit.store(value, row, index, form.real)
                return
            for k, row in enumerate(rows):
                first = emit.load(self.at[f"state{k}"], emit.builder.add(base, index), form.real, mask)
                emit.store(first, row, index, form.real)

        emit.each_vector(count, begin)

    def given(self, rows: list[Any], x: Vec, index: Any) -> dict[int, Vec]:
        """Input and state as values of the graph."""
        found = {}
        if "x" in self.inputs:
            found[self.inputs["x"]] = x
        for k, row in enumerate(rows):
            if f"state{k}" in self.inputs:
                found[self.inputs[f"state{k}"]] = self.emit.load(row, index, self.form.real)
        return found

    def row_at(self, t: Any, stride: Any, base: Any) -> Any:
        return self.emit.builder.add(self.emit.builder.mul(t, stride), base)


def forward_ir(form: Form, name: str, *, from_rest: bool, keeps_state: bool) -> str:
    """Spikes and, with `keeps_state`, the last state, from input and the first state."""
    scan = _Scan(form, name, forward_slots(form), from_rest)
    emit, at = scan.emit, scan.at
    builder = emit.builder
    with segments(emit) as (_, base, count, scratch):
        rows = [scan.row(scratch, k) for k in scan.parts]
        scan.start(base, count, rows)
        with emit.loop(I64(0), scan.steps) as t:
            x_row, row = scan.row_at(t, scan.x_stride, base), scan.row_at(t, scan.elements, base)
            # What comes next: the row of the next step, or the first row of the next segment.
            is_last = builder.icmp_signed("==", t, builder.sub(scan.steps, I64(1)))
            following = builder.add(base, count)
            next_x = builder.select(is_last, following, builder.add(x_row, scan.x_stride))
            next_row = builder.select(is_last, following, builder.add(row, scan.elements))

            def step(index: Any, mask: Any) -> None:
                if mask is None:
                    emit.prefetch(at["x"], builder.add(next_x, index), form.stored)
                    emit.prefetch(at["spikes"], builder.add(next_row, index), form.fired, write=True)
                x = emit.load(at["x"], builder.add(x_row, index), form.stored, mask)
                fired, *after = scan.values.compute([form.spikes, *form.states], scan.given(rows, x, index), index)
                emit.store(fired, at["spikes"], builder.add(row, index), form.fired, mask)
                for new, place in zip(after, rows, strict=True):
                    emit.store(new, place, index, form.real)

            emit.each_vector(count, step)

        def end(index: Any, mask: Any) -> None:
            for k, place in enumerate(rows):
                last = emit.load(place, index, form.real)
                emit.store(last, at[f"last{k}"], builder.add(base, index), form.real, mask)

        if keeps_state:
            emit.each_vector(count, end)
    return emit.finish()


def backward_ir(form: Form, name: str, *, from_rest: bool, keeps_state: bool, sums: tuple[str, ...]) -> str:
    """Gradients of the input, of the first state unless `from_rest`, and of the small values called `sums`."""
    scan = _Scan(form, name, backward_slots(form), from_rest)
    emit, at, inputs = scan.emit, scan.at, scan.inputs
    builder = emit.builder
    how = backward_of(form, sums)
    x_node = form.nodes.index(Node("input", ("x",))) if "x" in inputs else -1
    stored = [node for node in how.kept if node != x_node]
    with segments(emit) as (chunk, base, count, scratch):
        rows = [scan.row(scratch, k) for k in scan.parts]
        kept = [scan.row(scratch, len(rows) + k) for k in range(len(stored))]
        stride = builder.mul(scan.padded, I64(len(stored)))

        def x_at(t: Any, index: Any, mask: Any) -> Vec:
            return emit.load(at["x"], builder.add(scan.row_at(t, scan.x_stride, base), index), form.stored, mask)

        scan.start(base, count, rows)
        with emit.loop(I64(0), scan.steps) as t:
            place = builder.mul(t, stride)

            def again(index: Any, mask: Any) -> None:
                if mask is None:
                    ahead = scan.row_at(builder.add(t, I64(1)), scan.x_stride, base)
                    emit.prefetch(at["x"], builder.add(ahead, index), form.stored)
                given = scan.given(rows, x_at(t, index, mask), index)
                found = scan.values.compute([*stored, *form.states], given, index)
                for value, to in zip(found, [*kept, *rows], strict=True):
                    where = builder.add(place, index) if any(to is row for row in kept) else index
                    emit.store(value, to, where, form.real)

            emit.each_vector(count, again)

        last_row = scan.row_at(builder.sub(scan.steps, I64(1)), scan.elements, base)

        def turn(index: Any, mask: Any) -> None:
            if mask is None:
                emit.prefetch(at["grad_s"], builder.add(last_row, index), form.fired)
                emit.prefetch(at["grad_x"], builder.add(last_row, index), form.stored, write=True)
            for k, row in enumerate(rows):
                grad = emit.vec(0.0)
                if keeps_state:
                    grad = emit.load(at[f"grad_last{k}"], builder.add(base, index), form.real, mask)
                emit.store(grad, row, index, form.real)

        emit.each_vector(count, turn)
        with emit.loop(builder.sub(scan.steps, I64(1)), I64(0), -1) as t:
            row = scan.row_at(t, scan.elements, base)
            place = builder.mul(t, stride)
            # What comes next: the row of the step before, or the input of the next segment.
            is_first = builder.icmp_signed("==", t, I64(0))
            source = builder.select(is_first, at["x"], at["grad_s"])
            below = builder.select(is_first, builder.add(base, count), builder.sub(row, scan.elements))

            def back(index: Any, mask: Any) -> None:
                if mask is None:
                    emit.prefetch(source, builder.add(below, index), form.stored)
                    emit.prefetch(at["grad_x"], builder.add(below, index), form.stored, write=True)
                given = {
                    node: emit.load(to, builder.add(place, index), form.real)
                    for node, to in zip(stored, kept, strict=True)
                }
                if x_node in how.kept:
                    given[x_node] = x_at(t, index, mask)
                if "grad_s" in inputs:
                    arriving = emit.load(at["grad_s"], builder.add(row, index), form.fired, mask)
                    given[inputs["grad_s"]] = arriving
                for k, carried in enumerate(rows):
                    if f"grad_state{k}" in inputs:
                        given[inputs[f"grad_state{k}"]] = emit.load(carried, index, form.real)
                names = list(how.outputs)
                found = dict(zip(names, scan.values.compute(list(how.outputs.values()), given, index), strict=True))
                nothing = emit.vec(0.0)
                emit.store(found.get("x", nothing), at["grad_x"], builder.add(row, index), form.stored, mask)
                for k, carried in enumerate(rows):
                    emit.store(found.get(f"state{k}", nothing), carried, index, form.real)
                for slot in sums:
                    to, value = at[slot.replace("small", "sum")], found[slot]
                    spot = builder.add(builder.mul(chunk, scan.padded), index)
                    emit.store(emit.load(to, spot, form.real, mask) + value, to, spot, form.real, mask)

            emit.each_vector(count, back)

        def end(index: Any, mask: Any) -> None:
            for k, carried in enumerate(rows):
                grad = emit.load(carried, index, form.real)
                emit.store(grad, at[f"grad_state{k}"], builder.add(base, index), form.real, mask)

        if not from_rest:
            emit.each_vector(count, end)
    return emit.finish()
