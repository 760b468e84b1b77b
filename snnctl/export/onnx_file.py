"""ONNX: one step of a network as a graph whose membranes go in and come out; the caller loops over time."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from snnctl.export.chain import Affine, AveragePool, Chain, Convolution, Fire, Flatten, package

OPSET = 18


class _Graph:
    def __init__(self, onnx: Any) -> None:
        self.onnx = onnx
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.count = 0

    def constant(self, value: Any) -> str:
        self.count += 1
        name = f"c{self.count}"
        self.constants.append(self.onnx.numpy_helper.from_array(np.asarray(value), name))
        return name

    def add(self, op: str, *inputs: str, out: str = "", **attributes: Any) -> str:
        self.count += 1
        made = out or f"t{self.count}"
        self.nodes.append(self.onnx.helper.make_node(op, list(inputs), [made], **attributes))
        return made


def write_onnx(made: Chain, path: Path, facts: dict[str, str]) -> None:
    """Write one step of `made` to `path`.

    Inputs: `x` [B, *], and `state_NAME` [B, *] for every neuron; outputs: `y` [B, outputs] and `next_NAME`. At first
    a state is everywhere what the metadata has as `start_NAME`; the prediction is the mean of y over T.

    Raises:
        DiagnosticError: U496, the package is missing.
        OSError: the file cannot be written.
    """
    onnx = package("onnx", "ONNX")
    graph, helper, kind = _Graph(onnx), onnx.helper, onnx.TensorProto.FLOAT
    inputs = [helper.make_tensor_value_info("x", kind, ["batch", *made.inputs])]
    outputs: list[Any] = []
    value, told = "x", {"steps": str(made.steps), **facts}
    for name, link in zip(made.names, made.links, strict=True):
        match link:
            case Affine(weight, bias):
                value = graph.add("Gemm", value, graph.constant(weight.numpy()), graph.constant(bias.numpy()), transB=1)
            case Convolution():
                value = graph.add(
                    "Conv",
                    value,
                    graph.constant(link.weight.numpy()),
                    graph.constant(link.bias.numpy()),
                    strides=[link.stride] * 2,
                    pads=[link.padding] * 4,
                    group=link.groups,
                )
            case AveragePool(kernel):
                value = graph.add("AveragePool", value, kernel_shape=list(kernel), strides=list(kernel))
            case Flatten():
                value = graph.add("Flatten", value, axis=1)
            case Fire():
                for listed, prefix in ((inputs, "state"), (outputs, "next")):
                    listed.append(helper.make_tensor_value_info(f"{prefix}_{name}", kind, ["batch", *link.shape]))
                told[f"start_{name}"] = repr(float((link.start * link.threshold).max()))
                value = _fire(graph, link, value, name)
    graph.add("Identity", value, out="y")
    outputs.insert(0, helper.make_tensor_value_info("y", kind, ["batch", made.outputs]))
    body = helper.make_graph(graph.nodes, "step", inputs, outputs, graph.constants)
    model = helper.make_model(body, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="snnctl")
    model.ir_version = 9  # understood by runtimes of the last years
    helper.set_model_props(model, told)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))


def _fire(graph: _Graph, link: Fire, x: str, name: str) -> str:
    """The equations of `Fire`; what goes on is what the neuron gives out."""

    def number(value: Tensor | float) -> str:
        return graph.constant(link.spread(torch.as_tensor(value, dtype=torch.float32)).numpy())

    dynamics = link.dynamics
    state, leak, threshold = f"state_{name}", number(link.leak), number(link.threshold)
    driven = graph.add("Mul", x, number(link.gain))
    h = graph.add("Add", state if dynamics.reset == "delayed" else graph.add("Mul", state, leak), driven)
    raised = graph.add("Abs", h) if dynamics.signed else h
    if dynamics.early:
        raised = graph.add("Add", raised, number(link.threshold * dynamics.early))
    counted = graph.add("Div", raised, threshold)
    # The largest k with h >= k thresholds, or h > k of them.
    counted = (
        graph.add("Sub", graph.add("Ceil", counted), number(1.0)) if dynamics.strict else graph.add("Floor", counted)
    )
    size = graph.add("Clip", counted, number(0.0), number(float(dynamics.levels)))
    spikes = graph.add("Mul", size, graph.add("Sign", h)) if dynamics.signed else size
    if dynamics.reset == "hard":
        fired = graph.add("Greater", size, number(0.0))
        graph.add("Where", fired, number(0.0), h, out=f"next_{name}")
    else:
        kept = graph.add("Mul", h, leak) if dynamics.reset == "delayed" else h
        graph.add("Sub", kept, graph.add("Mul", spikes, threshold), out=f"next_{name}")
    return graph.add("Mul", spikes, number(link.scale)) if link.scale != 1.0 else spikes


def run_onnx(path: Path, x: Tensor) -> Tensor:
    """What the file gives at every step, [T, B, outputs], by the reference evaluator of the package onnx.

    One step of `x`, input currents [T, B, *], is shaped as the graph's input says.
    """
    onnx = package("onnx", "ONNX")
    model = onnx.load(str(path))
    told = {entry.key: entry.value for entry in model.metadata_props}
    shapes = {
        entry.name: [axis.dim_value for axis in entry.type.tensor_type.shape.dim[1:]] for entry in model.graph.input
    }
    names = [name.removeprefix("state_") for name in shapes if name.startswith("state_")]
    batch = x.shape[1]
    states = {
        f"state_{name}": np.full((batch, *shapes[f"state_{name}"]), float(told[f"start_{name}"]), np.float32)
        for name in names
    }
    step = import_module("onnx.reference").ReferenceEvaluator(model)
    wanted = ["y", *(f"next_{name}" for name in names)]
    out = []
    for x_t in x.float():
        found = step.run(wanted, {"x": x_t.reshape(batch, *shapes["x"]).numpy(), **states})
        out.append(torch.from_numpy(np.asarray(found[0])))
        states = {f"state_{name}": value for name, value in zip(names, found[1:], strict=True)}
    return torch.stack(out)
