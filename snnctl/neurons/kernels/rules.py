"""What can be said of a value of a graph without knowing it: simpler forms, all equal to the bit, and bounds.

A not-a-number stays one wherever torch would give one; of zeros the sign is not kept.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from snnctl.neurons.kernels.graph import Graph

_FOLDED: dict[str, Callable[..., float]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "neg": lambda a: -a,
    "abs": abs,
    "min": min,
    "max": max,
}
_WHOLE = {0.0, 1.0, -1.0}  # arithmetic on these is exact in every type


def simplify(graph: Graph, op: str, args: tuple[int, ...]) -> int | None:
    """The number of a node equal to `op(*args)` and simpler, or None."""
    known = [graph.value(arg) for arg in args]
    if op in _FOLDED and all(value in _WHOLE for value in known):
        return graph.const(_FOLDED[op](*known))
    match op:
        case "add" if known[0] == 0.0:
            return args[1]
        case "add" | "sub" if known[1] == 0.0:
            return args[0]
        case "mul" if known[0] == 1.0:
            return args[1]
        case "mul" | "div" if known[1] == 1.0:
            return args[0]
        case "mul" if -1.0 in known:
            return graph.add("neg", args[1] if known[0] == -1.0 else args[0])
        case "div" if known[1] and math.frexp(known[1])[0] in (0.5, -0.5):  # a power of two: the product is exact
            return graph.add("mul", args[0], graph.const(1.0 / known[1]))
        case "sub" if known[0] == 0.0:
            return graph.add("neg", args[1])
        case "neg" if graph.nodes[args[0]].op == "neg":
            return graph.nodes[args[0]].operands[0]
        case "not" if graph.nodes[args[0]].op == "not":
            return graph.nodes[args[0]].operands[0]
        case "where" if args[1] == args[2]:
            return args[1]
        case "where" if graph.nodes[args[0]].op == "not":
            return graph.add("where", graph.nodes[args[0]].operands[0], args[2], args[1])
        case "narrow" if known[0] in _WHOLE:
            return args[0]
    return _of_chosen(graph, op, args, known)


def _of_chosen(graph: Graph, op: str, args: tuple[int, ...], known: list[float | None]) -> int | None:
    """An operation on one of two small whole numbers, chosen by a truth value, and a third, as a choice itself."""
    chosen = [place for place, arg in enumerate(args) if _chosen(graph, arg)]
    if op not in (*_FOLDED, "narrow", "gt", "ge", "lt", "le") or len(chosen) != 1:
        return None
    if any(value not in _WHOLE for place, value in enumerate(known) if place not in chosen):
        return None
    place = chosen[0]
    truth, *both = graph.nodes[args[place]].operands
    if op in _FOLDED or op == "narrow":
        found = [graph.add(op, *args[:place], value, *args[place + 1 :]) for value in both]
        return graph.add("where", truth, *found)
    return _compared(graph, op, args, place)


def _compared(graph: Graph, op: str, args: tuple[int, ...], place: int) -> int | None:
    """A comparison of a choice with a number: the truth value that it was made by, or its opposite."""
    truth, *both = graph.nodes[args[place]].operands
    sides = []
    for value in both:
        a, b = (graph.value(value if at == place else arg) for at, arg in enumerate(args))
        assert a is not None
        assert b is not None
        sides.append({"gt": a > b, "ge": a >= b, "lt": a < b, "le": a <= b}[op])
    if sides[0] == sides[1]:
        return None
    return truth if sides[0] else graph.add("not", truth)


def _chosen(graph: Graph, node: int) -> bool:
    found = graph.nodes[node]
    return found.op == "where" and all(graph.value(arg) in _WHOLE for arg in found.operands[1:])


def never_negative(graph: Graph, node: int) -> bool:
    """Whether a value is at least 0 (or no number)."""
    op, args = graph.nodes[node]
    value = graph.value(node)
    if value is not None:
        return value >= 0.0
    match op:
        case "abs" | "exp" | "sqrt":
            return True
        case "mul" if args[0] == args[1]:
            return True
        case "mul" | "add" | "div" | "min":
            return all(never_negative(graph, arg) for arg in graph.nodes[node].operands)
        case "max":
            return any(never_negative(graph, arg) for arg in graph.nodes[node].operands)
        case "where":
            return all(never_negative(graph, arg) for arg in graph.nodes[node].operands[1:])
    return False


def at_least_one(graph: Graph, node: int) -> bool:
    """Whether a value is at least 1 (or no number): its reciprocal can be had from a guess."""
    op, _ = graph.nodes[node]
    args = graph.nodes[node].operands
    value = graph.value(node)
    if value is not None:
        return value >= 1.0
    if op == "add":
        return any(at_least_one(graph, a) and never_negative(graph, b) for a, b in (args, args[::-1]))
    return op == "mul" and all(at_least_one(graph, arg) for arg in args)
