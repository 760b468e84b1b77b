"""Figures of one encoding: spikes with membranes, code, similarity, neurons, spectrum, attention bias."""

from __future__ import annotations

from typing import Any

import numpy as np

from snnctl.inspect.positions import codes
from snnctl.inspect.positions.encoding import Encoding
from snnctl.report.drawing import band, heat, plots
from snnctl.report.style import (
    BLUE,
    CODE_MAP,
    DARK,
    GREY,
    INK,
    MAP,
    ORANGE,
    PALE,
    RED,
    Drawn,
    Picture,
    picture,
    whole_ticks,
)

PAIRS_SHOWN = 4
ROWS_SHOWN = 64  # of the raster: more bars than that run into each other
_MEANING = {
    "spikes": "dark where the neuron fires",
    "signs": "dark where the entry is +1, else −1",
    "real": "colour is the value",
}


def pictures(encoding: Encoding) -> list[Picture]:
    drawn = []
    if encoding.membrane is not None:
        drawn.append(raster(encoding))
    if encoding.neurons:
        drawn += [code_matrix(encoding), similarity(encoding)]
    if encoding.rates is not None:
        drawn.append(neurons(encoding, encoding.rates))
    if encoding.omegas is not None and encoding.rows > 2:
        drawn.append(spectrum(encoding))
    if encoding.bias is not None:
        drawn.append(attention_bias(encoding, encoding.bias))
    return drawn


def position_label(encoding: Encoding) -> str:
    return "position p = t·L + l (rows of T·L)" if encoding.index == "TL" else "position p = l (rows of L)"


