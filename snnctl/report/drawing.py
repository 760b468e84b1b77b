"""What many figures are drawn from: a sheet with panels, the look of the n-th line, heat maps, names, legends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from snnctl.report.style import COLOURS, DASHES, MAP, PALE, sheet

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


def gridlines(axes: Axes, axis: Literal["x", "y", "both"] = "y") -> None:
    """Pale lines behind everything, at the ticks of `axis`."""
    axes.grid(axis=axis, color=PALE, lw=1)
    axes.set_axisbelow(True)


def names_beside(axes: Axes, names: Sequence[str]) -> None:
    """Names of horizontal bars at 0, 1, ..., the first on top."""
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()


def legend_below(
    figure: Figure, axes: Axes | Sequence[Axes], most: int, words: Mapping[str, str] | None = None
) -> None:
    """What is drawn in one or several panels, each label once, below all of them, at most so many in a row.

    Args:
        words: what each label is called, in the order in which they are to stand; without it as they came.
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
