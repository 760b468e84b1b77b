"""Vectors of machine floats as Python values: arithmetic on them writes LLVM IR.

Kernels read like the equations they compute; nothing here knows of neurons. A `Vec` is one vector register's
worth of neurons (64 bytes), wider than some machines have: LLVM splits it there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partialmethod
from typing import Any, Literal

from llvmlite import ir
from llvmlite.binding import llvm_version_info

from snnctl.neurons.kernels import jit

Real = Literal["float32", "float64"]
Stored = Literal["float32", "float64", "bfloat16", "uint8"]

VECTOR_BYTES = 64
I8, I16, I32, I64 = (ir.IntType(bits) for bits in (8, 16, 32, 64))
PTR = ir.PointerType()
# What is kept in memory -> its type, its bytes, and what LLVM calls it in the names of intrinsics.
_STORED: dict[Stored, tuple[Any, int, str]] = {
    "float32": (ir.FloatType(), 4, "f32"),
    "float64": (ir.DoubleType(), 8, "f64"),
    "bfloat16": (I16, 2, "i16"),
    "uint8": (I8, 1, "i8"),
}


class Vec:
    """A vector of floats (or, from a comparison, of truth values) in the function being written."""

    def __init__(self, emit: Emitter, value: Any) -> None:
        self.emit, self.value = emit, value

    def _with(self, operation: str, other: Vec | float) -> Vec:
        return Vec(self.emit, getattr(self.emit.builder, operation)(self.value, self.emit.vec(other).value))

    def _behind(self, operation: str, other: float) -> Vec:
        return self.emit.vec(other)._with(operation, self)

    def _compare(self, sign: str, other: Vec | float) -> Vec:
        return Vec(self.emit, self.emit.builder.fcmp_ordered(sign, self.value, self.emit.vec(other).value))

    __add__, __radd__ = partialmethod(_with, "fadd"), partialmethod(_behind, "fadd")
    __sub__, __rsub__ = partialmethod(_with, "fsub"), partialmethod(_behind, "fsub")
    __mul__, __rmul__ = partialmethod(_with, "fmul"), partialmethod(_behind, "fmul")
    __truediv__, __rtruediv__ = partialmethod(_with, "fdiv"), partialmethod(_behind, "fdiv")
    __ge__, __gt__ = partialmethod(_compare, ">="), partialmethod(_compare, ">")
    __lt__ = partialmethod(_compare, "<")

    def where(self, yes: Vec | float, no: Vec | float) -> Vec:
        """`yes` where this truth value holds, else `no`."""
        pick = self.emit.builder.select(self.value, self.emit.vec(yes).value, self.emit.vec(no).value)
        return Vec(self.emit, pick)

    def abs(self) -> Vec:
        return self.emit.intrinsic("llvm.fabs", self)

    def rint(self) -> Vec:
        """The nearest whole number, ties to even."""
        return self.emit.intrinsic("llvm.rint", self)

    def clip(self, low: Vec | float, high: Vec | float) -> Vec:
        """The value, kept within [low, high]."""
        raised = (self < low).where(low, self)
        return (raised > high).where(high, raised)


class Emitter:
    """Writes one function `void name(i64* arguments)`; every argument is an 8-byte slot of that array.

    Args:
        name: symbol of the function.
        slots: names of the arguments, in order; pointers and whole numbers alike.
        real: what is computed in.
    """

    def __init__(self, name: str, slots: tuple[str, ...], real: Real) -> None:
        self.module = ir.Module(name=name)
        function = ir.Function(self.module, ir.FunctionType(ir.VoidType(), [PTR]), name=name)
        self.function = function
        self.builder = ir.IRBuilder(function.append_basic_block("entry"))
        self.slots = {slot: index for index, slot in enumerate(slots)}
        self.real = real
        self.scalar, size, _ = _STORED[real]
        self.lanes = VECTOR_BYTES // size
        self.type = ir.VectorType(self.scalar, self.lanes)
        self.words = ir.VectorType(I32, self.lanes)

    # arguments

    def slot(self, name: str) -> Any:
        """The address of an argument."""
        return self.builder.gep(self.function.args[0], [I64(self.slots[name])], source_etype=I64)

    def number(self, name: str) -> Any:
        """A whole number among the arguments."""
        return self.builder.load(self.slot(name), typ=I64)

    def pointer(self, name: str) -> Any:
        """A pointer among the arguments."""
        return self.builder.load(self.slot(name), typ=PTR)

    def take_ticket(self, name: str) -> Any:
        """Add one to an argument, atomically; what it was before. Threads share work that way."""
        return self.builder.atomic_rmw("add", self.slot(name), I64(1), "monotonic")

    # vectors

    def vec(self, value: Vec | float) -> Vec:
        """A constant in all lanes; a vector stays what it is."""
        if isinstance(value, Vec):
            return value
        return Vec(self, ir.Constant(self.type, [self.scalar(float(value))] * self.lanes))

    def spread(self, scalar: Any) -> Vec:
        return Vec(self, self._splat(scalar))

    def _splat(self, scalar: Any) -> Any:
        undefined = ir.Constant(ir.VectorType(scalar.type, self.lanes), ir.Undefined)
        first = self.builder.insert_element(undefined, scalar, I32(0))
        return self.builder.shuffle_vector(first, undefined, self._word(0))

    def _word(self, number: int) -> Any:
        """A whole number of 32 bits in all lanes."""
        return ir.Constant(self.words, [number] * self.lanes)

    def intrinsic(self, name: str, *values: Vec) -> Vec:
        """An LLVM intrinsic, lane by lane."""
        suffix = f"v{self.lanes}{_STORED[self.real][2]}"
        declared = self._declare(f"{name}.{suffix}", ir.FunctionType(self.type, [self.type] * len(values)))
        return Vec(self, self.builder.call(declared, [value.value for value in values]))

    def fma(self, a: Vec | float, b: Vec | float, c: Vec | float) -> Vec:
        """a * b + c, rounded once."""
        return self.intrinsic("llvm.fma", self.vec(a), self.vec(b), self.vec(c))

    def narrowed(self, value: Vec) -> Vec:
        """The value rounded to bfloat16."""
        return Vec(self, self._widen(self._narrow(value, "bfloat16"), "bfloat16"))

    def bits(self, value: Vec) -> Any:
        """The bits of each lane as a whole number."""
        return self.builder.bitcast(
            value.value, self.words if self.real == "float32" else ir.VectorType(I64, self.lanes)
        )

    def reciprocal(self, x: Vec) -> Vec:
        """1 / x for x of at least 1, to rounding: where there is an instruction for a first guess, from that."""
        if self.real == "float64" or "+avx512f" not in jit.host()[2]:
            return 1.0 / x
        x = (x > 1e30).where(1e30, x)  # the guess for infinity could not be improved
        mask = ir.IntType(self.lanes)
        signature = ir.FunctionType(self.type, [self.type, self.type, mask])
        declared = self._declare("llvm.x86.avx512.rcp14.ps.512", signature)
        guess = Vec(self, self.builder.call(declared, [x.value, self.vec(0.0).value, mask(-1)]))  # to 2^-14
        return guess * (2.0 - x * guess)

    def exp(self, x: Vec) -> Vec:
        """e^x; of float32 to the bit as torch computes it, float64 asks the C library.

        Source: the polynomial and the two parts of ln 2 are those of SLEEF's expf with an error below 1.0 units in the
            last place, which torch uses on CPUs with fused multiply-add.
        """
        if self.real == "float64":
            return self.intrinsic("llvm.exp", x)
        k, p = self._exp_parts(x)
        # What is out of range, where neither k nor 2^k is a number of theirs, is replaced below.
        whole = self.builder.fptosi(k.value, self.words)
        half = self.builder.ashr(whole, self._word(1))
        for part in (half, self.builder.sub(whole, half)):  # 2^k may be out of range where e^x is not
            raised = self.builder.shl(self.builder.add(part, self._word(127)), self._word(23))
            p = p * Vec(self, self.builder.bitcast(raised, self.type))
        p = (x < -104.0).where(0.0, p)
        p = (x > 100.0).where(float("inf"), p)
        return self._unless_nan(x, p)

    def quick_exp(self, x: Vec) -> Vec:
        """e^x to about one unit in the last place, for x from -87 to 88; beyond, what it is there."""
        if self.real == "float64":
            return self.intrinsic("llvm.exp", x)
        bounded = x.clip(-87.0, 88.0)
        k, p = self._exp_parts(bounded)
        whole = self.builder.fptosi(k.value, self.words)
        scaled = self.builder.add(self.bits(p), self.builder.shl(whole, self._word(23)))
        return self._unless_nan(x, Vec(self, self.builder.bitcast(scaled, self.type)))

    def _exp_parts(self, x: Vec) -> tuple[Vec, Vec]:
        """k and p with e^x = 2^k p."""
        k = (x * 1.44269504088896340736).rint()
        r = self.fma(k, -0.693145751953125, x)
        r = self.fma(k, -1.428606765330187045e-06, r)
        p = self.vec(0.000198527617612853646278381)
        for factor in (0.00139304355252534151, 0.00833336077630519867, 0.0416664853692054749, 0.16666667163372040, 0.5):
            p = self.fma(p, r, factor)
        return k, self.fma(r * r, p, r) + 1.0

    def _unless_nan(self, x: Vec, value: Vec) -> Vec:
        is_nan = self.builder.fcmp_unordered("uno", x.value, x.value)
        return Vec(self, self.builder.select(is_nan, x.value, value.value))

    # memory

    def load(self, base: Any, index: Any, stored: Stored, mask: Any = None) -> Vec:
        """The vector at element `index`; lanes outside `mask` read as 0."""
        kind = self._kind(stored)
        address = self.builder.gep(base, [index], source_etype=kind.element)
        if mask is None:
            raw = self.builder.load(address, typ=kind)
            raw.align = _STORED[stored][1]
        else:
            aligned = _alignment(stored)
            signature = ir.FunctionType(kind, [PTR, *(a.type for a in aligned), mask.type, kind])
            declared = self._declare(f"llvm.masked.load.v{self.lanes}{_STORED[stored][2]}.p0", signature)
            raw = self.builder.call(declared, [address, *aligned, mask, ir.Constant(kind, None)])
        return Vec(self, self._widen(raw, stored))

    def store(self, value: Vec, base: Any, index: Any, stored: Stored, mask: Any = None) -> None:
        """Write the vector from element `index` on; bfloat16 rounds to nearest, ties to even."""
        kind = self._kind(stored)
        raw = self._narrow(value, stored)
        address = self.builder.gep(base, [index], source_etype=kind.element)
        if mask is None:
            self.builder.store(raw, address, align=_STORED[stored][1])
        else:
            aligned = _alignment(stored)
            signature = ir.FunctionType(ir.VoidType(), [kind, PTR, *(a.type for a in aligned), mask.type])
            declared = self._declare(f"llvm.masked.store.v{self.lanes}{_STORED[stored][2]}.p0", signature)
            self.builder.call(declared, [raw, address, *aligned, mask])

    def prefetch(self, base: Any, index: Any, stored: Stored, *, write: bool = False) -> None:
        """Ask for the memory at element `index`, which need not exist."""
        address = self.builder.gep(base, [index], source_etype=self._kind(stored).element)
        declared = self._declare("llvm.prefetch.p0", ir.FunctionType(ir.VoidType(), [PTR, I32, I32, I32]))
        self.builder.call(declared, [address, I32(int(write)), I32(3), I32(1)])

    def _declare(self, name: str, signature: ir.FunctionType) -> Any:
        found = self.module.globals.get(name)
        return ir.Function(self.module, signature, name=name) if found is None else found

    def _kind(self, stored: Stored) -> ir.VectorType:
        return ir.VectorType(_STORED[stored][0], self.lanes)

    def _widen(self, raw: Any, stored: Stored) -> Any:
        if stored == "uint8":
            return self.builder.uitofp(raw, self.type)
        if stored != "bfloat16":
            return raw
        return self.builder.bitcast(self.builder.shl(self.builder.zext(raw, self.words), self._word(16)), self.type)

    def _narrow(self, value: Vec, stored: Stored) -> Any:
        if stored == "uint8":  # of values within 0..255; a fraction is cut off
            return self.builder.fptoui(value.value, self._kind(stored))
        if stored != "bfloat16":
            return value.value
        bits = self.bits(value)
        odd = self.builder.and_(self.builder.lshr(bits, self._word(16)), self._word(1))
        rounded = self.builder.add(self.builder.add(bits, self._word(0x7FFF)), odd)
        # Rounding would carry a NaN into infinity; keep it a NaN.
        is_nan = self.builder.fcmp_unordered("uno", value.value, value.value)
        kept = self.builder.select(is_nan, self._word(0x7FC00000), rounded)
        return self.builder.trunc(self.builder.lshr(kept, self._word(16)), self._kind(stored))

    # control

    @contextmanager
    def loop(self, start: Any, stop: Any, step: int = 1) -> Iterator[Any]:
        """Count from `start` up to `stop`, which is left out; down, `stop` included, for a negative `step`."""
        before = self.builder.block
        head, body, after = (self.function.append_basic_block(name) for name in ("head", "body", "after"))
        self.builder.branch(head)
        self.builder.position_at_end(head)
        index = self.builder.phi(I64)
        index.add_incoming(start, before)
        going = self.builder.icmp_signed("<" if step > 0 else ">=", index, stop)
        self.builder.cbranch(going, body, after)
        self.builder.position_at_end(body)
        yield index
        index.add_incoming(self.builder.add(index, I64(step)), self.builder.block)
        self.builder.branch(head)
        self.builder.position_at_end(after)

    def each_vector(self, count: Any, body: Callable[[Any, Any], None]) -> None:
        """Call `body(element index, mask)` for `count` elements: whole vectors, then what is left under a mask."""
        lanes = I64(self.lanes)
        whole = self.builder.sub(count, self.builder.srem(count, lanes))
        with self.loop(I64(0), whole, self.lanes) as index:
            body(index, None)
        with self.builder.if_then(self.builder.icmp_signed("<", whole, count)):
            left = self._splat(self.builder.trunc(self.builder.sub(count, whole), I32))
            numbers = ir.Constant(self.words, list(range(self.lanes)))
            body(whole, self.builder.icmp_signed("<", numbers, left))

    def smaller(self, a: Any, b: Any) -> Any:
        return self.builder.select(self.builder.icmp_signed("<", a, b), a, b)

    @contextmanager
    def shared_work(self) -> Iterator[Any]:
        """Take chunk after chunk until none is left; any number of threads may run the function at once."""
        count = self.number("chunks")
        take, work, done = (self.function.append_basic_block(name) for name in ("take", "work", "done"))
        self.builder.branch(take)
        self.builder.position_at_end(take)
        chunk = self.take_ticket("next_chunk")
        self.builder.cbranch(self.builder.icmp_signed("<", chunk, count), work, done)
        self.builder.position_at_end(work)
        yield chunk
        self.builder.branch(take)
        self.builder.position_at_end(done)

    def finish(self) -> str:
        """The text of the module."""
        self.builder.ret_void()
        return str(self.module)


def _alignment(stored: Stored) -> list[Any]:
    """The alignment as an argument of masked loads and stores, which LLVM 22 took out of them."""
    return [] if llvm_version_info[0] >= 22 else [I32(_STORED[stored][1])]
