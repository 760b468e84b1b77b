"""Linear layers driven by events: for one row of input, weights are added up for the inputs that are not 0.

A single row reads every weight once whichever way it is done densely, so skipping silent inputs saves memory traffic
in proportion. Batches are better off with a dense product.
"""

from __future__ import annotations

import ctypes
import weakref
from functools import cache
from typing import NamedTuple

import torch
from llvmlite import ir
from torch import Tensor

from snnctl.neurons.kernels.jit import Compiled
from snnctl.neurons.kernels.segments import scratch_of
from snnctl.neurons.kernels.vector_ir import I16, I64, Emitter

# Smaller layers are done before the dense product's own overhead is paid back.
_WORTH_EVENTS = 1 << 15
# Beyond this share of inputs the dense product is faster.
_MOST_EVENTS = 0.3

_SLOTS = ("events_left", "x", "inputs", "outputs", "columns", "bias", "y", "listed")
_SLOT_ARRAY = ctypes.c_int64 * len(_SLOTS)


class _Columns(NamedTuple):
    """The weights column by column, and what they were made from."""

    owner: weakref.ref[Tensor]
    version: int
    address: int
    tensor: Tensor


_kept: dict[tuple[int, int], _Columns] = {}


def pays(x: Tensor, weight: Tensor) -> bool:
    """Whether `linear` should do this product: one row, a layer large enough, whole vectors of inputs."""
    outputs, inputs = weight.shape
    return x.numel() == inputs == x.shape[-1] and inputs * outputs >= _WORTH_EVENTS and inputs % 16 == 0


def linear(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """weight @ x + bias for one row x [*, inputs], all other axes 1; equal to the dense product to rounding.

    The transposed weights are kept beside the layer and made anew when the weights change (in place, as optimisers and
    `load_state_dict` do; a change through `.data` goes unseen by torch's own counter). A row with more events than pay
    is done densely.
    """
    outputs, inputs = weight.shape
    x = x.contiguous()
    y = torch.empty((*x.shape[:-1], outputs))
    start = 0
    if bias is not None:
        bias = bias.contiguous()
        start = bias.data_ptr()
    most = int(inputs * _MOST_EVENTS)
    listed = scratch_of(inputs, torch.float64)  # eight bytes for every event there can be
    array = _SLOT_ARRAY(
        most, x.data_ptr(), inputs, outputs, columns_of(weight, outputs).data_ptr(), start, y.data_ptr(), listed
    )
    _kernel(bias is not None)(array, 1)
    return y if array[0] >= 0 else torch.nn.functional.linear(x, weight, bias)


def columns_of(weight: Tensor, padded: int) -> Tensor:
    """The transposed weights, columns of zeros behind up to `padded`; made anew if the weights have changed."""
    key, version, address = (id(weight), padded), weight._version, weight.data_ptr()
    kept = _kept.get(key)
    if kept is not None and kept.version == version and kept.address == address and kept.owner() is weight:
        return kept.tensor
    outputs, inputs = weight.shape
    columns = weight.new_zeros(inputs, padded, requires_grad=False)
    columns[:, :outputs] = weight.detach().t()
    owner = weakref.ref(weight, lambda gone: _forget(key, gone))
    _kept[key] = _Columns(owner, version, address, columns)
    return columns


def _forget(key: tuple[int, int], owner: weakref.ref[Tensor]) -> None:
    kept = _kept.get(key)
    if kept is not None and kept.owner is owner:
        del _kept[key]


@cache
def _kernel(has_bias: bool) -> Compiled:
    name = "event_linear_bias" if has_bias else "event_linear"
    return Compiled(name, _event_ir(has_bias, name))


def _event_ir(has_bias: bool, name: str) -> str:
    """Take the events off `events_left`; unless that falls below 0: y = bias, then y += input * its column.

    The events are listed first, so that the next column's memory can be asked for while one is added.
    """
    emit = Emitter(name, _SLOTS, "float32")
    builder = emit.builder
    x, columns, bias, y, listed = (emit.pointer(slot) for slot in ("x", "columns", "bias", "y", "listed"))
    inputs, outputs = emit.number("inputs"), emit.number("outputs")
    mask, count = builder.alloca(I16), builder.alloca(I64)  # lanes of a vector still to do; events so far
    builder.store(I64(0), count)

    def entry(index: ir.Value) -> ir.Value:
        return builder.gep(listed, [index], source_etype=I64)

    def found_so_far() -> ir.Value:
        return builder.load(count, typ=I64)

    with emit.loop(I64(0), inputs, emit.lanes) as first:
        values = emit.load(x, first, "float32")
        fired = builder.fcmp_unordered("une", values.value, emit.vec(0.0).value)  # a NaN counts, as it should
        bits = builder.bitcast(fired, I16)
        builder.store(bits, mask)
        with emit.loop(I64(0), builder.zext(builder.ctpop(bits), I64)):
            now = builder.load(mask, typ=I16)
            lane = builder.zext(builder.cttz(now, ir.IntType(1)(1)), I64)
            builder.store(builder.and_(now, builder.sub(now, I16(1))), mask)
            builder.store(builder.add(first, lane), entry(found_so_far()))
            builder.store(builder.add(found_so_far(), I64(1)), count)
    events = found_so_far()
    left = builder.sub(emit.number("events_left"), events)
    builder.store(left, emit.slot("events_left"))

    def begin(index: ir.Value, lanes: ir.Value | None) -> None:
        start = emit.load(bias, index, "float32", lanes) if has_bias else emit.vec(0.0)
        emit.store(start, y, index, "float32", lanes)

    with builder.if_then(builder.icmp_signed(">=", left, I64(0))):
        emit.each_vector(outputs, begin)
        with emit.loop(I64(0), events) as event:
            number = builder.load(entry(event), typ=I64)
            value = emit.spread(builder.load(builder.gep(x, [number], source_etype=emit.scalar), typ=emit.scalar))
            row = builder.mul(number, outputs)
            following = emit.smaller(builder.add(event, I64(1)), builder.sub(events, I64(1)))
            next_row = builder.mul(builder.load(entry(following), typ=I64), outputs)

            def add(index: ir.Value, lanes: ir.Value | None) -> None:
                emit.prefetch(columns, builder.add(next_row, index), "float32")
                weights = emit.load(columns, builder.add(row, index), "float32", lanes)
                emit.store(emit.load(y, index, "float32", lanes) + value * weights, y, index, "float32", lanes)

            emit.each_vector(outputs, add)
    return emit.finish()
