"""A file run by other simulators on real samples: whether they answer the same, and where their spikes part."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from snnctl.core.diagnostic import Diagnostic, DiagnosticError
from snnctl.export.nir.graph import FIRING, Graph, kind
from snnctl.export.nir.readers import Reading, known, readings
from snnctl.export.nir.reference import Run, run_graph
from snnctl.export.nir.simulators import Simulated, installed, simulate

CHUNK = 25  # samples that are run together: spikes and membranes of all layers lie in memory
# Distance of a membrane from its threshold, as a share of it, that sums in another order may make.
ROUNDING = 1e-4
_CAUSES = {
    "gain": ("gain", "gain_other", "gain_varies", "drive_varies", "cuba_gain", "if_gain"),
    "time": ("other_dt", "tau_varies", "cuba_tau_varies", "tau_of_a_step"),
    "reset": ("leaks_elsewhere", "resets_elsewhere", "leak_is_not_reset", "kind:LIF", "kind:IF"),
    "delay": ("recurrence", "recurrent_pair", "branches", "kind:Delay"),
}


@dataclass(frozen=True)
class Departure:
    """Where spikes part first.

    Args:
        layer: node of the earliest step, the first in the order of that step.
        step: from 0.
        spikes: of that layer and step that differ, over all samples.
        margin: largest distance of those membranes from their threshold, as a share of it.
        cause: likely one: tie, gain, time, reset, delay, or unknown.
    """

    layer: str
    step: int
    spikes: int
    margin: float
    cause: str


@dataclass(frozen=True)
class Verified:
    """What a simulator made of a file.

    Args:
        reading: what the rules say of it.
        version: that is installed.
        samples: that were run.
        equal: of them, answers that are those of the reference; None where answers are no classes.
        worst: largest difference of an output from the reference; None where it failed.
        departure: None where every spike is the same.
        failure: what it raised, or "".
    """

    reading: Reading
    version: str
    samples: int
    equal: int | None
    worst: float | None
    departure: Departure | None
    failure: str = ""

    @property
    def holds(self) -> bool:
        """Whether it answers as the reference does."""
        return not self.failure and (self.equal is None or self.equal == self.samples)

    def document(self) -> dict[str, Any]:
        parted = None if self.departure is None else vars(self.departure)
        return {
            "reader": self.reading.reader,
            "version": self.version,
            "samples": self.samples,
            "equal_answers": self.equal,
            "worst_difference": self.worst,
            "first_departure": parted,
            "failure": self.failure or None,
        }


def chosen(graph: Graph, names: list[str] | None) -> list[Reading]:
    """Readers that a graph is to be verified with, which must be installed and take it as it is.

    Args:
        names: as a user gave them; None: all that are.

    Raises:
        DiagnosticError: U499, a name is unknown, U491, it is not installed, U494, it does not take the graph as it is.
    """
    if names is None:
        return [found for found in readings(graph) if found.verdict == "reads" and installed(found.reader)]
    problems = []
    found = readings(graph, known(names))
    for reading in found:
        if installed(reading.reader) is None:
            facts: dict[str, Any] = {"name": reading.reader}
            problems.append(Diagnostic("U491", facts=facts, help=f"pip install {reading.reader} nirtorch"))
        elif reading.verdict != "reads":
            text = "; ".join(finding.text() for finding in reading.findings)
            facts = {"name": reading.reader, "verdict": reading.verdict, "text": text}
            problems.append(Diagnostic("U494", facts=facts))
    if problems:
        raise DiagnosticError(problems)
    return found


def verify(
    path: Path,
    graph: Graph,
    trusted: Sequence[Reading],
    currents: Tensor,
    answers: Tensor,
    *,
    averaged: bool,
    classes: bool,
) -> list[Verified]:
    """Run a file with simulators and with the equations.

    Args:
        path: of the file.
        graph: read from it.
        trusted: what the rules say of each of them.
        currents: [T, N, *], of N samples.
        answers: of the network itself, [N, outputs], or [N, T, outputs] where every step has one.
        averaged: whether an answer is the mean over T.
        classes: whether the largest output is the answer.
    """
    tallies = [_Tally(reading) for reading in trusted]
    for start in range(0, currents.shape[1] if tallies else 0, CHUNK):
        x, wanted = currents[:, start : start + CHUNK], answers[start : start + CHUNK]
        reference = run_graph(graph, x, potentials=True)
        for tally in tallies:
            if not tally.failure:
                tally.add(path, graph, x, reference, wanted, averaged)
    return [tally.verified(currents.shape[1], classes) for tally in tallies]


@dataclass
class _Tally:
    """What one simulator has made of the samples so far."""

    reading: Reading
    equal: int = 0
    worst: float = 0.0
    failure: str = ""
    parted: list[Departure] = field(default_factory=list)

    def add(self, path: Path, graph: Graph, x: Tensor, reference: Run, wanted: Tensor, averaged: bool) -> None:
        try:
            found = simulate(self.reading.reader, path, x.float(), graph.dt, list(reference.spikes))
            if found.output.shape != reference.output.shape:
                raise ValueError(f"its output is shaped {tuple(found.output.shape[2:])}")
        except Exception as error:  # whatever a library raises is what it makes of the file
            self.failure = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
            return
        given = found.output.mean(0) if averaged else found.output.transpose(0, 1)
        self.worst = max(self.worst, float((given.double() - wanted.double()).abs().max()))
        same = given.argmax(-1) == wanted.argmax(-1)
        self.equal += int(same.reshape(len(same), -1).all(1).sum())
        self.parted += departures(graph, self.reading, reference, found)

    def verified(self, samples: int, classes: bool) -> Verified:
        version = installed(self.reading.reader) or ""
        if self.failure:
            return Verified(self.reading, version, samples, None, None, None, self.failure)
        first = min(self.parted, key=lambda each: each.step, default=None)
        if first is not None:
            here = [each for each in self.parted if (each.layer, each.step) == (first.layer, first.step)]
            spikes, margin = sum(each.spikes for each in here), max(each.margin for each in here)
            first = Departure(first.layer, first.step, spikes, margin, _cause(self.reading, margin))
        return Verified(self.reading, version, samples, self.equal if classes else None, self.worst, first)


def departures(graph: Graph, reading: Reading, reference: Run, found: Simulated) -> Iterator[Departure]:
    """The first departure of some samples, if there is one."""
    first: tuple[int, str, Tensor] | None = None
    for name, spikes in reference.spikes.items():
        if name not in found.spikes or found.spikes[name].shape != spikes.shape:
            continue
        differs = found.spikes[name].double() != spikes
        steps = differs.flatten(1).any(1).nonzero()
        if len(steps) and (first is None or int(steps[0]) < first[0]):
            first = int(steps[0]), name, differs
    if first is None:
        return
    step, name, differs = first
    node = graph.nodes[name]
    threshold = torch.as_tensor(node.v_threshold if kind(node) in FIRING else node.threshold).double()
    distance = (reference.potentials[name][step] - threshold).abs() / threshold.abs().clamp_min(1e-12)
    margin = float(distance[differs[step]].max())
    yield Departure(name, step, int(differs[step].sum()), margin, _cause(reading, margin))


def _cause(reading: Reading, margin: float) -> str:
    if margin <= ROUNDING:
        return "tie"
    features = [finding.feature for finding in reading.findings]
    return next((cause for cause, of in _CAUSES.items() if any(feature in of for feature in features)), "unknown")
