"""Figures of single samples: rasters, and membranes before the reset."""

from __future__ import annotations

from typing import Any

import numpy as np

from snnctl.inspect.activity.collect import MEMBRANE_SAMPLES, Survey
from snnctl.inspect.activity.figures import panels, shown_name, some
from snnctl.inspect.activity.rasters import Raster
from snnctl.measure.potentials import Potentials
from snnctl.report.style import BLUE, INK, ORANGE, PALE, RED, SKY, Picture, sheet, styled

DARK = "#123a5e"
_WIDE = 70  # columns from which the samples stand below each other
MEMBRANE_BINS = 60


@styled
def raster(found: Survey, one: Raster) -> Picture:
    """Spikes of one layer: steps and places to the right, chosen channels downwards, a panel per sample."""
    from matplotlib.colors import LinearSegmentedColormap

    samples, rows, steps, places = one.spikes.shape
    columns = steps * places
    stacked = columns > _WIDE
    height = float(np.clip(0.075 * rows, 0.9, 3.2))
    size = (10.0, 1.1 + samples * (height + 0.45)) if stacked else (10.0, 1.5 + height)
    figure = sheet(size[0], size[1], f"{shown_name(one.name, 60)}: spikes")
    shape = (samples, 1) if stacked else (1, samples)
    grid: Any = figure.subplots(*shape, squeeze=False, sharex=True, sharey=True)
    colours = LinearSegmentedColormap.from_list("spikes", [PALE, SKY, DARK][:: 2 if one.levels == 1 else 1])
    colours = colours.resampled(one.levels + 1)
    image: Any = None
    for axes, spikes, (index, label) in zip(grid.ravel(), one.spikes, found.raster_samples, strict=True):
        image = axes.imshow(
            spikes.reshape(rows, columns), aspect="auto", cmap=colours, vmin=-0.5, vmax=one.levels + 0.5
        )
        for t in range(1, steps) if places > 1 else ():
            axes.axvline(t * places - 0.5, color=RED, lw=1.0 if steps <= 12 else 0.4)
        axes.spines[:].set_visible(False)
        axes.set_title(f"sample {index}" + ("" if label is None else f", class {label}"), fontsize=9)
        if places > 1:
            told = range(0, steps, -(-steps // 16))
            axes.set_xticks([(t + 0.5) * places - 0.5 for t in told], [str(t) for t in told])
            axes.tick_params(axis="x", length=0)
        axes.set_yticks([0, rows - 1], [f"{one.channels[0]}", f"{one.channels[-1]}"])
    if one.levels > 1:
        figure.colorbar(image, ax=grid.ravel().tolist(), pad=0.015, label="spike value", ticks=range(one.levels + 1))
    for axes in grid[-1]:
        axes.set_xlabel(_columns_label(one, places))
    for axes in grid[:, 0]:
        axes.set_ylabel(f"channel ({rows} of {one.of_channels})")
    return Picture(f"raster-{one.name}", f"Raster: {shown_name(one.name, 60)}", _caption(one, steps, places), figure)


def _columns_label(one: Raster, places: int) -> str:
    if places == 1:
        return f"time step t ({one.spikes.shape[2]} of {one.of_steps})"
    return f"time step t; within it {places} of {one.of_places} places"


def _caption(one: Raster, steps: int, places: int) -> str:
    which = (
        "every channel"
        if len(one.channels) == one.of_channels
        else (f"{len(one.channels)} of {one.of_channels} channels, evenly spread over the ranks of their rates")
    )
    more = "" if one.levels == 1 else ", the darker the higher its spike"
    parts = [f"Dark where a neuron fires{more}. Rows: {which}, the busiest on top."]
    if places > 1:
        cut = "every place" if places == one.of_places else f"{places} of {one.of_places} places, evenly spread,"
        parts.append(f"Columns: the time steps, divided by lines, and within each {cut} in order.")
    if steps < one.of_steps:
        parts.append(f"The first {steps} of {one.of_steps} steps.")
    return " ".join(parts)


@styled
def membranes(found: Survey) -> Picture:
    """Distance of the membranes from their threshold before the reset, a panel per layer."""
    known, cut = some([one for one in found.potentials if len(one.distances)])
    figure, grid = panels(len(known), "Membranes before the reset", height=1.95)
    for axes, one in zip(grid, known, strict=True):
        counts, edges, _ = membrane_histogram(one)
        shares = 100 * counts / len(one.distances)
        colours = [ORANGE if left >= 0 else BLUE for left in edges[:-1]]
        axes.bar(edges[:-1], shares, np.diff(edges), align="edge", color=colours)
        axes.axvline(0, color=INK, lw=1, ls=(0, (4, 2)))
        fired = 100 * float((one.distances >= 0).double().mean())
        axes.set_title(f"{shown_name(one.name, 26)}\n{fired:.1f} % fire", fontsize=8.5)
        axes.set_yscale("log")
        axes.set_ylim(0.005, 130)
        axes.set_yticks((0.01, 0.1, 1, 10, 100), ("0.01", "0.1", "1", "10", "100"))
        axes.minorticks_off()
        axes.margins(x=0.02)
    columns = min(len(grid), 4)
    for number, axes in enumerate(grid):
        if number + columns >= len(grid):
            axes.set_xlabel("membrane − threshold")
        if number % columns == 0:
            axes.set_ylabel("% (logarithmic)")
    caption = (
        f"Membrane minus threshold before the reset, in units of the membrane, in percent of all neurons and steps of "
        f"{min(MEMBRANE_SAMPLES, found.samples)} samples; from the step-by-step definition on the recorded input. "
        f"Orange has fired. The range holds the middle 99.8 % of the values.{cut}"
    )
    return Picture("membranes", "Membranes before the reset", caption, figure)


def membrane_histogram(one: Potentials) -> tuple[Any, Any, int]:
    """Counts and edges over the middle 99.8 % of the values, an edge at the threshold, and how many lie outside."""
    values = one.distances.numpy()
    low, high = (float(v) for v in np.quantile(values, (0.001, 0.999)))
    low, high = min(low, 0.0), max(high, 0.0)
    width = max(high - low, 1e-6) / MEMBRANE_BINS
    below, above = int(np.ceil(-low / width)), max(1, int(np.ceil(high / width)))
    edges = width * np.arange(-below, above + 1)
    counts, _ = np.histogram(values, bins=edges)
    return counts, edges, len(values) - int(counts.sum())
