"""The Neuromorphic Intermediate Representation: write a chain as a NIR graph, read it back, run it."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from snnctl.export.chain import Affine, AveragePool, Chain, Convolution, Fire, Flatten, Link, package


def write_nir(made: Chain, path: Path, facts: dict[str, Any]) -> None:
    """Write `made` to `path`.

    Membranes are those of an Euler step of 1: tau v' = (0 - v) + R I with tau = 1 / (1 - leak), R = gain tau. NIR fires
    above the threshold, snnctl from it on: they differ where a membrane is exactly there. `facts` become metadata.

    Raises:
        DiagnosticError: U496, the package is missing.
        OSError: the file cannot be written.
    """
    nir = package("nir", "NIR")
    nodes: dict[str, Any] = {"input": nir.Input({"input": np.array(made.inputs)})}
    for name, link in zip(made.names, made.links, strict=True):
        nodes[name] = _node(nir, link)
    nodes["output"] = nir.Output({"output": np.array((made.outputs,))})
    order = ["input", *made.names, "output"]
    told = {"steps": made.steps, "prediction": "mean over steps" if made.averaged else "every step", **facts}
    graph = nir.NIRGraph(nodes, list(pairwise(order)), metadata=told)
    nir.write(str(path), graph)


def _node(nir: Any, link: Link) -> Any:
    match link:
        case Affine(weight, bias):
            return nir.Affine(weight.numpy(), bias.numpy())
        case Convolution():
            pair = (link.stride, link.stride), (link.padding, link.padding)
            return nir.Conv2d(link.grid, link.weight.numpy(), pair[0], pair[1], 1, link.groups, link.bias.numpy())
        case AveragePool(kernel):
            return nir.AvgPool2d(np.array(kernel), np.array(kernel), np.array((0, 0)))
        case Flatten(shape):
            return nir.Flatten({"input": np.array(shape)}, 0, -1)
        case Fire():
            return _neuron(nir, link)


def _neuron(nir: Any, link: Fire) -> Any:
    def full(value: Tensor) -> Any:
        return link.spread(value).expand(link.shape).double().numpy().copy()

    rest, threshold = np.zeros(link.shape), full(link.threshold)
    if bool((link.leak == 1).all()):
        return nir.IF(full(link.gain), threshold, rest)
    tau = 1.0 / (1.0 - link.leak.double())
    return nir.LIF(full(tau), full(link.gain.double() * tau), rest, threshold, rest)


def run_nir(path: Path, x: Tensor) -> Tensor:
    """What the graph in a file gives at every step, [T, B, outputs], by its own equations in float64.

    One step of `x`, input currents [T, B, *], is shaped as the graph's input says.
    """
    nir = package("nir", "NIR")
    graph = nir.read(str(path))
    following = dict(graph.edges)
    state: dict[str, Tensor] = {}
    out = []
    for x_t in x.double():
        name, value = "input", x_t.reshape(len(x_t), *graph.nodes["input"].input_type["input"])
        while (name := following[name]) != "output":
            value = _apply(nir, graph.nodes[name], name, value, state)
        out.append(value)
    return torch.stack(out)


def _apply(nir: Any, node: Any, name: str, x: Tensor, state: dict[str, Tensor]) -> Tensor:
    def tensor(value: Any) -> Tensor:
        return torch.as_tensor(np.asarray(value), dtype=torch.float64)

    match node:
        case nir.Affine():
            return F.linear(x, tensor(node.weight), tensor(node.bias))
        case nir.Conv2d():
            stride, padding = (tuple(int(n) for n in np.broadcast_to(v, 2)) for v in (node.stride, node.padding))
            return F.conv2d(x, tensor(node.weight), tensor(node.bias), stride, padding, groups=int(node.groups))
        case nir.AvgPool2d():
            return F.avg_pool2d(x, tuple(int(n) for n in node.kernel_size), tuple(int(n) for n in node.stride))
        case nir.Flatten():
            return x.flatten(1)
    v = state.get(name, torch.zeros_like(x))
    if isinstance(node, nir.IF):
        v = v + tensor(node.r) * x
    else:
        v = v + (tensor(node.v_leak) - v + tensor(node.r) * x) / tensor(node.tau)
    fired = v > tensor(node.v_threshold)
    state[name] = torch.where(fired, tensor(node.v_reset), v)
    return fired.double()
