"""Group normalisation of channels-last maps within a kernel, sample by sample, as LLVM IR.

Sums run over the positions of one sample, in the dtype of the maps around the sample's first position, so that squares
do not cancel; the few numbers per channel and group that come of them are worked out in float64:

    scale = gain * rstd          shift = b - mean * scale          level = scale * y + shift

and backwards, with d the gradient of the level, hat = (y - mean) rstd and n the values of a norm group:

    grad_gain = sum d hat        grad_b = sum d
    grad_y    = rstd (gain d - mean of gain d - hat * mean of gain d hat) = on_d * d + on_y * y + constant
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from llvmlite import ir

from snnctl.neurons.kernels.vector_ir import I64, Emitter

DOUBLE = ir.DoubleType()
# Per channel of the convolution: which norm group it is in, and the norm's own parameters in float64.
NORM = ("norm_group", "norm_gain", "norm_bias")
# Per sample: sums [M], the level's factors [M], moments and sums of each group [K], float64 but for the first four.
FORWARD_SUMS = ("sum_y", "sum_yy", "scale", "shift", "mean", "rstd", "sums_a", "sums_b")
BACKWARD_SUMS = ("sum_d", "sum_dy", "scale", "shift", "mean", "rstd", "sums_a", "sums_b", "on_d", "on_y", "constant")


class SampleNorm:
    """The norm of one sample, for the kernel that is being written.

    Args:
        emit: where it is written.
        outputs: M, channels of the convolution.
        groups: K, norm groups of all circuits; 0 = no norm.
        eps: of the norm.
    """

    def __init__(self, emit: Emitter, *, outputs: int, groups: int, eps: float) -> None:
        self.emit, self.outputs, self.groups, self.eps = emit, outputs, groups, eps
        self.share = I64(outputs // groups) if groups else I64(1)
        self.own = {slot: emit.pointer(slot) for slot in NORM}

    # scalars

    def _load(self, base: Any, index: Any) -> Any:
        address = self.emit.builder.gep(base, [index], source_etype=DOUBLE)
        return self.emit.builder.load(address, typ=DOUBLE)

    def _store(self, value: Any, base: Any, index: Any) -> None:
        self.emit.builder.store(value, self.emit.builder.gep(base, [index], source_etype=DOUBLE))

    def _real(self, base: Any, index: Any) -> Any:
        """A value of a map, as float64."""
        builder, scalar = self.emit.builder, self.emit.scalar
        value = builder.load(builder.gep(base, [index], source_etype=scalar), typ=scalar)
        return value if self.emit.real == "float64" else builder.fpext(value, DOUBLE)

    def _store_real(self, value: Any, base: Any, index: Any) -> None:
        builder, scalar = self.emit.builder, self.emit.scalar
        value = value if self.emit.real == "float64" else builder.fptrunc(value, scalar)
        builder.store(value, builder.gep(base, [index], source_etype=scalar))

    def _group_of(self, channel: Any, sample: Any) -> Any:
        builder = self.emit.builder
        found = builder.load(builder.gep(self.own["norm_group"], [channel], source_etype=I64), typ=I64)
        return builder.add(builder.mul(sample, I64(self.groups)), found)

    def _count(self, *factors: Any) -> Any:
        builder = self.emit.builder
        product = factors[0]
        for factor in factors[1:]:
            product = builder.mul(product, factor)
        return builder.sitofp(product, DOUBLE)

    @contextmanager
    def _each_group(self, sample: Any) -> Iterator[Any]:
        first = self.emit.builder.mul(sample, I64(self.groups))
        with self.emit.loop(first, self.emit.builder.add(first, I64(self.groups))) as group:
            yield group

    @contextmanager
    def _each_channel(self, sample: Any) -> Iterator[tuple[Any, Any]]:
        """The channel, and the place of that channel of this sample."""
        first = self.emit.builder.mul(sample, I64(self.outputs))
        with self.emit.loop(I64(0), I64(self.outputs)) as channel:
            yield channel, self.emit.builder.add(first, channel)

    def _zero(self, base: Any, sample: Any) -> None:
        with self._each_group(sample) as group:
            self._store(DOUBLE(0.0), base, group)

    def _add(self, value: Any, base: Any, index: Any) -> None:
        self._store(self.emit.builder.fadd(self._load(base, index), value), base, index)

    # forward

    def level(self, at: dict[str, Any], y: Any, sample: Any, *, silent: bool) -> None:
        """Write scale and shift of a sample's channels, mean and rstd of its groups, to the pointers `FORWARD_SUMS`.

        A `silent` y, the convolution's output, is zero throughout and not read.
        """
        builder = self.emit.builder
        if not self.groups:
            with self._each_channel(sample) as (channel, place):
                self._store_real(DOUBLE(1.0), at["scale"], place)
                self._store_real(self._load(self.own["norm_bias"], channel), at["shift"], place)
            return
        if silent:
            with self._each_group(sample) as group:
                self._store(DOUBLE(0.0), at["mean"], group)
                self._store(DOUBLE(self.eps**-0.5), at["rstd"], group)
        else:
            self._moments(at, y, sample)
        with self._each_channel(sample) as (channel, place):
            group = self._group_of(channel, sample)
            scale = builder.fmul(self._load(at["rstd"], group), self._load(self.own["norm_gain"], channel))
            self._store_real(scale, at["scale"], place)
            moved = builder.fmul(self._load(at["mean"], group), scale)
            self._store_real(builder.fsub(self._load(self.own["norm_bias"], channel), moved), at["shift"], place)

    def _moments(self, at: dict[str, Any], y: Any, sample: Any) -> None:
        emit, builder = self.emit, self.emit.builder
        positions = emit.number("positions")
        base = builder.mul(builder.mul(sample, positions), I64(self.outputs))
        self._sum(at, y, sample, base)
        many, members = self._count(positions), self._count(self.share)
        self._zero(at["sums_a"], sample)
        self._zero(at["sums_b"], sample)

        def own_mean(channel: Any, place: Any) -> tuple[Any, Any]:
            around = builder.fdiv(self._real(at["sum_y"], place), many)
            return around, builder.fadd(around, self._real(y, builder.add(base, channel)))

        with self._each_channel(sample) as (channel, place):
            self._add(own_mean(channel, place)[1], at["sums_a"], self._group_of(channel, sample))
        with self._each_group(sample) as group:
            self._store(builder.fdiv(self._load(at["sums_a"], group), members), at["mean"], group)
        with self._each_channel(sample) as (channel, place):
            group = self._group_of(channel, sample)
            around, mean = own_mean(channel, place)
            spread = builder.fsub(builder.fdiv(self._real(at["sum_yy"], place), many), builder.fmul(around, around))
            off = builder.fsub(mean, self._load(at["mean"], group))
            self._add(builder.fadd(spread, builder.fmul(off, off)), at["sums_b"], group)
        root = emit.module.declare_intrinsic("llvm.sqrt", [DOUBLE])
        with self._each_group(sample) as group:
            variance = builder.fdiv(self._load(at["sums_b"], group), members)
            variance = builder.select(builder.fcmp_ordered("<", variance, DOUBLE(0.0)), DOUBLE(0.0), variance)
            deviation = builder.call(root, [builder.fadd(variance, DOUBLE(self.eps))])
            self._store(builder.fdiv(DOUBLE(1.0), deviation), at["rstd"], group)

    def _sum(self, at: dict[str, Any], y: Any, sample: Any, base: Any) -> None:
        """Sums of y - y at the first position and of its square."""
        emit, builder, real = self.emit, self.emit.builder, self.emit.real
        place = builder.mul(sample, I64(self.outputs))
        self.clear(at, ("sum_y", "sum_yy"), sample)
        with emit.loop(I64(0), emit.number("positions")) as position:
            row = builder.add(base, builder.mul(position, I64(self.outputs)))
            with emit.loop(I64(0), I64(self.outputs), emit.lanes) as channel:
                index = builder.add(place, channel)
                value = emit.load(y, builder.add(row, channel), real) - emit.load(y, builder.add(base, channel), real)
                emit.store(emit.load(at["sum_y"], index, real) + value, at["sum_y"], index, real)
                emit.store(emit.load(at["sum_yy"], index, real) + value * value, at["sum_yy"], index, real)

    def clear(self, at: dict[str, Any], slots: tuple[str, ...], sample: Any) -> None:
        """Set a sample's sums per channel to zero."""
        emit, builder = self.emit, self.emit.builder
        place = builder.mul(sample, I64(self.outputs))
        with emit.loop(I64(0), I64(self.outputs), emit.lanes) as channel:
            for slot in slots:
                emit.store(emit.vec(0.0), at[slot], builder.add(place, channel), emit.real)

    # backward

    def back(self, at: dict[str, Any], y: Any, d: Any, sample: Any, *, silent: bool) -> None:
        """From the sums of d and of d (y - origin): gradients of gain and bias are added, d becomes that of y.

        Args:
            at: pointers, `BACKWARD_SUMS` and "grad_gain", "grad_bias": float64 [N, M], which grow over the steps.
            silent: whether y is zero throughout and not read; d then stays as it is.
        """
        builder = self.emit.builder
        with self._each_channel(sample) as (_, place):
            self._add(self._real(at["sum_d"], place), at["grad_bias"], place)
        if not self.groups or silent:
            return
        positions = self.emit.number("positions")
        base = builder.mul(builder.mul(sample, positions), I64(self.outputs))
        self._zero(at["sums_a"], sample)
        self._zero(at["sums_b"], sample)
        with self._each_channel(sample) as (channel, place):
            group = self._group_of(channel, sample)
            gain, total = self._load(self.own["norm_gain"], channel), self._real(at["sum_d"], place)
            off = builder.fsub(self._real(y, builder.add(base, channel)), self._load(at["mean"], group))
            hat = builder.fadd(self._real(at["sum_dy"], place), builder.fmul(off, total))
            hat = builder.fmul(hat, self._load(at["rstd"], group))
            self._add(hat, at["grad_gain"], place)
            self._add(builder.fmul(gain, total), at["sums_a"], group)
            self._add(builder.fmul(gain, hat), at["sums_b"], group)
        values = self._count(self.share, positions)
        with self._each_channel(sample) as (channel, place):
            group = self._group_of(channel, sample)
            rstd, mean = self._load(at["rstd"], group), self._load(at["mean"], group)
            a, b = (builder.fdiv(self._load(at[slot], group), values) for slot in ("sums_a", "sums_b"))
            on_y = builder.fneg(builder.fmul(builder.fmul(rstd, rstd), b))
            constant = builder.fneg(builder.fadd(builder.fmul(rstd, a), builder.fmul(on_y, mean)))
            self._store_real(builder.fmul(rstd, self._load(self.own["norm_gain"], channel)), at["on_d"], place)
            self._store_real(on_y, at["on_y"], place)
            self._store_real(constant, at["constant"], place)
        self._mix(at, y, d, sample, base)

    def _mix(self, at: dict[str, Any], y: Any, d: Any, sample: Any, base: Any) -> None:
        emit, builder, real = self.emit, self.emit.builder, self.emit.real
        place = builder.mul(sample, I64(self.outputs))
        with emit.loop(I64(0), emit.number("positions")) as position:
            row = builder.add(base, builder.mul(position, I64(self.outputs)))
            with emit.loop(I64(0), I64(self.outputs), emit.lanes) as channel:
                index, factor = builder.add(row, channel), builder.add(place, channel)
                mixed = emit.load(d, index, real) * emit.load(at["on_d"], factor, real)
                mixed = mixed + emit.load(y, index, real) * emit.load(at["on_y"], factor, real)
                emit.store(mixed + emit.load(at["constant"], factor, real), d, index, real)
