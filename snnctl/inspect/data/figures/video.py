"""Strips of frames that are seen and that follow, how pixels are spread, and how much moves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from snnctl.inspect.data.collect import sample
from snnctl.inspect.data.figures.common import OF_SPLIT, drawable, facts_of, histogram
from snnctl.report.drawing import gridlines, sheet
from snnctl.report.style import BLUE, COLOURS, GREY, ORANGE, Drawn, picture, whole_ticks

_CLIPS, _FRAMES = 4, 12


@picture("data", "{title}")
def figure(data: Any, title: str) -> Drawn:
    """Up to four sequences, a strip each; pixels, change from frame to frame, sequences per split below."""
    taken, signal = sample(data, 32), data.input_signal
    rows, columns = signal.grid or (1, signal.length)
    frames = np.concatenate([taken.inputs, taken.targets], axis=1)
    clips = frames.reshape(*frames.shape[:2], rows, columns, -1)
    seen, total = taken.inputs.shape[1], frames.shape[1]
    made = sheet(11, 7.2, drawable(title, 90))
    top, bottom = made.subfigures(2, 1, height_ratios=(3, 2))
    picked = np.unique(np.linspace(0, total - 1, _FRAMES).round().astype(int))
    lines = np.unique(np.linspace(0, len(clips) - 1, _CLIPS).round().astype(int))
    high = max(1.0, float(clips.max()))
    for line, clip in zip(top.subplots(len(lines), len(picked), squeeze=False), lines, strict=True):
        for axes, place in zip(line, picked, strict=True):
            image = clips[clip, place]
            image = image if image.shape[-1] in (1, 3) else image.mean(-1, keepdims=True)
            axes.imshow(image[..., 0] if image.shape[-1] == 1 else np.clip(image, 0, 1), cmap="gray", vmin=0, vmax=high)
            axes.set_xticks([])
            axes.set_yticks([])
            axes.spines[:].set(visible=True, color=BLUE if place < seen else ORANGE, lw=2)
            if clip == lines[0]:
                axes.set_title(f"{place + 1}", fontsize=8, color=BLUE if place < seen else ORANGE, loc="center")
    panels = bottom.subplots(1, 3)
    channels = ("red", "green", "blue") if clips.shape[-1] == 3 else ()
    histogram(panels[0], clips, "pixels as a network sees them", "value", channels)
    _motion(panels[1], clips, seen)
    _splits(panels[2], facts_of(data))
    said = f"{taken.words}; {seen} frames are seen (blue), {total - seen} follow (orange); {rows} x {columns} pixels"
    made.supxlabel(said, fontsize=8.5, color=GREY, x=0.01, ha="left")
    return made, said


def _motion(axes: Any, clips: Any, seen: int) -> None:
    change = np.abs(np.diff(clips, axis=1)).mean(axis=(0, 2, 3, 4))
    axes.plot(np.arange(2, clips.shape[1] + 1), change, color=GREY, marker="o", ms=3)
    axes.axvline(seen + 0.5, color=ORANGE, ls="--", lw=1.2)
    axes.set(title="change from the frame before", xlabel="frame", ylabel="mean |difference|")
    axes.set_ylim(bottom=0)
    whole_ticks(axes, y=False)
    gridlines(axes)


def _splits(axes: Any, facts: Mapping[str, Any]) -> None:
    told = facts.get("splits")
    splits = {n: s for n, s in told.items() if isinstance(s, Mapping)} if isinstance(told, Mapping) else {}
    sizes = {name: split.get("sequences", split.get("items", 0)) for name, split in splits.items()}
    for number, (name, size) in enumerate(sizes.items()):
        axes.barh(number, size, color=OF_SPLIT.get(name, COLOURS[number % len(COLOURS)]))
        axes.text(size, number, f" {size:,}", va="center", fontsize=8.5)
    axes.set_yticks(range(len(sizes)), list(sizes))
    axes.invert_yaxis()
    axes.margins(x=0.2)
    axes.set(title="splits", xlabel="sequences")
    gridlines(axes, "x")
