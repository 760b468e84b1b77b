"""Torch's pointwise operations, as nodes of a graph: which the compiler knows, and what each is made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from snnctl.neurons.kernels.graph import Graph


class NotCompilableError(Exception):
    """A step that the compiler cannot make a kernel of; the message names the operation that is the reason."""


class Operation(Protocol):
    """Nodes of a torch operation: arguments are numbers of nodes, or what else torch was given."""

    def __call__(self, graph: Graph, *args: Any, **named: Any) -> int: ...


def node_of(graph: Graph, value: Any) -> int:
    """A number of Python as a node; a `Ref` as the node that it names."""
    return value.node if isinstance(value, Ref) else graph.const(float(value))


class Ref:
    """A node among the arguments of an operation."""

    __slots__ = ("node",)

    def __init__(self, node: int) -> None:
        self.node = node


def _real(graph: Graph, value: Any) -> int:
    """A value as a number: a truth value is 1 or 0."""
    node = node_of(graph, value)
    return graph.add("where", node, graph.const(1), graph.const(0)) if graph.is_truth(node) else node


def _truth(graph: Graph, value: Any) -> int:
    node = node_of(graph, value)
    return node if graph.is_truth(node) else graph.add("ne", node, graph.const(0))


def _plain(op: str) -> Operation:
    def apply(graph: Graph, *args: Any, **named: Any) -> int:
        _nothing_else(named)
        return graph.add(op, *(_real(graph, arg) for arg in args))

    return apply


def _logical(op: str) -> Operation:
    def apply(graph: Graph, *args: Any, **named: Any) -> int:
        return graph.add(op, *(_truth(graph, arg) for arg in args))

    return apply


def _nothing_else(named: dict[str, Any]) -> None:
    for name, value in named.items():
        if value is not None:
            raise NotCompilableError(f"the argument `{name}` of an operation")


def _sum(op: str) -> Operation:
    """a + alpha * b as torch's vectors compute it: one rounding."""

    def apply(graph: Graph, a: Any, b: Any, alpha: float = 1) -> int:
        left, right = _real(graph, a), _real(graph, b)
        if alpha == 1:
            return graph.add(op, left, right)
        factor = graph.const(alpha if op == "add" else -alpha)
        return graph.add("fma", right, factor, left)

    return apply


def _rsub(graph: Graph, a: Any, b: Any, alpha: float = 1) -> int:
    return _sum("sub")(graph, b, a, alpha)


def _divide(graph: Graph, a: Any, b: Any, rounding_mode: str | None = None) -> int:
    if rounding_mode is not None:
        raise NotCompilableError("`div` with a rounding mode")
    return graph.add("div", _real(graph, a), _real(graph, b))


def _one_over(graph: Graph, a: Any) -> int:
    return graph.add("div", graph.const(1), _real(graph, a))


def _sigmoid(graph: Graph, a: Any) -> int:
    decay = graph.add("exp", graph.add("neg", _real(graph, a)))
    return graph.add("div", graph.const(1), graph.add("add", graph.const(1), decay))


def _power(graph: Graph, a: Any, exponent: Any) -> int:
    base = _real(graph, a)
    if isinstance(exponent, Ref):
        return graph.add("pow", base, _real(graph, exponent))
    match float(exponent):
        case 0.0:
            return graph.const(1)
        case 1.0:
            return base
        case 2.0:
            return graph.add("mul", base, base)
        case 3.0:
            return graph.add("mul", graph.add("mul", base, base), base)
        case 0.5:
            return graph.add("sqrt", base)
        case -1.0:
            return graph.add("div", graph.const(1), base)
        case -2.0:
            return graph.add("div", graph.const(1), graph.add("mul", base, base))
    return graph.add("pow", base, graph.const(float(exponent)))


def _clamp(graph: Graph, a: Any, low: Any = None, high: Any = None, *, min: Any = None, max: Any = None) -> int:
    found = _real(graph, a)
    low, high = low if min is None else min, high if max is None else max
    if low is not None:
        found = graph.add("max", found, _real(graph, low))
    return found if high is None else graph.add("min", found, _real(graph, high))


