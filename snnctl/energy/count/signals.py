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
    """One axis inside a dimension."""

    dim: int  # dimension of the tensor, >= 0
    size: int  # how many steps or samples
    inner: int = 1  # how many neighbouring indices belong to the same one


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

    return each_axis(axes, move)


def permuted(axes: Axes, order: Sequence[int]) -> Axes:
    """Axes after a permutation: dimension d of the result is dimension `order[d]`."""
    places = {old: new for new, old in enumerate(order)}
    return each_axis(axes, lambda axis: axis._replace(dim=places[axis.dim]))


def without(axes: Axes, dim: int, *, kept: bool = False) -> Axes:
    """Axes after dimension `dim` was reduced away, or to size 1 if `kept`."""

    def move(axis: Axis) -> Axis | None:
        if axis.dim == dim:
            return None
        return axis._replace(dim=axis.dim - (axis.dim > dim and not kept))

    return each_axis(axes, move)


def inserted(axes: Axes, dim: int) -> Axes:
    """Axes after a new dimension at `dim`."""
    return each_axis(axes, lambda axis: axis._replace(dim=axis.dim + (axis.dim >= dim)))


def aligned(axes: Axes, old_dims: int, new_dims: int) -> Axes:
    """Axes after broadcasting to more dimensions, which come in front."""
    return each_axis(axes, lambda axis: axis._replace(dim=axis.dim + new_dims - old_dims))


def fitting(axes: Axes, shape: Sequence[int]) -> Axes:
    """Axes without those for which `shape` has no room: the net under all rules."""

    def check(axis: Axis) -> Axis | None:
        fits = axis.dim < len(shape) and shape[axis.dim] % (axis.inner * axis.size) == 0 and shape[axis.dim] > 0
        return axis if fits else None

    return each_axis(axes, check)


def each_axis(axes: Axes, change: Callable[[Axis], Axis | None]) -> Axes:
    """Those axes that are known, changed; None forgets one."""
    return Axes(*(None if axis is None else change(axis) for axis in axes))


class Border(NamedTuple):
    """Zeros that were laid around a signal."""

    axes: Axes  # where time and samples lie within them
    # dimension, start and length of the signal itself, wherever there are zeros
    inner: tuple[tuple[int, int, int], ...]


class Signal(NamedTuple):
    """What is known of a tensor."""

    # spike; weight, a parameter or a view of one; constant, whatever the input does not reach; or real
    made: Made = "constant"
    levels: int = 1  # highest code of a spike
    scale: float = 1.0  # value of code 1; {0, 0.5} is a binary spike of scale 0.5
    axes: Axes = NOWHERE  # where time and samples lie
    raw: bool = False  # no neuron lies between the data and this signal
    same_each_step: bool = False  # every step holds the same values
    from_weights: bool = False  # it comes directly from a layer with weights (a norm here can be folded)
    # what lies side by side in the last dimension, where spikes were joined to real numbers: width and signal of each
    # part, so that a product with weights can charge each for what it is
    columns: tuple[tuple[int, Any], ...] = ()
    # zeros around it, until something is done with them: a convolution that comes next has that padding
    border: Border | None = None
    signed: bool = False  # codes run from -levels, not from 0

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


def signal_of(value: Any) -> Signal:
    """What has been noted on a tensor; anything else is a constant."""
    return getattr(value, _NAME, CONSTANT)


def note(tensor: Tensor, signal: Signal) -> None:
    setattr(tensor, _NAME, signal)


def forget(tensor: Tensor) -> None:
    """Remove the note from a tensor that outlives the count."""
    if hasattr(tensor, _NAME):
        delattr(tensor, _NAME)
