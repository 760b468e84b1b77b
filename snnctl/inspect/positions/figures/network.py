"""Figures of a trained network: disturbed position, probe, attention against distance."""

from __future__ import annotations

import numpy as np

from snnctl.inspect.positions.collect import Trained
from snnctl.report.drawing import band, heat, legend_below, look, names_beside, plots
from snnctl.report.style import BLUE, GREY, INK, ORANGE, RED, Drawn, Picture, picture, short, whole_ticks

MAPS_SHOWN = 6


def pictures(found: Trained) -> list[Picture]:
    drawn = []
    if found.disturbance:
        drawn.append(disturbance(found))
    if found.probe:
        drawn.append(probe(found))
    if found.attention:
        drawn += [attention(found), maps(found)]
    return drawn


@picture("disturbance", "Disturbed position")
def disturbance(found: Trained) -> Drawn:
    names = list(found.disturbance[0].values)
    names = [found.headline, *(name for name in names if name not in (found.headline, "loss"))][:4]
    title = f"Metrics when the position is disturbed ({found.split} split)"
    figure, grid = plots(max(6.0, 2.6 * len(names)), 3.6, title, 1, len(names), squeeze=False)
    colours = (BLUE, RED, ORANGE)
    for axes, name in zip(grid[0], names, strict=True):
        for x, (one, colour) in enumerate(zip(found.disturbance, colours, strict=True)):
            values = one.values[name]
            axes.bar(x, np.mean(values), color=colour, width=0.6, alpha=0.85)
            if len(values) > 1:
                axes.plot(np.linspace(x - 0.15, x + 0.15, len(values)), values, "o", color=INK, ms=4)
        axes.axhline(np.mean(found.disturbance[0].values[name]), color=GREY, lw=0.9, ls=(0, (4, 2)))
        axes.set_xticks(range(3), ["as trained", "removed", "shuffled"], rotation=20, ha="right")
        axes.set_title(name)
    grid[0][0].set_ylabel("value of the metric")
    return figure, (
        f"The same weights on the {found.split} split with the position as trained, removed (all zeros) and shuffled "
        f"over positions (dots: shuffles). The dashed line is the undisturbed value."
    )


@picture("probe", "Linear probe")
def probe(found: Trained) -> Drawn:
    layers = [short(score.layer.removesuffix(".neuron"), 48) for score in found.probe]
    removed = {score.layer: score.accuracy for score in found.probe_removed}
    figure, axes = plots(9.5, 1.9 + 0.34 * len(layers), "Position read back from the spikes of each layer")
    y = np.arange(len(layers))
    axes.barh(y - 0.18, [score.accuracy for score in found.probe], height=0.36, color=BLUE, label="as trained")
    if removed:
        without = [removed.get(score.layer, np.nan) for score in found.probe]
        axes.barh(y + 0.18, without, height=0.36, color=ORANGE, label="position removed")
    axes.axvline(found.chance, color=INK, lw=1, ls=(0, (4, 2)), label=f"chance 1/L = {found.chance:.3f}")
    names_beside(axes, layers)
    axes.set_xlim(0, 1.02)
    axes.set_xlabel(f"share of tokens whose position l is named exactly ({found.tested} unseen samples)")
    legend_below(figure, axes, 3)
    return figure, (
        f"Linear probe of a token's spike counts over T, fitted on {found.fitted} samples and scored on {found.tested} "
        f"others. What it reads with the position removed comes from the data or from the layers themselves."
    )


@picture("attention", "Attention against distance")
def attention(found: Trained) -> Drawn:
    figure, axes = plots(8.5, 4.2, "Attention against distance")
    for number, one in enumerate(found.attention):
        band(axes, *one.by_distance, short(one.layer), **look(number))
    whole_ticks(axes, y=False)
    axes.set(xlabel="distance |i − j| (tokens)", ylabel="mean score, before scale and bias")
    axes.margins(x=0.02)
    axes.legend(loc="best")
    return figure, (
        f"Scores of queries and keys at the same distance, mean over {found.attention_samples} samples, steps, heads; "
        f"the band is one standard deviation over pairs."
    )


@picture("attention-maps", "Attention maps")
def maps(found: Trained) -> Drawn:
    shown = found.attention[:MAPS_SHOWN]
    figure, grid = plots(max(4.6, 3.4 * len(shown)), 3.9, "Mean attention maps", 1, len(shown), squeeze=False)
    for axes, one in zip(grid[0], shown, strict=True):
        image = heat(axes, one.matrix)
        axes.set(title=short(one.layer, 28), xlabel="key token j (of L)")
        whole_ticks(axes)
        figure.colorbar(image, ax=axes, shrink=0.85, pad=0.02)
    grid[0][0].set_ylabel("query token i (of L)")
    return figure, "Mean over samples, steps and heads of each block's map, before scale and bias."
