"""The part of the page on autaptic circuits: factors as histograms and over time, membranes, maps over space."""

from __future__ import annotations

from typing import Any

import numpy as np

from snnctl.inspect.chosen import shown_name, some
from snnctl.inspect.circuits.collect import EDGES, Circuits, FactorMaps
from snnctl.measure.circuits import FLOAT16_MAX
from snnctl.report.drawing import gridlines, legend_below, look, panels, plots
from snnctl.report.page import Cell, Section, Table
from snnctl.report.style import BLUE, DASHES, GREY, INK, ORANGE, RED, Drawn, picture, whole_ticks

FACTORS = {"beta": ("β", BLUE, "-"), "gamma": ("γ", ORANGE, DASHES[1])}
_TITLES = {"β": "β, on the past", "γ": "γ, on the input"}
_TICKS = (0, 0.5, 1, 1.5, 2), ("0", "0.5", "1", "1.5", "2")
_DIVERGING = "PuOr_r"
_TILE = 1.1  # inches
_LIMIT_SHOWN = 1e-3  # of the largest float16: smaller membranes would only be pressed together


def _panels(found: Circuits, title: str, x: str, y: str) -> tuple[Any, list[Any], list[Any], str]:
    """A panel per layer; the factors to be drawn, with panel, letter, colour and dashes; a remark on those left out."""
    layers, cut = some(found.layers)
    figure, grid = panels([shown_name(layer.name, 26) for layer in layers], title, x, y, 1.95)
    named = [(axes, name, one) for axes, layer in zip(grid, layers, strict=True) for name, one in layer.factors.items()]
    return figure, grid, [(axes, one, *FACTORS[name]) for axes, name, one in named], cut


@picture("circuits-histograms", "Factors of the circuits")
def histograms(found: Circuits) -> Drawn:
    figure, grid, drawn, cut = _panels(found, "Factors of the circuits", "factor", "% of neurons and steps")
    for axes, one, letter, colour, dashes in drawn:
        shares = 100 * one.counts.sum(0).numpy() / int(one.counts.sum())
        axes.stairs(shares, EDGES, color=colour, fill=True, alpha=0.18)
        axes.stairs(shares, EDGES, color=colour, lw=1.5, ls=dashes, label=letter)
    for axes in grid:
        axes.axvline(1, color=INK, lw=0.8, ls=":")
        axes.set_xlim(0, 2)
        axes.set_xticks(*_TICKS)
        axes.set_ylim(bottom=0)
    legend_below(figure, grid, 2, _TITLES)
    return figure, (
        f"Factors of all neurons, steps and {found.samples:,} samples, in {len(EDGES) - 1} bins over 0 to 2. What "
        f"piles up at 1 (dotted) is left as it is: as long as a layer is silent, fresh circuits do nothing.{cut}"
    )


@picture("circuits-over-time", "Factors over time")
def over_time(found: Circuits) -> Drawn:
    title = "Factors of the circuits over time"
    figure, grid, drawn, cut = _panels(found, title, "time step t of the layer", "factor")
    for axes, one, letter, colour, dashes in drawn:
        mean, sd = one.mean.numpy(), one.sd.numpy()
        steps = np.arange(len(mean))
        axes.fill_between(steps, mean - sd, mean + sd, color=colour, alpha=0.12, lw=0)
        for edge in (mean - sd, mean + sd):
            axes.plot(steps, edge, color=colour, ls=dashes, lw=0.9)
        mark = "." if len(mean) <= 24 else ""
        axes.plot(steps, mean, color=colour, ls=dashes, lw=1.6, marker=mark, label=letter)
    for axes in grid:
        axes.axhline(1, color=INK, lw=0.8, ls=":")
        axes.set_ylim(0, 2)
        axes.set_yticks(*_TICKS)
        whole_ticks(axes, y=False, most=6)
    legend_below(figure, grid, 2, _TITLES)
    return figure, (
        f"Mean over neurons and {found.samples:,} samples; thin lines and bands are one standard deviation away.{cut}"
    )


@picture("circuits-membranes", "Largest membrane over time")
def membranes(found: Circuits) -> Drawn:
    layers, cut = some(found.layers)
    figure, axes = plots(8, 3.9, "Largest membrane over time")
    highest = 0.0
    for number, layer in enumerate(layers):
        values = layer.largest.numpy()
        values = np.where(np.isfinite(values) & (values > 0), values, np.nan)
        highest = max(highest, float(np.nanmax(values, initial=0.0)))
        mark = "." if len(values) <= 24 else ""
        axes.plot(range(len(values)), values, lw=1.8, marker=mark, label=shown_name(layer.name, 40), **look(number))
    axes.set_yscale("log")
    if highest > _LIMIT_SHOWN * FLOAT16_MAX:
        axes.axhline(FLOAT16_MAX, color=RED, lw=1, ls=":", label=f"largest float16, {FLOAT16_MAX:,.0f}")
    gridlines(axes)
    whole_ticks(axes, y=False, most=12)
    axes.set(xlabel="time step t of the layer", ylabel="max |u| (logarithmic)")
    legend_below(figure, axes, 4)
    return figure, (
        f"Largest size of a membrane before the reset, over all neurons and {found.samples:,} samples; steps at which "
        f"every membrane is 0, or one is no number, are left out.{cut}"
    )


