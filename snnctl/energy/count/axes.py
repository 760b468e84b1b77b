"""Where time and samples lie in a tensor, followed through views: so that counts can be told apart by both.

An axis is found by its place in a dimension: index i of dimension `dim` belongs to step (or sample)
`i // inner % size`. Two axes may share a dimension, as in a batch that was flattened to [T * B, C].
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor


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

    def known(self) -> list[Axis]:
        """Those that are known."""
        return [axis for axis in (self.time, self.sample) if axis is not None]


NOWHERE = Axes()
_FEW = 1 << 14


def reshaped(axes: Axes, old: Sequence[int], new: Sequence[int]) -> Axes:
    """Axes after a reshape, which keeps the order of all elements; one that is torn apart is forgotten."""

    def move(axis: Axis | None) -> Axis | None:
        if axis is None:
            return None
        stride = axis.inner * math.prod(old[axis.dim + 1 :])
        behind = math.prod(new)
        for dim, length in enumerate(new):
            behind //= max(length, 1)
            if behind <= stride and stride % behind == 0 and stride * axis.size <= behind * length:
                inner = stride // behind
                if length % (inner * axis.size) == 0:
                    return Axis(dim, axis.size, inner)
        return None

    return Axes(move(axes.time), move(axes.sample))


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


def _each(axes: Axes, change) -> Axes:  # type: ignore[no-untyped-def]
    return Axes(
        None if axes.time is None else change(axes.time),
        None if axes.sample is None else change(axes.sample),
    )


def by_step_and_sample(values: Tensor, axes: Axes) -> Tensor:
    """Sums of `values` by step and sample: [T or 1, B or 1].

    Args:
        values: any shape; `axes` says where its axes lie.
    """
    places = sorted(axes.known(), key=lambda axis: (axis.dim, -axis.inner * axis.size))
    shape: list[int] = []
    kept: list[Axis] = []
    positions: dict[Axis, int] = {}
    for dim, length in enumerate(values.shape):
        left = length
        for axis in (place for place in places if place.dim == dim):
            outer = left // (axis.size * axis.inner)
            shape += [outer, axis.size]
            positions[axis] = len(shape) - 1
            kept.append(axis)
            left = axis.inner
        shape.append(left)
    split = values.reshape(shape)
    summed = [d for d in range(len(shape)) if d not in positions.values()]
    # Sums of so few small whole numbers are exact in float32, and twice as fast.
    exact = values.dtype if values.numel() <= _FEW * math.prod(a.size for a in kept) else torch.float64
    totals = split.sum(dim=summed, dtype=exact) if summed else split
    if axes.time is None and axes.sample is None:
        return totals.reshape(1, 1)
    if axes.time is None:
        return totals.reshape(1, -1)
    if axes.sample is None:
        return totals.reshape(-1, 1)
    return totals if positions[axes.time] < positions[axes.sample] else totals.T
