"""Sequences of values with a class: some of each class, how values are spread, classes."""

from __future__ import annotations

from typing import Any

import numpy as np

from snnctl.inspect.data.collect import counts_of, sample
from snnctl.inspect.data.figures.common import class_bars, drawable, facts_of, histogram
from snnctl.report.drawing import look, sheet
from snnctl.report.style import GREY, Drawn, picture

_CLASSES, _LINES = 6, 4


@picture("data", "{title}")
def figure(data: Any, title: str) -> Drawn:
    """One sequence per class: lines of up to four channels, else a map of channels over positions."""
    taken = sample(data)
    made = sheet(11, 6.4, drawable(title, 90))
    top, bottom = made.subfigures(2, 1)
    names = tuple(map(str, getattr(data, "class_names", ())))
    per_item = taken.targets if taken.targets.ndim == 1 else np.arange(len(taken))
    classes = [int(c) for c in np.unique(per_item)][:_CLASSES]
    for axes, number in zip(top.subplots(1, len(classes), sharey=True, squeeze=False)[0], classes, strict=True):
        values = taken.inputs[int(np.flatnonzero(per_item == number)[0])].reshape(taken.inputs.shape[1], -1)
        if values.shape[1] <= _LINES:
            for channel in range(values.shape[1]):
                axes.plot(values[:, channel], lw=1, **look(channel))
        else:
            axes.imshow(values.T, aspect="auto", cmap="viridis", origin="lower")
        told = names[number] if taken.targets.ndim == 1 and number < len(names) else str(number)
        axes.set_title(drawable(told, 16), fontsize=9)
        axes.set_xlabel("position")
        if number == classes[0]:
            axes.set_ylabel("value" if values.shape[1] <= _LINES else "channel")
    left, right = bottom.subplots(1, 2)
    histogram(left, taken.inputs.reshape(-1, 1), "values as a network sees them", "value")
    class_bars(right, counts_of(data, facts_of(data)))
    said = f"{taken.words}; {data.input_signal.describe()}"
    made.supxlabel(said, fontsize=8.5, color=GREY, x=0.01, ha="left")
    return made, said
