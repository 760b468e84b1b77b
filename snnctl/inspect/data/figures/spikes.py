"""Recordings of spikes: a raster for each class, events over time and over channels, what a sensor saw in all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from snnctl.inspect.data.collect import Sample, counts_of, sample
from snnctl.inspect.data.figures.common import class_bars, drawable, facts_of
from snnctl.report.drawing import gridlines, look, sheet
from snnctl.report.style import BLUE, DARK, GREY, RED, Drawn, picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_CLASSES = 6
_MOST_DOTS = 40_000


@picture("data", "{title}")
def figure(data: Any, title: str) -> Drawn:
    """Rasters above; events over time, over channels, classes below."""
    taken, facts, dt = sample(data, 256), facts_of(data), data.input_signal.dt_ms
    steps = taken.inputs.reshape(len(taken), taken.inputs.shape[1], -1)
    names = tuple(map(str, getattr(data, "class_names", ())))
    made = sheet(11, 7.2, drawable(title, 90))
    top, bottom = made.subfigures(2, 1, height_ratios=(1, 1))
    _rasters(top, taken, steps, names, dt)
    panels = bottom.subplots(1, 3)
    over_time(panels[0], steps, taken.targets, names, dt, "bin")
    _channels(panels[1], steps, facts)
    class_bars(panels[2], counts_of(data, facts))
    silent = float((steps.reshape(len(steps), -1) == 0).all(1).mean())
    early = float((steps.any(2).sum(1) == 1).mean())
    odd = f"; {silent:.1%} hold nothing" * (silent > 0) + f"; {early:.1%} lie in a single bin" * (early > 0)
    shape = f"{steps.shape[1]} bins of {steps.shape[2]} channels"
    said = f"{taken.words}; {shape}; {steps.sum((1, 2)).mean():,.1f} events each{odd}"
    made.supxlabel(said, fontsize=8.5, color=RED if silent + early > 0.5 else GREY, x=0.01, ha="left")
    return made, said


def _rasters(top: Any, taken: Sample, steps: Any, names: tuple[str, ...], dt: float) -> None:
    per_item = taken.targets if taken.targets.ndim == 1 else np.arange(len(taken))  # classes at every step: some items
    classes = [int(c) for c in np.unique(per_item)][:_CLASSES]
    for axes, number in zip(top.subplots(1, len(classes), sharey=True, squeeze=False)[0], classes, strict=True):
        item = int(np.flatnonzero(per_item == number)[0])
        when, channel = np.nonzero(steps[item])
        thin = slice(None, None, 1 + len(when) // _MOST_DOTS)
        x = (when[thin] + 0.5) * (dt or 1)
        axes.plot(x, channel[thin], ls="", marker="," if len(when) > 3000 else "|", ms=3, color=DARK)
        told = names[number] if taken.targets.ndim == 1 and number < len(names) else f"item {number}"
        axes.set_title(drawable(told, 16), fontsize=9)
        axes.set_xlim(0, steps.shape[1] * (dt or 1))
        axes.set_ylim(-0.5, steps.shape[2] - 0.5)
        axes.set_xlabel("ms" if dt else "bin")
        if axes.get_subplotspec().is_first_col():
            axes.set_ylabel("channel")
        if not len(when):
            axes.text(0.5, 0.5, "no event", transform=axes.transAxes, ha="center", color=RED)


def over_time(axes: Axes, steps: Any, targets: Any, names: tuple[str, ...], dt: float, word: str) -> None:
    """Events [n, T, C] in each step, the mean over recordings and that of each of a few classes."""
    x = np.arange(steps.shape[1]) * (dt or 1)
    per_step = steps.sum(2)
    axes.plot(x, per_step.mean(0), color=GREY, lw=2.5, label="all")
    classes = np.unique(targets) if targets.ndim == 1 else ()
    for place, number in enumerate(classes[:_CLASSES] if len(classes) else ()):
        label = drawable(names[number] if number < len(names) else str(number), 12)
        axes.plot(x, per_step[targets == number].mean(0), lw=1, label=label, **look(place))
    axes.set(title=f"events per {word}", xlabel="ms" if dt else word, ylabel="mean over recordings")
    axes.legend(fontsize=7, ncols=2)
    axes.set_ylim(bottom=min(0.0, float(per_step.min())))
    gridlines(axes)


def _channels(axes: Axes, steps: Any, facts: Mapping[str, Any]) -> None:
    """Events of each channel; on the sensor where its rows and columns are known."""
    each = steps.mean(0).sum(0)
    image = on_sensor(each, facts)
    if image is not None:
        axes.imshow(image, cmap="viridis")
        axes.set(title="all events on the sensor", xlabel="x", ylabel="y")
        return
    axes.fill_between(np.arange(len(each)), each, step="mid", color=BLUE, lw=0)
    silent = int((each == 0).sum())
    axes.set(
        title="events per channel",
        xlabel=f"channel ({silent:,} of {len(each):,} never fire here)",
        ylabel="mean over recordings",
    )
    gridlines(axes)


def on_sensor(each: Any, facts: Mapping[str, Any]) -> Any:
    """Events of each channel as [rows, columns] of the sensor, both polarities together; None where it is not known.

    Unit ((y columns + x) 2 + p) is a pixel; those behind the last one that fires may be missing.
    """
    size = facts.get("sensor")
    pooled = facts.get("channels") != facts.get("units")
    if not isinstance(size, list | tuple) or len(size) != 2 or pooled or len(each) > 2 * size[0] * size[1]:
        return None
    whole = np.zeros(2 * size[0] * size[1])
    whole[: len(each)] = each
    return whole.reshape(size[0], size[1], 2).sum(-1)