@picture("circuits-maps-{one.name}", "Over space: {one.title}")
def maps(found: Circuits, one: FactorMaps) -> Drawn:
    rows: list[tuple[str, Any, bool]] = []
    for name, values in one.factors.items():
        letter = FACTORS[name][0]
        rows.append((f"{letter}, mean\nover channels", values[0], True))
        rows += [(f"{letter}, channel {k}", values[1 + i], False) for i, k in enumerate(one.channels)]
    height, width = one.spikes.shape[-2:]
    tall = float(np.clip(_TILE * height / width, 0.4, 2.5))
    size = (1.9 + 1.08 * _TILE * len(one.steps), 0.9 + (tall + 0.16) * (1 + len(rows)))
    figure, lines = plots(*size, f"{shown_name(one.name, 50)}: circuits over space", 1 + len(rows), 1)
    most = max(float(one.spikes.max()), 1e-9)
    image = _row(lines[0], "spikes before,\nmean", one.spikes, cmap="Greys", vmin=0, vmax=most)
    figure.colorbar(image, ax=lines[0], pad=0.02, aspect=8)
    means = [values for _, values, mean in rows if mean]
    away = max([0.01, *(float(np.abs(values - 1).max()) for values in means)])
    for line, (title, values, mean) in zip(lines[1:], rows, strict=True):
        reach = away if mean else 1.0
        image = _row(line, title, values, cmap=_DIVERGING, vmin=1 - reach, vmax=1 + reach)
        bar = figure.colorbar(image, ax=line, pad=0.02, aspect=8, ticks=(1 - reach, 1, 1 + reach))
        bar.ax.set_yticklabels([f"{tick:.2f}" for tick in (1 - reach, 1, 1 + reach)])
    for image, step in zip(lines[0].images, one.steps, strict=True):
        left, right, _, top = image.get_extent()
        lines[0].text((left + right) / 2, top - 0.05 * height, f"t = {step}", ha="center", va="bottom", fontsize=8.5)
    index, label = found.sample
    of_class = "" if label is None else f" (class {label})"
    others = f"Channel {one.channels[0]} is the busiest, {one.channels[-1]} one of middling rate"
    channels = others if len(one.channels) > 1 else "There is one channel"
    return figure, (
        f"Sample {index}{of_class} of the {found.split} split at {len(one.steps)} of {one.of_steps} steps: the spikes "
        f"of the step before (black where many channels fire), and the factors that follow from them: white leaves a "
        f"neuron as it is, purple weakens, orange strengthens. {channels}; means have a scale of their own."
    )


def _row(axes: Any, title: str, values: Any, **options: Any) -> Any:
    """All tiles in one panel: a panel for each would take twice as long to lay out."""
    from matplotlib.patches import Rectangle

    height, width = values.shape[1:]
    image: Any = None
    for column, tile in enumerate(values):
        left = 1.08 * column * width
        image = axes.imshow(tile, extent=(left, left + width, height, 0), **options)
        axes.add_patch(Rectangle((left, 0), width, height, fill=False, ec=GREY, lw=0.6, clip_on=False))
    axes.set(xlim=(0, (1.08 * len(values) - 0.08) * width), ylim=(height, 0))
    axes.set_axis_off()
    axes.text(-0.08 * width, height / 2, title, ha="right", va="center", fontsize=8.5)
    return image


def sections(found: Circuits) -> list[Section]:
    """Table and pictures; none of a network without circuits."""
    if not found.layers:
        return []
    rows: list[list[Cell]] = []
    for layer in found.layers:
        totals = (None if one is None else one.total for one in (layer.beta, layer.gamma))
        cells = (None if total is None else f"{total[0]:.3f} ± {total[1]:.3f}" for total in totals)
        rows.append([layer.name, layer.totals.largest_membrane, *cells])
    shown = Table(["layer", "max |u|", "beta, mean ± sd", "gamma, mean ± sd"], rows)
    pictures = [histograms(found), over_time(found), membranes(found)]
    pictures += [maps(found, one) for one in found.maps]
    words = (
        "Beta scales what is left of the membrane, gamma the input current; both follow from the layer's own spikes of "
        "the step before, and 1 leaves the host neuron as it is."
    )
    return [Section("Autaptic circuits", pictures, [words], [shown])]
