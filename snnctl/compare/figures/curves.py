"""Figures of means: how validation went from epoch to epoch, and a metric against energy."""

from __future__ import annotations

import math
from statistics import fmean
from typing import Any

from snnctl.compare.comparison import Comparison
from snnctl.compare.figures.labels import axis_label, block_title, blocks, in_joules, title_line
from snnctl.compare.recipes import shown, title_of
from snnctl.report.drawing import gridlines, legend_above, plots
from snnctl.report.style import COLOURS, DASHES, INK, Drawn, picture

_MOST_CURVES = 12  # more cannot be told apart


def has_curves(found: Comparison, metric: str) -> bool:
    """Whether runs tell of two epochs or more of the metric on validation, and groups are few enough to be drawn."""
    return len(found.groups) <= _MOST_CURVES and any(
        len(run.curve(metric)) > 1 for group in found.groups for run in group.runs
    )


@picture("curves-{split}-{name}", "{name} on validation by epoch")
def curves(found: Comparison, split: str, name: str) -> Drawn:
    figure, axes = plots(8.6, 4.6 + 0.2 * ((len(found.groups) + 2) // 3), title_line(found))
    for number, group in enumerate(found.groups):
        dashes = DASHES[number // len(COLOURS) % len(DASHES)]
        style: dict[str, Any] = {"color": COLOURS[number % len(COLOURS)], "ls": dashes}
        known = [curve for run in group.runs if (curve := run.curve(f"{split}/{name}"))]
        for curve in known:
            axes.plot([epoch + 1 for epoch in curve], list(curve.values()), lw=0.7, alpha=0.45, **style)
        epochs = sorted(set.intersection(*(set(curve) for curve in known))) if known else []
        means = [fmean(curve[epoch] for curve in known) for epoch in epochs]
        axes.plot([epoch + 1 for epoch in epochs], means, lw=2, label=found.label(group), **style)
    axes.set_xlabel("epoch")
    axes.set_ylabel(axis_label(found, f"val/{name}").replace("val split", "validation"))
    gridlines(axes)
    axes.xaxis.get_major_locator().set_params(integer=True)
    legend_above(axes, 3)
    return figure, (
        f"{name} on validation after each epoch; thin lines are runs, thick ones the mean over a group. The "
        f"weights of the best epoch of each run were tested."
    )


@picture("trade-{metric}-{energy}", "{metric} against {energy}")
def trade(found: Comparison, metric: str, energy: str) -> Drawn:
    from matplotlib.ticker import LogLocator, NullFormatter

    figure, axes = plots(8.6, 4.9, title_line(found))
    parts = blocks(found)
    joined = len(parts) > 1
    lowest, highest = math.inf, 0.0
    for number, part in enumerate(parts):
        colour = COLOURS[number % len(COLOURS)]
        places = [(group, x, y) for group in part if (x := group.spread(energy)) and (y := group.spread(metric))]
        if not places:
            continue
        lowest, highest = min(lowest, *(x.mean for _, x, _ in places)), max(highest, *(x.mean for _, x, _ in places))
        xs, ys = [x.mean for _, x, _ in places], [y.mean for _, _, y in places]
        sds = [y.sd or 0.0 for _, _, y in places]
        if joined:
            axes.plot(xs, ys, color=colour, lw=1.2, alpha=0.7, zorder=2)
        point: Any = {"ms": 5.5, "mec": INK, "mew": 0.6, "elinewidth": 1, "zorder": 3}
        name = block_title(found, part) if joined else None
        axes.errorbar(xs, ys, yerr=sds, fmt="o", color=colour, label=name, **point)
        for group, x, y in places:
            word = shown(group.keys[found.varied]) if joined else found.label(group)
            axes.annotate(word, (x.mean, y.mean), xytext=(5, 4), textcoords="offset points", fontsize=7.5, color=INK)
    axes.margins(x=0.12)
    if highest > 3 * lowest:
        axes.set_xscale("log")
        # On an axis of a decade or two also 2, 3 and 5 of each.
        axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 3.0, 5.0)))
        axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel(axis_label(found, energy).replace("\n", " "))
    axes.set_ylabel(axis_label(found, metric))
    in_joules(axes.xaxis, energy)
    gridlines(axes, "both")
    if joined:
        title = f"points: {title_of(found.varied).rpartition('.')[2]}"
        legend_above(axes, 4, title=title, title_fontsize=8.5)
    return figure, (
        f"{metric} against energy per sample under the costs {energy.partition('/')[2]}; a point is the mean of a "
        f"group, its bar one standard deviation over seeds."
    )
