"""What in a graph readers are known to take differently, or not at all: each feature with the nodes that have it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from snnctl.export.nir.graph import FIRING, Graph, kind, pair
from snnctl.export.nir.order import Order, order, shapes

# One reader's step, in seconds, that nobody can change.
FIXED_DT = 1e-4
# Relative difference of numbers that count as the same: NIR files hold single precision at least.
NEAR = 1e-5


def features(graph: Graph) -> dict[str, list[str]]:
    """Features of a graph, sorted, with the names of the nodes they are of (of the whole graph: none).

    Kinds of nodes are features `kind:NAME`; the others are those of `_OF_NODES` and `_of_graph`.

    Raises:
        DiagnosticError: U498, its shapes do not fit.
    """
    found: dict[str, list[str]] = {}
    steps, sizes = order(graph), shapes(graph)
    for name in steps.names:
        node = graph.nodes[name]
        found.setdefault(f"kind:{kind(node)}", []).append(name)
        for feature, holds in _OF_NODES.items():
            if holds(node, graph.dt):
                found.setdefault(feature, []).append(name)
        if kind(node) in FIRING and len(sizes[name]) > 1:
            found.setdefault("fires_over_images", []).append(name)
    for feature, names in _of_graph(graph, steps):
        found.setdefault(feature, []).extend(names)
    return dict(sorted(found.items()))


def _of_graph(graph: Graph, steps: Order) -> Iterator[tuple[str, list[str]]]:
    if abs(graph.dt - FIXED_DT) > NEAR * FIXED_DT and graph.of(*FIRING, "LI", "CubaLI", "I"):
        yield "other_dt", []
    if steps.delayed:
        yield "recurrence", sorted({b for _, b in steps.delayed})
    pairs = [
        name
        for name in graph.of("LIF", "CubaLIF")
        for target in graph.targets(name)
        if (target, name) in graph.edges and kind(graph.nodes[target]) in ("Affine", "Linear")
    ]
    if pairs:
        yield "recurrent_pair", pairs
    late = _out_of_order(graph, steps)
    if late:
        yield "branches", late
    if any(len(graph.sources(name)) > 1 for name in graph.of("Output")):
        yield "sum_at_output", graph.of("Output")
    for way in ("Input", "Output"):
        if len(graph.of(way)) > 1:
            yield f"several_{way.lower()}s", graph.of(way)


def _out_of_order(graph: Graph, steps: Order) -> list[str]:
    """Nodes that would run before what they wait for, if a step went by the first edge out of each node.

    So does the executor of nirtorch.load: it goes as deep as it can, and takes what is not there yet from the step
    before, or leaves it out. What it calls last is its output.
    """
    following: dict[str, list[str]] = {name: [] for name in graph.nodes}
    for a, b in graph.edges:
        if b not in following[a]:
            following[a].append(b)
    ran: list[str] = []
    stack = [graph.of("Input")[0]]
    while stack:
        name = stack.pop()
        if name in ran:
            continue
        ran.append(name)
        stack += reversed([target for target in following[name] if target not in ran])
    place = {name: number for number, name in enumerate(ran)}
    wrong = [
        b for a, b in graph.edges if a in place and b in place and (place[a] < place[b]) == ((a, b) in steps.delayed)
    ]
    output = graph.of("Output")[0]
    return sorted({*wrong, *([] if ran[-1] == output else [output])})


def _array(node: Any, attribute: str) -> Any:
    return np.asarray(getattr(node, attribute), dtype=np.float64)


def _varies(value: Any) -> bool:
    return bool((value != value.flat[0]).any())


def _is(value: Any, other: Any) -> bool:
    return bool(np.allclose(value, other, rtol=NEAR, atol=0.0))


def _of(*kinds: str) -> Callable[[Callable[[Any, float], bool]], Callable[[Any, float], bool]]:
    """A feature that only nodes of some kinds can have."""

    def limited(holds: Callable[[Any, float], bool]) -> Callable[[Any, float], bool]:
        return lambda node, dt: kind(node) in kinds and holds(node, dt)

    return limited


_MEMBRANES = ("LIF", "CubaLIF")
_OF_NODES: dict[str, Callable[[Any, float], bool]] = {
    # a resistance that is not 1; that is neither 1 nor tau/dt; that differs between neurons
    "gain": _of("LIF")(lambda node, dt: not _is(_array(node, "r"), 1.0)),
    "gain_other": _of("LIF")(
        lambda node, dt: not _is(_array(node, "r"), 1.0) and not _is(_array(node, "r"), _array(node, "tau") / dt)
    ),
    "gain_varies": _of("LIF")(lambda node, dt: _varies(_array(node, "r"))),
    # what comes in, times r dt / tau, is not the same for all neurons
    "drive_varies": _of("LIF")(
        lambda node, dt: not _is(_array(node, "r") / _array(node, "tau"), float((node.r / node.tau).flat[0]))
    ),
    "tau_varies": _of("LIF")(lambda node, dt: _varies(_array(node, "tau"))),
    "cuba_tau_varies": _of("CubaLIF")(
        lambda node, dt: _varies(_array(node, "tau_mem")) or _varies(_array(node, "tau_syn"))
    ),
    "threshold_varies": _of(*FIRING)(lambda node, dt: _varies(_array(node, "v_threshold"))),
    "leaks_elsewhere": _of(*_MEMBRANES)(lambda node, dt: bool((_array(node, "v_leak") != 0).any())),
    "resets_elsewhere": _of(*FIRING)(lambda node, dt: bool((_array(node, "v_reset") != 0).any())),
    "leak_is_not_reset": _of(*_MEMBRANES)(
        lambda node, dt: bool((_array(node, "v_leak") != _array(node, "v_reset")).any())
    ),
    "tau_of_a_step": _of("LIF")(lambda node, dt: bool((_array(node, "tau") <= dt * (1 + NEAR)).any())),
    "cuba_gain": _of("CubaLIF")(
        lambda node, dt: (
            not _is(_array(node, "r"), _array(node, "tau_mem") / dt)
            or not _is(_array(node, "w_in"), _array(node, "tau_syn") / dt)
        )
    ),
    "if_gain": _of("IF")(lambda node, dt: not _is(_array(node, "r"), 1.0 / dt)),
    "groups": _of("Conv1d", "Conv2d")(lambda node, dt: int(node.groups) != 1),
    "same_padding": _of("Conv1d", "Conv2d")(lambda node, dt: isinstance(node.padding, str)),
    "rectangular": _of("Conv2d")(lambda node, dt: node.weight.shape[2] != node.weight.shape[3]),
    "sum_pool_padding": _of("SumPool2d")(lambda node, dt: pair(node.padding) != (0, 0)),
    "flatten_from_the_start": _of("Flatten")(lambda node, dt: int(node.start_dim) >= 0),
}