@picture("raster-{encoding.slug}", "Spikes and membranes")
def raster(encoding: Encoding) -> Drawn:
    assert encoding.membrane is not None
    assert encoding.threshold is not None
    rows, pairs = min(encoding.rows, ROWS_SHOWN), min((encoding.neurons + 1) // 2, PAIRS_SHOWN)
    title = f"{encoding.name}: membranes, threshold and spikes"
    figure, grid = plots(10, 1.1 + 1.45 * pairs, title, pairs, 2, sharex=True, sharey=True, squeeze=False)
    p = np.arange(rows)
    for neuron in range(2 * pairs):
        axes = grid[neuron // 2][neuron % 2]
        if neuron >= encoding.neurons:
            axes.set_axis_off()
            continue
        membrane, fires = encoding.membrane[:rows, neuron], encoding.code[:rows, neuron] > 0
        axes.vlines(p[fires], -1.15, membrane[fires], color=RED, lw=2.4, alpha=0.85, gid="spikes")
        axes.plot(*_smooth(encoding, neuron, rows), color=BLUE, lw=1.1)
        axes.plot(p, membrane, ".", color=BLUE, ms=4)
        axes.axhline(encoding.threshold, color=INK, lw=0.9, ls=(0, (4, 2)), gid="threshold")
        axes.set_ylim(-1.15, 1.25)
        axes.set_yticks((-1, 0, 1))
        wave = "sine" if neuron % 2 == 0 else "cosine"
        omega = 0.0 if encoding.omegas is None else encoding.omegas[neuron]
        period = f", period {2 * np.pi / omega:,.1f}" if omega else ""
        axes.set_title(f"neuron {neuron}: {wave} of pair {neuron // 2}{period}", fontsize=9)
    for axes in grid[-1]:
        axes.set_xlabel(position_label(encoding))
        whole_ticks(axes, y=False)
    for axes in grid[:, 0]:
        axes.set_ylabel("membrane U")
    return figure, (
        f"Potential of the first {pairs} pairs over the first {rows} positions (dots where it is read), threshold "
        f"{encoding.threshold:g} (dashed), and a bar at every position where the neuron fires."
    )


def _smooth(encoding: Encoding, neuron: int, rows: int) -> tuple[Any, Any]:
    """The curve between the positions, where it is known to be a pure oscillation from phase 0."""
    assert encoding.membrane is not None
    if encoding.omegas is not None:
        dense = np.linspace(0, rows - 1, 16 * rows)
        wave = (np.sin, np.cos)[neuron % 2](dense * encoding.omegas[neuron])
        if np.allclose(wave[[0, -1]], encoding.membrane[[0, rows - 1], neuron], atol=1e-6):
            return dense, wave
    return np.arange(rows), encoding.membrane[:rows, neuron]


@picture("code-{encoding.slug}", "Code matrix")
def code_matrix(encoding: Encoding) -> Drawn:
    height = float(np.clip(1.6 + 0.075 * encoding.neurons, 2.4, 6.5))
    figure, axes = plots(10, height, f"{encoding.name}: code")
    draw_code(axes, encoding, encoding.code, colour_bar=True)
    axes.set_xlabel(position_label(encoding))
    axes.set_ylabel("neuron k")
    if encoding.index == "TL" and encoding.steps > 1:
        for t in range(encoding.steps):
            if t:
                axes.axvline(t * encoding.tokens - 0.5, color=RED, lw=1.1)
            axes.text((t + 0.5) * encoding.tokens - 0.5, -0.8, f"t = {t}", ha="center", va="bottom", fontsize=8.5)
    on, all_constant = int(encoding.always_on.sum()), int(encoding.constant.sum())
    constant = f" {all_constant} of {encoding.neurons} neurons never change" if all_constant else ""
    always = f" ({on} always fire)." if constant and encoding.kind == "spikes" else "." if constant else ""
    return figure, f"One column per position, one row per neuron; {_MEANING[encoding.kind]}.{constant}{always}"


def draw_code(axes: Any, encoding: Encoding, code: codes.Floats, *, colour_bar: bool) -> None:
    """`code` [rows, n] as an image: positions to the right, neurons downwards."""
    from matplotlib.colors import ListedColormap

    if encoding.kind == "real":
        most = float(np.abs(code).max(initial=0)) or 1.0
        image = heat(axes, code.T, aspect="auto", cmap=CODE_MAP, vmin=-most, vmax=most)
        if colour_bar:
            axes.figure.colorbar(image, ax=axes, label="value", pad=0.01)
    else:
        heat(axes, code.T > 0, aspect="auto", cmap=ListedColormap([PALE, DARK]), vmin=0, vmax=1)
    whole_ticks(axes)


@picture("similarity-{encoding.slug}", "Similarity of positions")
def similarity(encoding: Encoding) -> Drawn:
    rows = len(encoding.paired)
    if encoding.kind == "real":
        panels: list[tuple[Any, str]] = [(encoding.cosine, "cosine")]
    else:
        panels = [(encoding.hamming, "Hamming distance"), (encoding.dot, "dot product")]
    width, tall, lines = (10, 8, 2) if len(panels) > 1 else (9.5, 4.3, 1)
    figure, grid = plots(width, tall, f"{encoding.name}: pairs of positions", lines, 2, squeeze=False)
    places = grid.T if len(panels) > 1 else grid
    short_label = "p = t·L + l" if encoding.index == "TL" else "p = l"
    for (matrix, name), (above, below) in zip(panels, places, strict=True):
        image = heat(above, matrix, origin="upper")
        above.set(title=name, xlabel=f"position {short_label}", ylabel=f"position {short_label}")
        figure.colorbar(image, ax=above, shrink=0.85, pad=0.02)
        band(below, *codes.by_distance(matrix), "mean over pairs", color=BLUE)
        below.set(title=f"{name} against distance", xlabel="distance |i − j| (positions)", ylabel=name)
        below.margins(x=0.01)
        whole_ticks(above)
        whole_ticks(below, y=False)
        below.legend(loc="best")
    cut = f" The first {rows} of {encoding.rows} positions." if rows < encoding.rows else ""
    return figure, (
        f"{' and '.join(name for _, name in panels)} of each two positions, and their mean over pairs at the same "
        f"distance; the band is one standard deviation.{cut}"
    )


@picture("neurons-{encoding.slug}", "Neurons")
def neurons(encoding: Encoding, rates: codes.Floats) -> Drawn:
    k = np.arange(encoding.neurons)
    on, off = encoding.always_on, encoding.constant & ~encoding.always_on
    free = ~encoding.constant
    figure, axes = plots(10, 3.3, f"{encoding.name}: firing rate of each neuron")
    axes.bar(k[free], rates[free], color=BLUE, width=0.8, label=f"fires at times ({free.sum()})")
    marked = {"color": ORANGE, "hatch": "///", "ec": "white"}
    axes.bar(k[on], rates[on], width=0.8, label=f"always on ({on.sum()})", **marked)
    axes.plot(k[off], np.zeros(off.sum()) + 0.02, "x", color=RED, ms=6, mew=1.8, label=f"always off ({off.sum()})")
    mean = float(rates.mean())
    axes.axhline(mean, color=INK, lw=1, label=f"mean {mean:.3f}")
    if encoding.duty is not None:
        axes.axhline(encoding.duty, color=GREY, lw=1, ls=(0, (4, 2)), label=f"long-run {encoding.duty:.3f}")
    order = "" if encoding.membrane is None else " (sine, cosine, sine, ...; slower to the right)"
    axes.set(xlabel=f"neuron k{order}", ylabel="share of positions", ylim=(0, 1.04))
    axes.margins(x=0.01)
    whole_ticks(axes, y=False)
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure, (
        f"Share of the {encoding.rows} positions at which each neuron fires. {int(on.sum())} always fire and "
        f"{int(off.sum())} never do; those carry nothing at this length."
    )


@picture("spectrum-{encoding.slug}", "Spectrum and periods")
def spectrum(encoding: Encoding) -> Drawn:
    assert encoding.membrane is not None
    assert encoding.omegas is not None
    frequency, amplitude = codes.spectrum(encoding.membrane)
    sine = amplitude[1:, 0::2]
    scaled = sine / np.maximum(sine.max(axis=0, keepdims=True), 1e-12)
    pairs = np.arange(scaled.shape[1])
    theory = encoding.omegas[0::2] / (2 * np.pi)
    bins = frequency[1:]
    title = f"{encoding.name}: spectrum and periods of the membranes"
    figure, (left, right) = plots(10, 4.6, title, 1, 2, sharey=True, width_ratios=(3, 2))
    half = 0.5 / encoding.rows
    edges = np.concatenate(([bins[0] - half], bins + half))
    image = left.pcolormesh(edges, np.arange(len(pairs) + 1) - 0.5, scaled.T, cmap=MAP, rasterized=True)
    seen = theory >= edges[0]
    left.plot(theory[seen], pairs[seen], "o", mfc="none", mec="white", ms=6.5, mew=2.6)
    left.plot(theory[seen], pairs[seen], "o", mfc="none", mec=RED, ms=6.5, mew=1.4, label="w_k / 2π")
    slow = np.full((~seen).sum(), edges[0])
    left.plot(slow, pairs[~seen], "<", color=RED, ms=5, clip_on=False, label="slower than shown")
    left.set(xscale="log", xlabel="frequency (cycles per position)", ylabel="pair k")
    left.set_title("amplitude, each pair's largest = 1")
    left.set_xlim(edges[0], 0.5)
    left.xaxis.set_major_formatter("{x:g}")
    left.xaxis.set_minor_formatter("")
    left.invert_yaxis()
    whole_ticks(left, x=False)
    figure.colorbar(image, ax=left, pad=0.02)
    figure.legend(*left.get_legend_handles_labels(), loc="outside upper right", ncols=2)
    measured = 1 / np.maximum(codes.peaks(frequency, amplitude)[0::2], 1e-12)
    two = theory * encoding.rows >= 2
    right.plot(1 / np.maximum(theory, 1e-12), pairs, color=INK, lw=1.2, label="2π / w_k")
    right.plot(measured[two], pairs[two], "o", color=BLUE, ms=5, label="measured (2 or more periods)")
    right.axvline(encoding.rows, color=GREY, lw=1, ls=(0, (4, 2)), label=f"M = {encoding.rows}")
    right.set(xscale="log", xlabel="period (positions)", title="periods")
    right.xaxis.set_major_formatter("{x:g}")
    right.legend(loc="lower left", frameon=True, framealpha=1, edgecolor="none")
    full = int((theory * encoding.rows >= 1).sum())
    return figure, (
        f"Spectrum of the membranes (not of the spikes, whose harmonics can beat the fundamental) with the theoretical "
        f"frequency of each pair. {full} of {len(pairs)} pairs complete a period within {encoding.rows} positions."
    )


@picture("bias-{encoding.slug}", "Attention bias")
def attention_bias(encoding: Encoding, bias: codes.Floats) -> Drawn:
    figure, axes = plots(6, 4.8, f"{encoding.name}: added to attention maps")
    image = heat(axes, bias)
    axes.set(xlabel="key position j (of L)", ylabel="query position i (of L)")
    whole_ticks(axes)
    figure.colorbar(image, ax=axes, label="added to the map, before its scale", pad=0.02)
    return figure, f"Added to entry (i, j) of every attention map: from {bias.min():g} to {bias.max():g}."
