"""Rewriting a graph so that what it means stays and the numbers of its neurons change: factors go into the weights."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import numpy as np

from snnctl.export.nir.graph import POOLS, WEIGHTS, Graph, Shape, kind, nir
from snnctl.export.nir.order import order, shapes

Factor = Any  # a number per output of a node, an array of its shape


def scale_inputs(graph: Graph, factors: Mapping[str, Factor]) -> None:
    """Multiply what comes into each node of `factors`, by scaling the weights before it.

    Weights that also go elsewhere, where they are not to be multiplied or by something else, are doubled; where there
    are no weights, or where they take what was a step before (a second one would stand outside their loop), a diagonal
    of weights is put in.

    Args:
        factors: by name of the node, of its shape.
    """
    wanted = {name: factor for name, factor in factors.items() if not bool((np.asarray(factor) == 1.0).all())}
    sizes = shapes(graph)
    looped = {target for _, target in order(graph).delayed}
    for source in [name for name in graph.nodes if any(target in wanted for target in graph.targets(name))]:
        groups: dict[bytes, list[str]] = {}
        for target in graph.targets(source):
            key = np.asarray(wanted.get(target, 1.0), dtype=np.float64)
            groups.setdefault(np.broadcast_to(key, sizes[source]).tobytes(), []).append(target)
        original = graph.nodes[source]
        doubled = kind(original) in WEIGHTS and source not in looped
        # Whoever wants it as it is keeps the node itself; if nobody does, the first who want it otherwise.
        kept = next((targets for targets in groups.values() if targets[0] not in wanted), None)
        if kept is None and doubled:
            kept = next(iter(groups.values()))
            graph.nodes[source] = scaled(original, wanted[kept[0]])
        for targets in groups.values():
            if targets is kept:
                continue
            factor = wanted[targets[0]]
            edges = [(source, target) for target in targets]
            graph.edges = [edge for edge in graph.edges if edge not in edges]
            if doubled:
                graph.add(source, scaled(original, factor), after=graph.sources(source), before=targets)
            else:
                graph.add(f"{source}_gain", diagonal(sizes[source], factor), after=[source], before=targets)


def scaled(node: Any, factor: Factor) -> Any:
    """Weights whose outputs are `factor` times as large.

    Raises:
        ValueError: the outputs of one channel are to be multiplied by different numbers.
    """
    made = deepcopy(node)
    if kind(node) == "Scale":
        made.scale = np.asarray(node.scale, dtype=np.float64) * factor
        return made
    rows = by_row(factor, node.weight.shape[0])
    made.weight = np.asarray(node.weight, dtype=np.float64) * rows.reshape((-1,) + (1,) * (node.weight.ndim - 1))
    if kind(node) != "Linear":
        made.bias = np.asarray(node.bias, dtype=np.float64) * rows
    return made


def by_row(factor: Factor, rows: int) -> Any:
    """One number per output row or channel.

    Raises:
        ValueError: there are several.
    """
    every = np.asarray(factor, dtype=np.float64)
    if every.size == 1:
        return np.full(rows, float(every.reshape(())))
    flat = every.reshape(rows, -1)
    if bool((flat != flat[:, :1]).any()):
        raise ValueError("neurons of one channel differ")
    return flat[:, 0]


def diagonal(shape: Shape, factor: Factor = 1.0) -> Any:
    """Weights that multiply each output by a number of its own, for flat outputs and for images."""
    if len(shape) == 1:
        return nir().Affine(np.diag(by_row(factor, shape[0])), np.zeros(shape[0]))
    channels = shape[0]
    weight = np.diag(by_row(factor, channels)).reshape(channels, channels, 1, 1)
    return nir().Conv2d(shape[1:], weight, (1, 1), (0, 0), 1, 1, np.zeros(channels))


def scale_outputs(graph: Graph, name: str, factor: float) -> None:
    """Multiply what comes out of a pool by a number, in the weights that it reaches.

    Pools and `Flatten` between are walked through; a node that also gets something else is multiplied by itself alone:
    its weights are doubled for the others. Where a neuron comes first, a diagonal is put before it.
    """
    sizes, delayed = shapes(graph), order(graph).delayed
    for target in list(dict.fromkeys(graph.targets(name))):
        node = graph.nodes[target]
        if (name, target) in delayed:
            graph.between(f"{name}_mean", diagonal(sizes[name], factor), (name, target))
        elif kind(node) in ("Flatten", *POOLS) and graph.sources(target) == [name]:
            scale_outputs(graph, target, factor)
        elif kind(node) in WEIGHTS:
            _scale_columns(graph, name, target, factor)
        else:
            graph.between(f"{name}_mean", diagonal(sizes[name], factor), (name, target))


def _scale_columns(graph: Graph, name: str, target: str, factor: float) -> None:
    node = graph.nodes[target]
    others = [source for source in graph.sources(target) if source != name]
    made = deepcopy(node)
    if kind(node) == "Scale":
        made.scale = np.asarray(node.scale, dtype=np.float64) * factor
    else:
        made.weight = np.asarray(node.weight, dtype=np.float64) * factor
    if not others:
        graph.nodes[target] = made
        return
    if hasattr(made, "bias"):
        made.bias = np.zeros_like(made.bias)  # the other one has it
    graph.edges.remove((name, target))
    graph.add(target, made, after=[name], before=graph.targets(target))
