"""Files of NIR, whoever wrote them: what readers make of them, and other forms for other readers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from snnctl.core.diagnostic import Diagnostic, DiagnosticError
from snnctl.core.files import write_atomically, writing
from snnctl.export.nir.evidence import Replayed, evidence_path, read_evidence, replay
from snnctl.export.nir.features import FIXED_DT
from snnctl.export.nir.graph import Graph, kind, read_graph, write_graph
from snnctl.export.nir.order import order, shapes
from snnctl.export.nir.portable import DT, portable
from snnctl.export.nir.readers import how, known, readings
from snnctl.export.nir.reference import run_graph
from snnctl.export.nir.verify import Verified, chosen, verify


def check(
    path: Path, dt: float | None = None, evidence: Path | None = None, verify_with: Sequence[str] = ()
) -> dict[str, Any]:
    """What each known simulator makes of a file; none of them has to be installed.

    Args:
        path: the file.
        dt: seconds of a step that it was written for; None: what its metadata say.
        evidence: inputs and spikes of the network; None: those that lie beside the file, if there are any.
        verify_with: simulators that are run on the inputs of the evidence.

    Returns:
        `{file, dt, dt_said, nodes: [{name, kind, shape}], readers, replayed, verified, proven}`.

    Raises:
        DiagnosticError: U497, it is no file of NIR, or no evidence; U498, its shapes do not fit; U499, U491, U494 as
            `chosen`; U497, there is something to verify with and no evidence.
    """
    graph, said = _read(path, dt)
    sizes = shapes(graph)
    nodes = [{"name": name, "kind": kind(graph.nodes[name]), "shape": list(sizes[name])} for name in order(graph).names]
    trusted = chosen(graph, list(verify_with)) if verify_with else []
    beside = evidence or evidence_path(path)
    replayed: Replayed | None = None
    verified: list[Verified] = []
    if evidence is not None or beside.exists():
        replayed = replay(graph, beside)
        given = read_evidence(beside)[0]
        answers = run_graph(graph, given).output.transpose(0, 1)
        currents = given.reshape(*given.shape[:2], *sizes[graph.of("Input")[0]])
        verified = verify(path, graph, trusted, currents, answers, averaged=False, classes=False)
    elif trusted:
        reason = "it is not there, and simulators need its inputs (`snnctl export --evidence N` writes it)"
        raise DiagnosticError(Diagnostic("U497", facts={"path": beside, "reason": reason}))
    return {
        "file": str(path),
        "dt": graph.dt,
        "dt_said": said,
        "nodes": nodes,
        "readers": [reading.document() for reading in readings(graph)],
        "replayed": None if replayed is None else {"file": str(beside), **vars(replayed), "holds": replayed.holds},
        "verified": [each.document() for each in verified],
        "proven": (replayed is None or replayed.holds) and all(each.holds for each in verified),
    }


def convert(path: Path, reader: str, out: Path | None = None, dt: float | None = None) -> dict[str, Any]:
    """Write a file again in a form that a simulator takes as it is; what it means stays.

    Args:
        path: the file.
        reader: one of those that there are rules for.
        out: the new file; None: beside the old one, with the reader in its name.
        dt: seconds of a step that the file was written for; None: what its metadata say.

    Returns:
        `{file, written, reader, call, dt, verdict_before, readers}`.

    Raises:
        DiagnosticError: before anything is written: U497, it is no file of NIR; U498, its shapes do not fit; U499, the
            reader is unknown; U494, no form of the graph suits it. U453, the file cannot be written.
    """
    known([reader])
    graph, _ = _read(path, dt)
    before = readings(graph, [reader])[0]
    made = portable(graph, FIXED_DT if reader == "snntorch" else DT if graph.dt >= 1.0 else graph.dt)
    found = readings(made)
    now = next(reading for reading in found if reading.reader == reader)
    if now.verdict != "reads":
        text = "; ".join(finding.text() for finding in now.findings)
        raise DiagnosticError(Diagnostic("U494", facts={"name": reader, "verdict": now.verdict, "text": text}))
    written = out or path.with_name(f"{path.stem}.{reader}.nir")
    with writing(written):
        written.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(written, lambda temporary: write_graph(made, temporary))
    return {
        "file": str(path),
        "written": str(written),
        "reader": reader,
        "call": how(reader),
        "dt": made.dt,
        "verdict_before": before.verdict,
        "readers": [reading.document() for reading in found],
    }


def _read(path: Path, dt: float | None) -> tuple[Graph, bool]:
    """A graph, and whether it, or the user, says how long a step is."""
    graph = read_graph(path)
    said = "dt" in graph.told or dt is not None
    if dt is not None:
        graph.told["dt"] = dt
    return graph, said
