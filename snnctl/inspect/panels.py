"""Small multiples: a panel for each layer, and layers' names that fit over one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from snnctl.inspect.chosen import spread
from snnctl.report.style import sheet

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Item = TypeVar("Item")

PANELS = 24  # more are not looked at
_COLUMNS = 4


def shown_name(name: str, most: int = 30) -> str:
    """A layer without the word that all of them end in; of a long name the end, which tells layers apart."""
    name = name.removesuffix(".neuron").removeprefix("backbone.")
    if len(name) <= most:
        return name
    end = name[1 - most :]
    return f"…{end[end.find('.') + 1 :]}"


def some(items: Sequence[Item]) -> tuple[list[Item], str]:
    """At most `PANELS` of them, evenly spread, and a remark for the caption if that is not all."""
    chosen = [items[i] for i in spread(len(items), PANELS)]
    return chosen, "" if len(chosen) == len(items) else f" {len(chosen)} of {len(items)} layers are shown."


def panels(titles: Sequence[str], title: str, x: str, y: str, height: float = 1.75) -> tuple[Figure, list[Axes]]:
    """A panel for each of `titles`, four in a row, with words for the axes at the left and the bottom ones alone.

    Args:
        titles: of the panels.
        title: of the figure.
        x, y: what the axes count.
        height: of a panel, in inches.
    """
    count = len(titles)
    columns = min(count, _COLUMNS)
    rows = math.ceil(count / columns)
    figure = sheet(max(2.55 * columns, 5.0), 0.75 + height * rows, title)
    grid: Any = figure.subplots(rows, columns, squeeze=False)
    flat = list(grid.ravel())
    for axes in flat[count:]:
        axes.set_axis_off()
    for number, (axes, name) in enumerate(zip(flat, titles, strict=False)):
        axes.set_title(name, fontsize=8.5)
        if number + columns >= count:
            axes.set_xlabel(x)
        if number % columns == 0:
            axes.set_ylabel(y)
    return figure, flat[:count]
