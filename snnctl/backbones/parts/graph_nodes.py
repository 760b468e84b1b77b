"""Nodes of a graph of layers: their description as a recipe has it, and the modules that are none of torch's own."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

import torch
from annotated_types import Ge
from torch import Tensor, nn

from snnctl.neurons.base import SpikingNeuron, at_rest
from snnctl.neurons.surrogate import make_surrogate

Fires = Literal["if", "lif", "cuba_lif", "threshold"]
Leaks = Literal["i", "li", "cuba_li"]
Weighs = Literal["linear", "conv1d", "conv2d", "scale"]
Shapes = Literal["avg_pool", "sum_pool", "flatten", "delay"]
FIRES: tuple[str, ...] = ("if", "lif", "cuba_lif", "threshold")
LEAKS: tuple[str, ...] = ("i", "li", "cuba_li")
INPUT = "input"  # the name of what goes into a graph
MOST_AT_ONCE = 255  # spikes of a neuron in a step, where its writer sets no bound


@dataclass(frozen=True)
class GraphNode:
    """One node of a graph; numbers per neuron and weights are in the network's tensors.

    Args:
        name: of letters, digits and underlines.
        type: what it does. The membranes are `if`, `lif`, `cuba_lif` (which fire) and `i`, `li`, `cuba_li` (which do
            not); `threshold` fires without a membrane.
        after: nodes whose outputs it gets, as a sum; `input` is the data.
        late: those of them whose output is of the step before; within the first step that is 0.
        shape: of its output at one step, [N], [C, L] or [C, H, W].
        weight: shape of its weights; empty where it has none.
        bias: whether it has biases.
        kernel, stride, padding, dilation, groups: of convolutions and pools.
        axes: first and last axis that `flatten` joins, counted without the batch.
        reset: hard sets the membrane to its reset value, soft takes the threshold off, delayed does so a step later.
        strict: whether a membrane that just reaches the threshold does not fire.
        levels: most spikes of one neuron in one step, >= 1.
        longest: of `delay`, the longest one in steps.
    """

    name: str
    type: Fires | Leaks | Weighs | Shapes
    after: list[str]
    shape: list[int]
    late: list[str] = field(default_factory=list)
    weight: list[int] = field(default_factory=list)
    bias: bool = False
    kernel: list[int] = field(default_factory=list)
    stride: list[int] = field(default_factory=list)
    padding: list[int] = field(default_factory=list)
    dilation: list[int] = field(default_factory=list)
    groups: Annotated[int, Ge(1)] = 1
    axes: list[int] = field(default_factory=list)
    reset: Literal["hard", "soft", "delayed"] = "hard"
    strict: bool = True
    levels: Annotated[int, Ge(1)] = 1
    longest: Annotated[int, Ge(0)] = 0


class Membrane:
    """The equations of membranes in Euler steps, per neuron; numbers are tensors [channels] that are stored.

    Equation:
        i = i + synapse * (drive * x - i)       cuba_lif, cuba_li; else i = x
        h = v + leak * (rest - v + gain * i)    lif, li, cuba
        h = v + gain * i                        if, i
    """

    NUMBERS = ("leak", "gain", "rest", "synapse", "drive", "start")

    def __init__(self, node: GraphNode, channels: int) -> None:
        self.form = node.type
        assert isinstance(self, nn.Module)
        for name in numbers_of(node.type):
            self.register_buffer(name, torch.ones(channels))

    leak: Tensor
    gain: Tensor
    rest: Tensor
    synapse: Tensor
    drive: Tensor
    start: Tensor

    def charged(self, x: Tensor, current: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """One step: the synapse's current and the membrane before a spike."""
        if self.form == "threshold":
            return x, x
        if self.form.startswith("cuba"):
            x = current + self.synapse * (self.drive * x - current)
        if self.form in ("if", "i"):
            return x, v + self.gain * x
        return x, v + self.leak * (self.rest - v + self.gain * x)


def numbers_of(type: str) -> tuple[str, ...]:
    """Which numbers per neuron a type of node has."""
    if type == "threshold":
        return ("threshold",)
    if type == "delay":
        return ("late",)
    charging: tuple[str, ...] = ("gain", "start") if type in ("if", "i") else ("leak", "gain", "rest", "start")
    if type.startswith("cuba"):
        charging += ("synapse", "drive")
    return charging + (("threshold", "reset_to") if type in FIRES else ()) if type in (*FIRES, *LEAKS) else ()


