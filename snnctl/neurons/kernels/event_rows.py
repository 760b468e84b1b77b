"""Products with few spikes in many rows, and gradients of weights: added up where there was a spike.

With few spikes this is a small part of the dense product. Gradients are summed by a fixed number of units of work, so
that the result is the same whatever the number of threads.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Any

import torch
from llvmlite import ir
from torch import Tensor

from snnctl.neurons.kernels.jit import Compiled
from snnctl.neurons.kernels.segments import COMMON, REALS, Launch, Plan
from snnctl.neurons.kernels.vector_ir import I64, Emitter, Real, Vec

_CHUNKS = 4
_WORTH = 1 << 22  # products in a dense one; smaller ones are done before this pays
_MOST_EVENTS = 0.25  # beyond this share of spikes the dense product is as fast
_NEAR = 1 << 19  # bytes of sums that stay in the caches
_OUTER = (*COMMON, "rows", "inputs", "x", "grad", "sums")
_GATHER = (*COMMON, "rows", "inputs", "x", "weights", "y")


def pays(x: Tensor, outputs: int) -> bool:
    """Whether spikes [rows, inputs] are many enough, and few enough of them fired, for `outer` and `gathered`.

    The share is looked at in every 16th row: who fires where is no secret of the others.
    """
    rows, inputs = x.shape
    if not (x.dtype in (torch.float32, torch.float64) and x.is_contiguous()) or outputs % 16:
        return False
    if rows * inputs * outputs < _WORTH or inputs * outputs * x.itemsize > _NEAR:
        return False
    seen = x[:: max(rows // 512, 1)]
    return int(torch.count_nonzero(seen)) <= _MOST_EVENTS * seen.numel()


def outer(grad: Tensor, x: Tensor) -> Tensor:
    """grad.T @ x, [outputs, inputs], for spikes x [rows, inputs] and a contiguous grad [rows, outputs]."""
    rows, inputs = x.shape
    launch = _launch("outer", rows, inputs, grad.shape[1], x.dtype, torch.get_num_threads())
    sums = torch.zeros(launch.plan.chunks, inputs, grad.shape[1], dtype=x.dtype)
    launch.run({"x": x, "grad": grad, "sums": sums})
    return sums.sum(0).t()


def gathered(x: Tensor, columns: Tensor) -> Tensor:
    """x @ columns, [rows, outputs], for spikes x [rows, inputs] and contiguous columns [inputs, outputs]."""
    rows, inputs = x.shape
    y = torch.empty(rows, columns.shape[1], dtype=x.dtype)
    launch = _launch("gather", rows, inputs, columns.shape[1], x.dtype, torch.get_num_threads())
    launch.run({"x": x, "weights": columns, "y": y})
    return y


@lru_cache(maxsize=256)
def _launch(what: str, rows: int, inputs: int, outputs: int, dtype: torch.dtype, threads: int) -> Launch:
    chunks = _CHUNKS if what == "outer" else 32
    each = -(-rows // chunks)
    chunks = -(-rows // each)
    plan = Plan(outputs, outputs, chunks, each, 1, min(threads, chunks))
    given = {"elements": outputs, "steps": 1, "rows": rows, "inputs": inputs}
    listed = -(-inputs * 8 // (outputs * dtype.itemsize))
    slots, kernel = (_OUTER, _outer_kernel) if what == "outer" else (_GATHER, _gather_kernel)
    return Launch(kernel(REALS[dtype]), slots, plan, dtype, listed, given)


class _Events:
    """Rows of spikes, dealt out to threads, each with the list of its events."""

    def __init__(self, name: str, slots: tuple[str, ...], real: Real) -> None:
        self.emit = emit = Emitter(name, slots, real)
        builder = emit.builder
        self.word = ir.IntType(emit.lanes)
        self.mask, self.count = builder.alloca(self.word), builder.alloca(I64)
        self.rows, self.inputs, self.each, self.width = (
            emit.number(slot) for slot in ("rows", "inputs", "chunk_segments", "segment")
        )
        self.x = emit.pointer("x")
        worker = emit.take_ticket("next_worker")
        offset = builder.mul(worker, emit.number("scratch_stride"))
        self.listed = builder.gep(emit.pointer("scratch"), [offset], source_etype=emit.scalar)

    def entry(self, index: Any) -> Any:
        return self.emit.builder.gep(self.listed, [index], source_etype=I64)

    def moved(self, base: Any, offset: Any) -> Any:
        return self.emit.builder.gep(base, [offset], source_etype=self.emit.scalar)

    def list_row(self, source: Any) -> Any:
        """List the events of a row; how many there are."""
        emit, builder = self.emit, self.emit.builder
        builder.store(I64(0), self.count)

        def look(index: Any, lanes: Any) -> None:
            values = emit.load(source, index, emit.real, lanes)
            bits = builder.bitcast(builder.fcmp_unordered("une", values.value, emit.vec(0.0).value), self.word)
            builder.store(bits, self.mask)
            so_far = builder.load(self.count, typ=I64)
            after = builder.add(so_far, builder.zext(builder.ctpop(bits), I64))
            with emit.loop(so_far, after) as place:
                now = builder.load(self.mask, typ=self.word)
                lane = builder.zext(builder.cttz(now, ir.IntType(1)(1)), I64)
                builder.store(builder.and_(now, builder.sub(now, self.word(1))), self.mask)
                builder.store(builder.add(index, lane), self.entry(place))
            builder.store(after, self.count)

        emit.each_vector(self.inputs, look)
        return builder.load(self.count, typ=I64)

    def event(self, source: Any, place: Any) -> tuple[Any, Vec]:
        """The number of an event's input, and its value in all lanes."""
        number = self.emit.builder.load(self.entry(place), typ=I64)
        return number, self.emit.spread(self.emit.builder.load(self.moved(source, number), typ=self.emit.scalar))


