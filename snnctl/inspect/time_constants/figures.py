"""Figures of time constants: by depth, and their histograms."""

from __future__ import annotations

from typing import Any

import numpy as np

from snnctl.inspect.chosen import shown_name, some
from snnctl.inspect.time_constants.collect import StageTaus, TauSurvey, quantile, with_initial
from snnctl.report.drawing import gridlines, legend_below, panels, plots
from snnctl.report.style import BLUE, GREY, INK, ORANGE, SKY, Drawn, picture, whole_ticks

_BINS = 24
_WIDE_RANGE = 30.0  # ratio of the greatest to the least from which the scale is logarithmic


@picture("tau-by-stage", "Time constants by depth")
def by_stage(found: TauSurvey) -> Drawn:
    pooled, initial, scale = found.pooled, found.initial, found.scale
    figure, axes = plots(max(6.0, min(11.0, 3.6 + 0.9 * len(pooled))), 4.4, "Time constants by depth")
    x = range(len(pooled))
    low, middle, high = (
        np.array([quantile(one.steps, share) * scale for one in pooled]) for share in (0.15, 0.5, 0.85)
    )
    if len(pooled) > 1:
        axes.fill_between(x, low, high, color=SKY, alpha=0.3, lw=0, label="15–85 % of neurons")
    else:
        axes.errorbar(x, middle, [middle - low, high - middle], color=SKY, lw=6, label="15–85 % of neurons")
    for number, run in enumerate(found.runs if len(found.runs) > 1 else []):
        line = [median * scale for median in run.medians]
        axes.plot(x, line, ".-", color=GREY, lw=0.8, ms=4, alpha=0.7, label="one run" * (number == 0))
    axes.plot(x, middle, "o-", color=BLUE, lw=2.2, ms=6, label="median")
    if initial is not None:
        begun = [one.median * scale for one in initial]
        axes.plot(x, begun, "s", ls=(0, (4, 2)), color=ORANGE, lw=1.6, ms=4, label="median before training")
    longest = {one.longest for one in pooled}
    if len(longest) == 1 and None not in longest:
        cap = next(iter(longest)) * scale  # type: ignore[operator]
        if cap <= 2 * float(np.max(high)):  # farther away it would only press the rest together
            axes.axhline(cap, color=INK, lw=1, ls=":", label=f"longest allowed: {cap:.4g} {found.unit}")
    values = [value for value in (*low, *high) if 0 < value < np.inf]
    if values and max(values) / min(values) > _WIDE_RANGE:
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter("{x:g}")
    else:
        axes.set_ylim(bottom=0)
    axes.set_xticks(x, [f"{one.number}\n{shown_name(one.name, 18)}" for one in pooled])
    axes.set_xlim(-0.4, len(pooled) - 0.6)
    axes.set(xlabel="stage, by depth", ylabel=f"membrane time constant ({found.unit})")
    gridlines(axes)
    legend_below(figure, axes, 2)
    several = f", a thin line for each of {len(found.runs)} runs" if len(found.runs) > 1 else ""
    return figure, (
        f"Median time constant of the neurons of each stage, with the band that holds 15 to 85 % of them, pooled over "
        f"runs{several}; dashed, the medians before training."
    )


@picture("tau-histograms", "Time constants of the neurons")
def histograms(found: TauSurvey) -> Drawn:
    chosen, cut = some(with_initial(found.pooled, found.initial))
    titles = [f"{stage.number} {shown_name(stage.name, 18)}: {len(stage.steps):,} neurons" for stage, _ in chosen]
    figure, grid = panels(titles, "Time constants of the neurons", f"time constant ({found.unit})", "neurons", 1.95)
    edges = bin_edges([stage for pair in chosen for stage in pair if stage is not None], found.scale)
    for axes, (stage, before) in zip(grid, chosen, strict=True):
        counts, _ = np.histogram(stage.steps.numpy() * found.scale, bins=edges)
        axes.bar(edges[:-1], counts, np.diff(edges), align="edge", color=BLUE, edgecolor="white", lw=0.3)
        if before is not None:
            outline, _ = np.histogram(before.steps.numpy() * found.scale, bins=edges)
            if np.count_nonzero(outline) > 1:
                axes.stairs(outline, edges, color=ORANGE, lw=1.4)
            else:  # all alike: a bin with everything in it would dwarf the others
                axes.axvline(before.median * found.scale, color=ORANGE, lw=1.6)
        axes.axvline(stage.median * found.scale, color=INK, lw=1.2, ls=(0, (4, 2)))
        if edges[0] > 0 and edges[-1] / edges[0] > _WIDE_RANGE:
            axes.set_xscale("log")
            axes.xaxis.set_major_formatter("{x:g}")
        whole_ticks(axes, x=False, most=4)
    outlined = "" if found.initial is None else " Orange is the state before training."
    line = "the dashed line is the median"
    return figure, f"Neurons of {len(found.runs)} run(s) by time constant; {line}.{outlined}{cut}"


def bin_edges(stages: list[StageTaus], scale: float) -> Any:
    """Edges [25] over all finite values, evenly spread on the scale that is drawn."""
    values = np.concatenate([stage.steps.numpy() for stage in stages]) * scale
    values = values[np.isfinite(values)]
    low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 1.0)
    if high - low < 1e-3 * max(high, 1e-9):  # one value: a bin around it
        low, high = 0.5 * low, 1.5 * high or 1.0
    if low > 0 and high / low > _WIDE_RANGE:
        return np.geomspace(low, high * (1 + 1e-9), _BINS + 1)
    return np.linspace(low, high, _BINS + 1)
