"""A NIR graph as a value that is easy to change: nodes of the package nir by name, edges, what is told beside them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from snnctl.core.diagnostic import Diagnostic, DiagnosticError
from snnctl.export.chain import package

Edge = tuple[str, str]
Shape = tuple[int, ...]

# What multiplies, in words of nir: kinds whose outputs can be scaled by scaling their numbers.
WEIGHTS = ("Affine", "Linear", "Conv1d", "Conv2d", "Scale")
POOLS = ("AvgPool2d", "SumPool2d")
# What has a membrane and fires, and what has one and does not.
FIRING = ("IF", "LIF", "CubaLIF")
LEAKING = ("I", "LI", "CubaLI")


def nir() -> Any:
    """The package nir.

    Raises:
        DiagnosticError: U496, it is missing.
    """
    return package("nir", "NIR")


def kind(node: Any) -> str:
    """The name of a node's class, as the file has it."""
    return type(node).__name__


@dataclass
class Graph:
    """Nodes of nir by name, in the order of the file, and what goes from where to where.

    Several edges into a node are a sum. Every change of `nodes` and `edges` is allowed; `nir_graph` makes nir's own.

    Args:
        nodes: objects of the package nir; their names have no full stop, unless they came from graphs within.
        edges: from, to.
        told: the metadata of the graph, of strings and numbers.
    """

    nodes: dict[str, Any]
    edges: list[Edge]
    told: dict[str, Any] = field(default_factory=dict)

    def sources(self, name: str) -> list[str]:
        """What goes into a node."""
        return [a for a, b in self.edges if b == name]

    def targets(self, name: str) -> list[str]:
        """Where the output of a node goes."""
        return [b for a, b in self.edges if a == name]

    def of(self, *kinds: str) -> list[str]:
        """Names of the nodes of some kinds, in order."""
        return [name for name, node in self.nodes.items() if kind(node) in kinds]

    def add(self, name: str, node: Any, *, after: Iterable[str] = (), before: Iterable[str] = ()) -> str:
        """Add a node with its edges; a name that is taken gets a number behind."""
        free, number = name, 2
        while free in self.nodes:
            free, number = f"{name}_{number}", number + 1
        self.nodes[free] = node
        self.edges += [(source, free) for source in after] + [(free, target) for target in before]
        return free

    def between(self, name: str, node: Any, edge: Edge) -> str:
        """Put a node into an edge."""
        self.edges.remove(edge)
        return self.add(name, node, after=[edge[0]], before=[edge[1]])

    def rename(self, names: Mapping[str, str]) -> None:
        """Other names for nodes, whose order is that of the new names."""
        self.nodes = dict(sorted((names.get(name, name), node) for name, node in self.nodes.items()))
        self.edges = [(names.get(a, a), names.get(b, b)) for a, b in self.edges]

    def copy(self) -> Graph:
        return Graph(deepcopy(self.nodes), list(self.edges), dict(self.told))

    @property
    def dt(self) -> float:
        """Seconds of a step that the file was written for.

        NIR has no place for it. Where the metadata do not say: 1, time constants in steps, unless one is below 1; then
        1e-4, from which most readers start.
        """
        if "dt" in self.told:
            return float(self.told["dt"])
        taus = [
            float(np.min(getattr(node, name)))
            for node in self.nodes.values()
            for name in ("tau", "tau_mem", "tau_syn")
            if hasattr(node, name)
        ]
        gains = [float(np.max(node.r)) for node in self.nodes.values() if kind(node) in ("IF", "I")]
        return 1e-4 if min(taus, default=1.0) < 1.0 or max(gains, default=0.0) > 100.0 else 1.0

    def nir_graph(self) -> Any:
        """As an object of nir. Its types are not checked: nir takes every kernel for a square one."""
        return nir().NIRGraph(self.nodes, self.edges, metadata=dict(self.told), type_check=False)


def write_graph(graph: Graph, path: Path) -> None:
    """Write a graph as a file of NIR.

    Raises:
        DiagnosticError: U496, the package is missing.
        OSError: the file cannot be written.
    """
    nir().write(str(path), graph.nir_graph())


def read_graph(path: Path) -> Graph:
    """Read a file of NIR; graphs within it are made part of it, their nodes named `within.node`.

    Raises:
        DiagnosticError: U496, the package is missing; U497, it is no file of NIR, or its edges name no nodes.
    """
    package_ = nir()
    try:
        found = package_.read(str(path), type_check=False)
        graph = inlined(found)
    except DiagnosticError:
        raise
    except Exception as error:  # h5py and nir raise what comes: KeyError, OSError, AssertionError, TypeError
        reason = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        raise DiagnosticError(Diagnostic("U497", facts={"path": path, "reason": reason})) from None
    for edge in graph.edges:
        for name in edge:
            if name not in graph.nodes:
                reason = f"an edge goes from {edge[0]} to {edge[1]}, and there is no node {name}"
                raise DiagnosticError(Diagnostic("U497", facts={"path": path, "reason": reason}))
    if not graph.of("Input") or not graph.of("Output"):
        reason = "it has no input or no output"
        raise DiagnosticError(Diagnostic("U497", facts={"path": path, "reason": reason}))
    return graph


def inlined(found: Any) -> Graph:
    """Nir's own graph as ours, graphs within it dissolved into their nodes."""
    nodes: dict[str, Any] = {}
    edges: list[Edge] = [(str(a), str(b)) for a, b in found.edges]
    for name, node in found.nodes.items():
        if kind(node) != "NIRGraph":
            nodes[str(name)] = node
            continue
        inner = inlined(node)
        doors = {way: [f"{name}.{n}" for n in inner.of(way)] for way in ("Input", "Output")}
        edges = _led_through(str(name), edges, doors)
        edges += [(f"{name}.{a}", f"{name}.{b}") for a, b in inner.edges]
        within = Graph({f"{name}.{n}": each for n, each in inner.nodes.items()}, edges)
        for door in [*doors["Input"], *doors["Output"]]:
            taken_out(within, door)
        nodes.update(within.nodes)
        edges = within.edges
    told = {str(key): _plain(value) for key, value in (getattr(found, "metadata", None) or {}).items()}
    return Graph(nodes, edges, told)


def _led_through(name: str, edges: list[Edge], doors: Mapping[str, list[str]]) -> list[Edge]:
    made: list[Edge] = []
    for a, b in edges:
        starts = doors["Output"] if a == name else [a]
        ends = doors["Input"] if b == name else [b]
        made += [(start, end) for start in starts for end in ends]
    return made


def taken_out(graph: Graph, name: str) -> None:
    """Remove a node, and let what goes into it go where it went."""
    before, after = graph.sources(name), graph.targets(name)
    graph.edges = [edge for edge in graph.edges if name not in edge]
    graph.edges += [edge for a in before for b in after if (edge := (a, b)) not in graph.edges]
    del graph.nodes[name]


def _plain(value: Any) -> Any:
    """A number or a string of Python, of what HDF5 gives."""
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, bytes):
        return value.decode()
    return value.item() if isinstance(value, np.generic | np.ndarray) and value.size == 1 else value


def pair(value: Any) -> tuple[int, int]:
    """A size in two directions, of one number or of two."""
    first, second = np.broadcast_to(np.asarray(value), 2)
    return int(first), int(second)
