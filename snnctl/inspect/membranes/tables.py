"""Membranes before the reset in numbers: the entry of a layer in the document, and the histograms as CSV."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from snnctl.inspect.membranes.collect import Potentials
from snnctl.report.tables import csv_text


def document(one: Potentials | None) -> dict[str, Any] | None:
    """One layer, as the public document has it; None for a layer that has not run."""
    if one is None:
        return None
    if one.reason:
        return {"known": False, "reason": one.reason}
    counts, edges, outside = one.histogram()
    return {
        "known": True,
        "mean": float(one.distances.double().mean()),
        "sd": float(one.distances.double().std()),
        "share_above": one.share_above,
        "agreement": one.agreement,
        "histogram": {"edges": edges.tolist(), "counts": counts.tolist(), "outside": outside},
    }


def notes(found: Sequence[Potentials]) -> list[str]:
    """Whose membrane is not known and why, and where kernel and definition differ."""
    said = []
    for one in found:
        if one.reason:
            said.append(f"no membrane of `{one.name}` ({one.neuron}): {one.reason}")
        elif one.agreement < 1:
            said.append(f"`{one.name}`: {1 - one.agreement:.2%} of its spikes differ from those of its definition")
    return said


def tables(found: Sequence[Potentials]) -> dict[str, str]:
    """File name -> CSV text; none if no membrane is known."""
    known = [(one.name, *one.histogram()) for one in found if len(one.distances)]
    rows = [
        [name, below, above, count]
        for name, counts, edges, _ in known
        for below, above, count in zip(edges[:-1].tolist(), edges[1:].tolist(), counts.tolist(), strict=True)
    ]
    return {"membranes.csv": csv_text(("layer", "from", "below", "count"), rows)} if known else {}
