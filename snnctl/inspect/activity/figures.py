"""Figures of spikes: rates by layer, channel and step, by sample and class, levels, and rasters of single samples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from snnctl.inspect.activity.collect import Raster, Survey
from snnctl.inspect.chosen import shown_name, some, spread
from snnctl.measure.activity import CHANNEL_BINS, LayerActivity
from snnctl.report.drawing import gridlines, heat, legend_below, names_beside, panels, plots
from snnctl.report.style import BLUE, DARK, GREY, INK, ORANGE, PALE, RED, SKY, Drawn, annotated, picture, whole_ticks

_BARS = 40
_NUMBERS = 12  # a heat map with more columns than that carries no numbers
_WIDE = 70  # columns of a raster from which the samples stand below each other


def _named(layers: Sequence[LayerActivity], most: int = 40) -> list[str]:
    return [shown_name(layer.spikes.name, most) for layer in layers]


@picture("rates", "Firing rate by layer")
def rates(found: Survey) -> Drawn:
    layers = found.layers
    tall, title = 1.5 + 0.32 * len(layers), f"Firing rate by layer ({found.split} split)"
    figure, (left, right) = plots(10, tall, title, 1, 2, sharey=True, width_ratios=(2.1, 1))
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
    names_beside(left, _named(layers))
    several = any(layer.spikes.levels > 1 for layer in layers)
    left.set(xlabel="share of the highest spike value" if several else "spikes per neuron and step")
    left.set_xlim(-0.01 * farthest, min(1.01, 1.1 * farthest))
    right.set(xlabel="% of channels", xlim=(0, 100))
    if not any(layer.spikes.silent_share or layer.spikes.saturated_share for layer in layers):
        right.text(0.5, 0.5, "none", transform=right.transAxes, ha="center", va="center", color=GREY)
    for axes in (left, right):
        gridlines(axes, "x")
    legend_below(figure, [left, right], 5)
    return figure, (
        f"Mean spikes per neuron and step over {found.samples:,} samples, and how they are spread over channels (the "
        f"white tick is the median). To the right the share of channels that never fired, and of those that gave at "
        f"least 95 % of the spikes they could give."
    )


@picture("channel-rates", "Rates over channels")
def channel_rates(found: Survey) -> Drawn:
    layers, cut = some(found.layers)
    figure, grid = panels(_named(layers, 26), "Firing rate of the channels", "spikes per neuron and step", "channels")
    for axes, layer in zip(grid, layers, strict=True):
        counts, edges = layer.channel_histogram()
        axes.bar(edges[:-1], counts, np.diff(edges), align="edge", color=BLUE, edgecolor="white", lw=0.4)
        axes.axvline(layer.spikes.rate, color=ORANGE, lw=1.6)
        axes.set_xlim(0, edges[-1])
        axes.locator_params(axis="x", nbins=4)
        axes.xaxis.set_major_formatter(lambda x, _: f"{x:.2g}")
        whole_ticks(axes, x=False, most=4)
    return figure, (
        f"How many channels have which rate, in {CHANNEL_BINS} bins up to the highest of the layer; the line is the "
        f"mean.{cut}"
    )


@picture("rate-by-step", "Rate by step")
def steps(found: Survey) -> Drawn:
    layers, cut = some(found.layers)
    longest = max(len(layer.rate_by_step) for layer in layers)
    values = np.full((len(layers), longest), np.nan)
    for row, layer in enumerate(layers):
        values[row, : len(layer.rate_by_step)] = np.asarray(layer.rate_by_step) / layer.spikes.levels
    figure, axes = plots(9 if longest <= _NUMBERS else 10, 1.4 + 0.34 * len(layers), "Firing rate by step")
    highest = max(float(np.nanmax(values)), 1e-9)
    if longest <= _NUMBERS:
        texts = [["" if v != v else f"{v:.3f}" for v in line] for line in values.tolist()]
        image = annotated(axes, np.nan_to_num(values).tolist(), texts, vmin=0, vmax=highest)
    else:
        image = heat(axes, values, aspect="auto", vmin=0, vmax=highest)
    axes.set_yticks(range(len(layers)), _named(layers))
    whole_ticks(axes, y=False, most=12)
    several = any(layer.spikes.levels > 1 for layer in layers)
    figure.colorbar(image, ax=axes, pad=0.015, label="share of levels" if several else "spikes per neuron")
    lengths = {len(layer.rate_by_step) for layer in layers}
    axes.set(xlabel="time step t of the layer" if len(lengths) > 1 else f"time step t (of {longest})")
    strung = " Layers that run position by position have them strung together." if len(lengths) > 1 else ""
    return figure, f"Mean spikes per neuron at each step; the scale ends at the highest value.{strung}{cut}"


@picture("spikes-per-sample", "Spikes per sample")
def per_sample(found: Survey) -> Drawn:
    tally = found.per_sample
    figure, axes = plots(8, 3.3, "Spikes of the network per sample")
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
    moments = f"mean {tally.mean:,.1f}, standard deviation {tally.sd:,.1f}, from {tally.least:,} to {tally.most:,}"
    return figure, f"{tally.count:,} samples in bins of {width:,}: {moments}."


@picture("spikes-by-class", "Spikes by class")
def classes(found: Survey) -> Drawn:
    layers, cut = some([layer for layer in found.layers if layer.by_class is not None])
    tallies = [*(layer.per_sample for layer in layers), found.per_sample]
    counted = np.asarray(found.class_sizes) > 0
    numbers = np.flatnonzero(counted)
    table = np.asarray([*(layer.by_class for layer in layers), found.by_class])[:, counted]
    mean = np.asarray([tally.mean for tally in tallies if tally is not None])[:, None]
    with np.errstate(invalid="ignore", divide="ignore"):
        change = np.where(mean > 0, 100 * (table / mean - 1), 0.0)
    figure, axes = plots(max(6.5, min(10.0, 3.8 + 1.1 * len(numbers))), 1.9 + 0.34 * len(layers), "Spikes by class")
    most = max(float(np.abs(change).max()), 1.0)
    image = heat(axes, change, cmap="PuOr_r", aspect="auto", vmin=-most, vmax=most)
    if len(numbers) <= _NUMBERS:
        for row, line in enumerate(table.tolist()):
            for column, value in enumerate(line):
                colour = "white" if abs(change[row, column]) > 0.45 * most else INK
                axes.text(column, row, f"{value:,.1f}", ha="center", va="center", fontsize=9, color=colour)
    axes.tick_params(length=0)
    axes.set_yticks(range(len(layers) + 1), [*_named(layers), "all layers"])
    axes.axhline(len(layers) - 0.5, color=INK, lw=1)
    if len(numbers) <= _NUMBERS:
        axes.set_xticks(range(len(numbers)), [f"class {k}\n{found.class_sizes[k]:,} samples" for k in numbers])
    else:
        told = spread(len(numbers), _NUMBERS)
        axes.set_xticks(told, [str(numbers[i]) for i in told])
        axes.set_xlabel(f"class ({len(numbers)} of {len(counted)} occur)")
    figure.colorbar(image, ax=axes, pad=0.02, label="% from the layer's mean")
    away = "the difference from the mean of the layer over all samples"
    return figure, f"Mean spikes per sample; the colour is {away}.{cut}"


@picture("levels", "Levels")
def levels(found: Survey) -> Drawn:
    layers, cut = some([layer for layer in found.layers if layer.spikes.levels > 1])
    figure, grid = panels(_named(layers, 26), "Levels of the spikes", "spike value (0 is none)", "% of neuron-steps")
    for axes, layer in zip(grid, layers, strict=True):
        shares = 100 * np.asarray(layer.spikes.histogram) / max(layer.spikes.neuron_steps, 1)
        axes.bar(range(len(shares)), shares, color=[GREY] + [BLUE] * (len(shares) - 1), width=0.8)
        whole_ticks(axes, y=False)
    return figure, f"How often a neuron gives which value in a step, in percent of neurons x steps x samples.{cut}"


@picture("raster-{one.name}", "Raster: {one.title}")
def raster(found: Survey, one: Raster) -> Drawn:
    from matplotlib.colors import LinearSegmentedColormap

    samples, rows, steps, places = one.spikes.shape
    columns = steps * places
    stacked = columns > _WIDE
    height = float(np.clip(0.075 * rows, 0.9, 3.2))
    tall = 1.1 + samples * (height + 0.45) if stacked else 1.5 + height
    shape = (samples, 1) if stacked else (1, samples)
    figure, grid = plots(10.0, tall, f"{one.title}: spikes", *shape, squeeze=False, sharex=True, sharey=True)
    colours = LinearSegmentedColormap.from_list("spikes", [PALE, SKY, DARK][:: 2 if one.levels == 1 else 1])
    colours = colours.resampled(one.levels + 1)
    image: Any = None
    for axes, spikes, (index, label) in zip(grid.ravel(), one.spikes, found.raster_samples, strict=True):
        tile = spikes.reshape(rows, columns)
        image = heat(axes, tile, aspect="auto", cmap=colours, vmin=-0.5, vmax=one.levels + 0.5)
        for t in range(1, steps) if places > 1 else ():
            axes.axvline(t * places - 0.5, color=RED, lw=1.0 if steps <= 12 else 0.4)
        axes.set_title(f"sample {index}" + ("" if label is None else f", class {label}"), fontsize=9)
        if places > 1:
            told = range(0, steps, -(-steps // 16))
            axes.set_xticks([(t + 0.5) * places - 0.5 for t in told], [str(t) for t in told])
            axes.tick_params(axis="x", length=0)
        axes.set_yticks([0, rows - 1], [f"{one.channels[0]}", f"{one.channels[-1]}"])
    if one.levels > 1:
        figure.colorbar(image, ax=grid.ravel().tolist(), pad=0.015, label="spike value", ticks=range(one.levels + 1))
    across = f"time step t; within it {places} of {one.of_places} places"
    for axes in grid[-1]:
        axes.set_xlabel(across if places > 1 else f"time step t ({steps} of {one.of_steps})")
    for axes in grid[:, 0]:
        axes.set_ylabel(f"channel ({rows} of {one.of_channels})")
    return figure, _caption(one, steps, places)


def _caption(one: Raster, steps: int, places: int) -> str:
    some_of = f"{len(one.channels)} of {one.of_channels} channels, evenly spread over the ranks of their rates"
    which = "every channel" if len(one.channels) == one.of_channels else some_of
    more = "" if one.levels == 1 else ", the darker the higher its spike"
    parts = [f"Dark where a neuron fires{more}. Rows: {which}, the busiest on top."]
    if places > 1:
        cut = "every place" if places == one.of_places else f"{places} of {one.of_places} places, evenly spread,"
        parts.append(f"Columns: the time steps, divided by lines, and within each {cut} in order.")
    if steps < one.of_steps:
        parts.append(f"The first {steps} of {one.of_steps} steps.")
    return " ".join(parts)
