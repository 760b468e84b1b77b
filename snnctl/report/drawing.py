"""What many figures are drawn from: a sheet with its panels, the look of the n-th line, heat maps, a legend below."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from snnctl.report.style import COLOURS, DASHES, MAP, sheet

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def plots(width: float, height: float, title: str, rows: int = 1, columns: int = 1, **options: Any) -> tuple[Any, Any]:
    """A sheet of `width` x `height` inches and its axes, as `Figure.subplots` gives them."""
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


def legend_below(figure: Figure, axes: Axes, most: int) -> None:
    """What the lines of `axes` are, below all panels, at most so many in a row."""
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=min(most, len(labels)))