@cache
def _outer_kernel(real: Real) -> Compiled:
    them = _Events("event_outer", _OUTER, real)
    emit, builder = them.emit, them.emit.builder
    grad, sums = emit.pointer("grad"), emit.pointer("sums")
    with emit.shared_work() as chunk, emit.loop(I64(0), them.each) as number:
        row = builder.add(builder.mul(chunk, them.each), number)
        with builder.if_then(builder.icmp_signed("<", row, them.rows)):
            source = them.moved(them.x, builder.mul(row, them.inputs))
            given = them.moved(grad, builder.mul(row, them.width))
            own = them.moved(sums, builder.mul(chunk, builder.mul(them.inputs, them.width)))
            found = them.list_row(source)
            with emit.loop(I64(0), found) as place:
                index, value = them.event(source, place)
                target = them.moved(own, builder.mul(index, them.width))

                def add(at: Any, lanes: Any, target: Any = target, value: Vec = value, given: Any = given) -> None:
                    before = emit.load(target, at, real, lanes)
                    emit.store(emit.fma(value, emit.load(given, at, real, lanes), before), target, at, real, lanes)

                emit.each_vector(them.width, add)
    return Compiled("event_outer", emit.finish())


@cache
def _gather_kernel(real: Real) -> Compiled:
    them = _Events("event_gather", _GATHER, real)
    emit, builder = them.emit, them.emit.builder
    totals = [builder.alloca(emit.type) for _ in range(8)]
    weights, y = emit.pointer("weights"), emit.pointer("y")
    with emit.shared_work() as chunk, emit.loop(I64(0), them.each) as number:
        row = builder.add(builder.mul(chunk, them.each), number)
        with builder.if_then(builder.icmp_signed("<", row, them.rows)):
            source = them.moved(them.x, builder.mul(row, them.inputs))
            target = them.moved(y, builder.mul(row, them.width))
            found = them.list_row(source)

            def block(first: Any, vectors: int, lanes: Any, source: Any = source, target: Any = target) -> None:
                for total in totals[:vectors]:
                    builder.store(emit.vec(0.0).value, total)
                with emit.loop(I64(0), found) as place:
                    index, value = them.event(source, place)
                    base = builder.add(builder.mul(index, them.width), first)
                    for k, total in enumerate(totals[:vectors]):
                        weight = emit.load(weights, builder.add(base, I64(k * emit.lanes)), real, lanes)
                        before = Vec(emit, builder.load(total, typ=emit.type))
                        builder.store(emit.fma(value, weight, before).value, total)
                for k, total in enumerate(totals[:vectors]):
                    ready = Vec(emit, builder.load(total, typ=emit.type))
                    emit.store(ready, target, builder.add(first, I64(k * emit.lanes)), real, lanes)

            wide = 8 * emit.lanes
            whole = builder.sub(them.width, builder.srem(them.width, I64(wide)))
            with emit.loop(I64(0), whole, wide) as first:
                block(first, 8, None)
            emit.each_vector(builder.sub(them.width, whole), lambda at, lanes: block(builder.add(whole, at), 1, lanes))
    return Compiled("event_gather", emit.finish())
