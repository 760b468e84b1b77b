"""What is known of a tensor: spikes with levels, weights, constants or real numbers, and where time and samples lie.

Kinds are never guessed from values. A neuron's output is spikes because a neuron made it; moving spikes about keeps
them spikes; adding or averaging spikes gives spikes with more levels; comparing gives spikes; everything else is real.

An axis is found by its place in a dimension: index i of dimension `dim` belongs to step (or sample)
`i // inner % size`. Two axes may share a dimension, as in a batch that was flattened to [T * B, C]. It is followed
through views, so that counts can be told apart by step and sample.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

from torch import Tensor

Made = Literal["spike", "real", "weight", "constant"]


class Axis(NamedTuple):
    """One axis inside a dimension.

    Args:
        dim: dimension of the tensor, >= 0.
        size: how many steps or samples.
        inner: how many neighbouring indices belong to the same one.
    """

    dim: int
    size: int
    inner: int = 1


class Axes(NamedTuple):
    """The axes of time and of samples, where they are known."""

    time: Axis | None = None
    sample: Axis | None = None


NOWHERE = Axes()


def reshaped(axes: Axes, old: Sequence[int], new: Sequence[int]) -> Axes:
    """Axes after a reshape, which keeps the order of all elements; one that is torn apart is forgotten."""

    def move(axis: Axis) -> Axis | None:
        stride = axis.inner * math.prod(old[axis.dim + 1 :])
        behind = math.prod(new)
        for dim, length in enumerate(new):
            behind //= max(length, 1)
            if behind <= stride and stride % behind == 0 and stride * axis.size <= behind * length:
                inner = stride // behind
                if length % (inner * axis.size) == 0:
                    return Axis(dim, axis.size, inner)
        return None

    return _each(axes, move)


def permuted(axes: Axes, order: Sequence[int]) -> Axes:
    """Axes after a permutation: dimension d of the result is dimension `order[d]`."""
    places = {old: new for new, old in enumerate(order)}
    return _each(axes, lambda axis: axis._replace(dim=places[axis.dim]))


def without(axes: Axes, dim: int, *, kept: bool = False) -> Axes:
    """Axes after dimension `dim` was reduced away, or to size 1 if `kept`."""

    def move(axis: Axis) -> Axis | None:
        if axis.dim == dim:
            return None
        return axis._replace(dim=axis.dim - (axis.dim > dim and not kept))

    return _each(axes, move)


def inserted(axes: Axes, dim: int) -> Axes:
    """Axes after a new dimension at `dim`."""
    return _each(axes, lambda axis: axis._replace(dim=axis.dim + (axis.dim >= dim)))


def aligned(axes: Axes, old_dims: int, new_dims: int) -> Axes:
    """Axes after broadcasting to more dimensions, which come in front."""
    return _each(axes, lambda axis: axis._replace(dim=axis.dim + new_dims - old_dims))


def fitting(axes: Axes, shape: Sequence[int]) -> Axes:
    """Axes without those for which `shape` has no room: the net under all rules."""

    def check(axis: Axis) -> Axis | None:
        fits = axis.dim < len(shape) and shape[axis.dim] % (axis.inner * axis.size) == 0 and shape[axis.dim] > 0
        return axis if fits else None

    return _each(axes, check)


def _each(axes: Axes, change: Callable[[Axis], Axis | None]) -> Axes:
    return Axes(
        None if axes.time is None else change(axes.time),
        None if axes.sample is None else change(axes.sample),
    )


class Border(NamedTuple):
    """Zeros that were laid around a signal.

    Args:
        axes: where time and samples lie within them.
        inner: dimension, start and length of the signal itself, wherever there are zeros.
    """

    axes: Axes
    inner: tuple[tuple[int, int, int], ...]


class Signal(NamedTuple):
    """What is known of a tensor.

    Args:
        made: spike; weight, a parameter or a view of one; constant, whatever the input does not reach; or real.
        levels: highest code of a spike.
        scale: value of code 1; {0, 0.5} is a binary spike of scale 0.5.
        axes: where time and samples lie.
        raw: no neuron lies between the data and this signal.
        same_each_step: every step holds the same values.
        from_weights: it comes directly from a layer with weights (a norm here can be folded).
        columns: what lies side by side in the last dimension, where spikes were joined to real numbers: width and
            signal of each part, so that a product with weights can charge each for what it is.
        border: zeros around it, until something is done with them: a convolution that comes next has that padding.
        signed: codes run from -levels, not from 0.
    """

    made: Made = "constant"
    levels: int = 1
    scale: float = 1.0
    axes: Axes = NOWHERE
    raw: bool = False
    same_each_step: bool = False
    from_weights: bool = False
    columns: tuple[tuple[int, Any], ...] = ()
    border: Border | None = None
    signed: bool = False

    @property
    def flows(self) -> bool:
        """Whether the input reaches it."""
        return self.made in ("spike", "real")

    def as_real(self) -> Signal:
        """The same place, no longer spikes."""
        return self._replace(made="real", levels=1, scale=1.0) if self.made == "spike" else self


CONSTANT = Signal()
ZEROS = Signal("spike", levels=0)  # nothing at all: fits spikes and real numbers alike
_NAME = "_snnctl_signal"
_MOST_LEVELS = 2**8 - 1


def signal_of(tensor: Tensor) -> Signal:
    """What has been noted on `tensor`."""
    found: Signal = getattr(tensor, _NAME, CONSTANT)
    return found


def note(tensor: Tensor, signal: Signal) -> None:
    """Note what `tensor` is."""
    setattr(tensor, _NAME, signal)


def forget(tensor: Tensor) -> None:
    """Remove the note from a tensor that outlives the count."""
    if hasattr(tensor, _NAME):
        delattr(tensor, _NAME)


def joined(signals: list[Signal]) -> Signal:
    """What comes of laying signals side by side or taking one of them at each place."""
    flowing = [signal for signal in signals if signal.flows and signal.levels]
    if not flowing:
        return signals[0] if signals else CONSTANT
    first = flowing[0]
    same_step = all(signal.same_each_step for signal in flowing)
    raw = any(s.raw for s in flowing)
    common = first._replace(raw=raw, same_each_step=same_step, from_weights=False, border=None)
    spikes = all(s.made == "spike" for s in flowing) and len({s.scale for s in flowing}) == 1
    # A constant beside spikes is a code that was declared real.
    if not spikes or any(s.made in ("weight", "constant") for s in signals):
        return common.as_real()
    return common._replace(levels=max(s.levels for s in flowing), signed=any(s.signed for s in flowing))


def added(a: Signal, b: Signal) -> Signal:
    """What a sum is: spikes of the same scale add up their levels."""
    if not (a.flows or b.flows):
        return CONSTANT
    main = a if a.flows and (not b.flows or a.levels) else b
    common = main._replace(
        raw=any(s.raw for s in (a, b) if s.flows and s.levels),
        same_each_step=all(s.same_each_step or not s.flows for s in (a, b)),
        # A bias may still be folded; a residual may not.
        from_weights=main.from_weights and not (a.flows and b.flows),
    )
    if a.made == b.made == "spike" and (a.scale == b.scale or not a.levels or not b.levels):
        return common._replace(levels=a.levels + b.levels, signed=a.signed or b.signed)
    return common.as_real()


def multiplied(a: Signal, b: Signal, factor: float | None) -> Signal:
    """What a product is: spikes times spikes are spikes, and a factor changes their scale alone.

    Args:
        factor: the other side, if it is one number.
    """
    if not (a.flows or b.flows):
        return CONSTANT
    main = a if a.flows else b
    common = main._replace(
        raw=any(s.raw for s in (a, b) if s.flows),
        same_each_step=all(s.same_each_step or not s.flows for s in (a, b)),
        from_weights=main.from_weights and not (a.flows and b.flows),
    )
    if a.made == b.made == "spike":
        levels, scale = max(a.levels * b.levels, 1), a.scale * b.scale
        return common._replace(levels=levels, scale=scale, signed=a.signed or b.signed)
    if main.made == "spike" and factor is not None and factor > 0:
        return common._replace(scale=main.scale * factor)
    return common.as_real()


def averaged(signal: Signal, count: int) -> Signal:
    """What a mean of `count` neighbours is: their sum, on a scale so much finer, as long as 8 bits hold it."""
    common = signal._replace(columns=(), border=None, from_weights=False)
    levels = signal.levels * count
    if signal.made != "spike" or levels > _MOST_LEVELS:
        return common.as_real()
    return common._replace(levels=levels, scale=signal.scale / count)
