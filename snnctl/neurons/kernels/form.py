"""What a kernel is made from: the graph of a step without the numbers that may change from one epoch to the next.

Two neurons of one form share their kernels, so do two epochs with surrogates of different steepness.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from snnctl.neurons.kernels.graph import Graph, Node, cheapest_cut
from snnctl.neurons.kernels.segments import REALS
from snnctl.neurons.kernels.trace import Step
from snnctl.neurons.kernels.vector_ir import Real, Stored

COSTLY = ("exp", "log", "tanh", "sin", "cos", "atan", "pow")  # dearer than to write a value and read it again
_KEPT = (0.0, 1.0, -1.0, 0.5, -0.5, 2.0, -2.0)  # constants that stay in the code


@dataclass(frozen=True)
class Form:
    """A step and its gradients, ready to be written as code; hashable.

    Args:
        nodes: of the graph, in order.
        spikes, states: nodes of the spikes and the new state.
        rest: nodes of the state at rest; None where it is no constant.
        grads: nodes of the gradients, by name: x, state0, ..., small0, ...
        per_channel: for each small value whether it is one per channel.
        real: what is computed in.
        stored: what the input is kept in.
        fired: what spikes are kept in.
    """

    nodes: tuple[Node, ...]
    spikes: int
    states: tuple[int, ...]
    rest: tuple[int, ...] | None
    grads: tuple[tuple[str, int], ...]
    per_channel: tuple[bool, ...]
    real: Real
    stored: Stored
    fired: Stored

    def graph(self) -> Graph:
        """The nodes as a graph with the same numbers."""
        found = Graph()
        for node in self.nodes:
            found._made(node)
        return found

    def gradient(self, name: str) -> int | None:
        return dict(self.grads).get(name)


@dataclass(frozen=True)
class Formed:
    """A form, with the numbers that were taken out and the places of its small values among those of the step."""

    form: Form
    numbers: tuple[float, ...]
    smalls: tuple[int, ...]


def formed(step: Step) -> Formed:
    """The form of a step."""
    outputs = [step.spikes, *step.states, *(step.rest or ()), *step.grads.values()]
    graph, old = Graph(), step.graph
    numbers: list[float] = []
    smalls: list[int] = []
    new: dict[int, int] = {}
    for number in old.behind(outputs):
        node = old.nodes[number]
        if node.op == "const" and node.args[0] not in _KEPT:
            new[number] = graph.number(len(numbers))
            numbers.append(float(node.args[0]))
        elif node.op == "small":
            new[number] = graph.small(len(smalls))
            smalls.append(int(node.args[0]))
        else:
            args = node.args if not node.operands else tuple(new[arg] for arg in node.operands)
            new[number] = graph._made(Node(node.op, args))
    places = {f"small{place}": f"small{at}" for at, place in enumerate(smalls)}
    grads = {places.get(name, name): new[node] for name, node in step.grads.items()}
    names = ["x", *(f"state{k}" for k in range(len(step.states))), *places.values()]
    form = Form(
        nodes=tuple(graph.nodes),
        spikes=new[step.spikes],
        states=tuple(new[node] for node in step.states),
        rest=None if step.rest is None else tuple(new[node] for node in step.rest),
        grads=tuple((name, grads[name]) for name in names if name in grads),
        per_channel=tuple(step.smalls[place].per_channel for place in smalls),
        real=REALS[step.real],  # type: ignore[arg-type]
        stored=REALS[step.stored],  # type: ignore[arg-type]
        fired=REALS[step.fired],  # type: ignore[arg-type]
    )
    return Formed(form, tuple(numbers), tuple(smalls))


def normed(form: Form) -> Form:
    """The form with a norm before it: the input is scaled and shifted per channel first.

    Three small values come last: scale, shift, and a centre. The gradient of the input is that of what the neuron is
    given; its sum is the gradient of the shift, that of its product with x - centre the gradient of the scale.
    """
    old, graph = form.graph(), Graph()
    scale, shift, centre = (graph.small(len(form.per_channel) + place) for place in range(3))
    x = graph.input("x")
    current = graph.add("add", graph.add("mul", x, scale), shift)
    outputs = [form.spikes, *form.states, *(form.rest or ()), *(node for _, node in form.grads)]
    new = {number: current for number, node in enumerate(form.nodes) if node == Node("input", ("x",))}
    new = old.copied(outputs, graph, new)
    grads = {name: new[node] for name, node in form.grads}
    if "x" in grads:
        last = len(form.per_channel)
        grads[f"small{last}"] = graph.add("mul", grads["x"], graph.add("sub", x, centre))
        grads[f"small{last + 1}"] = grads["x"]
    return replace(
        form,
        nodes=tuple(graph.nodes),
        spikes=new[form.spikes],
        states=tuple(new[node] for node in form.states),
        rest=None if form.rest is None else tuple(new[node] for node in form.rest),
        grads=tuple(grads.items()),
        per_channel=(*form.per_channel, True, True, True),
    )


@dataclass(frozen=True)
class Backward:
    """How a backward pass goes: what it gives, and which values it keeps from the pass before it.

    Args:
        outputs: nodes by name, of the gradients that are wanted.
        kept: nodes that are written down at each step and read again, in order; the input is read where it is.
    """

    outputs: dict[str, int]
    kept: tuple[int, ...]


def backward_of(form: Form, sums: tuple[str, ...]) -> Backward:
    """The backward pass that gives the gradients of input and state, and of the small values called `sums`."""
    graph = form.graph()
    wanted = {name: node for name, node in form.grads if not name.startswith("small") or name in sums}
    late = [False] * len(graph.nodes)  # whether a gradient is behind a node
    sources: dict[int, float] = {}
    for number, node in enumerate(graph.nodes):
        if node.op == "input":
            late[number] = str(node.args[0]).startswith("grad_")
            if not late[number]:
                sources[number] = 0.6 if node.args[0] == "x" else 1.0
        else:
            late[number] = any(late[arg] for arg in node.operands)
    needed = graph.behind(wanted.values())
    early = {arg for number in needed if late[number] for arg in graph.nodes[number].operands if not late[arg]}
    early |= {node for node in wanted.values() if not late[node]}
    kept = cheapest_cut(graph, sorted(early), sources)
    return Backward(wanted, _with_costly(graph, kept, sorted(early), graph.behind(form.states)))


def _with_costly(graph: Graph, kept: list[int], early: list[int], passed: list[int]) -> tuple[int, ...]:
    """What is kept, and values as of `exp` that the pass before computes (it has `passed` them) and this one needs."""
    found = set(kept)
    known = set(passed)
    for node in early:
        if node not in known or graph.is_truth(node):
            continue
        computed = (graph.nodes[number].op for number in graph.behind([node], found) if number not in found)
        if any(op in COSTLY for op in computed):
            found.add(node)
    return tuple(sorted(found))
