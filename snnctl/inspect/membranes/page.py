"""The part of the page on membranes before the reset: histograms with a panel per layer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from snnctl.inspect.chosen import shown_name, some
from snnctl.inspect.membranes.collect import Potentials
from snnctl.report.drawing import panels
from snnctl.report.page import Section
from snnctl.report.style import BLUE, INK, ORANGE, Drawn, picture


def section(found: Sequence[Potentials], samples: int) -> Section:
    """Histograms of `samples` samples, and whose membrane is not known."""
    drawn = [membranes(found, samples)] if any(len(one.distances) for one in found) else []
    return Section("Membranes", drawn, [f"{one.name} ({one.neuron}): {one.reason}." for one in found if one.reason])


@picture("membranes", "Membranes before the reset")
def membranes(potentials: Sequence[Potentials], samples: int) -> Drawn:
    known, cut = some([one for one in potentials if len(one.distances)])
    titles = [f"{shown_name(one.name, 26)}\n{100 * one.share_above:.1f} % fire" for one in known]
    figure, grid = panels(titles, "Membranes before the reset", "membrane − threshold", "% (logarithmic)", 1.95)
    for axes, one in zip(grid, known, strict=True):
        counts, edges, _ = one.histogram()
        shares = 100 * counts / len(one.distances)
        colours = [ORANGE if left >= 0 else BLUE for left in edges[:-1]]
        axes.bar(edges[:-1], shares, np.diff(edges), align="edge", color=colours)
        axes.axvline(0, color=INK, lw=1, ls=(0, (4, 2)))
        axes.set_yscale("log")
        axes.set_ylim(0.005, 130)
        axes.set_yticks((0.01, 0.1, 1, 10, 100), ("0.01", "0.1", "1", "10", "100"))
        axes.minorticks_off()
        axes.margins(x=0.02)
    return figure, (
        f"Membrane minus threshold before the reset, in units of the membrane, in percent of all neurons and steps of "
        f"{samples} samples; from the step-by-step definition on the recorded input. "
        f"Orange has fired. The range holds the middle 99.8 % of the values.{cut}"
    )
