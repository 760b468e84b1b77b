"""Spikes that come back: weights gathered for the spikes of an earlier step, then the neuron, all steps in one call.

Rows of a batch know nothing of each other, so a thread takes a few of them through all steps: no thread ever waits for
another, and nothing but weights and rows is touched. Forward, weights are added up for the inputs that are not 0.
Backward, gradients are dense: a few rows are multiplied together, so that a weight is loaded once for all of them.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from snnctl.neurons.kernels.emit import Values
from snnctl.neurons.kernels.form import Form, backward_of
from snnctl.neurons.kernels.graph import Node
from snnctl.neurons.kernels.segments import COMMON
from snnctl.neurons.kernels.vector_ir import I64, Emitter, Vec

ROWS, COLUMNS = 4, 4  # of a tile of the dense product: rows, and vectors of columns; 16 sums stay in registers
_GATHERED = 8  # vectors of columns that are added up at once
_AHEAD = 6  # events
ROW_SLOTS = ("rows", "tiles", "lag", "inputs")


def fed_slots(form: Form) -> tuple[str, ...]:
    """The arguments of the forward kernel."""
    parts = range(len(form.states))
    smalls = (f"small{k}" for k in range(len(form.per_channel)))
    given = ("x", "x_stride", "x_row", "weights", "first", *(f"state{k}" for k in parts))
    return (*COMMON, *ROW_SLOTS, "numbers", *smalls, *given, "spikes", "current", *tuple(f"last{k}" for k in parts))


def fed_backward_slots(form: Form) -> tuple[str, ...]:
    """The arguments of the backward kernel."""
    parts, smalls = range(len(form.states)), range(len(form.per_channel))
    given = (*(f"small{k}" for k in smalls), "weights", "current", *(f"state{k}" for k in parts), "grad_s")
    found = (*(f"grad_last{k}" for k in parts), "grad_x", *(f"grad_state{k}" for k in parts))
    return (*COMMON, *ROW_SLOTS, "numbers", *given, *found, *(f"sum{k}" for k in smalls))


class _Rows:
    """What both passes share: where things lie, and tiles of rows dealt out to threads."""

    def __init__(self, form: Form, name: str, slots: tuple[str, ...], from_rest: bool) -> None:
        self.form, self.from_rest = form, from_rest
        self.emit = Emitter(name, slots, form.real)
        self.parts = range(len(form.states))
        numbers = (*COMMON, *ROW_SLOTS, "x_stride", "x_row")
        self.n = {slot: self.emit.number(slot) for slot in slots if slot in numbers and slot != "scratch"}
        self.at = {slot: self.emit.pointer(slot) for slot in slots if slot not in numbers or slot == "scratch"}
        self.values = Values(self.emit, form)
        self.width, self.padded, self.steps = self.n["segment"], self.n["padded"], self.n["steps"]
        self.inputs = {node.args[0]: number for number, node in enumerate(form.nodes) if node.op == "input"}

    def scratch(self) -> Any:
        """The memory of the thread that asks."""
        worker = self.emit.take_ticket("next_worker")
        return self.moved(self.at["scratch"], self.mul(worker, self.n["scratch_stride"]))

    def mul(self, a: Any, b: Any) -> Any:
        return self.emit.builder.mul(a, b)

    def add(self, a: Any, b: Any) -> Any:
        return self.emit.builder.add(a, b)

    def moved(self, base: Any, offset: Any) -> Any:
        """The address of an element."""
        return self.emit.builder.gep(base, [offset], source_etype=self.emit.scalar)

    def row(self, scratch: Any, number: int) -> Any:
        return self.moved(scratch, self.mul(self.padded, I64(number))) if number else scratch

    def start(self, at: Any, rows: list[Any]) -> None:
        """Bring the first state of the row of neurons `at` into scratch rows."""

        def begin(index: Any, mask: Any) -> None:
            if self.from_rest:
                assert self.form.rest is not None
                found = self.values.compute(list(self.form.rest), {}, index)
            else:
                where = self.add(at, index)
                found = [self.emit.load(self.at[f"state{k}"], where, self.form.real, mask) for k in self.parts]
            for row, value in zip(rows, found, strict=True):
                self.emit.store(value, row, index, self.form.real)

        self.emit.each_vector(self.width, begin)

    def given(self, rows: list[Any], x: Vec, index: Any) -> dict[int, Vec]:
        """Input and state as values of the graph."""
        found = {self.inputs["x"]: x} if "x" in self.inputs else {}
        for k, row in enumerate(rows):
            if f"state{k}" in self.inputs:
                found[self.inputs[f"state{k}"]] = self.emit.load(row, index, self.form.real)
        return found


def fed_ir(
    form: Form, name: str, *, from_rest: bool, keeps_state: bool, silent: bool, keeps_current: bool, far: bool
) -> str:
    """Spikes, and with `keeps_current` the current that every neuron was given: x + weights @ spikes of `lag` before.

    Args:
        from_rest: no state is given.
        keeps_state: the last state is given out.
        silent: there are no spikes before the first step; else `first` holds those of `lag` steps.
        keeps_current: for the backward pass.
        far: the weights lie beyond the nearer caches, so that they are asked for some events ahead.
    """
    them = _Rows(form, name, fed_slots(form), from_rest)
    emit, at, n, real = them.emit, them.at, them.n, form.real
    builder, add, mul = emit.builder, them.add, them.mul
    word = ir.IntType(emit.lanes)
    mask, count = builder.alloca(word), builder.alloca(I64)
    sums = [builder.alloca(emit.type) for _ in range(_GATHERED)]
    scratch = them.scratch()
    states = [them.row(scratch, k) for k in them.parts]
    own = them.row(scratch, len(states))  # the current, where it is not kept
    listed = them.row(scratch, len(states) + 1)

    def entry(index: Any) -> Any:
        return builder.gep(listed, [index], source_etype=I64)

    def list_events(source: Any) -> None:
        def look(index: Any, lanes: Any) -> None:
            values = emit.load(source, index, real, lanes)
            fired = builder.fcmp_unordered("une", values.value, emit.vec(0.0).value)  # a NaN counts, as it should
            bits = builder.bitcast(fired, word)
            builder.store(bits, mask)
            so_far = builder.load(count, typ=I64)
            events = builder.zext(builder.ctpop(bits), I64)
            with emit.loop(so_far, add(so_far, events)) as place:
                now = builder.load(mask, typ=word)
                lane = builder.zext(builder.cttz(now, ir.IntType(1)(1)), I64)
                builder.store(builder.and_(now, builder.sub(now, word(1))), mask)
                builder.store(add(index, lane), entry(place))
            builder.store(add(so_far, events), count)

        emit.each_vector(n["inputs"], look)

    def gather(source: Any, events: Any, x_row: Any, current: Any, first: Any, vectors: int, lanes: Any) -> None:
        """current[first:] = x + the events' weights, for so many vectors of columns."""
        places = [add(first, I64(k * emit.lanes)) for k in range(vectors)]
        for place, total in zip(places, sums, strict=False):
            builder.store(emit.load(x_row, place, real, lanes).value, total)
        with emit.loop(I64(0), events) as event:
            number = builder.load(entry(event), typ=I64)
            value = emit.spread(builder.load(them.moved(source, number), typ=emit.scalar))
            base = mul(number, them.padded)
            ahead = None
            if far:
                following = entry(emit.smaller(add(event, I64(_AHEAD)), builder.sub(events, I64(1))))
                ahead = mul(builder.load(following, typ=I64), them.padded)
            for place, total in zip(places, sums, strict=False):
                if ahead is not None:
                    emit.prefetch(at["weights"], add(ahead, place), real)
                weight = emit.load(at["weights"], add(base, place), real)
                before = Vec(emit, builder.load(total, typ=emit.type))
                builder.store(emit.fma(value, weight, before).value, total)
        for place, total in zip(places, sums, strict=False):
            emit.store(Vec(emit, builder.load(total, typ=emit.type)), current, place, real, lanes)

    with emit.shared_work() as chunk, emit.loop(I64(0), n["tiles"]) as number:
        row = add(mul(chunk, n["tiles"]), number)
        with builder.if_then(builder.icmp_signed("<", row, n["rows"])):
            neurons = mul(row, them.width)
            them.start(neurons, states)
            with emit.loop(I64(0), them.steps) as t:
                here = add(mul(t, n["elements"]), neurons)
                early = builder.icmp_signed("<", t, n["lag"])
                back = builder.sub(here, mul(n["lag"], n["elements"]))
                source = them.moved(at["spikes"], back)
                builder.store(I64(0), count)
                if silent:
                    with builder.if_then(builder.not_(early)):
                        list_events(source)
                else:
                    given = mul(add(mul(t, n["rows"]), row), n["inputs"])
                    source = builder.select(early, them.moved(at["first"], given), source)
                    list_events(source)
                events = builder.load(count, typ=I64)
                x_row = them.moved(at["x"], add(mul(t, n["x_stride"]), mul(row, n["x_row"])))
                current = them.moved(at["current"], here) if keeps_current else own
                wide = I64(_GATHERED * emit.lanes)
                whole = builder.sub(them.width, builder.srem(them.width, wide))
                with emit.loop(I64(0), whole, _GATHERED * emit.lanes) as first:
                    gather(source, events, x_row, current, first, _GATHERED, None)

                def rest(index: Any, lanes: Any) -> None:
                    gather(source, events, x_row, current, add(whole, index), 1, lanes)

                emit.each_vector(builder.sub(them.width, whole), rest)

                def step(index: Any, lanes: Any) -> None:
                    x = emit.load(current, index, real, lanes)
                    outputs = [form.spikes, *form.states]
                    fired, *after = them.values.compute(outputs, them.given(states, x, index), index)
                    emit.store(fired, at["spikes"], add(here, index), form.fired, lanes)
                    for new, place in zip(after, states, strict=True):
                        emit.store(new, place, index, real)

                emit.each_vector(them.width, step)

            def end(index: Any, lanes: Any) -> None:
                for k, place in enumerate(states):
                    last = emit.load(place, index, real)
                    emit.store(last, at[f"last{k}"], add(neurons, index), real, lanes)

            if keeps_state:
                emit.each_vector(them.width, end)
    return emit.finish()


