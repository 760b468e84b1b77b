"""Frames of events: what a recording of each class adds up to, and how events lie over time."""

from __future__ import annotations

from typing import Any

import numpy as np

from snnctl.inspect.data.collect import counts_of, sample
from snnctl.inspect.data.figures.common import class_bars, drawable, facts_of, histogram
from snnctl.inspect.data.figures.spikes import over_time
from snnctl.report.drawing import sheet
from snnctl.report.style import GREY, Drawn, picture

_CLASSES, _FRAMES = 6, 7


@picture("data", "{title}")
def figure(data: Any, title: str) -> Drawn:
    """Some frames of one recording per class, their sum, events over time, counts, classes."""
    taken = sample(data, 128)
    rows, columns = data.input_signal.grid
    clips = taken.inputs.reshape(len(taken), taken.inputs.shape[1], rows, columns, -1)
    made = sheet(11, 7.4, drawable(title, 90))
    top, bottom = made.subfigures(2, 1, height_ratios=(3, 2))
    classes = [int(c) for c in np.unique(taken.targets)][:_CLASSES]
    picked = np.unique(np.linspace(0, clips.shape[1] - 1, _FRAMES).round().astype(int))
    grid = top.subplots(len(classes), len(picked) + 1, squeeze=False)
    names = tuple(map(str, getattr(data, "class_names", ())))
    for line, number in enumerate(classes):
        clip = clips[taken.of_class(number, 1)[0]]
        for axes, place in zip(grid[line], picked, strict=False):
            signed(axes, clip[place])
            if not line:
                axes.set_title(f"frame {place}", fontsize=8)
        signed(grid[line, -1], clip.sum(0))
        name = names[number] if number < len(names) else str(number)
        grid[line, 0].set_ylabel(drawable(name, 10), fontsize=8)
    grid[0, -1].set_title("all frames", fontsize=8)
    panels = bottom.subplots(1, 3)
    over_time(
        panels[0], clips.reshape(len(clips), clips.shape[1], -1), taken.targets, names, data.input_signal.dt_ms, "frame"
    )
    histogram(panels[1], clips.reshape(-1, 1), "values as a network sees them", "value of a pixel")
    class_bars(panels[2], counts_of(data, facts_of(data)))
    said = f"{taken.words}; {clips.shape[1]} frames of {rows} x {columns}; blue: brighter (p = 1), red: darker (p = 0)"
    made.supxlabel(said, fontsize=8.5, color=GREY, x=0.01, ha="left")
    return made, said


def signed(axes: Any, counts: Any) -> None:
    """Counts [H, W, C] of one polarity or two as one picture: the second channel in blue, the first in red."""
    difference = counts[..., -1] - (counts[..., 0] if counts.shape[-1] > 1 else 0)
    most = float(np.abs(difference).max()) or 1.0
    axes.imshow(difference, cmap="RdBu", vmin=-most, vmax=most)
    axes.set_xticks([])
    axes.set_yticks([])
