"""A network of snnctl as a file of NIR: written, read back, run, and proven with the simulators there are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from snnctl import __version__
from snnctl.core.files import write_atomically, writing
from snnctl.engine.experiment import Experiment
from snnctl.export.nir.evidence import evidence_path, write_evidence
from snnctl.export.nir.graph import Graph, read_graph, write_graph
from snnctl.export.nir.lower import Lowered, lower
from snnctl.export.nir.portable import DT, portable
from snnctl.export.nir.readers import Reading, how, readings
from snnctl.export.nir.reference import run_graph
from snnctl.export.nir.verify import Verified, chosen, verify

_ROWS = 25  # samples that are run together


@dataclass(frozen=True)
class Portable:
    """How a network becomes a file of NIR that simulators read alike.

    Args:
        dt: seconds of a step, > 0.
        verify: readers to prove it with; None: those that are installed and take it, as many as there are.
        evidence: samples whose inputs and spikes are written beside the file, >= 0.
    """

    dt: float = DT
    verify: tuple[str, ...] | None = None
    evidence: int = 0


def portable_graph(experiment: Experiment, settings: Portable) -> tuple[Graph, Lowered]:
    """The graph of a network in its portable form, and what it was made of.

    Raises:
        DiagnosticError: U495, NIR cannot express a part of it; U496, the package is missing.
    """
    made = lower(experiment.network)
    graph = portable(made.graph, settings.dt)
    graph.told |= {
        "name": experiment.name,
        "written_by": f"snnctl {__version__}",
        "steps": made.steps,
        "prediction": "mean over steps" if made.averaged else "every step",
        "fires": "above the threshold; one that fires from the threshold on has the next smaller number",
        "loops": "a node whose inputs are not all there takes those of the step before; names are in order of a step",
        "readers": {found.reader: how(found.reader) for found in readings(graph) if found.verdict == "reads"},
    }
    return graph, made


def currents_of(experiment: Experiment, inputs: Any, made: Lowered) -> Tensor:
    """What goes into the graph, [T, N, *]."""
    with torch.no_grad():
        currents: Tensor = experiment.network.encoder(inputs)
    if len(made.inputs) == 3:  # tokens row by row become images
        currents = currents.movedim(-1, 2)
    return currents.reshape(*currents.shape[:2], *made.inputs)


def write_portable(
    experiment: Experiment, path: Path, batch: Any, ours: Tensor, settings: Portable
) -> tuple[Tensor, dict[str, Any]]:
    """Write a network, read it back, run it, and let simulators run it.

    Args:
        path: of the file.
        batch: samples to compare.
        ours: what the network itself answers to them.

    Returns:
        What the file answers, and what is told of it.

    Raises:
        DiagnosticError: before anything is written: U495, U496; U491, U494, U499 as `chosen`. U453, a file cannot be
            written.
    """
    graph, made = portable_graph(experiment, settings)
    found = readings(graph)
    trusted = chosen(graph, None if settings.verify is None else list(settings.verify))
    beside = evidence_path(path)
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.unlink(missing_ok=True)  # that of the file that was there proves nothing of this one
        write_atomically(path, lambda temporary: write_graph(graph, temporary))
    graph = read_graph(path)
    currents = currents_of(experiment, batch.inputs, made)
    given = torch.cat([run_graph(graph, x).output for x in currents.split(_ROWS, dim=1)], dim=1)
    answer = given.mean(0) if made.averaged else given.transpose(0, 1)
    classes = getattr(experiment.task, "needs", "") in ("classes", "step_classes")
    verified = verify(path, graph, trusted, currents, ours, averaged=made.averaged, classes=classes)
    facts: dict[str, Any] = {"nodes": len(graph.nodes), "steps": made.steps, "form": "portable", "dt": settings.dt}
    if settings.evidence:
        with writing(beside):
            spikes = write_evidence(graph, beside, currents[:, : settings.evidence])
        samples = min(settings.evidence, currents.shape[1])
        facts["evidence"] = {"file": str(beside), "samples": samples, "spikes": spikes}
    return answer, facts | told(found, verified)


def told(found: list[Reading], verified: list[Verified]) -> dict[str, Any]:
    """What readers make of a graph, for a document."""
    return {
        "readers": [reading.document() for reading in found],
        "verified": [each.document() for each in verified],
        "proven": all(each.holds for each in verified),
    }
