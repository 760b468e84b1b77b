"""Figures of groups: every seed of each beside the baselines, and the paired differences from the reference."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean, median
from textwrap import wrap
from typing import TYPE_CHECKING, Any

import numpy as np

from snnctl.compare.comparison import Comparison
from snnctl.compare.figures.labels import axis_label, block_title, blocks, in_joules, tick_labels, title_line, with_unit
from snnctl.compare.groups import Group
from snnctl.report.drawing import gridlines, legend_above, plots
from snnctl.report.style import BLUE, GREY, INK, ORANGE, RED, SKY, Drawn, picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CEILING = "ceiling"  # the baseline that nothing can pass
_BOX = 5  # seeds from which quartiles are drawn
_ROOM = 3.0  # a baseline farther away than so many times the spread of the runs stands at the edge, with its number


@picture("runs-{metric}", "{metric} by group")
def runs(found: Comparison, metric: str) -> Drawn:
    parts = blocks(found)
    place = _places(parts)
    width = float(np.clip(3.4 + 0.95 * len(found.groups), 6.5, 15))
    labels = tick_labels(found, by_value=len(parts) > 1)
    lines = max(label.count("\n") + 1 for label in labels)
    figure, axes = plots(width, 4.6 + 0.15 * lines, title_line(found))
    seeds = sorted({seed for group in found.groups for seed in group.seeds})
    aside = {seed: 0.22 * (i / (len(seeds) - 1) - 0.5) if len(seeds) > 1 else 0.0 for i, seed in enumerate(seeds)}
    values = {
        group.name: {run.seed: value for run in group.runs if (value := run.value(metric)) is not None}
        for group in found.groups
    }
    for part in parts:
        for seed in seeds:
            line = [(place[g.name] + aside[seed], values[g.name].get(seed, math.nan)) for g in part]
            axes.plot(*zip(*line, strict=True), color=GREY, lw=0.7, alpha=0.55, zorder=2)
    for number, group in enumerate(found.groups):
        _column(axes, place[group.name], values[group.name], aside, first=number == 0)
    _baselines(axes, found, metric, [v for known in values.values() for v in known.values()])
    _group_axis(axes, found, parts, place, labels)
    axes.set_ylabel(axis_label(found, metric))
    in_joules(axes.yaxis, metric)
    gridlines(axes)
    legend_above(axes, 4, handletextpad=0.4)
    few = " Preliminary: fewer than ten paired seeds." if any(pair.found.preliminary for pair in found.pairs) else ""
    return figure, (
        f"{metric} of {len(found.runs)} runs in {len(found.groups)} groups; a point is a run, runs of one seed are "
        f"joined by thin lines. The bar is the median, the diamond the mean; a box holds the middle half of {_BOX} "
        f"seeds or more. Lines across are baselines; those far away are named at the edge.{few}"
    )


def _column(axes: Axes, x: float, known: dict[int, float], aside: dict[int, float], *, first: bool) -> None:
    if not known:
        return
    values = list(known.values())
    if len(values) >= _BOX:
        low, high = np.quantile(values, (0.25, 0.75))
        axes.fill_between((x - 0.27, x + 0.27), low, high, color=SKY, alpha=0.3, lw=0, label="middle half" * first)
    axes.plot((x - 0.27, x + 0.27), [median(values)] * 2, color=INK, lw=2, zorder=3, label="median" * first)
    points = [x + aside[seed] for seed in known]
    axes.plot(points, values, "o", color=BLUE, ms=5, mec="white", mew=0.6, zorder=4, label="one seed" * first)
    axes.plot(x + 0.33, fmean(values), "D", color=ORANGE, ms=5.5, mec=INK, mew=0.7, zorder=5, label="mean" * first)


def _places(parts: Sequence[Sequence[Group]]) -> dict[str, float]:
    """Where on the axis each group stands: one apart, with a gap between blocks."""
    place, x = {}, 0.0
    for part in parts:
        for group in part:
            place[group.name] = x
            x += 1
        x += 0.6
    return place


def _group_axis(
    axes: Axes, found: Comparison, parts: Sequence[Sequence[Group]], place: dict[str, float], labels: Sequence[str]
) -> None:
    key, several = found.varied, len(parts) > 1
    axes.set_xticks([place[group.name] for group in found.groups], labels)
    axes.tick_params(axis="x", length=0)
    axes.set_xlim(-0.6, max(place.values()) + 0.6)
    lines = max(label.count("\n") + 1 for label in labels)
    for part in parts if several else ():
        middle, said = fmean(place[group.name] for group in part), block_title(found, part)
        below: Any = {"xytext": (0, -10 - 12 * lines), "textcoords": "offset points", "ha": "center", "va": "top"}
        axes.annotate(said, (middle, 0), xycoords=("data", "axes fraction"), fontsize=9, fontweight="bold", **below)
    if several or len(found.grouping.keys) == 1:
        axes.set_xlabel(with_unit(key, found.runs[0].flat), labelpad=18 if several else 4)
    elif found.unless_named:
        axes.set_xlabel(f"unless named: {found.unless_named}")


def _baselines(axes: Axes, found: Comparison, metric: str, values: Sequence[float]) -> None:
    """Lines with their names to the right; those far away stand at the edge with their number."""
    lines = {name: scores[metric].mean for name, scores in found.baselines.items() if metric in scores}
    low, high = min(values), max(values)
    if CEILING in lines:
        low, high = min(low, lines[CEILING]), max(high, lines[CEILING])
    reach = _ROOM * max(max(values) - min(values), 0.02 * max(abs(low), abs(high)), 1e-12)
    near = {name: y for name, y in lines.items() if name == CEILING or min(values) - reach <= y <= max(values) + reach}
    low, high = min(low, *near.values(), low), max(high, *near.values(), high)
    pad = 0.06 * (high - low) or 0.02 * abs(high) or 1.0
    axes.set_ylim(low - pad, high + pad)
    for name, y in near.items():
        style: dict[str, Any] = {"color": RED, "lw": 1.1, "ls": (0, (4, 2))}
        axes.axhline(y, zorder=1.5, **({"color": INK, "lw": 1.4} if name == CEILING else style))
    height = high - low + 2 * pad
    said = {name: f"{name.replace('_', ' ')} {y:.4g}" for name, y in lines.items()}
    texts = [((y - low + pad) / height, said[name]) for name, y in near.items()]
    above = sorted((y, name) for name, y in lines.items() if name not in near and y > high)
    below = sorted((y, name) for name, y in lines.items() if name not in near and y < low)
    texts += [(1.0 + 0.05 * i, f"↑ {said[name]}") for i, (_, name) in enumerate(above)]
    texts += [(-0.05 * i, f"↓ {said[name]}") for i, (_, name) in enumerate(reversed(below))]
    for share, text in _apart(texts, 0.05):
        axes.annotate(text, (1.01, share), xycoords="axes fraction", va="center", fontsize=8.5, annotation_clip=False)


def _apart(texts: Sequence[tuple[float, str]], gap: float) -> list[tuple[float, str]]:
    """The same labels at least `gap` apart, with the least squares of moves: overlapping ones are centred together."""
    piles: list[list[float]] = []  # of wanted places, with those of the labels below taken off
    for number, (share, _) in enumerate(sorted(texts)):
        piles.append([share - gap * number])
        while len(piles) > 1 and fmean(piles[-2]) > fmean(piles[-1]):
            top = piles.pop()
            piles[-1] += top
    levels = [fmean(pile) for pile in piles for _ in pile]
    return [(level + gap * i, text) for i, (level, (_, text)) in enumerate(zip(levels, sorted(texts), strict=True))]


@picture("differences-{metric}", "Paired differences in {metric}")
def differences(found: Comparison, metric: str) -> Drawn:
    pairs = [pair for pair in found.pairs if pair.metric == metric]
    groups = {group.name: group for group in found.groups}
    labels = ["\n".join(wrap(found.label(groups[pair.group]), 34)) for pair in pairs]
    rows = [max(1, label.count("\n") + 1) for label in labels]
    figure, axes = plots(9.5, 1.9 + 0.2 * sum(rows) + 0.22 * len(rows), f"Difference from {found.against}")
    axes.axvline(0, color=INK, lw=1)
    for y, pair in enumerate(pairs):
        one, first, below = pair.found, y == 0, y + 0.2
        points = [below] * len(one.seeds)
        axes.plot(one.differences, points, "o", color=BLUE, ms=4.5, alpha=0.6, mew=0, label="one seed" * first)
        if one.interval is not None:
            axes.plot(one.interval, (y, y), color=INK, lw=2, label="95 % interval" * first)
        axes.plot(fmean(one.differences), y, "D", color=ORANGE, ms=6, mec=INK, mew=0.7, label="mean" * first, zorder=4)
        axes.annotate(_verdict(one), (1.01, y), xycoords=("axes fraction", "data"), va="center", fontsize=8.5)
    _limits(axes, pairs)
    axes.set_yticks(range(len(pairs)), labels)
    axes.set_ylim(len(pairs) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    gridlines(axes, "x")
    axes.set_xlabel(f"group minus reference: {axis_label(found, metric)}".replace("\n", " "))
    in_joules(axes.xaxis, metric)
    legend_above(axes, 3, handletextpad=0.4)
    return figure, (
        f"{metric} minus that of {found.against}, seed by seed. The line is Student's 95 % confidence interval "
        f"of the mean; that of two pairs may leave the figure. Beside it how many pairs are better, and the one-sided "
        f"sign test's p."
    )


def _verdict(one: Any) -> str:
    counted = f"{len(one.seeds)} pairs" if one.better is None else f"{one.better} of {len(one.seeds)} better"
    p = "" if one.sign_p is None else f", p = {one.sign_p:.2g}"
    return f"{counted}{p}" + ("\npreliminary" if one.preliminary else "")


def _limits(axes: Axes, pairs: Sequence[Any]) -> None:
    """All points; an interval of two pairs is so wide that it would hide them, and leaves the figure."""
    points = [d for pair in pairs for d in pair.found.differences] + [0.0]
    ends = [end for pair in pairs if len(pair.found.seeds) > 2 for end in pair.found.interval or ()]
    low, high = min(points + ends), max(points + ends)
    pad = 0.05 * (high - low) or 1.0
    axes.set_xlim(low - pad, high + pad)
