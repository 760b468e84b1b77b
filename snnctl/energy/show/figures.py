"""Where the joules go, as pictures."""

from __future__ import annotations

from typing import Any

import numpy as np

from snnctl.core.energy_units import unit_of
from snnctl.energy.count.counts import Row
from snnctl.energy.estimate import Estimate, Priced
from snnctl.energy.price.bill import TERMS, Bill
from snnctl.report.drawing import legend_below, look, names_beside, plots
from snnctl.report.style import COLOURS, GREY, INK, Drawn, picture, short, whole_ticks

# Terms that belong together are drawn as one, so that six colours do.
GROUPS: dict[str, tuple[str, ...]] = {
    "multiply-accumulates": ("mac",),
    "spike additions": ("ac",),
    "neuron updates": ("neuron",),
    "other arithmetic": ("bias", "norm", "elementwise", "addressing"),
    "memory": ("read inputs", "read weights", "read bias", "read potentials", "write potentials", "write outputs"),
    "movement": ("movement",),
}
assert {term for terms in GROUPS.values() for term in terms} == set(TERMS)
_GROUP_NAMES = {name: name for name in GROUPS}
_MOST_LAYERS = 28


def grouped(terms: dict[str, Any]) -> dict[str, float]:
    return {name: sum(float(np.mean(terms.get(t, 0.0))) for t in parts) for name, parts in GROUPS.items()}


@picture("totals", "Spiking network and twins")
def totals(found: Estimate) -> Drawn:
    tables = found.tables
    tall = 1.1 + 1.25 * len(tables)
    figure, grid = plots(9.6, tall, f"{found.name}: energy per sample", len(tables), squeeze=False)
    panels = grid[:, 0]
    for axes, priced in zip(panels, tables, strict=True):
        bars = (("spiking", priced.bill), ("non-spiking twin", priced.twin), ("quantised twin", priced.quantised))
        made = [(name, bill) for name, bill in bars if bill is not None]
        size, unit = unit_of(max(float(np.mean(bill.joules)) for _, bill in made))
        _stacks(axes, [(name, bill.by_term()) for name, bill in made], size)
        for row, (_, bill) in enumerate(made):
            value = float(np.mean(bill.joules)) / size
            axes.text(value, row, f"  {value:.3g}", va="center", fontsize=8.5)
        axes.set(title=f"{priced.bill.table.name}, spikes by rule {priced.bill.rule}", xlabel=f"{unit} per sample")
        axes.margins(x=0.1)
        axes.set_xlim(left=0)
    legend_below(figure, list(panels), 3, _GROUP_NAMES)
    steps = "one step" if found.counts.data_steps == 1 else "every step of the data"
    return figure, (
        "Energy per sample by kind of work, under each cost table. Compare bars within a panel; absolute values of "
        f"different tables are not comparable. The twin is dense and runs {steps}."
    )


@picture("layers_{number}_{priced.bill.table.name}", "By layer: {priced.bill.table.name}")
def layers(found: Estimate, priced: Priced, number: int) -> Drawn:
    bill = priced.bill
    parts = _by_layer(bill)
    shown = dict(sorted(parts.items(), key=lambda item: -sum(item[1].values()))[:_MOST_LAYERS])
    kept = [(layer, terms) for layer, terms in parts.items() if layer in shown]
    total = sum(sum(terms.values()) for terms in parts.values())
    size, unit = unit_of(max((sum(terms.values()) for _, terms in kept), default=0.0))
    figure, axes = plots(9.6, 1.5 + 0.27 * len(kept), f"{found.name}: energy by layer, {bill.table.name}")
    _stacks(axes, [(short(layer, 52), terms) for layer, terms in kept], size)
    for row, (_, terms) in enumerate(kept):
        value = sum(terms.values())
        axes.text(value / size, row, f"  {value / total:.1%}" if total else "", va="center", fontsize=8, color=GREY)
    axes.set(xlabel=f"{unit} per sample")
    axes.margins(x=0.12)
    axes.set_xlim(left=0)
    legend_below(figure, axes, 3, _GROUP_NAMES)
    cut = "" if len(kept) == len(parts) else f" The {len(kept)} most expensive of {len(parts)} layers."
    return figure, f"Energy per sample of each layer in order of execution, with its share of the whole.{cut}"


def timed_rows(found: Estimate) -> list[Row]:
    return [row for row in found.counts.rows if row.source == "spike" and len(row.events_by_step) > 1]


@picture("steps", "Synaptic operations over time")
def steps(found: Estimate) -> Drawn:
    rows = sorted(timed_rows(found), key=lambda row: -sum(row.events_by_step))[: len(COLOURS)]
    figure, axes = plots(7.6, 3.8, f"{found.name}: synaptic operations by time step")
    for number, row in enumerate(rows):
        x, name = range(1, len(row.events_by_step) + 1), short(f"{row.layer} ({row.op})", 46)
        axes.plot(x, row.events_by_step, **look(number), marker="o", ms=3.5, label=name)
    axes.set(xlabel="time step t", ylabel="operations per sample, rule event")
    axes.set_ylim(bottom=0)
    whole_ticks(axes, y=False)
    legend_below(figure, axes, 2)
    return figure, "Additions that spikes cause in the layers that have most of them, at each step, mean over samples."


def _by_layer(bill: Bill) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    for line in bill.lines:
        terms = found.setdefault(line.layer, {})
        for term, joules in line.joules.items():
            terms[term] = terms.get(term, 0.0) + float(np.mean(joules))
    return {layer: terms for layer, terms in found.items() if any(terms.values())}


def _stacks(axes: Any, bars: list[tuple[str, Any]], size: float) -> None:
    """Horizontal bars, the first on top, each stacked by group."""
    left = np.zeros(len(bars))
    for number, group in enumerate(GROUPS):
        widths = np.array([grouped(terms)[group] / size for _, terms in bars])
        if widths.any():
            axes.barh(range(len(bars)), widths, left=left, color=COLOURS[number], label=group, height=0.7)
        left += widths
    names_beside(axes, [name for name, _ in bars])
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_color(INK)
