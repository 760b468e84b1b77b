"""The page of a study of gradients against lag, with its curves."""

from __future__ import annotations

from functools import partial

import numpy as np

from snnctl.inspect.gradients.collect import Study
from snnctl.inspect.gradients.tables import document, overview, tables
from snnctl.measure.circuits import FLOAT16_MAX
from snnctl.report.drawing import legend_below, look, plots
from snnctl.report.page import Page, Section
from snnctl.report.saving import Report
from snnctl.report.style import GREY, Drawn, picture, short, whole_ticks

_FLOOR = 1e-14  # what lies below is not drawn: no optimiser sees it
_PANELS = (
    ("mean", "mean of the product"),
    ("median", "median of the product"),
    ("effective", "mean, times the slope of the last spike"),
)


def report(found: Study) -> Report:
    knobs = {one.name: one.config for one in found.neurons}
    return Report(document(found), partial(tables, found), partial(page, found), "lags.json", knobs=knobs, begun=0.9)


def page(found: Study) -> Page:
    setting, made = found.setting, document(found)
    lead = (
        f"dU[T-1] / dU[T-1-lag] of untrained neurons: {setting.channels} channels, {setting.size} x {setting.size} "
        f"positions, T = {setting.steps}, batch {setting.batch}, seeds {', '.join(map(str, setting.seeds))}. The input "
        f"current is normal noise, group-normalised, {setting.held:.0%} of its variance held over all steps."
    )
    return Page(
        title="Gradient against lag",
        lead=lead,
        sections=[Section("Curves", [curves(found), membranes(found)], made["sentences"])],
        sentences=made["notes"],
        tables=[overview(found)],
    )


@picture("lags", "Gradient against lag")
def curves(found: Study) -> Drawn:
    figure, axes = plots(11, 4.4, "How far back the gradient reaches", 1, len(_PANELS), sharey=True)
    lags = np.arange(1, found.setting.steps)
    for panel, (which, title) in zip(axes, _PANELS, strict=True):
        panel.axhline(1.0, color=GREY, lw=0.8)
        for number, one in enumerate(found.neurons):
            values = one.curve(which)
            panel.plot(lags, np.where(values >= _FLOOR, values, np.nan), **look(number), lw=1.7, label=short(one.name))
        panel.set(xlabel="lag (steps)", title=title)
        panel.set_yscale("log")
        whole_ticks(panel, y=False)
        panel.margins(x=0.01)
    axes[0].set_ylabel("|dU[T-1] / dU[T-1-lag]|")
    legend_below(figure, axes[0], 6)
    return figure, (
        "The derivative of the last membrane with respect to an earlier one, over all neurons and samples, means over "
        "seeds; logarithmic. On the right it is multiplied by the surrogate's derivative at the last membrane. Values "
        f"below {_FLOOR:g} are left out. Where mean and median part, a few neurons carry the mean."
    )


@picture("membranes", "Largest membrane")
def membranes(found: Study) -> Drawn:
    figure, axes = plots(7, 4.0, "Largest membrane")
    for number, one in enumerate(found.neurons):
        axes.plot(np.arange(found.setting.steps), one.curve("largest"), **look(number), lw=1.7, label=short(one.name))
    axes.axhline(FLOAT16_MAX, color=GREY, lw=0.8)
    axes.text(0, FLOAT16_MAX * 1.3, "largest float16", color=GREY, fontsize=8.5)
    axes.set(xlabel="step (from 0)", ylabel="max |U|")
    axes.set_yscale("log")
    whole_ticks(axes, y=False)
    axes.margins(x=0.01)
    legend_below(figure, axes, 3)
    return figure, (
        f"max |U| before the reset over all neurons and samples, mean over seeds; the line is {FLOAT16_MAX:.0f}. "
        "Spikes stay 0 or 1 whatever the membrane is; half precision overflows above the line."
    )
