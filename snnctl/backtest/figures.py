"""A backtest drawn: errors by step and over time, how bands cover, and the last forecasts themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from snnctl.backtest.study import NETWORK, Found
from snnctl.report.drawing import gridlines, legend_below, look, plots
from snnctl.report.style import BLUE, GREY, INK, ORANGE, Drawn, picture, short, whole_ticks

_MOST_PANELS = 4
_SHOWN = 3  # forecasts in each panel
_HISTORY = 3  # times the horizon, that is drawn before the first of them
_WORST = 4  # a model that errs so many times more than the network is left out of lines that others would be flat in


@picture("by_step", "Errors by step ahead")
def by_step(found: Found, made: Mapping[str, Any]) -> Drawn:
    figure, axes = plots(8.6, 4.2, short(str(found.head["name"]), 60))
    shown, left_out = _drawable(made)
    for number, name in enumerate(shown):
        values = made["by_step"][name]["mae"]
        axes.plot(range(1, len(values) + 1), values, label=name, **_line(name, number))
    axes.set(xlabel="step ahead", ylabel="MAE, scaled")
    axes.set_ylim(bottom=0)
    whole_ticks(axes, y=False)
    gridlines(axes)
    legend_below(figure, axes, 6)
    return figure, "Mean absolute error of each step over all windows, series and columns." + _without(left_out)


@picture("over_time", "Errors over time")
def over_time(found: Found, made: Mapping[str, Any]) -> Drawn:
    figure, axes = plots(8.6, 4.2, short(str(found.head["name"]), 60))
    shown, left_out = _drawable(made)
    stamps = np.unique(found.cutoffs)
    times = _axis(found, stamps)
    for number, name in enumerate(shown):
        values = found.sums[name].by_cutoff(found.cutoffs, found.parts, found.scales)["mae"]
        marker = "." if len(values) < 40 else ""
        axes.plot(times, values, label=name, marker=marker, **{**_line(name, number), "lw": 1.1})
    axes.axvline(times[min(len(times) - 1, (len(times) + 1) // 2)], color=GREY, lw=0.8, ls=(0, (2, 2)))
    axes.set(xlabel="cutoff" if found.rows.dated else "cutoff, number of the row", ylabel="MAE, scaled")
    axes.set_ylim(bottom=0)
    axes.margins(x=0.01)
    gridlines(axes)
    legend_below(figure, axes, 6)
    words = "Mean absolute error of the whole horizon at each cutoff; the dashed line parts the two halves."
    return figure, words + _without(left_out)


@picture("coverage", "How many of the values lie within the bands")
def coverage(found: Found, made: Mapping[str, Any]) -> Drawn:
    figure, axes = plots(8.6, 3.8, short(str(found.head["name"]), 60))
    for number, level in enumerate(found.levels):
        values = [np.nan if v is None else v for v in made["by_step"][NETWORK][f"coverage-{level}"]]
        axes.plot(range(1, len(values) + 1), values, label=f"{level} %", **look(number))
        axes.axhline(level / 100, color=look(number)["color"], lw=0.8, alpha=0.6)
    axes.set(xlabel="step ahead", ylabel="share of values within")
    low = min([min(found.levels) / 100, *(v for line in axes.lines for v in line.get_ydata() if v == v)])
    axes.set_ylim(max(0.0, low - 0.1), 1.02)
    whole_ticks(axes, y=False)
    gridlines(axes)
    legend_below(figure, axes, 6)
    return figure, "Coverage of the network's rolling bands at each step; pale lines are nominal. Bands are per step."


@picture("forecasts", "The last forecasts and their bands")
def forecasts(found: Found) -> Drawn:
    """The last few windows that do not overlap, of the first series and columns."""
    panels = [(part, column) for part, names in enumerate(found.names) for column in range(len(names))]
    panels = [one for one in panels if (found.parts == one[0]).any()][:_MOST_PANELS]
    title = short(str(found.head["name"]), 60)
    figure, grid = plots(9, 0.9 + 2.1 * len(panels), title, len(panels), 1, squeeze=False)
    for axes, (part, column) in zip(grid[:, 0], panels, strict=True):
        _panel(axes, found, part, column)
    handles, labels = grid[0, 0].get_legend_handles_labels()
    once = dict(zip(labels, handles, strict=True))
    figure.legend(once.values(), once.keys(), loc="outside lower center", ncols=6)
    bands = f" Bands: {', '.join(f'{level} %' for level in found.levels)}." if found.levels else ""
    return figure, f"What came, and the network's forecasts from the last cutoffs whose horizons do not overlap.{bands}"


def _panel(axes: Any, found: Found, part: int, column: int) -> None:
    own = np.flatnonzero(found.parts == part)
    horizon = found.fitted.horizon
    kept: list[int] = []
    for window in own[::-1].tolist():
        if not kept or found.ends[kept[-1]] - found.ends[window] >= horizon:
            kept.append(window)
        if len(kept) == _SHOWN:
            break
    first = max(found.rows.parts[part].first, int(found.ends[kept[-1]]) - _HISTORY * horizon)
    last = int(found.ends[kept[0]]) + horizon
    rows = np.arange(first, last + 1)
    axes.plot(_axis(found, found.rows.stamps[rows]), found.rows.observed[rows, column], color=INK, lw=1.0, label="came")
    for window in kept:
        ahead = np.arange(int(found.ends[window]) + 1, int(found.ends[window]) + 1 + horizon)
        times = _axis(found, found.rows.stamps[ahead])
        for number, level in enumerate(sorted(found.levels, reverse=True)):
            low, high = (each[window, :, column] for each in found.bands[NETWORK][level])
            axes.fill_between(times, low, high, color=BLUE, alpha=0.14 + 0.12 * number, lw=0, label=f"{level} %")
        values = found.forecasts[NETWORK][window, :, column]
        axes.plot(times, values, color=ORANGE, lw=1.5, marker="." if horizon < 2 else "", label=NETWORK)
        axes.axvline(times[0], color=GREY, lw=0.6, ls=(0, (2, 2)))
    name = " ".join(found.names[part][column].split())
    axes.set_title(short(name, 60).replace("$", r"\$"), fontsize=9)
    axes.margins(x=0.01)
    gridlines(axes)


def _axis(found: Found, stamps: Any) -> Any:
    return stamps.astype("M8[us]") if found.rows.dated else stamps


def _drawable(made: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """Models that are drawn, and those whose errors would leave the others flat."""
    errors = {name: values["mae"] for name, values in made["metrics"].items()}
    best = errors[NETWORK]
    far = [name for name, value in errors.items() if value > _WORST * best]
    return [name for name in errors if name not in far], far


def _without(names: Sequence[str]) -> str:
    return f" Not drawn, since they err over {_WORST} times more: {', '.join(names)}." if names else ""


def _line(name: str, number: int) -> dict[str, Any]:
    return {**look(number), "lw": 2.2 if name == NETWORK else 1.3}
