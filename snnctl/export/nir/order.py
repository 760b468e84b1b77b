"""In what order the nodes of a graph run within a step, which edges bring what was a step before, and all shapes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from snnctl.core.diagnostic import Diagnostic, DiagnosticError
from snnctl.export.nir.graph import Edge, Graph, Shape, kind, pair


class Order(NamedTuple):
    """One step of a graph."""

    names: tuple[str, ...]  # every node that the input reaches, each behind those that it waits for
    delayed: frozenset[Edge]  # edges that bring the output of the step before


def order(graph: Graph) -> Order:
    """The order of a step.

    NIR knows no steps and so says nothing of delays: in a loop something has to be of the step before. A loop begins
    where something comes into it from outside, at the first such node by name, whose other inputs then are of the step
    before. nirtorch, which goes through a file in alphabetical order, does the same where names are in the order of a
    step. Something always can begin: of a loop that the input reaches, the node where it comes in.
    """
    inside = _beyond(graph.of("Input"), graph.edges)
    names = sorted({*inside, *graph.of("Input")})
    sources = {name: [a for a in dict.fromkeys(graph.sources(name)) if a in names] for name in names}
    done: list[str] = []
    delayed: set[Edge] = set()
    waiting = names
    while waiting:
        ready = next((name for name in waiting if set(sources[name]) <= set(done)), None)
        if ready is None:
            ready = _beginning(waiting, sources)
        delayed |= {(source, ready) for source in sources[ready] if source not in done}
        done.append(ready)
        waiting = [name for name in waiting if name != ready]
    return Order(tuple(done), frozenset(delayed))


def _beginning(waiting: Sequence[str], sources: Mapping[str, list[str]]) -> str:
    """The node that begins the next loop: of those that wait, one that waits for none outside its own loop."""
    left = set(waiting)
    edges = [(a, b) for b in waiting for a in sources[b] if a in left]
    beyond = {name: _beyond([name], edges) for name in waiting}
    for name in waiting:
        loop = {other for other in beyond[name] if name in beyond[other]}
        missing = {source for each in loop for source in sources[each] if source in left}
        if loop and missing <= loop and any(source not in left for source in sources[name]):
            return name
    raise AssertionError("of loops that the input reaches, one waits for no other")


def _beyond(starts: Iterable[str], edges: Iterable[Edge]) -> set[str]:
    """All that some nodes reach."""
    following: dict[str, list[str]] = {}
    for a, b in edges:
        following.setdefault(a, []).append(b)
    seen: set[str] = set()
    left = list(starts)
    while left:
        for target in following.get(left.pop(), ()):
            if target not in seen:
                seen.add(target)
                left.append(target)
    return seen


def shapes(graph: Graph) -> dict[str, Shape]:
    """The shape of one step of each node's output, without the batch; kernels may be rectangular.

    Raises:
        DiagnosticError: U498, shapes that do not fit, or a kind of node whose shape is not known.
    """
    found: dict[str, Shape] = {}
    for name in order(graph).names:
        given = [found[a] for a in graph.sources(name) if a in found]
        try:
            if len(set(given)) > 1:
                raise ValueError(f"its inputs are shaped {', '.join(map(str, sorted(set(given))))}")
            found[name] = shape_after(graph.nodes[name], given[0] if given else ())
        except (ValueError, IndexError) as error:
            raise DiagnosticError(Diagnostic("U498", facts={"nodes": f"{name} ({error})"})) from None
    return found


def shape_after(node: Any, given: Shape) -> Shape:
    """The output's shape of a node for an input's.

    Raises:
        ValueError: they do not fit.
    """
    name = kind(node)
    if name == "Input":
        return tuple(int(n) for n in np.atleast_1d(node.input_type["input"]))
    if name in ("Affine", "Linear"):
        if given[-1:] != node.weight.shape[-1:]:
            raise ValueError(f"{node.weight.shape[-1]} columns meet an input shaped {given}")
        return (*given[:-1], node.weight.shape[0])
    if name == "Conv2d":
        channels = node.weight.shape[1] * int(node.groups)
        if len(given) != 3 or given[0] != channels:
            raise ValueError(f"a kernel over {channels} channels meets an input shaped {given}")
        return (node.weight.shape[0], *_window(node, given[1:], node.weight.shape[2:]))
    if name == "Conv1d":
        padding = node.weight.shape[2] // 2 if str(node.padding) == "same" else int(node.padding or 0)
        reach = int(node.dilation) * (node.weight.shape[2] - 1)
        return (node.weight.shape[0], (given[1] + 2 * padding - reach - 1) // int(node.stride) + 1)
    if name in ("AvgPool2d", "SumPool2d"):
        return (given[0], *_window(node, given[1:], pair(node.kernel_size)))
    if name == "Flatten":
        start, end = int(node.start_dim) % len(given), int(node.end_dim) % len(given)
        return (*given[:start], int(np.prod(given[start : end + 1])), *given[end + 1 :])
    own = _own_shape(node)
    if own is not None and own != given and int(np.prod(own)) != 1:
        raise ValueError(f"it is shaped {own} and meets an input shaped {given}")
    return given


def _own_shape(node: Any) -> Shape | None:
    for attribute in ("v_threshold", "threshold", "r", "tau", "scale", "delay"):
        if hasattr(node, attribute):
            return tuple(np.shape(getattr(node, attribute)))
    return None


def _window(node: Any, grid: Iterable[int], kernel: Iterable[int]) -> Shape:
    if isinstance(node.padding, str):
        return tuple(grid) if node.padding == "same" else _slid(grid, kernel, pair(node.stride), (0, 0), (1, 1))
    dilation = pair(getattr(node, "dilation", 1))
    return _slid(grid, kernel, pair(node.stride), pair(node.padding), dilation)


def _slid(grid: Iterable[int], kernel: Iterable[int], stride: Shape, padding: Shape, dilation: Shape) -> Shape:
    sizes = zip(grid, kernel, stride, padding, dilation, strict=True)
    found = tuple((n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, s, p, d in sizes)
    if min(found) < 1:
        raise ValueError("its window is larger than its input")
    return found
