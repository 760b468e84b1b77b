"""The rules by which a graph is written so that simulators, each with its habits, all read the same.

Each rule keeps what the graph means by NIR's equations, in steps of `dt`. They were found by experiment; which reader
needs which one stands in `readers.yaml`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from snnctl.export.nir.features import NEAR
from snnctl.export.nir.forms import average_pools, flatten_from_the_end, groups, rest_in_biases, scales
from snnctl.export.nir.graph import FIRING, LEAKING, Graph, kind, nir, taken_out
from snnctl.export.nir.neurons import ENDLESS
from snnctl.export.nir.order import order, shapes
from snnctl.export.nir.rewrite import diagonal, scale_inputs

DT = 1e-4  # seconds of a step: what one reader assumes without asking


def portable(graph: Graph, dt: float = DT) -> Graph:
    """The same graph, in the form that most readers take as it is.

    Args:
        graph: any; neurons may have the words of `neurons.spiking_node` in their metadata.
        dt: seconds of a step.

    Raises:
        DiagnosticError: U498, its shapes do not fit.
    """
    made = graph.copy()
    one_number_each(made)
    soft_resets(made)
    seconds(made, dt)
    groups(made)
    scales(made)
    equal_thresholds(made)
    unit_gains(made)
    rest_in_biases(made)
    average_pools(made)
    flatten_from_the_end(made)
    ties(made)
    open_pairs(made)
    one_way_out(made)
    in_order(made)
    single_precision(made)
    return made


def told(node: Any) -> dict[str, Any]:
    """The words in a node's metadata."""
    return dict(getattr(node, "metadata", None) or {})


def one_number_each(graph: Graph) -> None:
    """A number for every neuron where a file has one for all of a node."""
    sizes = shapes(graph)
    for name in graph.of(*FIRING, *LEAKING, "Threshold", "Scale", "Delay"):
        node = graph.nodes[name]
        for attribute in _NUMBERS:
            value = getattr(node, attribute, None)
            if value is not None and np.size(value) == 1:
                setattr(node, attribute, np.full(sizes[name], float(np.reshape(value, ()))))


_NUMBERS = (
    *("tau", "tau_mem", "tau_syn", "r", "w_in", "v_leak", "v_threshold", "v_reset"),
    *("threshold", "scale", "delay"),
)


def soft_resets(graph: Graph) -> None:
    """A reset that takes off the threshold: NIR's neurons know none, but its parts do.

    A membrane without a reset, a threshold, and a loop from its spikes back into the current of the next step:
    h[t] = leak (h[t-1] - threshold s[t-1]) + gain x[t]. A delayed reset is the same loop without the leak. Spikes of
    several values are several thresholds on one membrane, whose spikes add up.
    """
    for name in graph.of("IF", "LIF", "CubaLIF"):
        node, words = graph.nodes[name], told(graph.nodes[name])
        reset, levels, early = words.get("reset", "hard"), int(words.get("levels", 1)), float(words.get("early", 0.0))
        quantum = np.asarray(node.v_threshold, dtype=np.float64)
        if reset == "hard":
            node.v_threshold = quantum * (1.0 - early)
            node.metadata = {key: value for key, value in words.items() if key == "fires"}
            continue
        tau, r, entry, past = _membrane(graph, name, node)
        membrane = graph.add(f"{name}_membrane", nir().LI(tau, r, np.zeros_like(tau)), after=past)
        if entry:
            graph.edges = [(a, entry if b == name else b) for a, b in graph.edges]
        else:
            graph.edges = [(a, membrane if b == name else b) for a, b in graph.edges]
        back = -quantum * tau / (r * graph.dt) * (1.0 - graph.dt / tau if reset == "soft" else 1.0)
        scale = graph.add(f"{name}_reset", nir().Scale(back), before=[membrane])
        after = [b for a, b in graph.edges if a == name]
        graph.edges = [edge for edge in graph.edges if edge[0] != name]
        for level in range(1, levels + 1):
            threshold = nir().Threshold((level - early) * quantum)
            threshold.metadata = {"fires": words.get("fires", "above")}
            fires = graph.add(f"{name}_fires_{level}" if levels > 1 else f"{name}_fires", threshold, after=[membrane])
            graph.edges += [(fires, target) for target in [*after, scale]]
        del graph.nodes[name]


