"""Parts that charts share: looks of lines, names of rows, grid lines, bands, legends, small multiples."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from snnctl.report.style import COLOURS, DASHES, PALE, sheet

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = 4  # of small multiples


def look(number: int) -> dict[str, Any]:
    """Colour and dashes of the line with that number, from 0; both tell lines apart."""
    return {"color": COLOURS[number % len(COLOURS)], "ls": DASHES[number % len(DASHES)]}


def gridlines(axes: Axes, axis: Literal["x", "y", "both"] = "y") -> None:
    """Pale lines behind everything, at the ticks of `axis`."""
    axes.grid(axis=axis, color=PALE, lw=1)
    axes.set_axisbelow(True)


def names_beside(axes: Axes, names: Sequence[str]) -> None:
    """Names beside horizontal bars at 0, 1, ..., the first on top."""
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()


def band(axes: Axes, mean: Any, sd: Any, colour: str, label: str, ls: Any = "-") -> None:
    """A mean over 0, 1, ... with one standard deviation around it."""
    x = range(len(mean))
    axes.fill_between(x, mean - sd, mean + sd, color=colour, alpha=0.18, lw=0)
    axes.plot(x, mean, color=colour, lw=1.6, label=label, ls=ls)


def legend_below(figure: Figure, panels: Sequence[Axes], columns: int, titles: Mapping[str, str] | None = None) -> None:
    """What the panels' labels mean, each once, below all of them.

    Args:
        columns: at most so many beside each other.
        titles: label -> its words, in the order in which they are to stand; without it labels stand as they came.
    """
    handles: dict[str, Any] = {}
    for axes in panels:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    words = {label: label for label in handles} if titles is None else titles
    known = [label for label in words if label in handles]
    place: Any = "outside lower center"
    figure.legend([handles[label] for label in known], [words[label] for label in known], loc=place, ncols=columns)


def legend_above(axes: Axes, columns: int, **options: Any) -> None:
    """What the labels mean, between the panel and its title."""
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=columns, borderaxespad=0.2, **options)


def small_multiples(count: int, title: str, height: float = 1.75) -> tuple[Figure, list[Axes]]:
    """A figure of `count` panels, four in a row, each `height` inches high."""
    columns = min(count, COLUMNS)
    lines = math.ceil(count / columns)
    figure = sheet(max(2.55 * columns, 5.0), 0.75 + height * lines, title)
    grid: Any = figure.subplots(lines, columns, squeeze=False)
    flat = list(grid.ravel())
    for axes in flat[count:]:
        axes.set_axis_off()
    return figure, flat[:count]


def outer_labels(panels: Sequence[Axes], x: str, y: str) -> None:
    """Words for the axes of small multiples, at the left and the bottom panels alone."""
    columns = min(len(panels), COLUMNS)
    for number, axes in enumerate(panels):
        if number + columns >= len(panels):
            axes.set_xlabel(x)
        if number % columns == 0:
            axes.set_ylabel(y)
