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
from snnctl.neurons.kernels.vector_ir import I16, I64, Emitter, Vec

# Smaller layers are done before the dense product's own overhead is paid back.
_WORTH_EVENTS = 1 << 15
# Beyond this share of inputs the dense product is faster.
_MOST_EVENTS = 0.3

_SLOTS = ("events_left", "x", "inputs", "outputs", "columns", "bias", "y")
_SLOT_ARRAY = ctypes.c_int64 * len(_SLOTS)


class _Columns(NamedTuple):
    """The weights column by column, and what they were made from."""

    owner: weakref.ref[Tensor]
    version: int
    address: int
    columns: int
    tensor: Tensor


_kept: dict[int, _Columns] = {}


def pays(x: Tensor, weight: Tensor) -> bool:
    """Whether `linear` should do this product: one row, a layer large enough, whole vectors of inputs."""
    outputs, inputs = weight.shape
    return x.numel() == inputs and inputs * outputs >= _WORTH_EVENTS and inputs % 16 == 0


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
    array = _SLOT_ARRAY(most, x.data_ptr(), inputs, outputs, _columns_of(weight), start, y.data_ptr())
    _kernel(bias is not None)(array, 1)
    return y if array[0] >= 0 else torch.nn.functional.linear(x, weight, bias)


def _columns_of(weight: Tensor) -> int:
    """Address of the transposed weights, made anew if they have changed."""
    key, version, address = id(weight), weight._version, weight.data_ptr()
    kept = _kept.get(key)
    if kept is not None and kept.version == version and kept.address == address and kept.owner() is weight:
        return kept.columns
    columns = weight.detach().t().contiguous()
    owner = weakref.ref(weight, lambda gone: _forget(key, gone))
    _kept[key] = _Columns(owner, version, address, columns.data_ptr(), columns)
    return columns.data_ptr()


def _forget(key: int, owner: weakref.ref[Tensor]) -> None:
    kept = _kept.get(key)
    if kept is not None and kept.owner is owner:
        del _kept[key]


@cache
def _kernel(has_bias: bool) -> Compiled:
    name = "event_linear_bias" if has_bias else "event_linear"
    return Compiled(name, _event_ir(has_bias, name))


def _event_ir(has_bias: bool, name: str) -> str:
    """Take the events off `events_left`; unless that falls below 0: y = bias, then y += input * its column."""
    emit = Emitter(name, _SLOTS, "float32")
    builder = emit.builder
    x, columns, bias, y = (emit.pointer(slot) for slot in ("x", "columns", "bias", "y"))
    inputs, outputs = emit.number("inputs"), emit.number("outputs")
    mask = builder.alloca(I16)  # which lanes of a vector are still to do

    def events(first: ir.Value) -> ir.Value:
        values = emit.load(x, first, "float32")
        fired = builder.fcmp_unordered("une", values.value, emit.vec(0.0).value)  # a NaN counts, as it should
        return builder.bitcast(fired, I16)

    with emit.loop(I64(0), inputs, emit.lanes) as first:
        left = builder.sub(emit.number("events_left"), builder.zext(builder.ctpop(events(first)), I64))
        builder.store(left, emit.slot("events_left"))

    def begin(index: ir.Value, lanes: ir.Value | None) -> None:
        start = emit.load(bias, index, "float32", lanes) if has_bias else emit.vec(0.0)
        emit.store(start, y, index, "float32", lanes)

    with builder.if_then(builder.icmp_signed(">=", emit.number("events_left"), I64(0))):
        emit.each_vector(outputs, begin)
        with emit.loop(I64(0), inputs, emit.lanes) as first:
            found = events(first)
            builder.store(found, mask)
            with emit.loop(I64(0), builder.zext(builder.ctpop(found), I64)):
                now = builder.load(mask, typ=I16)
                lane = builder.zext(builder.cttz(now, ir.IntType(1)(1)), I64)
                builder.store(builder.and_(now, builder.sub(now, I16(1))), mask)
                number = builder.add(first, lane)
                address = builder.gep(x, [number], source_etype=emit.scalar)
                value = emit.spread(builder.load(address, typ=emit.scalar))
                row = builder.mul(number, outputs)

                def add(index: ir.Value, lanes: ir.Value | None, value: Vec = value, row: ir.Value = row) -> None:
                    weights = emit.load(columns, builder.add(row, index), "float32", lanes)
                    emit.store(emit.load(y, index, "float32", lanes) + value * weights, y, index, "float32", lanes)

                emit.each_vector(outputs, add)
    return emit.finish()
