"""Rows of the count for products: layers with weights, and products of two signals."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor

from snnctl.energy.count.counts import Elementwise, Geometry, Kind, bits_of
from snnctl.energy.count.ledger import Driven, Ledger, Tally
from snnctl.energy.count.products import convolution, convolution_fan, matmul, weight_fan
from snnctl.energy.count.signals import Axes, Axis, Signal, aligned, each_axis, fitting, note, signal_of, without


class _Operands(NamedTuple):
    """a [*, m, k] @ b [*, k, n] of one operation, b with two dimensions at least."""

    a: Tensor
    b: Tensor
    mine: Signal
    theirs: Signal


def product(ledger: Ledger, name: str, args: Any, out: Tensor) -> Signal:
    """Enter a matrix product; the signal of its result."""
    bias = args[0] if name in ("addmm", "baddbmm", "addmv", "addbmm") else None
    a, b = (args[1], args[2]) if bias is not None else (args[0], args[1])
    if name == "linear":
        weight = b
        b, bias = weight.t(), args[2] if len(args) > 2 else None
        note(b, signal_of(weight))
    both = _Operands(a, b if b.dim() > 1 else b.unsqueeze(-1), signal_of(a), signal_of(b))
    op = name.removeprefix("add")
    if both.mine.columns and both.theirs.made == "weight":
        start = 0
        for width, part in both.mine.columns:
            # A real code beside a signal is multiplied like the signal.
            signal = (part if part.flows else both.mine)._replace(axes=both.mine.axes, columns=())
            piece = _Operands(a[..., start : start + width], b[start : start + width], signal, both.theirs)
            _one_product(ledger, op, piece, out, bias is not None and start == 0)
            start += width
    else:
        _one_product(ledger, op, both, out, bias is not None)
    mine, theirs = both.mine, both.theirs
    flowing = [s for s in (mine, theirs) if s.flows]
    return Signal(
        "real",
        axes=_axes_of_result(both, out),
        raw=any(s.raw for s in flowing),
        same_each_step=all(s.same_each_step for s in flowing),
        from_weights=len(flowing) == 1,
    )


def _one_product(ledger: Ledger, op: str, both: _Operands, out: Tensor, bias: bool) -> None:
    a, b, mine, theirs = both
    ledger.verify(a, mine, ledger.layer)
    ledger.verify(b, theirs, ledger.layer)
    # Spikes drive a product, else whatever flows; a driver on the right is counted from the transposed product.
    flipped = (theirs.made == "spike" and mine.made != "spike") or not mine.flows
    if flipped:
        columns = a.unsqueeze(0).mT if a.dim() == 1 else a.mT
        found = matmul(b.mT, columns, theirs, mine)
        driver, rows = theirs, _swapped(theirs.axes, b.dim())
    else:
        fan = None
        if theirs.made == "weight":
            key = (b.data_ptr(), b.shape, b.stride())
            fan, _ = ledger.fan(key, lambda: (weight_fan(b), 0.0))
        found = matmul(a, b, mine, theirs, fan)
        driver, rows = mine, mine.axes
    source: Driven = "spike" if "spike" in (mine.made, theirs.made) else "real"
    if not (driver.levels and (theirs.levels or not theirs.flows)):
        source = "zeros"  # a state at rest: nothing yet says what will come
    kind: Kind = "product" if mine.flows and theirs.flows else "synapse"
    tally = ledger.tally((ledger.layer, op, kind, source))
    if mine.made == theirs.made == "spike":
        bits = bits_of(mine.levels) * bits_of(theirs.levels)
    else:
        bits = bits_of(driver.levels) if driver.made == "spike" else 1
    tally.product(found, fitting(rows, found.events.shape), bits)
    outside = driver._replace(axes=_axes_of_result(both, out))
    if kind == "synapse":
        _synapse(ledger, tally, *((b, a) if flipped else (a, b)), out, outside, bias)
    tally.stamp(outside, raw=any(s.raw for s in (mine, theirs) if s.flows))
    if bias:
        tally.operations(Elementwise(adds=float(out.numel())))


def _axes_of_result(both: _Operands, out: Tensor) -> Axes:
    """Rows come from the left side, columns from the right."""
    left = fitting(without(both.mine.axes, both.a.dim() - 1, kept=True), out.shape)
    if left.sample is not None or both.theirs.axes.sample is None:
        return left
    return fitting(aligned(both.theirs.axes, both.b.dim(), out.dim()), out.shape)


def _swapped(axes: Axes, dims: int) -> Axes:
    """Axes of a transposed right side, without its last dimension: its columns become rows."""

    def move(axis: Axis) -> Axis | None:
        if axis.dim == dims - 2:
            return None
        return axis._replace(dim=dims - 2) if axis.dim == dims - 1 else axis

    return each_axis(axes, move)


def convolve(ledger: Ledger, args: Any, out: Tensor) -> Signal:
    """Enter a convolution; the signal of its result."""
    padded, weight, bias, stride, padding, dilation, transposed, _, groups = args[:9]
    x, signal, inner = _without_border(padded, signal_of(padded), transposed)
    sparse = bool(ledger.stack) and getattr(ledger.modules[ledger.stack[-1]], "sparse_kernel", False)
    ledger.verify(x, signal, ledger.layer)
    # The layer belongs to the key: a kernel that is made anew may lie where another's was.
    key = (ledger.layer, weight.data_ptr(), weight.shape, padded.shape[1:])
    key = (*key, *map(tuple, (stride, padding, dilation)), groups, inner)
    geometry = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups, "transposed": transposed}
    fan, inside = ledger.fan(
        key, lambda: convolution_fan(padded.shape, weight, out.shape, **geometry, inner=inner, sparse=sparse)
    )
    weights = int((weight != 0).sum()) if sparse else weight.numel()
    # Taps of one output element, or, transposed, outputs of one input element.
    dense = float((x if transposed else out)[0].numel() * weights / len(weight))
    time = signal.axes.time
    # Time is told apart where images lie along it, or where the convolution runs along it.
    along = time.dim if time is not None and time.dim >= 2 and time.inner == 1 else None
    found = convolution(x, signal, fan, dense=dense, inside=inside, keep=along)
    images = Axes(*(axis if axis is not None and axis.dim == 0 else None for axis in (time, signal.axes.sample)))
    source: Driven = "spike" if signal.made == "spike" else "real"
    op = f"conv{'_transpose' if transposed else ''}{weight.dim() - 2}d"
    tally = ledger.tally((ledger.layer, op, "synapse", source))
    places = images if along is None or time is None else images._replace(time=time._replace(dim=1))
    tally.product(found, fitting(places, found.events.shape), bits_of(signal.levels) if source == "spike" else 1)
    _synapse(ledger, tally, x, weight, out, signal, bias is not None)
    assert tally.geometry is not None
    tally.geometry = replace(
        tally.geometry,
        form="fc" if sparse else "conv",
        weights=weights,
        kernel=1 if sparse else int(np.prod(weight.shape[2:])),
        kernel_side=1 if sparse else max(weight.shape[2:]),
        stride=min(stride),
        groups=groups,
        in_channels=x.shape[1],
        out_channels=out.shape[1],
        bias=0 if bias is None else out.shape[1],
    )
    tally.stamp(signal)
    if bias is not None:
        tally.operations(Elementwise(adds=float(out.numel())))
    axes = fitting(images, out.shape)
    if along is not None and time is not None and out.shape[along] == time.size:
        axes = axes._replace(time=time)
    return Signal("real", axes=axes, raw=signal.raw, same_each_step=signal.same_each_step, from_weights=True)


def _without_border(
    x: Tensor, signal: Signal, transposed: bool
) -> tuple[Tensor, Signal, tuple[tuple[int, int, int], ...]]:
    """The input without zeros that were laid around it before the convolution, its signal, and where it lay."""
    border = signal.border
    if border is None or transposed or any(dim == 0 for dim, _, _ in border.inner):
        return x, signal, ()
    for dim, start, length in border.inner:
        x = x.narrow(dim, start, length)
    return x, signal._replace(axes=border.axes, border=None), border.inner


def _synapse(ledger: Ledger, tally: Tally, x: Tensor, weight: Tensor, out: Tensor, place: Signal, bias: bool) -> None:
    """Sizes per step and sample, and a seat among those who wait for their neurons."""
    ledger.waiting.append(tally)
    if tally.geometry is not None:
        return
    parts = ledger.samples * (ledger.steps if place.axes.time is not None else 1)
    tally.geometry = Geometry(
        "fc",
        inputs=max(1, x.numel() // parts),
        outputs=max(1, out.numel() // parts),
        weights=weight.numel(),
        bias=out.shape[-1] if bias else 0,
        in_channels=x.shape[-1],
        out_channels=out.shape[-1],
        levels_in=place.levels if place.made == "spike" else 1,
    )
