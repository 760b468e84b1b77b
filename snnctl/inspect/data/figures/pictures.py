"""Pictures of each class as a network sees them, and how their pixels are spread."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from snnctl.inspect.data.collect import Sample, counts_of, sample
from snnctl.inspect.data.figures.common import class_bars, drawable, facts_of, histogram
from snnctl.report.drawing import sheet
from snnctl.report.style import GREY, Drawn, picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_CLASSES, _LINE = 10, 8


@picture("data", "{title}")
def figure(data: Any, title: str) -> Drawn:
    """Up to eight pictures of up to ten classes, pixels, classes."""
    taken = sample(data)
    rows, columns = data.input_signal.grid
    images = shown(taken.inputs.reshape(len(taken), rows, columns, -1))
    made = sheet(11, 6.6, drawable(title, 90))
    panels = made.subplot_mosaic("gp;gc", width_ratios=(3, 2))
    names = tuple(map(str, getattr(data, "class_names", ())))
    many = grid_of_classes(panels["g"], taken, images, names)
    channels = ("red", "green", "blue") if taken.inputs.shape[-1] == 3 else ()
    histogram(panels["p"], taken.inputs, "pixels as a network sees them", "value", channels)
    class_bars(panels["c"], counts_of(data, facts_of(data)))
    said = f"{taken.words}; {rows} x {columns} pixels of {taken.inputs.shape[-1]} channels{many}"
    made.supxlabel(said, fontsize=8.5, color=GREY, x=0.01, ha="left")
    return made, said


def shown(images: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """[..., C] numbers as colours 0..1 [..., 1 or 3]: each channel's range over all of them is black to full."""
    axes = tuple(range(images.ndim - 1))
    low, high = images.min(axes), images.max(axes)
    scaled = (images - low) / np.where(high > low, high - low, 1.0)
    return scaled if scaled.shape[-1] in (1, 3) else scaled.mean(-1, keepdims=True)


def grid_of_classes(axes: Axes, taken: Sample, images: npt.NDArray[Any], names: tuple[str, ...]) -> str:
    """A row of pictures [n, H, W, C] for each class; says how many classes there are beyond those."""
    classes = [int(c) for c in np.unique(taken.targets)]
    drawn = classes[:_CLASSES]
    fullest = max(len(taken.of_class(wanted, 4 * _LINE)) for wanted in drawn)
    each = max(1, min(_CLASSES // len(drawn), -(-fullest // _LINE)))  # lines of a class, more where classes are few
    _, rows, columns, channels = images.shape
    gap = max(1, round(0.06 * max(rows, columns)))
    canvas = np.ones((len(drawn) * each * (rows + gap) - gap, _LINE * (columns + gap) - gap, channels))
    for number, wanted in enumerate(drawn):
        for place, item in enumerate(taken.of_class(wanted, each * _LINE)):
            top, left = (number * each + place // _LINE) * (rows + gap), place % _LINE * (columns + gap)
            canvas[top : top + rows, left : left + columns] = images[item]
    axes.imshow(canvas if channels == 3 else canvas[..., 0], cmap="gray", vmin=0, vmax=1)
    axes.set_anchor("NW")
    axes.spines[:].set_visible(False)
    axes.set_xticks([])
    labels = [drawable(names[number] if number < len(names) else str(number), 14) for number in drawn]
    axes.set_yticks([number * each * (rows + gap) + rows / 2 for number in range(len(drawn))], labels)
    axes.tick_params(length=0)
    axes.set_title("pictures as a network sees them (lowest to highest value)", fontsize=9)
    more = max(len(names), len(classes)) - len(drawn)
    return f"; {more} more classes are not drawn" if more > 0 else ""
