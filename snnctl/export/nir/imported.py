"""A graph of NIR as a network of snnctl: the model of a recipe, and tensors for it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from snnctl.backbones.parts.graph_nodes import INPUT, numbers_of
from snnctl.core.diagnostic import Diagnostic, DiagnosticError
from snnctl.export.nir.graph import Graph, Shape, kind, pair
from snnctl.export.nir.order import order, shapes
from snnctl.export.nir.portable import soft_resets, told

_TYPES = {
    "IF": "if",
    "LIF": "lif",
    "CubaLIF": "cuba_lif",
    "I": "i",
    "LI": "li",
    "CubaLI": "cuba_li",
    "Threshold": "threshold",
    "Affine": "linear",
    "Linear": "linear",
    "Conv1d": "conv1d",
    "Conv2d": "conv2d",
    "Scale": "scale",
    "AvgPool2d": "avg_pool",
    "SumPool2d": "sum_pool",
    "Flatten": "flatten",
    "Delay": "delay",
}


@dataclass(frozen=True)
class Imported:
    """A network of snnctl.

    Args:
        model: of a recipe, `type: graph`.
        reads: whether the last weights are those of a linear read-out, and not part of the model.
        tensors: by their names in the network.
        names: nodes of the graph by their names here.
        outputs: numbers that it gives at a step.
    """

    model: dict[str, Any]
    reads: bool
    tensors: dict[str, Tensor]
    names: dict[str, str]
    outputs: int


def imported(graph: Graph) -> Imported:
    """A graph as a network that gives what it gives, step by step.

    Args:
        graph: by NIR's equations, with the words of `snnctl.export.nir.writers` in the metadata of its nodes.

    Raises:
        DiagnosticError: U581, one for each node that has no counterpart; U498, shapes do not fit.
    """
    graph = graph.copy()
    problems = [Diagnostic("U581", facts={"node": name, "text": text}) for name, text in obstacles(graph)]
    if problems:
        raise DiagnosticError(problems)
    if any(told(node).get("early") for node in graph.nodes.values()):
        soft_resets(graph)
    steps, sizes = order(graph), shapes(graph)
    inner = [name for name in steps.names if kind(graph.nodes[name]) not in ("Input", "Output")]
    names = _names(inner)
    names[graph.of("Input")[0]] = INPUT
    output = graph.of("Output")[0]
    last = graph.sources(output)
    read = last[0] if len(last) == 1 and _is_readout(graph, last[0], steps.delayed) else None
    nodes: list[dict[str, Any]] = []
    tensors: dict[str, Tensor] = {}
    for name in inner:
        node, before = graph.nodes[name], list(dict.fromkeys(a for a in graph.sources(name) if a in names))
        if name == read:
            weight = torch.as_tensor(np.asarray(node.weight))
            tensors["readout.linear.weight"] = weight.float()
            bias = np.asarray(getattr(node, "bias", np.zeros(len(weight))))
            tensors["readout.linear.bias"] = torch.as_tensor(bias).float().reshape(-1)
            continue
        made: dict[str, Any] = {"name": names[name], "type": _TYPES[kind(node)], "after": [names[a] for a in before]}
        late = [names[a] for a in before if (a, name) in steps.delayed]
        made |= {"shape": list(sizes[name])} | ({"late": late} if late else {})
        nodes.append(made | _knobs(graph, name, sizes))
        found = _tensors(graph, name, sizes[name])
        tensors |= {f"backbone.nodes.{names[name]}.{key}": value for key, value in found.items()}
    model: dict[str, Any] = {"type": "graph", "nodes": nodes, "inputs": list(sizes[graph.of("Input")[0]])}
    model["outputs"] = [names[a] for a in (last if read is None else graph.sources(read))]
    return Imported(model, read is not None, tensors, names, int(np.prod(sizes[output])))


def obstacles(graph: Graph) -> Iterator[tuple[str, str]]:
    """Nodes that cannot be imported, and why."""
    for way in ("Input", "Output"):
        if len(graph.of(way)) > 1:
            yield ", ".join(graph.of(way)), f"a network has one {way.lower()}"
    for name, node in graph.nodes.items():
        what = kind(node)
        if what not in (*_TYPES, "Input", "Output"):
            yield name, f"there is no layer for {what}"
        elif what in ("Conv1d", "Conv2d") and str(node.padding) == "same":
            kernel, stride = np.shape(node.weight)[2:], np.atleast_1d(np.asarray(node.stride))
            if any(size % 2 == 0 for size in kernel) or bool((stride != 1).any()):
                yield name, "`padding: same` of an even kernel, or with a stride"
        elif what in ("IF", "LIF", "CubaLIF") and bool((np.asarray(node.v_threshold) <= 0).any()):
            yield name, "a threshold that is not above 0"
        elif what == "Delay" and bool((np.asarray(node.delay) < 0).any()):
            yield name, "a delay below 0"
        numbers = (value for key, value in vars(node).items() if key not in ("metadata", "input_type", "output_type"))
        if any(np.asarray(each).dtype.kind == "f" and not np.isfinite(np.asarray(each)).all() for each in numbers):
            yield name, "numbers that are not finite"


def _names(inner: list[str]) -> dict[str, str]:
    """Names that modules can have, each once."""
    found: dict[str, str] = {}
    for name in inner:
        plain = "".join(letter if letter.isascii() and letter.isalnum() else "_" for letter in name) or "node"
        plain = f"{plain}_" if hasattr(nn.ModuleDict, plain) or plain == INPUT else plain
        free, number = plain, 2
        while free in found.values():
            free, number = f"{plain}_{number}", number + 1
        found[name] = free
    return found


def _is_readout(graph: Graph, name: str, delayed: Any) -> bool:
    """Whether a node is weights that only the output sees, behind one node that is none of the input."""
    before = graph.sources(name)
    plain = kind(graph.nodes[name]) in ("Affine", "Linear") and len(graph.targets(name)) == 1
    return plain and len(before) == 1 and kind(graph.nodes[before[0]]) != "Input" and (before[0], name) not in delayed


def _knobs(graph: Graph, name: str, sizes: dict[str, Shape]) -> dict[str, Any]:
    node, what = graph.nodes[name], kind(graph.nodes[name])
    if what in ("Affine", "Linear"):
        return {"weight": list(node.weight.shape), "bias": what == "Affine"}
    if what in ("Conv1d", "Conv2d"):
        axes = 1 if what == "Conv1d" else 2
        sides = {key: _sides(getattr(node, key), axes) for key in ("stride", "dilation")}
        kernel = node.weight.shape[2:]
        if str(node.padding) == "same":
            padding = [step * (size - 1) // 2 for step, size in zip(sides["dilation"], kernel, strict=True)]
        else:
            padding = [0] * axes if isinstance(node.padding, str) else _sides(node.padding, axes)
        sides["padding"] = padding
        return {"weight": list(node.weight.shape), "bias": True, **sides, "groups": int(node.groups)}
    if what in ("AvgPool2d", "SumPool2d"):
        given = {"kernel": node.kernel_size, "stride": node.stride, "padding": node.padding}
        return {key: list(pair(value)) for key, value in given.items()}
    if what == "Flatten":
        length = len(next(sizes[a] for a in graph.sources(name) if a in sizes))
        return {"axes": [int(node.start_dim) % length, int(node.end_dim) % length]}
    if what == "Scale":
        return {"weight": list(np.broadcast_to(np.asarray(node.scale), sizes[name]).shape)}
    if what == "Delay":
        return {"longest": int(np.max(_late(node, graph.dt)))}
    if what in ("IF", "LIF", "CubaLIF", "Threshold"):
        words = told(node)
        return {
            "reset": str(words.get("reset", "hard")),
            "strict": words.get("fires", "above") != "at",
            "levels": int(words.get("levels", 1)),
        }
    return {}


def _sides(value: Any, axes: int) -> list[int]:
    return [int(n) for n in np.broadcast_to(np.asarray(value).reshape(-1), axes)]


def _late(node: Any, dt: float) -> Any:
    return np.rint(np.asarray(node.delay, dtype=np.float64) / dt)


def _tensors(graph: Graph, name: str, shape: Shape) -> dict[str, Tensor]:
    """Weights and numbers of a node, per neuron where it is one; in steps."""
    node, dt = graph.nodes[name], graph.dt

    def full(value: Any) -> Tensor:
        every = np.asarray(value, dtype=np.float64)
        every = every.reshape(()) if every.size == 1 else every
        return torch.as_tensor(np.broadcast_to(every, shape).reshape(-1).copy()).float()

    match kind(node):
        case "Affine" | "Linear" | "Conv1d" | "Conv2d":
            found = {"weight": torch.as_tensor(np.array(node.weight)).float()}
            if hasattr(node, "bias"):
                bias = np.zeros(len(node.weight)) if node.bias is None else np.array(node.bias)
                found["bias"] = torch.as_tensor(bias).float().reshape(-1)
            return found
        case "Scale":
            return {"weight": full(node.scale).reshape(shape)}
        case "Delay":
            return {"late": full(_late(node, dt))}
        case "Threshold":
            return {"threshold": full(node.threshold)}
    return {key: full(value) for key, value in _membrane(node, dt).items()} if numbers_of(_TYPES[kind(node)]) else {}


def _membrane(node: Any, dt: float) -> dict[str, Any]:
    def array(attribute: str) -> Any:
        return np.asarray(getattr(node, attribute), dtype=np.float64)

    what = kind(node)
    starts = told(node).get("starts")
    found: dict[str, Any] = {"start": array(str(starts)) if starts else 0.0}
    if what in ("IF", "I"):
        found["gain"] = dt * array("r")
    else:
        tau = array("tau_mem") if what.startswith("Cuba") else array("tau")
        found |= {"leak": dt / tau, "gain": array("r"), "rest": array("v_leak")}
    if what.startswith("Cuba"):
        found |= {"synapse": dt / array("tau_syn"), "drive": array("w_in")}
    if what in ("IF", "LIF", "CubaLIF"):
        found |= {"threshold": array("v_threshold"), "reset_to": array("v_reset")}
    return found