def fed_backward_rows(form: Form, steps: int, sums: tuple[str, ...]) -> int:
    """Rows of scratch memory that the backward pass of one row of a batch needs."""
    return len(form.states) + 1 + steps * len(_stored(form, sums))


def _stored(form: Form, sums: tuple[str, ...]) -> list[int]:
    """Nodes that are written down at each step, to be read again backward; the input is read where it is."""
    return [node for node in backward_of(form, sums).kept if node != _x_of(form)]


def _x_of(form: Form) -> int:
    x = Node("input", ("x",))
    return form.nodes.index(x) if x in form.nodes else -1


def fed_backward_ir(form: Form, name: str, *, from_rest: bool, keeps_state: bool, sums: tuple[str, ...]) -> str:
    """Gradients of the current, of the first state unless `from_rest`, and of the small values called `sums`.

    What reaches the spikes of a step is what is given, and the current's gradient `lag` steps later times the weights.
    """
    them = _Rows(form, name, fed_backward_slots(form), from_rest)
    emit, at, n, real, inputs = them.emit, them.at, them.n, form.real, them.inputs
    builder, add, mul = emit.builder, them.add, them.mul
    how, x_node, stored = backward_of(form, sums), _x_of(form), _stored(form, sums)
    totals = [[builder.alloca(emit.type) for _ in range(COLUMNS)] for _ in range(ROWS)]
    parts = len(form.states)
    scratch = them.scratch()
    each = add(I64(parts + 1), mul(them.steps, I64(len(stored))))
    bases = [them.moved(scratch, mul(mul(I64(r), each), them.padded)) for r in range(ROWS)]
    states = [[them.row(base, k) for k in them.parts] for base in bases]
    arriving = [them.row(base, parts) for base in bases]  # what comes from later steps
    kept = [[them.row(base, parts + 1 + k) for k in range(len(stored))] for base in bases]
    stride = mul(them.padded, I64(len(stored)))

    def again(r: int, neurons: Any) -> None:
        """The steps forward, for what has to be known again."""
        them.start(neurons, states[r])
        with emit.loop(I64(0), them.steps) as t:
            here, place = add(mul(t, n["elements"]), neurons), mul(t, stride)

            def step(index: Any, lanes: Any) -> None:
                x = emit.load(at["current"], add(here, index), real, lanes)
                found = them.values.compute([*stored, *form.states], them.given(states[r], x, index), index)
                for value, to in zip(found[: len(stored)], kept[r], strict=True):
                    emit.store(value, to, add(place, index), real)
                for value, to in zip(found[len(stored) :], states[r], strict=True):
                    emit.store(value, to, index, real)

            emit.each_vector(them.width, step)

        def turn(index: Any, lanes: Any) -> None:
            emit.store(emit.vec(0.0), arriving[r], index, real)
            for k, place in enumerate(states[r]):
                grad = emit.vec(0.0)
                if keeps_state:
                    grad = emit.load(at[f"grad_last{k}"], add(neurons, index), real, lanes)
                emit.store(grad, place, index, real)

        emit.each_vector(them.width, turn)

    def multiply(sources: list[Any]) -> None:
        """arriving = gradients of a later step times the weights."""
        with emit.loop(I64(0), them.padded, COLUMNS * emit.lanes) as first:
            for row in totals:
                for total in row:
                    builder.store(emit.vec(0.0).value, total)
            with emit.loop(I64(0), them.width) as place:
                base = add(mul(place, them.padded), first)
                weights = [emit.load(at["weights"], add(base, I64(k * emit.lanes)), real) for k in range(COLUMNS)]
                for source, row in zip(sources, totals, strict=True):
                    value = emit.spread(builder.load(them.moved(source, place), typ=emit.scalar))
                    for weight, total in zip(weights, row, strict=True):
                        before = Vec(emit, builder.load(total, typ=emit.type))
                        builder.store(emit.fma(value, weight, before).value, total)
            for to, row in zip(arriving, totals, strict=True):
                for k, total in enumerate(row):
                    found = Vec(emit, builder.load(total, typ=emit.type))
                    emit.store(found, to, add(first, I64(k * emit.lanes)), real)

    def back(r: int, chunk: Any, here: Any, place: Any) -> None:
        def step(index: Any, lanes: Any) -> None:
            given = {node: emit.load(to, add(place, index), real) for node, to in zip(stored, kept[r], strict=True)}
            if x_node in how.kept:
                given[x_node] = emit.load(at["current"], add(here, index), real, lanes)
            if "grad_s" in inputs:
                own = emit.load(at["grad_s"], add(here, index), form.fired, lanes)
                given[inputs["grad_s"]] = own + emit.load(arriving[r], index, real)
            for k, carried in enumerate(states[r]):
                if f"grad_state{k}" in inputs:
                    given[inputs[f"grad_state{k}"]] = emit.load(carried, index, real)
            vectors = them.values.compute(list(how.outputs.values()), given, index)
            found = dict(zip(how.outputs, vectors, strict=True))
            nothing = emit.vec(0.0)
            emit.store(found.get("x", nothing), at["grad_x"], add(here, index), form.stored, lanes)
            for k, carried in enumerate(states[r]):
                emit.store(found.get(f"state{k}", nothing), carried, index, real)
            for slot in sums:
                to, spot = at[slot.replace("small", "sum")], add(mul(chunk, them.padded), index)
                emit.store(emit.load(to, spot, real, lanes) + found[slot], to, spot, real, lanes)

        emit.each_vector(them.width, step)

    last = builder.sub(n["rows"], I64(1))
    with emit.shared_work() as chunk, emit.loop(I64(0), n["tiles"]) as number:
        top = mul(add(mul(chunk, n["tiles"]), number), I64(ROWS))
        rows = [add(top, I64(r)) for r in range(ROWS)]
        there = [builder.icmp_signed("<", row, n["rows"]) for row in rows]
        starts = [mul(emit.smaller(row, last), them.width) for row in rows]  # a row that is not there reads the last
        for r in range(ROWS):
            with builder.if_then(there[r]):
                again(r, starts[r])
        with builder.if_then(there[0]), emit.loop(builder.sub(them.steps, I64(1)), I64(0), -1) as t:
            later = add(t, n["lag"])
            with builder.if_then(builder.icmp_signed("<", later, them.steps)):
                from_there = mul(later, n["elements"])
                multiply([them.moved(at["grad_x"], add(from_there, start)) for start in starts])
            for r in range(ROWS):
                with builder.if_then(there[r]):
                    back(r, chunk, add(mul(t, n["elements"]), starts[r]), mul(t, stride))
        if not from_rest:
            for r in range(ROWS):

                def end(index: Any, lanes: Any, r: int = r) -> None:
                    for k, carried in enumerate(states[r]):
                        grad = emit.load(carried, index, real)
                        emit.store(grad, at[f"grad_state{k}"], add(starts[r], index), real, lanes)

                with builder.if_then(there[r]):
                    emit.each_vector(them.width, end)
    return emit.finish()