class GraphNeuron(SpikingNeuron, Membrane):
    """A spiking neuron whose constants, its own for each channel, are given rather than learned.

    Equation: h as in `Membrane`, and with the reset
        s = 1 if h > threshold else 0           `strict`; else h >= threshold. Of several levels: how often it fits in
        v = reset_to where s > 0                hard
        v = h - s * threshold                   soft
        h[t] is less by s[t-1] * threshold      delayed

    Args:
        node: its description.
        channels: neurons.

    Shape: [T, B, channels] -> [T, B, channels]; the state is current, membrane, and spikes of the step before.
    """

    state_parts = 3
    threshold: Tensor
    reset_to: Tensor

    def __init__(self, node: GraphNode, channels: int) -> None:
        SpikingNeuron.__init__(self, channels, levels=node.levels)
        Membrane.__init__(self, node, channels)
        self.reset, self.strict = node.reset, node.strict
        self.leaks = node.type in ("lif", "cuba_lif")
        self.surrogate = make_surrogate("atan")

    def initial_state(self, x0: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        rest = at_rest(x0)
        return rest, rest if self.form == "threshold" else rest + self.start, rest

    def leak_per_step(self) -> Tensor | None:
        if not self.leaks:
            return None
        left = 1.0 - self.leak
        return left if bool(((left > 0) & (left < 1)).all()) else None

    def step(self, x_t: Tensor, state: tuple[Tensor, Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor, Tensor]]:
        current, v, before = state
        current, h = self.charged(x_t.to(v.dtype), current, v)
        if self.reset == "delayed":
            h = h - before * self.threshold
        spikes = self.fired(h)
        if self.reset == "soft":
            v = h - spikes * self.threshold
        elif self.reset == "hard" and self.form != "threshold":
            v = torch.where(spikes > 0, self.reset_to, h)
        else:
            v = h
        return spikes.to(x_t.dtype), (current, v, spikes)

    def fired(self, h: Tensor) -> Tensor:
        """Spikes of membranes [B, channels]."""
        assert self.surrogate is not None
        if self.levels > 1:
            whole = torch.trunc(h.detach() / self.threshold).clamp(0, self.levels)
            nearest = self.surrogate.spike(h - whole.clamp_min(1.0) * self.threshold)
            return whole + nearest - nearest.detach()
        reached = self.surrogate.spike(h - self.threshold)
        return reached * (h != self.threshold) if self.strict else reached


class GraphLeak(nn.Module, Membrane):
    """A membrane that does not fire and gives itself out; h as in `Membrane`.

    Shape: [T, B, channels] -> [T, B, channels]; the state is current and membrane.
    """

    def __init__(self, node: GraphNode, channels: int) -> None:
        nn.Module.__init__(self)
        Membrane.__init__(self, node, channels)

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Run over steps from `state`, or from the start."""
        rest = at_rest(x[0])
        current, v = (rest, rest + self.start) if state is None else state
        out = []
        for x_t in x.unbind(0):
            current, v = self.charged(x_t, current, v)
            out.append(v)
        return torch.stack(out), (current, v)


class GraphDelay(nn.Module):
    """Each element as many whole steps late as its number says, 0 before.

    Shape: [T, B, channels] -> [T, B, channels]; the state is the last inputs [longest, B, channels].
    """

    late: Tensor

    def __init__(self, node: GraphNode, channels: int) -> None:
        super().__init__()
        self.longest = node.longest
        self.register_buffer("late", torch.zeros(channels))

    def forward(self, x: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Run over steps from `state`, or from silence."""
        past = x.new_zeros(self.longest, *x.shape[1:]) if state is None else state
        every = torch.cat((past, x))
        steps = torch.arange(len(x), device=x.device)[:, None] + self.longest - self.late.long()
        found = every.gather(0, steps[:, None].expand(x.shape))
        return found, every[len(every) - self.longest :]


class GraphScale(nn.Module):
    """Each element times a number of its own, which is learned.

    Shape: [T, B, *] -> [T, B, *].
    """

    def __init__(self, shape: list[int]) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(shape))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.weight
