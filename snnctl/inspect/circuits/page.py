"""The part of the page on autaptic circuits."""

from __future__ import annotations

from snnctl.inspect.circuits.collect import Circuits
from snnctl.inspect.circuits.figures import histograms, maps, membranes, over_time
from snnctl.report.page import Cell, Section, Table


def sections(found: Circuits) -> list[Section]:
    """Table and pictures; none of a network without circuits."""
    if not found.layers:
        return []
    rows: list[list[Cell]] = []
    for layer in found.layers:
        cells = [
            None if one is None else f"{one.total[0]:.3f} ± {one.total[1]:.3f}" for one in (layer.beta, layer.gamma)
        ]
        rows.append([layer.name, layer.totals.largest_membrane, *cells])
    shown = Table(["layer", "max |u|", "beta, mean ± sd", "gamma, mean ± sd"], rows)
    pictures = [histograms(found), over_time(found), membranes(found)]
    pictures += [maps(found, one) for one in found.maps]
    words = (
        "Beta scales what is left of the membrane, gamma the input current; both follow from the layer's own spikes of "
        "the step before, and 1 leaves the host neuron as it is."
    )
    return [Section("Autaptic circuits", pictures, [words], [shown])]
