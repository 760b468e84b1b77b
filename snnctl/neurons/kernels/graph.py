"""The graph of one step: pointwise operations on values of one neuron, each written down once.

A node is an operation with the numbers of the nodes that it takes; equal ones are one node. Nodes come in the order in
which they can be computed. What can be said of a value without knowing it is in `rules.py`, which `Graph.add` asks.

Operations: `const` (its value), `number` (a constant that is handed over at run time, its place), `input` (a value per
neuron, its name), `small` (a value for all neurons or per channel, its place); add sub mul div neg abs min max fma; lt
le gt ge eq ne and or not; where; exp log tanh sin cos atan sqrt rint floor ceil trunc pow; narrow (to bfloat16).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from snnctl.neurons.kernels import rules

LEAVES = ("const", "number", "input", "small")
TRUTHS = ("lt", "le", "gt", "ge", "eq", "ne", "and", "or", "not")


class Node(NamedTuple):
    """An operation, and what it takes: numbers of nodes; of a leaf its value, its place or its name."""

    op: str
    args: tuple[int | float | str, ...]

    @property
    def operands(self) -> tuple[int, ...]:
        """The nodes that this one takes."""
        return () if self.op in LEAVES else self.args  # type: ignore[return-value]


class Graph:
    """Nodes by their number, each there once."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self._numbers: dict[Node, int] = {}
        self.varies: list[bool] = []  # whether a value hangs on that of a neuron: an input is behind it

    def add(self, op: str, *args: int) -> int:
        """The number of a node, made unless there is an equal or a simpler one."""
        simpler = rules.simplify(self, op, args)
        return self._made(Node(op, args)) if simpler is None else simpler

    def const(self, value: float) -> int:
        return self._made(Node("const", (float(value),)))

    def input(self, name: str) -> int:
        return self._made(Node("input", (name,)))

    def small(self, place: int) -> int:
        return self._made(Node("small", (place,)))

    def number(self, place: int) -> int:
        return self._made(Node("number", (place,)))

    def value(self, node: int) -> float | None:
        """The value of a constant, else None."""
        found = self.nodes[node]
        return float(found.args[0]) if found.op == "const" else None

    def is_truth(self, node: int) -> bool:
        return self.nodes[node].op in TRUTHS

    def _made(self, node: Node) -> int:
        # 0.0 and -0.0 are equal, and are not the same
        key = Node(node.op, (str(node.args[0]),)) if node.op == "const" else node
        found = self._numbers.get(key)
        if found is None:
            found = self._numbers[key] = len(self.nodes)
            self.nodes.append(node)
            self.varies.append(node.op == "input" or any(self.varies[arg] for arg in node.operands))
        return found

    def behind(self, outputs: Iterable[int], known: Collection[int] = ()) -> list[int]:
        """The nodes that `outputs` need, in order; what is `known` needs nothing."""
        seen: set[int] = set()
        left = list(outputs)
        while left:
            node = left.pop()
            if node not in seen:
                seen.add(node)
                if node not in known:
                    left.extend(self.nodes[node].operands)
        return sorted(seen)

    def copied(self, outputs: Iterable[int], into: Graph, instead: Mapping[int, int]) -> dict[int, int]:
        """Write what `outputs` need into another graph, with other nodes `instead` of some; old to new numbers."""
        found = dict(instead)
        for number in self.behind(outputs, instead):
            if number in found:
                continue
            node = self.nodes[number]
            if node.op in LEAVES:
                found[number] = into._made(node)
            else:
                found[number] = into.add(node.op, *(found[arg] for arg in node.operands))
        return found


def cheapest_cut(graph: Graph, wanted: Iterable[int], sources: Mapping[int, float]) -> list[int]:
    """The values from which all `wanted` ones can be computed that are cheapest to keep: a smallest cut of vertices.

    Args:
        wanted: nodes.
        sources: where the graph begins, and what keeping each costs; all others cost 1, and truth values cannot be
            kept.

    Returns:
        Their numbers, in order; of several such sets the one that leaves the least to compute.
    """
    nodes = [node for node in graph.behind(wanted) if graph.varies[node]]
    first, last = -1, -2
    room: dict[tuple[int, bool], dict[tuple[int, bool], float]] = {}

    def pipe(a: tuple[int, bool], b: tuple[int, bool], width: float) -> None:
        room.setdefault(a, {})[b] = width
        room.setdefault(b, {}).setdefault(a, 0.0)

    for node in nodes:  # a vertex is a pipe from its entry (False) to its exit (True)
        pipe((node, False), (node, True), float("inf") if graph.is_truth(node) else sources.get(node, 1.0))
        if node in sources:
            pipe((first, True), (node, False), float("inf"))
        for arg in graph.nodes[node].operands:
            if graph.varies[arg]:
                pipe((arg, True), (node, False), float("inf"))
    for node in wanted:
        if graph.varies[node]:
            pipe((node, True), (last, False), float("inf"))
    start, end = (first, True), (last, False)
    while (path := _path(room, start, end)) is not None:
        width = min(room[a][b] for a, b in path)
        for a, b in path:
            room[a][b] -= width
            room[b][a] += width
    reaches = _reaching(room, end)
    return [node for node in nodes if (node, True) in reaches and (node, False) not in reaches]


_Place = tuple[int, bool]


def _path(room: dict[_Place, dict[_Place, float]], start: _Place, end: _Place) -> list[tuple[_Place, _Place]] | None:
    came: dict[_Place, _Place] = {start: start}
    left = [start]
    for place in left:
        for following, width in room.get(place, {}).items():
            if width > 0 and following not in came:
                came[following] = place
                left.append(following)
    if end not in came:
        return None
    path = []
    while end != start:
        path.append((came[end], end))
        end = came[end]
    return path


def _reaching(room: dict[_Place, dict[_Place, float]], end: _Place) -> set[_Place]:
    """From where there is still room to the end."""
    seen = {end}
    left = [end]
    for place in left:
        for before in room.get(place, {}):
            if before not in seen and room[before][place] > 0:
                seen.add(before)
                left.append(before)
    return seen
