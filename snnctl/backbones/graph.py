"""A network that is any graph of layers: what a file of NIR describes."""

from __future__ import annotations

import math
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from snnctl.backbones.base import Backbone
from snnctl.backbones.parts.graph_nodes import (
    FIRES,
    INPUT,
    LEAKS,
    GraphDelay,
    GraphLeak,
    GraphNeuron,
    GraphNode,
    GraphScale,
)
from snnctl.core.catalog import BACKBONES
from snnctl.core.shapes import ShapeError, SignalSpec
from snnctl.core.signature import takes_knobs

# What goes on from step to step, by node.
States = dict[str, Any]


@BACKBONES.register("graph")
class GraphNetwork(Backbone):
    """A graph of layers, node by node, as `snnctl import` writes it for a file of NIR.

    A node gets the sum of the outputs of those it comes after. Where none comes late, each node runs over all steps at
    once; else the graph runs step by step, and what is late is of the step before.

    Args:
        nodes: in the order of a step.
        inputs: shape of one step of what goes in, [N], [C, L] or [C, H, W].
        outputs: nodes whose sum is what goes out.
        channels: of an input [N] that stands for several channels, whether numbers run channel by channel or place by
            place.

    Shape: [T, B, L, F] -> [T, B, 1, N].

    Raises:
        ShapeError: the data do not have the shape of the input.
    """

    @takes_knobs
    def __init__(
        self,
        signal: SignalSpec,
        *,
        nodes: list[GraphNode],
        inputs: list[int],
        outputs: list[str],
        channels: Literal["first", "last"] = "first",
    ) -> None:
        super().__init__()
        self.description, self.inputs, self.outputs = list(nodes), list(inputs), list(outputs)
        self.channels_first = channels == "first"
        self._check_input(signal)
        self.loops = any(node.late for node in nodes)
        self._check_names()
        self.nodes = nn.ModuleDict({node.name: _module(node) for node in nodes})
        last = [node for node in nodes if node.name in outputs]
        size = math.prod(last[0].shape) if last else math.prod(inputs)
        fires = len(last) == 1 and last[0].type in FIRES
        levels = last[0].levels if fires else 1
        kind: Literal["spikes", "real"] = "spikes" if fires else "real"
        self.output = signal.replace(length=1, features=size, grid=None, kind=kind, levels=levels)

    def _check_input(self, signal: SignalSpec) -> None:
        given = [signal.features, *(signal.grid or (signal.length,))]
        given = given if len(self.inputs) > 1 else [math.prod(given)]
        if given != self.inputs:
            wanted = " x ".join(map(str, self.inputs))
            message = f"one step of the graph's input is {wanted}, and that of the data {' x '.join(map(str, given))}"
            raise ShapeError(message, knob="inputs", help="take the data that the network was made for")

    def _check_names(self) -> None:
        known = {INPUT}
        for node in self.description:
            early = [name for name in node.after if name not in node.late]
            odd = sorted({*early} - known) + sorted({*node.late} - {each.name for each in self.description})
            if odd or not node.after or node.name in known or not set(node.late) <= set(node.after):
                what = f"nothing called {odd[0]} comes before it" if odd else "it comes after nothing, or twice"
                raise ShapeError(
                    f"node {node.name}: {what}", knob="nodes", help="each node follows those that it needs"
                )
            known.add(node.name)
        if not self.outputs or not set(self.outputs) <= known:
            raise ShapeError("the graph's outputs are none of its nodes", knob="outputs")

    def forward(self, x: Tensor) -> Tensor:
        x = self.arranged(x)
        if not self.loops:
            return self._summed(self._run(x, {}, {}), self.outputs).flatten(2).unsqueeze(2)
        states: States = {}
        before: dict[str, Tensor] = {}
        out = []
        for x_t in x.split(1):
            now = self._run(x_t, states, before)
            before = now
            out.append(self._summed(now, self.outputs))
        return torch.cat(out).flatten(2).unsqueeze(2)

    def arranged(self, x: Tensor) -> Tensor:
        """[T, B, L, F] as the graph's input [T, B, *inputs]."""
        if len(self.inputs) > 1 or self.channels_first:
            x = x.movedim(-1, 2)
        return x.reshape(*x.shape[:2], *self.inputs)

    def _run(self, x: Tensor, states: States, before: dict[str, Tensor]) -> dict[str, Tensor]:
        """All nodes over the steps of x; `states` goes on."""
        now = {INPUT: x}
        for node in self.description:
            given = [now[name] for name in node.after if name not in node.late]
            given += [before[name] for name in node.late if name in before]
            if not given:  # all that it gets is of the step before the first
                shape = next(each.shape for each in self.description if each.name in node.late)
                given = [x.new_zeros(*x.shape[:2], *shape)]
            now[node.name] = self._given_out(node, sum(given[1:], start=given[0]), states)
        return now

    @staticmethod
    def _summed(now: dict[str, Tensor], names: list[str]) -> Tensor:
        found = [now[name] for name in names]
        return sum(found[1:], start=found[0])

    def _given_out(self, node: GraphNode, x: Tensor, states: States) -> Tensor:
        module = self.nodes[node.name]
        match module:
            case GraphNeuron():
                out, states[node.name] = module(x.flatten(2), states.get(node.name), return_state=True)
                return out.view(x.shape)
            case GraphLeak() | GraphDelay():
                out, states[node.name] = module(x.flatten(2), states.get(node.name))
                return out.view(x.shape)
            case nn.Conv1d() | nn.Conv2d():
                return module(x.flatten(0, 1)).unflatten(0, x.shape[:2])
            case nn.Identity() if node.type == "flatten":
                return x.flatten(2 + node.axes[0], 2 + node.axes[1])
            case nn.Identity():
                kernel, stride, padding = ((each[0], each[1]) for each in (node.kernel, node.stride, node.padding))
                divisor = 1 if node.type == "sum_pool" else None
                pooled = F.avg_pool2d(x.flatten(0, 1), kernel, stride, padding, divisor_override=divisor)
                return pooled.unflatten(0, x.shape[:2])
        return module(x)


def _module(node: GraphNode) -> nn.Module:
    size = math.prod(node.shape)
    if node.type in FIRES:
        return GraphNeuron(node, size)
    if node.type in LEAKS:
        return GraphLeak(node, size)
    if node.type == "delay":
        return GraphDelay(node, size)
    if node.type == "scale":
        return GraphScale(list(node.weight))
    if node.type == "linear":
        return nn.Linear(node.weight[1], node.weight[0], bias=node.bias)
    if node.type in ("conv1d", "conv2d"):
        kind: Any = nn.Conv1d if node.type == "conv1d" else nn.Conv2d
        sizes = {name: tuple(getattr(node, name)) for name in ("stride", "padding", "dilation")}
        inner, kernel = node.weight[1] * node.groups, tuple(node.weight[2:])
        made: nn.Module = kind(inner, node.weight[0], kernel, groups=node.groups, bias=node.bias, **sizes)
        return made
    return nn.Identity()
