"""The part of the page on membranes."""

from __future__ import annotations

from collections.abc import Sequence

from snnctl.inspect.membranes.collect import Potentials
from snnctl.report.page import Section


def section(found: Sequence[Potentials], samples: int) -> Section:
    """Histograms, and whose membrane is not known."""
    from snnctl.inspect.membranes.figures import membranes

    drawn = [membranes(found, samples)] if any(len(one.distances) for one in found) else []
    return Section("Membranes", drawn, [f"{one.name} ({one.neuron}): {one.reason}." for one in found if one.reason])