def _membrane(graph: Graph, name: str, node: Any) -> tuple[Any, Any, str, list[str]]:
    """Time constant and resistance of a membrane, the node of its synapse (or ""), and what drives it."""
    unit = graph.dt
    if kind(node) == "IF":
        gain = np.asarray(node.r, dtype=np.float64) * unit
        return np.full_like(gain, ENDLESS) * unit, gain * ENDLESS, "", []
    if kind(node) == "LIF":
        return np.asarray(node.tau, float), np.asarray(node.r, float), "", []
    synapse = nir().LI(node.tau_syn, np.asarray(node.w_in, float), np.zeros_like(node.tau_syn))
    entry = graph.add(f"{name}_current", synapse)
    return np.asarray(node.tau_mem, float), np.asarray(node.r, float), entry, [entry]


def seconds(graph: Graph, dt: float) -> None:
    """Time constants and delays for steps of another length."""
    ratio = dt / graph.dt
    for node in graph.nodes.values():
        for attribute in ("tau", "tau_mem", "tau_syn", "delay"):
            if hasattr(node, attribute):
                setattr(node, attribute, np.asarray(getattr(node, attribute), dtype=np.float64) * ratio)
        if kind(node) in ("IF", "I"):
            node.r = np.asarray(node.r, dtype=np.float64) / ratio
    graph.told["dt"] = dt


def equal_thresholds(graph: Graph) -> None:
    """One threshold for all neurons of a node: where they differ, membranes are in units of their own threshold."""
    factors = {}
    for name in graph.of(*FIRING):
        node = graph.nodes[name]
        threshold = np.asarray(node.v_threshold, dtype=np.float64)
        if bool((threshold == threshold.flat[0]).all()) or bool((threshold <= 0).any()):
            continue
        factors[name] = 1.0 / threshold
        node.v_threshold = np.ones_like(threshold)
        for attribute in ("v_reset", "v_leak"):
            if hasattr(node, attribute):
                setattr(node, attribute, np.asarray(getattr(node, attribute), dtype=np.float64) / threshold)
    scale_inputs(graph, factors)


def unit_gains(graph: Graph) -> None:
    """Resistances of 1: what they multiplied by is in the weights.

    `IF` becomes a `LIF` whose membrane leaks nothing that a number could show. Neurons of one node that differ in their
    time constants, or forget all within a step, become a `CubaLIF` whose synapse lasts a step: its gain is the one that
    readers agree on.
    """
    dt, factors = graph.dt, {}
    for name in graph.of("IF", "LIF", "LI", "CubaLIF"):
        node, words = graph.nodes[name], told(graph.nodes[name])
        if kind(node) == "IF":
            full = np.asarray(node.v_threshold, dtype=np.float64)
            factors[name] = np.asarray(node.r, dtype=np.float64) * dt * ENDLESS
            made = nir().LIF(
                np.full_like(full, ENDLESS * dt), np.ones_like(full), np.zeros_like(full), full, node.v_reset
            )
        elif kind(node) == "CubaLIF":
            syn, mem = np.asarray(node.tau_syn, float), np.asarray(node.tau_mem, float)
            factors[name] = np.asarray(node.w_in, float) * dt / syn * (np.asarray(node.r, float) * dt / mem)
            made = nir().CubaLIF(syn, mem, mem / dt, node.v_leak, node.v_threshold, node.v_reset, syn / dt)
        elif kind(node) == "LI":
            factors[name] = np.asarray(node.r, dtype=np.float64)
            made = nir().LI(node.tau, np.ones_like(node.tau), node.v_leak)
        else:
            made, factors[name] = _unit_lif(node, dt)
        made.metadata = words
        graph.nodes[name] = made
    scale_inputs(graph, factors)


