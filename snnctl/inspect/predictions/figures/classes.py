"""Pictures of what a classifier says: its confusion, and a contact sheet of items."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnctl.inspect.predictions.collect import Example
from snnctl.report.drawing import plots
from snnctl.report.style import BLUE, GREY, RED, Picture, annotated, short, styled

_MOST_WRITTEN = 20  # classes up to which counts are written into the cells
_MOST_NAMED = 60


@styled
def confusion_picture(name: str, split: str, names: Sequence[str], counts: NDArray[np.int64]) -> Picture:
    """Shares of each class that were predicted as each; counts in the cells where they can be read."""
    classes = len(names)
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    side = min(max(3.4, 0.55 * classes + 1.6), 9.5)
    figure, axes = plots(side + 1.6, side, f"{name}: {split} split")
    texts = [[f"{n:,}" if classes <= _MOST_WRITTEN else "" for n in line] for line in counts.tolist()]
    image = annotated(axes, shares.tolist(), texts, vmin=0.0, vmax=1.0)
    axes.set_aspect("equal")
    if classes <= _MOST_NAMED:
        labels = [short(label, 14) for label in names]
        axes.set_xticks(range(classes), labels, rotation=0 if max(map(len, labels)) < 4 else 60)
        axes.set_yticks(range(classes), labels)
        if max(map(len, labels)) >= 4:
            for label in axes.get_xticklabels():
                label.set(ha="right", rotation_mode="anchor")
    axes.set(xlabel="predicted class", ylabel="class")
    figure.colorbar(image, ax=axes, label="share of the class", shrink=0.85)
    caption = "Rows are classes, columns what was predicted; colour is the share of the row, numbers are items."
    return Picture("confusion", "Which classes are taken for which", caption, figure)


@styled
def contact_sheet(name: str, split: str, names: Sequence[str], examples: Sequence[Example]) -> Picture:
    """Items with what was predicted of them; wrong ones carry a red frame and a cross."""
    columns = min(len(examples), 5)
    rows = math.ceil(len(examples) / columns)
    figure, panels = plots(2.1 * columns, 2.45 * rows + 0.6, f"{name}: {split} split", rows, columns, squeeze=False)
    for axes in panels.flat:
        axes.set_axis_off()
    for axes, example in zip(panels.flat, examples, strict=False):
        _draw(axes, example.shown)
        axes.set_axis_on()
        axes.set(xticks=[], yticks=[])
        for spine in axes.spines.values():
            spine.set(visible=True, color=GREY if example.right else RED, linewidth=0.8 if example.right else 2.6)
        said = short(names[example.predicted], 16)
        words = f"{said} {example.confidence:.0%}"
        if not example.right:
            words = f"✗ {words}\nis {short(names[example.target], 18)}"
        axes.set_title(words, color=BLUE if example.right else RED, fontsize=8.5, loc="left", fontweight="normal")
        axes.set_xlabel(f"{example.spikes:,} spikes", fontsize=8)
    caption = (
        "Predicted class with its confidence, and the spikes of the whole network for this item alone. A red frame "
        "and a cross mark errors, which come first."
    )
    return Picture("examples", "Single items", caption, figure)


def _draw(axes: Any, picture: Any) -> None:
    """Grey, colour, or two channels of events as red and blue on white."""
    if picture.ndim == 4:  # frames of a recording: all of them in one
        picture = np.clip(picture.astype(np.int64).sum(0), 0, 255).astype(np.uint8)
    channels = picture.shape[-1]
    if channels == 1:
        axes.imshow(picture[..., 0], cmap="gray", vmin=0, vmax=255)
    elif channels == 2:
        strength = picture / max(int(picture.max()), 1)
        colours = np.stack([1 - strength[..., 1], 1 - strength.max(-1), 1 - strength[..., 0]], -1)
        axes.imshow(colours)
    else:
        axes.imshow(picture[..., :3])
