"""Small graphs of NIR, each with one thing that a reader may not take, and inputs that make it tell."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor

from snnctl.export.nir.graph import Graph, nir

DT = 1e-4
STEPS = 12
BATCH = 16
N = 6


def rng(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def full(value: Any, shape: Any = (N,)) -> Any:
    return np.broadcast_to(np.asarray(value, dtype=np.float64), shape).copy()


def dense(seed: int, outputs: int = N, inputs: int = N, bias: bool = True, gain: float = 3.0) -> Any:
    weight = (rng(seed).normal(size=(outputs, inputs)) * gain / inputs**0.5).astype(np.float32)
    return nir().Affine(weight, np.full(outputs, 0.3, np.float32)) if bias else nir().Linear(weight)


def lif(
    shape: Any = (N,), tau: Any = 2 * DT, r: Any = 1.0, leak: Any = 0.0, threshold: Any = 0.99, reset: Any = 0.0
) -> Any:
    return nir().LIF(full(tau, shape), full(r, shape), full(leak, shape), full(threshold, shape), full(reset, shape))


def cuba(syn: Any = 2 * DT, mem: Any = 4 * DT, r: Any = 4.0, w: Any = 2.0) -> Any:
    return nir().CubaLIF(full(syn), full(mem), full(r), full(0.0), full(2.0), full(0.0), full(w))


def chain(*nodes: Any, inputs: Any = (N,), outputs: Any = (N,), told: Any = None) -> Graph:
    """Nodes one after the other; names in order."""
    every = {"input": nir().Input({"input": np.array(inputs)})}
    every |= {f"n{number}": node for number, node in enumerate(nodes)}
    every["output"] = nir().Output({"output": np.array(outputs)})
    names = list(every)
    return Graph(every, list(pairwise(names)), {"dt": DT} if told is None else told)


def layered(neuron: Any) -> Graph:
    return chain(dense(1), neuron, dense(2))


def images(*nodes: Any, outputs: Any) -> Graph:
    return chain(*nodes, inputs=(2, 6, 6), outputs=outputs)


def conv(seed: int = 3, kernel: Any = (3, 3), padding: Any = (1, 1), groups: int = 1, grid: Any = (6, 6)) -> Any:
    weight = (rng(seed).normal(size=(4, 2 // groups, *kernel)) * 1.5).astype(np.float32)
    return nir().Conv2d(grid, weight, (1, 1), padding, (1, 1), groups, np.full(4, 0.3, np.float32))


def flat(shape: Any, start: int = -3) -> Any:
    return nir().Flatten({"input": np.array(shape)}, start, -1)


def looped(back: str | None) -> Graph:
    """A recurrent layer: a pair, or with a third node in the loop."""
    graph = layered(lif())
    graph.add("n1_r", dense(4, bias=False), after=["n1"], before=["n1"])
    if back is not None:
        graph.between("n1_s", nir().Linear(np.eye(N, dtype=np.float32)), ("n1_r", "n1"))
    return graph


def branched() -> Graph:
    graph = chain(dense(1), lif(), dense(2), lif(), dense(3))
    graph.add("n2_b", dense(5), after=["n1"], before=["n3"])
    return graph


def two_ends() -> Graph:
    graph = layered(lif())
    graph.add("n1_b", dense(5), after=["n0"], before=["output"])
    graph.edges.sort()
    return graph


def scaled(gain: Any) -> Graph:
    return chain(dense(1), nir().Scale(full(gain)), lif(), dense(2))


def pooled(pool: str, padding: Any = (0, 0)) -> Graph:
    window = np.array((2, 2)), np.array((2, 2)), np.array(padding)
    side = 4 if padding != (0, 0) else 3
    return images(
        conv(), lif((4, 6, 6)), getattr(nir(), pool)(*window), flat((4, side, side)),
        dense(6, 5, 4 * side**2), outputs=(5,),
    )  # fmt: skip


VARIED = np.linspace(0.8, 1.3, N)
GRAPHS: dict[str, Any] = {
    "plain": lambda: layered(lif()),
    "linear": lambda: chain(dense(1, bias=False), lif(), dense(2, 4, bias=False), outputs=(4,)),
    "images": lambda: images(conv(), lif((4, 6, 6)), flat((4, 6, 6)), dense(6, 5, 144), outputs=(5,)),
    "sum_pool": lambda: pooled("SumPool2d"),
    "sum_pool_padded": lambda: pooled("SumPool2d", (1, 1)),
    "average_pool": lambda: pooled("AvgPool2d"),
    "average_pool_padded": lambda: pooled("AvgPool2d", (1, 1)),
    "flatten_from_the_start": lambda: images(
        conv(), lif((4, 6, 6)), flat((4, 6, 6), 0), dense(6, 5, 144), outputs=(5,)
    ),
    "groups": lambda: images(
        conv(groups=2), lif((4, 6, 6)), flat((4, 6, 6)), dense(6, 5, 144), outputs=(5,)
    ),
    "rectangular": lambda: images(
        conv(kernel=(3, 1), padding=(1, 0)), lif((4, 6, 6)), flat((4, 6, 6)), dense(6, 5, 144),
        outputs=(5,),
    ),
    "conv1d": lambda: chain(
        nir().Conv1d(6, rng(3).normal(size=(3, 2, 3)).astype(np.float32) * 2, 1, 1, 1, 1, np.full(3, 0.3, np.float32)),
        lif((3, 6)), flat((3, 6), -2), dense(6, 5, 18), inputs=(2, 6), outputs=(5,),
    ),
    "one_for_all": lambda: layered(nir().LIF(*(np.array([value]) for value in (2 * DT, 1.0, 0.0, 0.99, 0.0)))),
    "gain": lambda: layered(lif(r=1.7)),
    "gain_tau_over_dt": lambda: layered(lif(r=2.0)),
    "gain_varies": lambda: layered(lif(r=VARIED)),
    "tau_varies": lambda: layered(lif(tau=VARIED * 2 * DT)),
    "threshold_varies": lambda: layered(lif(threshold=VARIED)),
    "leak_to": lambda: layered(lif(leak=0.4)),
    "leak_to_linear": lambda: chain(dense(1, bias=False), lif(leak=0.4 * VARIED), dense(2)),
    "leak_to_image": lambda: images(conv(), lif((4, 6, 6), leak=0.4), flat((4, 6, 6)), dense(6, 5, 144), outputs=(5,)),
    "leak_from_neurons": lambda: chain(dense(1), lif(), lif(leak=0.4, threshold=0.35), dense(2)),
    "scale_image": lambda: images(
        conv(), lif((4, 6, 6)), nir().Scale(full(1.4, (4, 6, 6))), flat((4, 6, 6)), dense(6, 5, 144), outputs=(5,)
    ),
    "reset_to": lambda: layered(lif(reset=-0.5)),
    "rest_moved": lambda: layered(lif(leak=-0.5, reset=-0.5)),
    "one_step": lambda: layered(lif(tau=DT)),
    "if": lambda: layered(nir().IF(full(1.0), full(3.0 * DT), full(0.0))),
    "if_per_step": lambda: layered(nir().IF(full(1.0 / DT), full(3.0), full(0.0))),
    "if_varies": lambda: layered(nir().IF(full(1.0 / DT), 3 * VARIED, full(0.0))),
    "cuba": lambda: layered(cuba()),
    "cuba_gain": lambda: layered(cuba(r=1.0, w=6.0)),
    "cuba_tau_varies": lambda: layered(cuba(mem=VARIED * 4 * DT, r=VARIED * 4)),
    "pair": lambda: looped(None),
    "loop": lambda: looped("third"),
    "branches": branched,
    "two_ends": two_ends,
    "delay": lambda: chain(dense(1), lif(), nir().Delay(full(2 * DT)), dense(2)),
    "scale": lambda: scaled(1.4),
    "threshold": lambda: chain(dense(1), nir().Threshold(full(0.7)), dense(2)),
    "li": lambda: chain(dense(1), nir().LI(full(3 * DT), full(1.0), full(0.0)), dense(2)),
    "i": lambda: chain(dense(1), nir().I(full(1.0 / DT)), dense(2)),
    "cuba_li": lambda: chain(dense(1), nir().CubaLI(full(2 * DT), full(3 * DT), full(1.0), full(0.0)), dense(2)),
    "steps": lambda: chain(dense(1), lif(tau=2.0), dense(2), told={}),
    "milliseconds": lambda: chain(dense(1), lif(tau=2e-3), dense(2), told={"dt": 1e-3}),
}  # fmt: skip


def inputs(graph: Graph) -> Tensor:
    """Currents [T, B, *]."""
    shape = [int(n) for n in graph.nodes["input"].input_type["input"]]
    return torch.from_numpy(rng(0).normal(size=(STEPS, BATCH, *shape)).astype(np.float32))


def random_graph(seed: int) -> Graph:
    """Nodes of many kinds with one input or two, and every other time an edge that may go back."""
    draw = rng(seed)

    def number(low: float, high: float) -> Any:
        return full(draw.uniform(low, high)) if draw.random() < 0.5 else draw.uniform(low, high, size=N)

    def soft() -> Any:
        node = lif((N,), number(1.5, 4) * DT, number(0.5, 3), threshold=number(0.3, 1.2))
        node.metadata = {"reset": "soft"}
        return node

    kinds: list[Any] = [
        lambda: dense(int(draw.integers(1000))),
        lambda: dense(int(draw.integers(1000)), bias=False),
        lambda: lif((N,), number(1.1, 4) * DT, number(0.5, 3), draw.choice((0.0, 0.2)), number(0.3, 1.2)),
        soft,
        lambda: nir().IF(number(0.3, 1) / DT, number(0.5, 2), full(0.0)),
        lambda: cuba(number(1.1, 3) * DT, number(1.1, 3) * DT, number(0.5, 3), number(0.5, 3)),
        lambda: nir().Delay(draw.integers(0, 4, size=N) * DT),
        lambda: nir().Scale(number(0.5, 2)),
    ]
    graph = Graph({"input": nir().Input({"input": np.array([N])})}, [], {"dt": DT})
    for place in range(int(draw.integers(3, 9))):
        before = draw.choice(list(graph.nodes), size=min(len(graph.nodes), int(draw.integers(1, 3))), replace=False)
        name = f"m{draw.integers(100)}_{place}"
        graph.add(name, kinds[int(draw.integers(len(kinds)))](), after=[str(source) for source in before])
    inner = [name for name in graph.nodes if name != "input"]
    first, second = (str(name) for name in draw.choice(inner, size=2))
    # A node of weights that is its own input grows without end, beyond what float32 can hold.
    if seed % 2 and first != second and (first, second) not in graph.edges:
        graph.edges.append((first, second))
    ends = [name for name in inner if not graph.targets(name)] or inner[-1:]
    graph.add("output", nir().Output({"output": np.array([N])}), after=ends)
    return graph