def _unit_lif(node: Any, dt: float) -> tuple[Any, Any]:
    tau, gain = np.asarray(node.tau, dtype=np.float64), np.asarray(node.r, dtype=np.float64)
    as_one = bool((tau == tau.flat[0]).all()) and bool((tau > dt * (1 + NEAR)).all())
    if as_one or bool((np.asarray(node.v_leak) != 0).any()):
        return nir().LIF(tau, np.ones_like(tau), node.v_leak, node.v_threshold, node.v_reset), gain
    step = np.full_like(tau, dt)
    made = nir().CubaLIF(step, tau, tau / dt, node.v_leak, node.v_threshold, node.v_reset, np.ones_like(tau))
    return made, gain * dt / tau


def ties(graph: Graph) -> None:
    """NIR fires above the threshold: to fire from it on, it is the next smaller number of single precision."""
    for name in graph.of(*FIRING, "Threshold"):
        node, words = graph.nodes[name], told(graph.nodes[name])
        attribute = "threshold" if kind(node) == "Threshold" else "v_threshold"
        value = np.asarray(getattr(node, attribute), dtype=np.float32)
        if words.pop("fires", "above") == "at":
            value = np.nextafter(value, np.float32(-np.inf))
        setattr(node, attribute, value.astype(np.float64))
        node.metadata = words


def open_pairs(graph: Graph) -> None:
    """A neuron and its recurrent weights get a third node into their loop: one reader takes a pair for its own kind of
    layer, and feeds the input into the wrong one of both."""
    sizes = shapes(graph)
    for name in graph.of("LIF", "CubaLIF"):
        for target in graph.targets(name):
            if (target, name) in graph.edges and kind(graph.nodes[target]) in ("Affine", "Linear"):
                graph.between(f"{target}_back", diagonal(sizes[name]), (target, name))


def one_way_out(graph: Graph) -> None:
    """What adds up at the output adds up in a node before it: readers make several outputs of it."""
    sizes = shapes(graph)
    for name in graph.of("Output"):
        sources = graph.sources(name)
        if len(sources) > 1:
            graph.edges = [edge for edge in graph.edges if edge[1] != name]
            graph.add(f"{name}_sum", diagonal(sizes[name]), after=sources, before=[name])


def in_order(graph: Graph) -> None:
    """Names whose alphabetical order is that of a step; what the input does not reach is left out."""
    steps = order(graph).names
    for name in [name for name in graph.nodes if name not in steps]:
        taken_out(graph, name)
    inner = [name for name in steps if kind(graph.nodes[name]) not in ("Input", "Output")]
    width = len(str(len(inner)))
    names = {name: f"n{number:0{width}}_{_plain(name)}" for number, name in enumerate(inner, 1)}
    ends = {graph.of("Input")[0]: "input", graph.of("Output")[0]: "output"}
    graph.rename({**names, **ends})
    graph.edges.sort()  # longest way first: one reader goes by the first edge out of each node


def _plain(name: str) -> str:
    """Without the number of a renaming before, and without what names of modules cannot have."""
    head, _, rest = name.partition("_")
    name = rest if rest and head[:1] == "n" and head[1:].isdigit() else name
    return "".join(letter if letter.isalnum() else "_" for letter in name)


def single_precision(graph: Graph) -> None:
    """Weights in float32, which is what every reader computes in."""
    for node in graph.nodes.values():
        for attribute in ("weight", "bias"):
            if hasattr(node, attribute):
                value = np.asarray(getattr(node, attribute))
                setattr(node, attribute, np.ascontiguousarray(value, dtype=np.float32))