def _relu(graph: Graph, a: Any) -> int:
    return graph.add("max", _real(graph, a), graph.const(0))


def _relu_gradient(graph: Graph, grad: Any, a: Any, threshold: float) -> int:
    below = graph.add("le", _real(graph, a), graph.const(threshold))
    return graph.add("where", below, graph.const(0), _real(graph, grad))


def _sigmoid_gradient(graph: Graph, grad: Any, result: Any) -> int:
    y = _real(graph, result)
    rest = graph.add("sub", graph.const(1), y)
    return graph.add("mul", graph.add("mul", _real(graph, grad), rest), y)


def _tanh_gradient(graph: Graph, grad: Any, result: Any) -> int:
    y = _real(graph, result)
    rest = graph.add("sub", graph.const(1), graph.add("mul", y, y))
    return graph.add("mul", _real(graph, grad), rest)


def _sign(graph: Graph, a: Any) -> int:
    x, zero = _real(graph, a), graph.const(0)
    below = graph.add("where", graph.add("lt", x, zero), graph.const(-1), zero)
    return graph.add("where", graph.add("gt", x, zero), graph.const(1), below)


def _where(graph: Graph, condition: Any, a: Any, b: Any) -> int:
    return graph.add("where", _truth(graph, condition), _real(graph, a), _real(graph, b))


def _filled(graph: Graph, a: Any, mask: Any, value: Any) -> int:
    return graph.add("where", _truth(graph, mask), _real(graph, value), _real(graph, a))


def _square(graph: Graph, a: Any) -> int:
    x = _real(graph, a)
    return graph.add("mul", x, x)


def _same(graph: Graph, a: Any, *_: Any, **__: Any) -> int:
    return node_of(graph, a)


def _filled_with(place: int | None, value: float = 0.0) -> Callable[..., int]:
    def apply(graph: Graph, *args: Any, **named: Any) -> int:
        return graph.const(value if place is None else float(args[place]))

    return apply


OPERATIONS: dict[str, Operation] = {
    **{name: _plain(name) for name in ("mul", "neg", "abs", "lt", "le", "gt", "ge", "eq", "ne")},
    **{name: _plain(name) for name in ("exp", "log", "tanh", "sin", "cos", "atan", "sqrt", "floor", "ceil", "trunc")},
    **dict.fromkeys(("alias", "detach", "clone", "view", "_unsafe_view", "expand", "squeeze", "unsqueeze"), _same),
    "add": _sum("add"),
    "sub": _sum("sub"),
    "rsub": _rsub,
    "div": _divide,
    "reciprocal": _one_over,
    "sigmoid": _sigmoid,
    "pow": _power,
    "square": _square,
    "round": _plain("rint"),
    "sgn": _sign,
    "sign": _sign,
    "clamp": _clamp,
    "clamp_min": _clamp,
    "clamp_max": lambda graph, a, high: _clamp(graph, a, None, high),
    "maximum": _plain("max"),
    "minimum": _plain("min"),
    "relu": _relu,
    "threshold_backward": _relu_gradient,
    "sigmoid_backward": _sigmoid_gradient,
    "tanh_backward": _tanh_gradient,
    "where": _where,
    "masked_fill": _filled,
    "logical_and": _logical("and"),
    "logical_or": _logical("or"),
    "logical_not": _logical("not"),
    "bitwise_and": _logical("and"),
    "bitwise_or": _logical("or"),
    "bitwise_not": _logical("not"),
    **{name: _filled_with(None) for name in ("zeros", "zeros_like", "new_zeros")},
    **{name: _filled_with(None, 1.0) for name in ("ones", "ones_like", "new_ones")},
    "full": _filled_with(1),
    "full_like": _filled_with(1),
    "new_full": _filled_with(2),
    "scalar_tensor": _filled_with(0),
}
