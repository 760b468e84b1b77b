"""Inputs of a network and the spikes they make, beside its file: whoever runs the file can prove that it runs alike."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from snnctl.core.diagnostic import Diagnostic, DiagnosticError
from snnctl.core.files import write_atomically
from snnctl.export.nir.graph import Graph, nir
from snnctl.export.nir.order import shapes
from snnctl.export.nir.reference import run_graph


@dataclass(frozen=True)
class Replayed:
    """A file's equations, run on the inputs of its evidence.

    Args:
        samples, layers: how many.
        spikes: in the evidence.
        differ: spikes that the equations make and the evidence has not, or the other way round.
        worst: largest difference of an output.
    """

    samples: int
    layers: int
    spikes: int
    differ: int
    worst: float

    @property
    def holds(self) -> bool:
        """Whether every spike is the same."""
        return self.differ == 0


def evidence_path(path: Path) -> Path:
    """Where the evidence of a file lies: beside it."""
    return path.with_name(f"{path.stem}.evidence.h5")


def write_evidence(graph: Graph, path: Path, currents: Tensor) -> int:
    """Write inputs, spikes of every layer and outputs, on NIR's grid of steps; how many spikes they are.

    The form of events, which NIR has too, gives each neuron the same number of them and drops the rest.

    Args:
        graph: as read from the file.
        path: of the evidence.
        currents: [T, N, *].

    Raises:
        OSError: it cannot be written.
    """
    run = run_graph(graph, currents)
    data = {"input": _gridded(currents.float(), graph.dt, "input")}
    data |= {name: _gridded(spikes.bool(), graph.dt, "spikes") for name, spikes in run.spikes.items()}
    data["output"] = _gridded(run.output.float(), graph.dt, "output")
    made = nir().NIRGraphData(data)
    write_atomically(path, lambda temporary: nir().write_data(str(temporary), made))
    return int(sum(float(spikes.sum()) for spikes in run.spikes.values()))


def _gridded(values: Tensor, dt: float, what: str) -> Any:
    """[T, N, *] as samples, steps, neurons."""
    flat = values.flatten(2).transpose(0, 1).contiguous().numpy()
    return nir().NIRNodeData({what: nir().TimeGriddedData(flat, dt)})


def read_evidence(path: Path) -> tuple[Tensor, dict[str, Any], Any]:
    """Inputs [T, N, F], spikes by node and outputs, [N, T, F].

    Raises:
        DiagnosticError: U497, it is no evidence.
    """
    try:
        nodes = nir().read_data(str(path)).nodes
        given = np.asarray(nodes["input"].observables["input"].data)
        output = np.asarray(nodes["output"].observables["output"].data)
        spikes = {
            name: np.asarray(node.observables["spikes"].data)
            for name, node in nodes.items()
            if "spikes" in node.observables
        }
    except Exception as error:  # h5py and nir raise what comes
        reason = f"{type(error).__name__}: {error}"
        raise DiagnosticError(Diagnostic("U497", facts={"path": path, "reason": reason})) from None
    return torch.from_numpy(given).transpose(0, 1), spikes, output


def replay(graph: Graph, path: Path) -> Replayed:
    """Run a graph on the inputs of its evidence, and compare every spike.

    Raises:
        DiagnosticError: U497, it is no evidence, or that of another graph.
    """
    given, spikes, output = read_evidence(path)
    size = int(np.prod(shapes(graph)[graph.of("Input")[0]]))
    if given.shape[2] != size or not set(spikes) <= set(graph.nodes):
        reason = "it is the evidence of another network"
        raise DiagnosticError(Diagnostic("U497", facts={"path": path, "reason": reason}))
    run = run_graph(graph, given)
    differ = sum(
        int((run.spikes[name].flatten(2).transpose(0, 1).numpy() != each).sum()) for name, each in spikes.items()
    )
    worst = float(np.abs(run.output.flatten(2).transpose(0, 1).numpy() - output).max())
    total = int(sum(int(each.sum()) for each in spikes.values()))
    return Replayed(given.shape[1], len(spikes), total, differ, worst)
