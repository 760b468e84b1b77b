"""What figures of data share: names that can be drawn, bars of classes, histograms."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from snnctl.inspect.data.collect import Counts
from snnctl.report.drawing import gridlines
from snnctl.report.style import BLUE, COLOURS, GREEN, GREY, ORANGE, RED, short

if TYPE_CHECKING:
    from matplotlib.axes import Axes

OF_SPLIT = {"train": BLUE, "val": ORANGE, "test": GREEN}
_OF_CHANNEL = {"red": RED, "green": GREEN, "blue": BLUE}
_LACKING = "▯"  # in place of a letter that the font does not have
_MOST_BARS = 20


@cache
def _letters() -> frozenset[int]:
    from matplotlib.font_manager import FontProperties, findfont, get_font

    return frozenset(get_font(findfont(FontProperties(family=["sans-serif"]))).get_charmap())


def drawable(text: str, most: int = 34) -> str:
    """A text of the data that can stand in a figure: of one line, without formulas and letters that no font has."""
    line = short(" ".join(text.split()), most)
    return "".join(letter if ord(letter) in _letters() else _LACKING for letter in line).replace("$", r"\$")


def lacking(texts: Iterable[str]) -> int:
    """How many letters of some texts no font has."""
    return sum(ord(letter) not in _letters() for text in texts for letter in text if letter.isprintable())


def facts_of(data: Any) -> Mapping[str, Any]:
    """What the data says of itself; a plug-in may say nothing."""
    return data.facts() if hasattr(data, "facts") else {}


def class_bars(axes: Axes, counts: Counts) -> None:
    """Items of each class, splits on top of each other; of many classes their sizes in falling order."""
    axes.set_title("classes")
    if not counts.splits:
        axes.set_axis_off()
        axes.text(0, 0.5, "no classes are told", color=GREY, transform=axes.transAxes)
        return
    total = sum(counts.splits.values(), np.zeros(len(counts.names), np.int64))
    many = len(counts.names) > _MOST_BARS
    order = np.argsort(-total, kind="stable") if many else np.arange(len(counts.names))
    base = np.zeros(len(order))
    for number, (split, each) in enumerate(counts.splits.items()):
        colour = OF_SPLIT.get(split, COLOURS[number % len(COLOURS)])
        label = f"{split} {int(each.sum()):,}"
        if many:
            axes.bar(range(len(order)), each[order], bottom=base, width=1.0, color=colour, label=label)
        else:
            axes.barh(range(len(order)), each[order], left=base, color=colour, label=label)
        base = base + each[order]
    if many:
        axes.set(xlabel=f"{len(order)} classes, the most frequent first", ylabel="items")
        gridlines(axes)
    else:
        names = [drawable(name, 16) or '""' for name in counts.names]
        axes.set_yticks(range(len(names)), names)
        axes.invert_yaxis()
        axes.set_xlabel("items")
        axes.locator_params(axis="x", nbins=5)
        gridlines(axes, "x")
    axes.legend(loc="upper left", bbox_to_anchor=(0, -0.2), ncols=3, fontsize=8, borderaxespad=0)


def histogram(axes: Axes, values: Any, title: str, x: str, names: tuple[str, ...] = ()) -> None:
    """Values [..., C] as a share of all in each bin, a line for each channel."""
    channels = values.reshape(-1, values.shape[-1])
    held = channels[np.isfinite(channels).all(1)]
    low, high = (float(held.min()), float(held.max())) if len(held) else (0.0, 1.0)
    axes.set_title(title)
    if high <= low:
        axes.axvline(low, color=COLOURS[0], lw=3)
        axes.text(0.5, 0.5, f"all values are {low:.4g}", transform=axes.transAxes, ha="center", color=COLOURS[3])
    for channel in range(channels.shape[1] if high > low else 0):
        share, edges = np.histogram(held[:, channel], bins=48, range=(low, high))
        label = names[channel] if channel < len(names) else ""
        colour = _OF_CHANNEL.get(label, COLOURS[channel % len(COLOURS)])
        axes.stairs(
            100 * share / max(1, share.sum()), edges, color=colour, lw=1.4, label=label, fill=len(names) < 2, alpha=0.8
        )
    if len(names) > 1:
        axes.legend(loc="best", fontsize=8)
    axes.set(xlabel=x, ylabel="% of values")
    axes.set_yscale("symlog", linthresh=1.0)
    axes.set_ylim(0, 130)
    axes.set_yticks([0, 1, 10, 100], ["0", "1", "10", "100"])
    gridlines(axes)
