"""A network that came from a graph, as a graph again: the way back of `imported`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from torch import nn

from snnctl.backbones.graph import GraphNetwork
from snnctl.backbones.parts.graph_nodes import INPUT, GraphNode
from snnctl.engine.experiment import Network
from snnctl.export.nir.graph import Graph, Shape, nir
from snnctl.export.nir.neurons import MOST_LEVELS
from snnctl.readouts.linear import MeanLinear, StepLinear
from snnctl.readouts.plain import EachStep, Mean


def graph_problems(network: Network) -> Iterator[str]:
    """What of a network with the backbone `graph` has no form in NIR."""
    backbone, readout = network.backbone, network.readout
    assert isinstance(backbone, GraphNetwork)
    if not isinstance(readout, MeanLinear | StepLinear | Mean | EachStep) or readout.skip or readout.ahead:
        yield f"the read-out {type(readout).__name__} (or its skip, or its decoder of covariates) behind a graph"
    for node in backbone.description:
        module = backbone.nodes[node.name]
        start = getattr(module, "start", None)
        if start is not None and bool((start != 0).any()):
            yield f"node {node.name}: membranes that start above or below 0"
        if node.levels > MOST_LEVELS:
            yield f"node {node.name}: {node.levels} spikes of a neuron in one step, and {MOST_LEVELS} are the most"


def regraphed(network: Network) -> tuple[Graph, Shape]:
    """The graph, time constants in steps, and the shape of one step of its input."""
    backbone, readout = network.backbone, network.readout
    assert isinstance(backbone, GraphNetwork)
    inputs = tuple(backbone.inputs)
    made = Graph({INPUT: nir().Input({"input": np.array(inputs)})}, [])
    for node in backbone.description:
        made.nodes[node.name] = _node(node, backbone.nodes[node.name], _given(backbone, node))
        made.edges += [(source, node.name) for source in node.after]
    last, shape = list(backbone.outputs), _shape(backbone, backbone.outputs[0])
    if isinstance(readout, MeanLinear | StepLinear):
        if len(shape) > 1:
            last, shape = [made.add("readout_flatten", _flatten(shape, 0, len(shape) - 1), after=last)], ()
        weight, bias = _numbers(readout.linear, "weight"), _numbers(readout.linear, "bias")
        last, shape = [made.add("readout", nir().Affine(weight, bias), after=last)], (len(weight),)
    made.nodes["output"] = nir().Output({"output": np.array(shape)})
    made.edges += [(source, "output") for source in last]
    return made, inputs


def _numbers(module: nn.Module, name: str) -> Any:
    return getattr(module, name).detach().double().cpu().numpy().copy()


def _shape(backbone: GraphNetwork, name: str) -> Shape:
    if name == INPUT:
        return tuple(backbone.inputs)
    return tuple(next(node.shape for node in backbone.description if node.name == name))


def _given(backbone: GraphNetwork, node: GraphNode) -> Shape:
    return _shape(backbone, node.after[0])


def _flatten(given: Shape, start: int, end: int) -> Any:
    return nir().Flatten({"input": np.array(given)}, start, end)


def _node(node: GraphNode, module: nn.Module, given: Shape) -> Any:
    def full(name: str) -> Any:
        return _numbers(module, name).reshape(node.shape)

    package = nir()
    if node.type == "linear":
        weight = _numbers(module, "weight")
        return package.Affine(weight, _numbers(module, "bias")) if node.bias else package.Linear(weight)
    if node.type in ("conv1d", "conv2d"):
        weight = _numbers(module, "weight")
        bias = _numbers(module, "bias") if node.bias else np.zeros(len(weight))
        if node.type == "conv1d":
            sides = (int(node.stride[0]), int(node.padding[0]), int(node.dilation[0]))
            return package.Conv1d(given[1], weight, *sides, node.groups, bias)
        pairs = (tuple(node.stride), tuple(node.padding), tuple(node.dilation))
        return package.Conv2d(given[1:], weight, *pairs, node.groups, bias)
    if node.type in ("avg_pool", "sum_pool"):
        kind = package.AvgPool2d if node.type == "avg_pool" else package.SumPool2d
        return kind(np.array(node.kernel), np.array(node.stride), np.array(node.padding))
    if node.type == "flatten":
        return _flatten(given, node.axes[0], node.axes[1])
    if node.type == "scale":
        return package.Scale(_numbers(module, "weight"))
    if node.type == "delay":
        return package.Delay(full("late"))
    made = _membrane(package, node, full)
    if node.type in ("if", "lif", "cuba_lif", "threshold"):
        made.metadata = {"fires": "above" if node.strict else "at"}
    if node.type in ("if", "lif", "cuba_lif"):
        made.metadata |= {"reset": node.reset} | ({"levels": node.levels} if node.levels > 1 else {})
    return made


def _membrane(package: Any, node: GraphNode, full: Any) -> Any:
    match node.type:
        case "threshold":
            return package.Threshold(full("threshold"))
        case "if":
            return package.IF(full("gain"), full("threshold"), full("reset_to"))
        case "i":
            return package.I(full("gain"))
    tau, gain, rest = 1.0 / full("leak"), full("gain"), full("rest")
    if node.type == "lif":
        return package.LIF(tau, gain, rest, full("threshold"), full("reset_to"))
    if node.type == "li":
        return package.LI(tau, gain, rest)
    synapse, drive = 1.0 / full("synapse"), full("drive")
    if node.type == "cuba_li":
        return package.CubaLI(synapse, tau, gain, rest, drive)
    return package.CubaLIF(synapse, tau, gain, rest, full("threshold"), full("reset_to"), drive)
