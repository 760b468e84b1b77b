"""Nodes of a graph as vectors of LLVM: what each operation is on one vector of neurons."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from snnctl.neurons.kernels import rules
from snnctl.neurons.kernels.form import Form
from snnctl.neurons.kernels.graph import LEAVES
from snnctl.neurons.kernels.vector_ir import I64, Emitter, Vec

_COMPARED = {"lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!="}
_ARITHMETIC = {"add": "fadd", "sub": "fsub", "mul": "fmul", "div": "fdiv", "and": "and_", "or": "or_"}
_CALLED = {name: f"llvm.{name}" for name in ("sqrt", "rint", "floor", "ceil", "trunc", "log", "sin", "cos", "tanh")}
_CALLED |= {"abs": "llvm.fabs", "atan": "llvm.atan"}


class Values:
    """The values of a graph for one vector of neurons, computed where they are asked for, each once.

    Args:
        form: whose graph it is.
        outside: vectors that hold for all neurons: those of numbers and of single small values, by node.
        channels: address and node of the small values per channel.
    """

    def __init__(self, emit: Emitter, form: Form) -> None:
        self.emit, self.form, self.graph = emit, form, form.graph()
        self.exact = set(self.graph.behind([form.spikes, *form.states]))
        self.outside: dict[int, Vec] = {}
        self.channels: dict[int, Any] = {}
        numbers = emit.pointer("numbers")
        for node, (op, args) in enumerate(self.graph.nodes):
            if op == "number":
                self.outside[node] = self._first(emit.builder.gep(numbers, [I64(args[0])], source_etype=emit.scalar))
            elif op == "small":
                address = emit.pointer(f"small{args[0]}")
                if form.per_channel[int(args[0])]:
                    self.channels[node] = address
                else:
                    self.outside[node] = self._first(address)

    def _first(self, address: Any) -> Vec:
        return self.emit.spread(self.emit.builder.load(address, typ=self.emit.scalar))

    def compute(self, outputs: list[int], given: dict[int, Vec], index: Any) -> list[Vec]:
        """The vectors of `outputs` from those that are `given`, for the neurons from `index` of the segment on."""
        found = {**self.outside, **given}
        for node in self.graph.behind(outputs, found):
            if node in found:
                continue
            op, args = self.graph.nodes[node]
            if op == "const":
                found[node] = self.emit.vec(float(args[0]))
            elif op == "small":
                found[node] = self.emit.load(self.channels[node], index, self.form.real)
            else:
                assert op not in LEAVES, f"{op} {args} has no value here"
                vectors = [found[arg] for arg in self.graph.nodes[node].operands]
                if node not in self.exact and op == "div" and self._is_reciprocal(node):
                    found[node] = self.emit.reciprocal(vectors[1])
                elif node not in self.exact and op == "exp":
                    found[node] = self.emit.quick_exp(vectors[0])
                else:
                    found[node] = operation(self.emit, op, vectors)
        return [found[node] for node in outputs]

    def _is_reciprocal(self, node: int) -> bool:
        over, under = self.graph.nodes[node].operands
        return self.graph.value(over) == 1.0 and rules.at_least_one(self.graph, under)


def operation(emit: Emitter, op: str, args: list[Vec]) -> Vec:
    """One operation; of the same values as torch's, in the same order and with the same roundings."""
    build, first = emit.builder, args[0].value
    if op in _ARITHMETIC:
        return Vec(emit, getattr(build, _ARITHMETIC[op])(first, args[1].value))
    if op in _COMPARED:
        compare: Callable[..., Any] = build.fcmp_unordered if op == "ne" else build.fcmp_ordered
        return Vec(emit, compare(_COMPARED[op], first, args[1].value))
    if op in _CALLED:
        return emit.intrinsic(_CALLED[op], args[0])
    match op:
        case "neg":
            return Vec(emit, build.fneg(first))
        case "not":
            return Vec(emit, build.not_(first))
        case "where":
            return args[0].where(args[1], args[2])
        case "exp":
            return emit.exp(args[0])
        case "fma":
            return emit.fma(*args)
        case "pow":
            return emit.intrinsic("llvm.pow", *args)
        case "narrow":
            return emit.narrowed(args[0])
        case "min" | "max":  # whichever is no number stays
            raised = build.fcmp_ordered("<" if op == "min" else ">", first, args[1].value)
            picked = build.select(raised, first, args[1].value)
            return Vec(emit, build.select(build.fcmp_unordered("uno", first, first), first, picked))
    raise ValueError(f"no code for `{op}`")
