"""Columns of a series over time: splits, holes, gaps, roles, and how values are spread in train and test."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from snnctl.core.choices import SplitName
from snnctl.inspect.data.collect import SPLITS
from snnctl.inspect.data.figures.common import drawable
from snnctl.report.drawing import sheet
from snnctl.report.style import BLUE, GREEN, GREY, INK, ORANGE, PINK, RED, Drawn, picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from snnctl.data.series.timeline import Timeline

_MOST = 6
_BINS = 1500  # of rows, that can be told apart in the width of a figure
_MOST_GAPS = 60
_MOST_WINDOWS = 20_000
_ROLES = {"target": BLUE, "past": ORANGE, "known": GREEN}
_SHADES = {"train": "#ffffff", "val": "#e6e9ed", "test": "#d3d9df"}


@picture("data", "{title}")
def figure(data: Any, title: str) -> Drawn:
    """Up to six columns, a panel each."""
    found = data.timeline() if hasattr(data, "timeline") else timeline_of_windows(data)
    order = sorted(range(len(found.columns)), key=lambda i: list(_ROLES).index(_role(found, found.columns[i])))
    shown = order[:_MOST]
    made = sheet(11, 0.9 + 1.55 * max(2, len(shown)), drawable(title, 90))
    grid = made.subplots(len(shown), 2, squeeze=False, width_ratios=(6, 1), sharex="col", sharey="row")
    for (line, side), column in zip(grid, shown, strict=True):
        _over_time(line, found, column)
        _spread(side, found, column)
    for name, (first, last) in found.splits.items():
        if last > first:
            x = _x(found)[(first + last - 1) // 2]
            grid[0, 0].text(
                x, 1.01, name, transform=grid[0, 0].get_xaxis_transform(), ha="center", va="bottom", color=GREY
            )
    grid[-1, 0].set_xlabel("row" if found.times is None else "time, by the clock of the file")
    grid[-1, 1].set_xlabel("share of rows")
    grid[0, 1].set_title("train, test (line)", fontsize=8.5)
    rest = f"; {len(order) - _MOST} more columns are not drawn" if len(order) > _MOST else ""
    lost = int(np.isnan(found.values[:, shown]).sum())
    units = "values as a network sees them (scaled)" if found.scaled else "values in their own units"
    words = (
        f"{len(found.values):,} rows; {units}; red: {lost:,} missing; hatched: {len(found.gaps):,} times no row{rest}"
    )
    made.supxlabel(words, fontsize=8.5, color=GREY, x=0.01, ha="left")
    return made, words


def timeline_of_windows(data: Any) -> Timeline:
    """The first step that each window of a split predicts: all that is known of a series that says nothing itself."""
    from snnctl.data.series.timeline import Timeline

    pieces, begun = [], 0
    splits: dict[SplitName, tuple[int, int]] = {}
    for name in SPLITS:
        part = data.split(name)
        chosen = torch.arange(min(len(part), _MOST_WINDOWS))
        for first in range(0, len(chosen), 512):
            batch = part.batch(chosen[first : first + 512])
            values = batch.targets[:, 0].double().numpy().copy()
            if batch.observed is not None:
                values[~batch.observed[:, 0].numpy()] = np.nan
            pieces.append(values)
        splits[name] = (begun, begun + len(chosen))
        begun += len(chosen)
    values = np.concatenate(pieces)
    names = tuple(map(str, getattr(data, "columns", ())))
    if len(names) != values.shape[1]:
        names = tuple(f"c{i}" for i in range(values.shape[1]))
    return Timeline(values, names, splits, scaled=True)


def _role(found: Timeline, column: str) -> str:
    role = found.roles.get(column, "target")
    return role if role in _ROLES else "target"


def _x(found: Timeline) -> Any:
    return np.arange(len(found.values)) if found.times is None else found.times


def _over_time(axes: Axes, found: Timeline, column: int) -> None:
    name, x, y = found.columns[column], _x(found), found.values[:, column]
    for split, (first, last) in found.splits.items():
        if last > first:
            axes.axvspan(x[first], x[min(last, len(x) - 1)], color=_SHADES.get(split, "#ffffff"), lw=0, zorder=-2)
    colour = _ROLES[_role(found, name)]
    _draw_line(axes, x, y, found.gaps, colour)
    holes = np.flatnonzero(np.isnan(y))
    if len(holes):
        thin = holes[:: max(1, len(holes) // _BINS)]
        axes.vlines(x[thin], 0, 0.07, transform=axes.get_xaxis_transform(), color=RED, lw=1.2)
    for row in found.gaps[:_MOST_GAPS]:
        axes.axvspan(x[row - 1], x[row], facecolor="none", edgecolor=PINK, hatch="////", lw=0.5, zorder=-1)
    missing = f", {len(holes) / max(1, len(y)):.1%} missing" if len(holes) else ""
    flat = "" if np.nanmax(y, initial=-np.inf) > np.nanmin(y, initial=np.inf) else ", never moves"
    role = _role(found, name)
    axes.set_title(f"{drawable(name, 40)}   {role}{missing}{flat}", fontsize=9, color=RED if flat else INK)
    axes.set_ylabel(drawable(found.units.get(name, "scaled" if found.scaled else ""), 14))
    axes.margins(x=0.005)


def _draw_line(axes: Axes, x: Any, y: Any, gaps: list[int], colour: str) -> None:
    """A line that is broken where rows are missing; of very many rows their mean with the range around it."""
    if len(y) > 3 * _BINS:
        starts = np.linspace(0, len(y), _BINS, endpoint=False).astype(np.int64)
        low, high = np.fmin.reduceat(y, starts), np.fmax.reduceat(y, starts)
        held = np.add.reduceat(~np.isnan(y), starts)
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = np.add.reduceat(np.nan_to_num(y), starts) / held
        axes.fill_between(x[starts], low, high, color=colour, alpha=0.35, lw=0)
        axes.plot(x[starts], mean, color=colour, lw=0.8)
        return
    alone = np.isnan(y[:-2]) & ~np.isnan(y[1:-1]) & np.isnan(y[2:])
    if gaps:
        x, y = np.insert(x, gaps, x[np.asarray(gaps)]), np.insert(y, gaps, np.nan)
    axes.plot(x, y, color=colour, lw=0.9, marker="." if len(y) < 40 else "", ms=4)
    if alone.any():
        places = np.flatnonzero(alone) + 1
        axes.plot(x[places], y[places], ".", color=colour, ms=2)


def _spread(axes: Axes, found: Timeline, column: int) -> None:
    """How often which value, in train filled and in test as a line."""
    y = found.values[:, column]
    held = y[~np.isnan(y)]
    if not len(held) or held.min() == held.max():
        return
    shown: tuple[tuple[SplitName, bool], ...] = (("train", True), ("test", False))
    for split, fill in shown:
        first, last = found.splits.get(split, (0, 0))
        own = y[first:last]
        own = own[~np.isnan(own)]
        if len(own):
            share, edges = np.histogram(own, bins=40, range=(held.min(), held.max()))
            colour = _ROLES[_role(found, found.columns[column])] if fill else INK
            axes.stairs(
                share / len(own), edges, orientation="horizontal", fill=fill, color=colour, alpha=0.5 if fill else 1
            )
