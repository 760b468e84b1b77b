"""What becomes of a signal in an operation: in views, copies, joins, sums, scalings, comparisons."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from snnctl.energy.count import operations as ops
from snnctl.energy.count.signals import (
    CONSTANT,
    NOWHERE,
    ZEROS,
    Axes,
    Axis,
    Border,
    Signal,
    aligned,
    fitting,
    inserted,
    permuted,
    reshaped,
    signal_of,
    without,
)

_MOST_LEVELS = 2**8 - 1


def moved(name: str, args: Sequence[Any], out: Any, steps: int) -> Signal | None:
    """The signal of the result(s) of an operation that only moves data, or None if `name` is none of those.

    Laying `steps` copies or tensors along a new leading dimension makes an axis of time.
    """
    if name in ops.ZERO_MAKERS:
        return ZEROS
    if name in ops.MAKERS:
        return CONSTANT
    if name in ("cat", "stack", "concat"):
        return _joined(name, args, out, steps)
    first = args[0] if args and isinstance(args[0], Tensor) else None
    if first is None:
        return None
    signal, shape = signal_of(first), list(first.shape)
    made = out[0] if isinstance(out, (tuple, list)) and out else out
    new = list(made.shape) if isinstance(made, Tensor) else []
    axes = _moved_axes(name, args, signal.axes, shape, new)
    if axes is None:
        return None
    keeps_columns = name in ops.RESHAPES | ops.SAME_SHAPE | {"expand", "unsqueeze"} and new[-1:] == shape[-1:]
    found = signal._replace(
        axes=fitting(axes, new),
        columns=signal.columns if keeps_columns else (),
        border=_border(name, args, signal, shape),
    )
    if name == "expand" and signal.flows and found.axes.time is None and new[:1] == [steps]:
        grown = len(new) == len(shape) + 1 or (len(new) == len(shape) and shape[0] == 1 and steps > 1)
        if grown and (found.axes.sample is None or found.axes.sample.dim > 0):
            return found._replace(axes=found.axes._replace(time=Axis(0, steps)), same_each_step=True)
    if name in ("index_put", "index_put_", "scatter", "masked_fill", "masked_fill_", "copy_"):
        return joined([signal_of(a) for a in args if isinstance(a, Tensor) and a.is_floating_point()] or [found])
    return found


def _moved_axes(name: str, args: Sequence[Any], axes: Axes, old: list[int], new: list[int]) -> Axes | None:
    """Axes after the movement `name`, or None if it is no movement."""
    dims = len(old)
    if name in ops.RESHAPES or name in ("squeeze", "unsqueeze", "squeeze_", "unsqueeze_", "pixel_shuffle"):
        if name.startswith("unsqueeze"):
            return inserted(axes, args[1] % (dims + 1))
        return reshaped(axes, old, new)
    if name in ops.SAME_SHAPE or name == "copy_":
        return axes
    order = _order(name, args, dims)
    if order is not None:
        return permuted(axes, order)
    if name in ("expand", "broadcast_to", "repeat", "expand_as"):
        return aligned(axes, dims, len(new))
    if name in ("select", "unbind"):
        return without(axes, (args[1] if len(args) > 1 else 0) % dims)
    if name in ("slice", "narrow", "split", "split_with_sizes", "chunk"):
        place = 1 if name in ("slice", "narrow") else 2
        dim = args[place] % dims if len(args) > place else 0
        return axes if not new or new[dim] == old[dim] else without(axes, dim, kept=True)
    if name in ops.PICKS:
        if name == "unfold":
            dim = args[1] % dims
            return without(axes, dim, kept=True) if new[dim] != old[dim] else axes
        for dim, (before, now) in enumerate(zip(old, new, strict=False)):
            axes = axes if before == now else without(axes, dim, kept=True)
        return axes if len(new) == dims else NOWHERE
    return None


def _order(name: str, args: Sequence[Any], dims: int) -> list[int] | None:
    """Which dimension each one of the result was, if `name` permutes them."""
    if name == "permute":
        return [d % dims for d in args[1]]
    if name in ("transpose", "swapaxes", "t", "numpy_T", "transpose_"):
        a, b = (args[1] % dims, args[2] % dims) if name.startswith(("transpose", "swap")) else (0, max(dims - 1, 0))
        order = list(range(dims))
        order[a], order[b] = order[b], order[a]
        return order
    return None


def _border(name: str, args: Sequence[Any], signal: Signal, old: list[int]) -> Border | None:
    """The border of zeros that `name` lays around a signal, or moves with it."""
    if name == "constant_pad_nd" and signal.border is None:
        last, value = len(old) - 1, args[2] if len(args) > 2 else 0
        sides = [(last - n, *args[1][2 * n : 2 * n + 2]) for n in range(len(args[1]) // 2)]
        inner = tuple((dim, before, old[dim]) for dim, before, after in sides if before or after)
        if inner and value == 0 and min(args[1]) >= 0:
            return Border(signal.axes, inner)
    order = _order(name, args, len(old))
    if order is None or signal.border is None:
        return None
    places = {before: now for now, before in enumerate(order)}
    moved = tuple((places[dim], start, length) for dim, start, length in signal.border.inner)
    return Border(permuted(signal.border.axes, order), moved)


def _joined(name: str, args: Sequence[Any], out: Tensor, steps: int) -> Signal:
    parts: list[Tensor] = list(args[0])
    dim = (args[1] if len(args) > 1 else 0) % out.dim()
    signals = [signal_of(part) for part in parts]
    found = joined(signals)
    axes = found.axes
    if name == "stack":
        axes = inserted(axes, dim)
        if axes.time is None and dim == 0 and len(parts) == steps and found.flows:
            axes = axes._replace(time=Axis(0, steps))
    else:
        axes = without(axes, dim, kept=True) if any(p.shape[dim] != out.shape[dim] for p in parts) else axes
        if dim == out.dim() - 1 and found.made == "real" and any(s.made == "spike" for s in signals):
            found = found._replace(columns=tuple((p.shape[dim], s) for p, s in zip(parts, signals, strict=True)))
    return found._replace(axes=fitting(axes, out.shape))


def computed(name: str, args: Sequence[Any], kwargs: dict[str, Any], out: Tensor) -> Signal:
    """The signal of the result of elementwise work or a reduction."""
    tensors = [a for a in args if isinstance(a, Tensor)]
    signals = [signal_of(t) for t in tensors]
    flowing = [s for s in signals if s.flows]
    if name in ops.ADDS and kwargs.get("alpha", 1) == 1 and name.startswith("add"):
        found = added(signal_of(args[0]), signal_of(args[1]))
    elif name == "rsub" and _is_complement(args):
        found = signal_of(args[0])
    elif name in ops.MULS:
        found = multiplied(signal_of(args[0]), signal_of(args[1]), _number(args))
    elif name in ops.JOINS:
        found = joined(signals[-2:])
    else:
        some = [s for s in flowing if s.levels]
        found = (some or flowing or [CONSTANT])[0]
        found = found._replace(
            raw=any(s.raw for s in flowing),
            same_each_step=found.same_each_step and all(s.same_each_step for s in some),
            from_weights=False,
        )
        if name in ops.COMPARISONS and found.flows:
            found = found._replace(made="spike", levels=1, scale=1.0)
        elif name not in ops.KEEPS_SPIKES or "abs" in name:
            found = found.as_real()
    if name in ops.REDUCTIONS:
        axes = fitting(_reduced(found.axes, args, kwargs, tensors[0].dim()), out.shape)
    else:
        axes = NOWHERE
        for tensor, signal in zip(tensors, signals, strict=True):
            here = fitting(aligned(signal.axes, tensor.dim(), out.dim()), out.shape)
            axes = Axes(axes.time or here.time, axes.sample or here.sample)
    return found._replace(axes=axes, columns=(), border=None)


def _is_complement(args: Sequence[Any]) -> bool:
    """1 - s of binary spikes s is spikes again: those that did not come."""
    signal, one = signal_of(args[0]), args[1]
    return signal.made == "spike" and signal.levels == 1 and isinstance(one, (int, float)) and one == signal.scale


def _number(args: Sequence[Any]) -> float | None:
    """The other side of a product, if it is one number."""
    for side in args[:2]:
        if isinstance(side, (int, float)):
            return float(side)
        if isinstance(side, Tensor) and side.numel() == 1 and not signal_of(side).flows and not side.is_meta:
            return float(side)
    return None


def _reduced(axes: Axes, args: Sequence[Any], kwargs: dict[str, Any], dims: int) -> Axes:
    given = args[1] if len(args) > 1 else kwargs.get("dim")
    keep = bool(args[2]) if len(args) > 2 and isinstance(args[2], bool) else bool(kwargs.get("keepdim", False))
    if given is None or given == []:
        return NOWHERE
    for dim in sorted((d % dims for d in ([given] if isinstance(given, int) else given)), reverse=True):
        axes = without(axes, dim, kept=keep)
    return axes


def joined(signals: list[Signal]) -> Signal:
    """What comes of laying signals side by side or taking one of them at each place."""
    flowing = [signal for signal in signals if signal.flows and signal.levels]
    if not flowing:
        return signals[0] if signals else CONSTANT
    raw, same_step = any(s.raw for s in flowing), all(s.same_each_step for s in flowing)
    common = flowing[0]._replace(raw=raw, same_each_step=same_step, from_weights=False, border=None)
    spikes = all(s.made == "spike" for s in flowing) and len({s.scale for s in flowing}) == 1
    # A constant beside spikes is a code that was declared real.
    if not spikes or any(s.made in ("weight", "constant") for s in signals):
        return common.as_real()
    return common._replace(levels=max(s.levels for s in flowing), signed=any(s.signed for s in flowing))


def added(a: Signal, b: Signal) -> Signal:
    """What a sum is: spikes of the same scale add up their levels."""
    common = _of_two(a if a.flows and (not b.flows or a.levels) else b, a, b)
    if a.made == b.made == "spike" and (a.scale == b.scale or not a.levels or not b.levels):
        return common._replace(levels=a.levels + b.levels, signed=a.signed or b.signed)
    return common.as_real()


def multiplied(a: Signal, b: Signal, factor: float | None) -> Signal:
    """What a product is: spikes times spikes are spikes, and a `factor`, one number, changes their scale alone."""
    main = a if a.flows else b
    common = _of_two(main, a, b)
    if a.made == b.made == "spike":
        levels, scale = max(a.levels * b.levels, 1), a.scale * b.scale
        return common._replace(levels=levels, scale=scale, signed=a.signed or b.signed)
    if main.made == "spike" and factor is not None and factor > 0:
        return common._replace(scale=main.scale * factor)
    return common.as_real()


def _of_two(main: Signal, a: Signal, b: Signal) -> Signal:
    """`main`, one of both, with what it takes over from the other."""
    if not main.flows:
        return CONSTANT
    return main._replace(
        raw=any(s.raw for s in (a, b) if s.flows),
        same_each_step=all(s.same_each_step or not s.flows for s in (a, b)),
        # A bias may still be folded; a residual may not.
        from_weights=main.from_weights and not (a.flows and b.flows),
    )


def averaged(signal: Signal, count: int) -> Signal:
    """What a mean of `count` neighbours is: their sum, on a scale so much finer, as long as 8 bits hold it."""
    common = signal._replace(columns=(), border=None, from_weights=False)
    levels = signal.levels * count
    if signal.made != "spike" or levels > _MOST_LEVELS:
        return common.as_real()
    return common._replace(levels=levels, scale=signal.scale / count)
