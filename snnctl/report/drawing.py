"""What many figures are drawn from: sheets with panels, looks of lines, heat maps, bands, names, legends."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from snnctl.report.style import COLOURS, DASHES, MAP, PALE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = 4  # of small multiples


def sheet(width: float, height: float, title: str) -> Any:
    """A figure of `width` x `height` inches that belongs to no window system, without axes."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    layout: Any = figure.get_layout_engine()
    layout.set(w_pad=0.08, h_pad=0.08, hspace=0.04, wspace=0.04)
    figure.suptitle(title, x=0.01, ha="left")
    return figure


def plots(width: float, height: float, title: str, rows: int = 1, columns: int = 1, **options: Any) -> tuple[Any, Any]:
    """A `sheet`, and its axes as `subplots` gives them."""
    figure = sheet(width, height, title)
    return figure, figure.subplots(rows, columns, **options)


def look(number: int) -> dict[str, Any]:
    """Colour and dashes of the line of that number, which can be told apart by either."""
    return {"color": COLOURS[number % len(COLOURS)], "ls": DASHES[number % len(DASHES)]}


def heat(axes: Axes, values: Any, **options: Any) -> Any:
    """Values as colours without a frame around them, those of quantities unless `cmap` is named; the image."""
    image = axes.imshow(values, **{"cmap": MAP, **options})
    axes.spines[:].set_visible(False)
    return image


def gridlines(axes: Axes, axis: Literal["x", "y", "both"] = "y") -> None:
    """Pale lines behind everything, at the ticks of `axis`."""
    axes.grid(axis=axis, color=PALE, lw=1)
    axes.set_axisbelow(True)


def names_beside(axes: Axes, names: Sequence[str]) -> None:
    """Names of horizontal bars at 0, 1, ..., the first on top."""
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()


def band(axes: Axes, mean: Any, sd: Any, label: str = "", *, color: str, ls: Any = "-") -> None:
    """A mean over 0, 1, ... with one standard deviation around it."""
    x = range(len(mean))
    axes.fill_between(x, mean - sd, mean + sd, color=color, alpha=0.18, lw=0)
    axes.plot(x, mean, color=color, lw=1.6, label=label, ls=ls)


def legend_below(
    figure: Figure, axes: Axes | Sequence[Axes], most: int, words: Mapping[str, str] | None = None
) -> None:
    """What is drawn in one or several panels, each label once, below all of them, at most so many in a row.

    `words` is what each label is called, in the order in which they are to stand; without it as they came.
    """
    handles: dict[str, Any] = {}
    for panel in axes if isinstance(axes, Sequence) else [axes]:
        for handle, label in zip(*panel.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    called = {label: words[label] for label in words if label in handles} if words else {name: name for name in handles}
    lines = [handles[label] for label in called]
    figure.legend(lines, list(called.values()), loc="outside lower center", ncols=min(most, len(lines) or 1))


def legend_above(axes: Axes, most: int, **options: Any) -> None:
    """What is drawn, between the panel and its title, at most so many in a row."""
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=most, borderaxespad=0.2, **options)


def panels(titles: Sequence[str], title: str, x: str, y: str, height: float = 1.75) -> tuple[Figure, list[Axes]]:
    """A panel for each of `titles`, four in a row, each `height` inches tall.

    What the axes count, `x` and `y`, stands at the bottom ones and the left ones alone.
    """
    count = len(titles)
    columns = min(count, COLUMNS)
    lines = math.ceil(count / columns)
    figure, grid = plots(max(2.55 * columns, 5.0), 0.75 + height * lines, title, lines, columns, squeeze=False)
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
