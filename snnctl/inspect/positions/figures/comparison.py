"""Figures that put encodings, sizes and methods beside each other."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import fill
from typing import Any

import numpy as np

from snnctl.inspect.positions import codes
from snnctl.inspect.positions.encoding import MOST_PAIRED_ROWS, Encoding
from snnctl.inspect.positions.figures.code import draw_code
from snnctl.inspect.positions.sensitivity import Cell, Sweep
from snnctl.inspect.positions.theory import STEP, TITLE, Integration
from snnctl.report.drawing import band, heat, legend_below, look, plots
from snnctl.report.style import COLOURS, GREY, Drawn, annotated, picture, short, whole_ticks


@picture("collisions", "Distinct codes and collisions")
def collisions(encodings: Sequence[Encoding]) -> Drawn:
    figure, (left, right) = plots(10, 4.2, "Distinct codes and collisions by sequence length", 1, 2)
    longest = max(e.rows for e in encodings)
    left.plot([1, longest], [1, longest], color=GREY, lw=1, label="all distinct")
    for number, encoding in enumerate(encodings):
        unique, pairs = encoding.growth
        length = np.arange(1, encoding.rows + 1)
        style = {**look(number), "lw": 1.7, "label": short(encoding.name)}
        left.plot(length, unique, **style)
        right.plot(length, pairs, **style)
        prefix = codes.longest_free_prefix(encoding.ids)
        if 0 < prefix < encoding.rows:
            left.plot(prefix, unique[prefix - 1], "o", color=style["color"], ms=6, mec="white")
    left.set(xlabel="positions m", ylabel="distinct codes among the first m", title="distinct codes")
    right.set(xlabel="positions m", ylabel="colliding pairs among the first m", title="collisions")
    right.set_yscale("symlog", linthresh=1)
    right.set_ylim(bottom=-0.2)
    for axes in (left, right):
        axes.margins(x=0.01)
        whole_ticks(axes, y=False)
    whole_ticks(left)
    legend_below(figure, left, 5)
    return figure, (
        "How many of the first m codes differ, and how many pairs of positions share one (logarithmic above 1). A dot "
        "ends the longest prefix without a collision; without one there is none at this length."
    )


@picture("comparison", "Side by side")
def side_by_side(encodings: Sequence[Encoding]) -> Drawn:
    shown = encodings[:6]
    tokens = min(max(e.tokens for e in shown), MOST_PAIRED_ROWS)
    width, tall = max(2.6 * len(shown), 5.2) + 0.6, {"height_ratios": (1.1, 1.5, 1.1)}
    figure, grid = plots(width, 7.4, "Encodings side by side", 3, len(shown), squeeze=False, sharex="col", **tall)
    image, lowest = None, 0.0
    for column, encoding in enumerate(shown):
        colour = COLOURS[column % len(COLOURS)]
        top, middle, bottom = grid[:, column]
        top.set_title(fill(short(encoding.name, 44), 22), color=colour, fontsize=9.5)
        stacked = encoding.stacked[:tokens]
        if encoding.neurons:
            draw_code(top, encoding, encoding.code[: min(encoding.tokens, tokens)], colour_bar=False)
            cosine = codes.cosine(stacked)
            image = heat(middle, cosine, vmin=-1, vmax=1, aspect="auto")
            whole_ticks(middle, most=5)
            middle.yaxis.get_major_locator().set_params(integer=True)
            mean, sd = codes.by_distance(cosine)
            band(bottom, mean, sd, color=colour)
            lowest = min(lowest, float((mean - sd).min()))
        else:
            for axes in (top, middle, bottom):
                axes.text(0.5, 0.5, "no code", ha="center", va="center", color=GREY, transform=axes.transAxes)
            for axes in (top, middle):
                axes.set_yticks(())
                axes.spines[:].set_visible(False)
        whole_ticks(bottom, y=False, most=5)
        bottom.set(xlim=(-0.5, tokens - 0.5), xlabel="token l, or |i − j| (of L)")
        if column:
            bottom.tick_params(labelleft=False)
            middle.tick_params(labelleft=False)
    for axes in grid[2]:
        axes.set_ylim(lowest - 0.05, 1.05)
    grid[0][0].set_ylabel("neuron k")
    grid[1][0].set_ylabel("token l (of L)")
    grid[2][0].set_ylabel("cosine at |i − j|")
    if image is not None:
        figure.colorbar(image, ax=list(grid[1]), label="cosine of tokens", pad=0.01)
    return figure, (
        "Top: the code at the first step t = 0. Middle: cosine of each two tokens, all codes taken together. Bottom: "
        "its mean against distance, with one standard deviation. All columns have the same scales."
    )


@picture("sensitivity", "Sensitivity to base and neurons")
def sensitivity(cells: Sequence[Cell]) -> Drawn:
    from matplotlib.colors import SymLogNorm

    length = cells[0].length
    figure, grid = plots(10, 3.6, f"CPG over base and neurons at M = {length}", 1, 3)
    panels: Any = (
        ("unique", f"distinct codes of {length}", {"vmin": 0, "vmax": length}),
        ("collisions", "colliding pairs", {"norm": SymLogNorm(1, vmin=0, vmax=max(1, *(c.collisions for c in cells)))}),
        ("longest_prefix", "longest prefix without collision", {"vmin": 0, "vmax": length}),
    )
    for axes, (name, title, scale) in zip(grid, panels, strict=True):
        _heat(axes, {(c.base, c.neurons): float(getattr(c, name)) for c in cells}, title, lambda v: f"{v:,.0f}", scale)
    return figure, (
        f"Statistics of the code itself, no training: more neurons tell more positions apart, a larger base fewer: "
        f"slow pairs stay constant within {length} positions."
    )


@picture("sweep", "A measured sweep")
def sweep(found: Sweep) -> Drawn:
    figure, axes = plots(6.5, 3.8, f"{found.metric} over base and neurons")
    image = _heat(axes, found.values, "as read from the file", lambda v: f"{v:.4g}", {})
    figure.colorbar(image, ax=axes, label=found.metric, pad=0.02)
    return figure, f"{found.metric} of a sweep, read from a file; repeated points are averaged."


def _heat(axes: Any, values: dict[tuple[float, int], float], title: str, text: Any, scale: dict[str, Any]) -> Any:
    bases, sizes = sorted({b for b, _ in values}), sorted({n for _, n in values})
    table = [[values.get((base, n), float("nan")) for base in bases] for n in sizes]
    texts = [["" if v != v else text(v) for v in row] for row in table]
    image = annotated(axes, table, texts, **scale)
    axes.set_xticks(range(len(bases)), [f"{b:g}" for b in bases])
    axes.set_yticks(range(len(sizes)), [str(n) for n in sizes])
    axes.set(title=title, xlabel="base", ylabel="neurons n")
    return image


@picture("theory", "Closed form and integration")
def theory(found: Sequence[Integration], neurons: int) -> Drawn:
    base = found[0].base
    figure, (left, right) = plots(10, 4.2, f"Closed form against numerical integration: {TITLE}", 1, 2)
    for number, one in enumerate(found):
        style = {**look(number), "lw": 1.6, "label": one.method}
        p = np.arange(1, len(one.error))  # they all begin at the exact state
        left.plot(p, np.maximum(one.error[1:], 1e-17), **style)
        right.plot(p, one.wrong_bits[1:], **style)
    left.set(yscale="log", xlabel="time = position p", ylabel="largest |U − closed form|")
    left.set_title("error of the membranes")
    right.set(xlabel="time = position p", ylabel="wrong bits up to p", title="spikes that come out wrong")
    right.set_yscale("symlog", linthresh=1)
    right.set_ylim(bottom=-0.2)
    legend_below(figure, left, 4)
    worst = "; ".join(f"{one.method} {one.worst:.1e}, {one.wrong} wrong bits" for one in found)
    return figure, (
        f"Coupled pairs dU_a/dt = w U_b, dU_b/dt = −w U_a from (0, 1), n = {neurons}, base {base:g}, step {STEP:g} "
        f"(rotation is exact at any step). Largest error: {worst}. Explicit Euler is the one that fails. This checks a "
        f"{TITLE}."
    )
