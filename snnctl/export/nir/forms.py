"""Nodes that readers lack or take differently, written as others that mean the same."""

from __future__ import annotations

from typing import Any

import numpy as np

from snnctl.export.nir.graph import POOLS, WEIGHTS, Graph, kind, nir, pair
from snnctl.export.nir.order import shapes
from snnctl.export.nir.rewrite import by_row, diagonal, scale_outputs


def average_pools(graph: Graph) -> None:
    """Sums in place of means, divided in the weights behind them; windows that stick out become a convolution."""
    for name in graph.of(*POOLS):
        node = graph.nodes[name]
        if pair(node.padding) != (0, 0):
            graph.nodes[name] = _as_convolution(graph, name, node)
        elif kind(node) == "AvgPool2d":
            graph.nodes[name] = nir().SumPool2d(node.kernel_size, node.stride, node.padding)
            scale_outputs(graph, name, 1.0 / float(np.prod(pair(node.kernel_size))))


def _as_convolution(graph: Graph, name: str, node: Any) -> Any:
    channels, *grid = shapes(graph)[graph.sources(name)[0]]
    kernel = pair(node.kernel_size)
    weight = np.zeros((channels, channels, *kernel))
    weight[np.arange(channels), np.arange(channels)] = 1.0 / np.prod(kernel) if kind(node) == "AvgPool2d" else 1.0
    return nir().Conv2d(tuple(grid), weight, pair(node.stride), pair(node.padding), 1, 1, np.zeros(channels))


def groups(graph: Graph) -> None:
    """Convolutions in groups with all their weights, of which those between groups are 0."""
    for name in graph.of("Conv1d", "Conv2d"):
        node = graph.nodes[name]
        count = int(node.groups)
        if count == 1:
            continue
        outputs, inputs = node.weight.shape[:2]
        weight = np.zeros((outputs, inputs * count, *node.weight.shape[2:]), dtype=node.weight.dtype)
        each = outputs // count
        for group in range(count):
            rows = slice(group * each, (group + 1) * each)
            weight[rows, group * inputs : (group + 1) * inputs] = node.weight[rows]
        sizes = node.input_shape, weight, node.stride, node.padding, node.dilation
        graph.nodes[name] = getattr(nir(), kind(node))(*sizes, 1, node.bias)


def scales(graph: Graph) -> None:
    """A multiplication of each channel by a number as weights on a diagonal."""
    sizes = shapes(graph)
    for name in graph.of("Scale"):
        back = any(kind(graph.nodes[source]) == "Threshold" for source in graph.sources(name))
        if back or len(sizes[name]) not in (1, 3):
            continue  # the way back of a reset: who reads thresholds reads this, too
        try:
            graph.nodes[name] = diagonal(sizes[name], np.broadcast_to(graph.nodes[name].scale, sizes[name]))
        except ValueError:  # it differs within a channel: there is no such kernel
            continue


def rest_in_biases(graph: Graph) -> None:
    """Membranes that leak to a value above or below 0 are driven there by a bias; resistances are 1."""
    for name in graph.of("LIF"):
        node = graph.nodes[name]
        rest = np.asarray(node.v_leak, dtype=np.float64)
        if not bool(rest.any()) or bool(np.asarray(node.v_reset).any()):
            continue
        source = next((source for source in graph.sources(name) if _can_take(graph, source)), None)
        try:
            if source is None:
                source = graph.between(f"{name}_rest", diagonal(rest.shape), (graph.sources(name)[0], name))
            graph.nodes[source] = _with_bias(graph.nodes[source], rest)
        except ValueError:  # it differs within a channel
            continue
        node.v_leak = np.zeros_like(rest)


def _can_take(graph: Graph, source: str) -> bool:
    return (
        kind(graph.nodes[source]) in WEIGHTS
        and kind(graph.nodes[source]) != "Scale"
        and len(graph.targets(source)) == 1
    )


def _with_bias(node: Any, rest: Any) -> Any:
    added = by_row(rest, node.weight.shape[0])
    if kind(node) == "Linear":
        return nir().Affine(node.weight, added)
    node.bias = np.asarray(node.bias, dtype=np.float64) + added
    return node


def flatten_from_the_end(graph: Graph) -> None:
    """Axes that are counted from the end, where the batch does not count."""
    sizes = shapes(graph)
    for name in graph.of("Flatten"):
        node = graph.nodes[name]
        given = sizes[graph.sources(name)[0]]
        start, end = int(node.start_dim) % len(given), int(node.end_dim) % len(given)
        graph.nodes[name] = nir().Flatten({"input": np.array(given)}, start - len(given), end - len(given))
