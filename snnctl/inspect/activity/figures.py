"""Figures of what was counted: rates by layer, channel and step, spikes by sample and class, levels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from snnctl.inspect.activity.collect import Survey
from snnctl.inspect.activity.rasters import spread
from snnctl.measure.activity import LayerActivity
from snnctl.report.style import (
    BLUE,
    GREY,
    INK,
    MAP,
    ORANGE,
    PALE,
    RED,
    SKY,
    Picture,
    annotated,
    sheet,
    short,
    styled,
    whole_ticks,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANELS = 24  # of small multiples: more are not looked at
_COLUMNS = 4
_BINS = 20
_BARS = 40
_NUMBERS = 12  # a heat map with more columns than that carries no numbers


def shown_name(name: str, most: int = 30) -> str:
    """A layer without the word that all of them end in; of a long name the end, which tells layers apart."""
    name = name.removesuffix(".neuron").removeprefix("backbone.")
    if len(name) <= most:
        return name
    end = name[1 - most :]
    return f"…{end[end.find('.') + 1 :]}"


def panels(count: int, title: str, height: float = 1.75) -> tuple[Figure, list[Axes]]:
    """Small multiples, four in a row."""
    columns = min(count, _COLUMNS)
    rows = math.ceil(count / columns)
    figure = sheet(max(2.55 * columns, 5.0), 0.75 + height * rows, title)
    grid: Any = figure.subplots(rows, columns, squeeze=False)
    flat = list(grid.ravel())
    for axes in flat[count:]:
        axes.set_axis_off()
    return figure, flat[:count]


def some(items: Sequence[Any]) -> tuple[list[Any], str]:
    """At most `PANELS` of them, evenly spread, and a remark for the caption if that is not all."""
    chosen = [items[i] for i in spread(len(items), PANELS)]
    return chosen, "" if len(chosen) == len(items) else f" {len(chosen)} of {len(items)} layers are shown."


@styled
def rates(found: Survey) -> Picture:
    """Rate of each layer with its spread over channels, and its silent and saturated channels beside it."""
    layers = found.layers
    names = [shown_name(layer.spikes.name, 40) for layer in layers]
    figure = sheet(10, 1.5 + 0.32 * len(layers), f"Firing rate by layer ({found.split} split)")
    grid: Any = figure.subplots(1, 2, sharey=True, width_ratios=(2.1, 1))
    left, right = grid
    farthest = 0.01
    for y, layer in enumerate(layers):
        share = (layer.rates / layer.spikes.levels).numpy()
        low, first, middle, third, high = np.quantile(share, (0.05, 0.25, 0.5, 0.75, 0.95))
        farthest = max(farthest, high, layer.spikes.rate / layer.spikes.levels)
        left.plot((low, high), (y, y), color=SKY, lw=2, solid_capstyle="butt", label="5–95 % of channels" * (y == 0))
        left.plot((first, third), (y, y), color=BLUE, lw=8, solid_capstyle="butt", label="25–75 %" * (y == 0))
        left.plot(middle, y, "|", color="white", ms=9, mew=2)
        left.plot(layer.spikes.rate / layer.spikes.levels, y, "D", color=ORANGE, ms=5.5, label="mean" * (y == 0))
        silent, full = 100 * layer.spikes.silent_share, 100 * layer.spikes.saturated_share
        right.barh(y, silent, color=GREY, height=0.55, label="silent: never fired" * (y == 0))
        right.barh(y, full, left=100 - full, color=RED, height=0.55, label="saturated: ≥ 95 %" * (y == 0))
    left.set_yticks(range(len(layers)), names)
    left.invert_yaxis()
    several = any(layer.spikes.levels > 1 for layer in layers)
    left.set(xlabel="share of the highest spike value" if several else "spikes per neuron and step")
    left.set_xlim(-0.01 * farthest, min(1.01, 1.1 * farthest))
    right.set(xlabel="% of channels", xlim=(0, 100))
    if not any(layer.spikes.silent_share or layer.spikes.saturated_share for layer in layers):
        right.text(0.5, 0.5, "none", transform=right.transAxes, ha="center", va="center", color=GREY)
    for axes in grid:
        axes.grid(axis="x", color=PALE, lw=1)
        axes.set_axisbelow(True)
    handles = [axes.get_legend_handles_labels() for axes in grid]
    figure.legend(handles[0][0] + handles[1][0], handles[0][1] + handles[1][1], loc="outside lower center", ncols=5)
    caption = (
        f"Mean spikes per neuron and step over {found.samples:,} samples, and how they are spread over channels (the "
        f"white tick is the median). To the right the share of channels that never fired, and of those that gave at "
        f"least 95 % of the spikes they could give."
    )
    return Picture("rates", "Firing rate by layer", caption, figure)


@styled
def channel_rates(found: Survey) -> Picture:
    """Histogram over channels, a panel per layer."""
    layers, cut = some(found.layers)
    figure, grid = panels(len(layers), "Firing rate of the channels")
    for axes, layer in zip(grid, layers, strict=True):
        counts, edges = channel_histogram(layer)
        axes.bar(edges[:-1], counts, np.diff(edges), align="edge", color=BLUE, edgecolor="white", lw=0.4)
        axes.axvline(layer.spikes.rate, color=ORANGE, lw=1.6)
        axes.set_title(f"{shown_name(layer.spikes.name, 26)}", fontsize=8.5)
        axes.set_xlim(0, edges[-1])
        axes.locator_params(axis="x", nbins=4)
        axes.xaxis.set_major_formatter(lambda x, _: f"{x:.2g}")
        whole_ticks(axes, x=False, most=4)
    outer_labels(grid, "spikes per neuron and step", "channels")
    caption = (
        f"How many channels have which rate, in {_BINS} bins up to the highest of the layer; the line is the mean.{cut}"
    )
    return Picture("channel-rates", "Rates over channels", caption, figure)


def channel_histogram(layer: LayerActivity) -> tuple[Any, Any]:
    """Counts [20] and edges [21] of the rates of its channels, from 0 to the highest; 0..levels if all are silent."""
    rates = layer.rates.numpy()
    return np.histogram(rates, bins=_BINS, range=(0, float(rates.max()) or layer.spikes.levels))


def outer_labels(grid: Sequence[Axes], x: str, y: str) -> None:
    """Words for the axes, at the left and the bottom panels alone."""
    columns = min(len(grid), _COLUMNS)
    for number, axes in enumerate(grid):
        if number + columns >= len(grid):
            axes.set_xlabel(x)
        if number % columns == 0:
            axes.set_ylabel(y)


@styled
def steps(found: Survey) -> Picture:
    """Rate of each layer at each step, as a heat map."""
    layers, cut = some(found.layers)
    longest = max(len(layer.rate_by_step) for layer in layers)
    values = np.full((len(layers), longest), np.nan)
    for row, layer in enumerate(layers):
        values[row, : len(layer.rate_by_step)] = np.asarray(layer.rate_by_step) / layer.spikes.levels
    figure = sheet(9 if longest <= _NUMBERS else 10, 1.4 + 0.34 * len(layers), "Firing rate by step")
    axes = figure.subplots()
    highest = max(float(np.nanmax(values)), 1e-9)
    if longest <= _NUMBERS:
        texts = [["" if v != v else f"{v:.3f}" for v in line] for line in values.tolist()]
        image = annotated(axes, np.nan_to_num(values).tolist(), texts, vmin=0, vmax=highest)
    else:
        image = axes.imshow(values, cmap=MAP, aspect="auto", vmin=0, vmax=highest)
        axes.spines[:].set_visible(False)
    axes.set_yticks(range(len(layers)), [shown_name(layer.spikes.name, 40) for layer in layers])
    whole_ticks(axes, y=False, most=12)
    several = any(layer.spikes.levels > 1 for layer in layers)
    figure.colorbar(image, ax=axes, pad=0.015, label="share of levels" if several else "spikes per neuron")
    lengths = {len(layer.rate_by_step) for layer in layers}
    axes.set(xlabel="time step t of the layer" if len(lengths) > 1 else f"time step t (of {longest})")
    strung = " Layers that run position by position have them strung together." if len(lengths) > 1 else ""
    caption = f"Mean spikes per neuron at each step; the scale ends at the highest value.{strung}{cut}"
    return Picture("rate-by-step", "Rate by step", caption, figure)


@styled
def per_sample(found: Survey) -> Picture:
    """How many spikes a sample costs."""
    tally = found.per_sample
    figure = sheet(8, 3.3, "Spikes of the network per sample")
    axes = figure.subplots()
    first, end = tally.used
    together = -(-(end - first) // _BARS)
    counts = np.zeros(-(-(end - first) // together) * together)
    counts[: end - first] = tally.counts[first:end].numpy()
    counts, width = counts.reshape(-1, together).sum(axis=1), together * tally.width
    left = first * tally.width + width * np.arange(len(counts))
    axes.bar(left, counts, width, align="edge", color=BLUE, edgecolor="white", lw=0.4)
    axes.axvline(tally.mean, color=ORANGE, lw=1.8, label=f"mean {tally.mean:,.0f}")
    axes.set(xlabel="spikes per sample (all layers and steps)", ylabel="samples")
    whole_ticks(axes)
    axes.xaxis.set_major_formatter(lambda x, _: f"{x:,.0f}")
    axes.legend(loc="best")
    caption = (
        f"{tally.count:,} samples in bins of {width:,}: mean {tally.mean:,.1f}, standard deviation "
        f"{tally.sd:,.1f}, from {tally.least:,} to {tally.most:,}."
    )
    return Picture("spikes-per-sample", "Spikes per sample", caption, figure)


@styled
def classes(found: Survey) -> Picture:
    """Spikes per sample of each class and layer, relative to the mean of the layer."""
    layers, cut = some([layer for layer in found.layers if layer.by_class is not None])
    counted = np.asarray(found.class_sizes) > 0
    numbers = np.flatnonzero(counted)
    table = np.asarray([*(layer.by_class for layer in layers), found.by_class])[:, counted]
    mean = np.asarray([*(layer.per_sample.mean for layer in layers), found.per_sample.mean])[:, None]
    with np.errstate(invalid="ignore", divide="ignore"):
        change = np.where(mean > 0, 100 * (table / mean - 1), 0.0)
    figure = sheet(max(6.5, min(10.0, 3.8 + 1.1 * len(numbers))), 1.9 + 0.34 * len(layers), "Spikes by class")
    axes = figure.subplots()
    most = max(float(np.abs(change).max()), 1.0)
    image = axes.imshow(change, cmap="PuOr_r", aspect="auto", vmin=-most, vmax=most)
    if len(numbers) <= _NUMBERS:
        for row, line in enumerate(table.tolist()):
            for column, value in enumerate(line):
                far = abs(change[row, column]) > 0.45 * most
                axes.text(
                    column, row, f"{value:,.1f}", ha="center", va="center", fontsize=9, color="white" if far else INK
                )
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    names = [*(shown_name(layer.spikes.name, 40) for layer in layers), "all layers"]
    axes.set_yticks(range(len(names)), names)
    axes.axhline(len(layers) - 0.5, color=INK, lw=1)
    if len(numbers) <= _NUMBERS:
        axes.set_xticks(range(len(numbers)), [f"class {k}\n{found.class_sizes[k]:,} samples" for k in numbers])
    else:
        told = spread(len(numbers), _NUMBERS)
        axes.set_xticks(told, [str(numbers[i]) for i in told])
        axes.set_xlabel(f"class ({len(numbers)} of {len(counted)} occur)")
    figure.colorbar(image, ax=axes, pad=0.02, label="% from the layer's mean")
    caption = f"Mean spikes per sample; the colour is the difference from the mean of the layer over all samples.{cut}"
    return Picture("spikes-by-class", "Spikes by class", caption, figure)


@styled
def levels(found: Survey) -> Picture:
    """How often each spike value occurs, of the layers with several."""
    layers, cut = some([layer for layer in found.layers if layer.spikes.levels > 1])
    figure, grid = panels(len(layers), "Levels of the spikes")
    for axes, layer in zip(grid, layers, strict=True):
        shares = 100 * np.asarray(layer.spikes.histogram) / max(layer.spikes.neuron_steps, 1)
        axes.bar(range(len(shares)), shares, color=[GREY] + [BLUE] * (len(shares) - 1), width=0.8)
        axes.set_title(short(shown_name(layer.spikes.name, 26)), fontsize=8.5)
        whole_ticks(axes, y=False)
    outer_labels(grid, "spike value (0 is none)", "% of neuron-steps")
    caption = f"How often a neuron gives which value in a step, in percent of neurons x steps x samples.{cut}"
    return Picture("levels", "Levels", caption, figure)
