"""The equations of NIR, step by step in float64: what a file says, with no reader's habits."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from snnctl.core.diagnostic import Diagnostic, DiagnosticError
from snnctl.export.nir.graph import FIRING, Graph, kind, pair
from snnctl.export.nir.order import Order, order, shapes


@dataclass
class Run:
    """What a graph gave: [T, B, *] each.

    Args:
        output: of the graph's output.
        spikes: of each node that fires.
        potentials: of the same nodes, before the reset; only where they were asked for.
    """

    output: Tensor
    spikes: dict[str, Tensor]
    potentials: dict[str, Tensor] = field(default_factory=dict)


@torch.no_grad()
def run_graph(graph: Graph, x: Tensor, *, dt: float | None = None, potentials: bool = False) -> Run:
    """Run a graph on input currents [T, B, *].

    Derivatives become Euler steps of `dt`, None: that of the file. A neuron fires above its threshold, or from it on
    where the node says `fires: at`; it is set to its reset value, or loses its threshold where the node says `reset:
    soft`, which are words of snnctl.

    Raises:
        DiagnosticError: U498, as `shapes`, or a kind of node without equations.
    """
    steps = order(graph)
    for name in steps.names:
        if kind(graph.nodes[name]) not in _KNOWN:
            raise DiagnosticError(Diagnostic("U498", facts={"nodes": f"{name} ({kind(graph.nodes[name])})"}))
    machine = _Machine(graph, steps, graph.dt if dt is None else dt, x.shape[1], potentials)
    for x_t in x.double():
        machine.step(x_t)
    stacked = {name: torch.stack(each) for name, each in machine.kept.items()}
    membranes = {name: torch.stack(each) for name, each in machine.membranes.items()}
    output = stacked.pop(graph.of("Output")[0])
    return Run(output, stacked, membranes)


class _Machine:
    def __init__(self, graph: Graph, steps: Order, dt: float, batch: int, potentials: bool) -> None:
        self.graph, self.steps, self.dt, self.potentials = graph, steps, dt, potentials
        self.shapes = shapes(graph)
        self.sources = {name: graph.sources(name) for name in steps.names}
        self.before = {name: torch.zeros(batch, *self.shapes[name]).double() for name, _ in steps.delayed}
        self.state: dict[str, Any] = {}
        self.numbers: dict[tuple[str, str], Tensor] = {}
        self.kept: dict[str, list[Tensor]] = {}
        self.membranes: dict[str, list[Tensor]] = {}

    def step(self, x: Tensor) -> None:
        now: dict[str, Tensor] = {}
        for name in self.steps.names:
            node = self.graph.nodes[name]
            if kind(node) == "Input":
                now[name] = x.reshape(len(x), *self.shapes[name])
                continue
            given = [now[a] if (a, name) not in self.steps.delayed else self.before[a] for a in self.sources[name]]
            now[name] = self.apply(name, node, sum(given[1:], start=given[0]))
            if kind(node) in ("Output", "Threshold", *FIRING):
                self.kept.setdefault(name, []).append(now[name])
        self.before = {name: now[name] for name in self.before}

    def number(self, name: str, attribute: str) -> Tensor:
        """A number of a node as a tensor that broadcasts over its output."""
        if (name, attribute) not in self.numbers:
            value = np.asarray(getattr(self.graph.nodes[name], attribute), dtype=np.float64)
            self.numbers[name, attribute] = torch.as_tensor(value.reshape(()) if value.size == 1 else value)
        return self.numbers[name, attribute]

    def apply(self, name: str, node: Any, x: Tensor) -> Tensor:
        def number(attribute: str) -> Tensor:
            return self.number(name, attribute)

        match kind(node):
            case "Affine":
                return F.linear(x, number("weight").reshape(node.weight.shape), number("bias").reshape(-1))
            case "Linear":
                return F.linear(x, number("weight").reshape(node.weight.shape))
            case "Conv1d":
                return self.convolved(name, node, x, F.conv1d, int(node.stride), int(node.dilation), node.padding)
            case "Conv2d":
                return self.convolved(name, node, x, F.conv2d, pair(node.stride), pair(node.dilation), node.padding)
            case "AvgPool2d":
                return F.avg_pool2d(x, pair(node.kernel_size), pair(node.stride), pair(node.padding))
            case "SumPool2d":
                window = pair(node.kernel_size), pair(node.stride), pair(node.padding)
                return F.avg_pool2d(x, *window, divisor_override=1)
            case "Flatten":
                length = x.dim() - 1
                return x.flatten(1 + int(node.start_dim) % length, 1 + int(node.end_dim) % length)
            case "Scale":
                return x * number("scale")
            case "Delay":
                return self.late(name, x)
            case "Threshold":
                self.remember(name, x)
                return (x > number("threshold")).double()
            case "Output":
                return x
        return self.charged(name, node, x)

    def convolved(self, name: str, node: Any, x: Tensor, product: Any, stride: Any, dilation: Any, pad: Any) -> Tensor:
        pad = pad if isinstance(pad, str) else int(pad) if product is F.conv1d else pair(pad)
        weight, bias = self.number(name, "weight").reshape(node.weight.shape), self.number(name, "bias").reshape(-1)
        found: Tensor = product(x, weight, bias, stride, pad, dilation, int(node.groups))
        return found

    def late(self, name: str, x: Tensor) -> Tensor:
        """Each element as many steps late as its delay has of them."""
        late = (self.number(name, "delay") / self.dt).round().long()
        past = self.state.setdefault(name, [torch.zeros_like(x)] * int(late.max()))
        past.insert(0, x)
        every = torch.stack(past)
        del past[-1:]
        return every.gather(0, late.expand(x.shape)[None])[0]

    def charged(self, name: str, node: Any, x: Tensor) -> Tensor:
        """A membrane that leaks and, if it is one that fires, fires."""

        def number(attribute: str) -> Tensor:
            return self.number(name, attribute)

        before = self.state.get(name, torch.zeros_like(x))
        match kind(node):
            case "I" | "IF":
                h = before + self.dt * number("r") * x
            case "LI" | "LIF":
                h = before + self.dt * (number("v_leak") - before + number("r") * x) / number("tau")
            case _:
                current = self.state.get(f"{name}.i", torch.zeros_like(x))
                current = current + self.dt * (number("w_in") * x - current) / number("tau_syn")
                self.state[f"{name}.i"] = current
                h = before + self.dt * (number("v_leak") - before + number("r") * current) / number("tau_mem")
        if kind(node) not in FIRING:
            self.state[name] = h
            return h
        self.remember(name, h)
        told = getattr(node, "metadata", None) or {}
        threshold = number("v_threshold")
        fired = h >= threshold if told.get("fires") == "at" else h > threshold
        if told.get("reset") == "soft":
            self.state[name] = h - fired * threshold
        else:
            self.state[name] = torch.where(fired, number("v_reset"), h)
        return fired.double()

    def remember(self, name: str, h: Tensor) -> None:
        if self.potentials:
            self.membranes.setdefault(name, []).append(h)


_KNOWN: Collection[str] = (
    *("Input", "Output", "Affine", "Linear", "Conv1d", "Conv2d", "AvgPool2d", "SumPool2d", "Flatten", "Scale", "Delay"),
    *("Threshold", "I", "IF", "LI", "LIF", "CubaLI", "CubaLIF"),
)
