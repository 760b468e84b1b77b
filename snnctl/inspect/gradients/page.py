"""A study of gradients against lag as a document, sentences, tables and a page."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from statistics import fmean, stdev
from typing import Any

from snnctl.inspect.gradients.collect import Lags, Study
from snnctl.measure.circuits import FLOAT16_MAX
from snnctl.report.page import Cell, Page, Section, Table
from snnctl.report.saving import Report
from snnctl.report.tables import csv_text

SHOWN_LAGS = (1, 5, 10, 19)
MEMBRANE_STEPS = (5, 19, 29)  # counted from 0
CURVES = ("mean", "median", "effective")


def document(found: Study) -> dict[str, Any]:
    """The public document, but for the files."""
    setting = found.setting
    return {
        "setting": {**vars(setting), "seeds": list(setting.seeds)},
        "lags": shown(SHOWN_LAGS, setting.steps - 1),
        "neurons": [_neuron(one, found) for one in found.neurons],
        "sentences": sentences(found),
        "notes": [*found.notes, *(f"{one.name}: {one.parts}" for one in found.neurons if one.parts)],
    }


def shown(usual: Sequence[int], last: int) -> list[int]:
    """The usual ones that there are, and the last."""
    return sorted({*(n for n in usual if n <= last), last})


def _spread(values: Sequence[float]) -> dict[str, Any]:
    return {"mean": fmean(values), "sd": stdev(values) if len(values) > 1 else 0.0, "values": list(values)}


def _neuron(one: Lags, found: Study) -> dict[str, Any]:
    last = found.setting.steps - 1
    membranes = {str(t): _spread([float(run.largest[t]) for run in one.runs]) for t in shown(MEMBRANE_STEPS, last)}
    curves = {
        which: {str(lag): _spread([float(getattr(run, which)[lag - 1]) for run in one.runs]) for lag in lags}
        for which in CURVES
        for lags in [shown(SHOWN_LAGS, last)]
    }
    return {
        "name": one.name,
        "config": one.config,
        "whole": not one.parts,
        "rate": _spread([run.rate for run in one.runs]),
        "largest_membrane": membranes,
        **curves,
    }


def sentences(found: Study) -> list[str]:
    """What the numbers say, worked out from them: against the first neuron, about tails, about float16."""
    lag = shown(SHOWN_LAGS, found.setting.steps - 1)
    far = lag[-2] if len(lag) > 1 else lag[-1]
    first = found.neurons[0]
    base = float(first.curve("effective")[far - 1])
    said = []
    for one in found.neurons[1:]:
        value = float(one.curve("effective")[far - 1])
        if base > 0:
            said.append(
                f"At lag {far} a loss on the spikes of {one.name} sees {value:.2g}, {value / base:.2g} times the "
                f"{base:.2g} of {first.name}."
            )
    for one in found.neurons:
        mean, median = (float(one.curve(which)[far - 1]) for which in ("mean", "median"))
        if median > 0 and mean > 100 * median and mean > 1:
            said.append(
                f"{one.name}: the mean of the product at lag {far} ({mean:.2g}) is {mean / median:.1g} times its "
                "median: a few neurons carry it."
            )
        late = [t for t, value in enumerate(one.curve("largest")) if not value <= FLOAT16_MAX]
        if late:
            said.append(
                f"{one.name}: max |u| passes {FLOAT16_MAX:.0f}, the largest float16, at step {late[0]} (from 0)."
            )
    return said


def tables(found: Study) -> dict[str, str]:
    """File name -> CSV."""
    rows = [
        (one.name, seed, lag, *(float(getattr(run, which)[lag - 1]) for which in CURVES))
        for one in found.neurons
        for seed, run in zip(found.setting.seeds, one.runs, strict=True)
        for lag in found.setting.lags
    ]
    membranes = [
        (one.name, seed, t, float(value), run.rate)
        for one in found.neurons
        for seed, run in zip(found.setting.seeds, one.runs, strict=True)
        for t, value in enumerate(run.largest)
    ]
    return {
        "lags.csv": csv_text(("neuron", "seed", "lag", *CURVES), rows),
        "membranes.csv": csv_text(("neuron", "seed", "step", "largest_membrane", "rate"), membranes),
    }


def overview(found: Study) -> Table:
    """A row per neuron; means over seeds."""
    last = found.setting.steps - 1
    steps, lags = shown(MEMBRANE_STEPS, last), shown(SHOWN_LAGS, last)
    head = ["neuron", "rate", *(f"max |u| t={t}" for t in steps)]
    head += [f"{which}, lag {lag}" for which in CURVES for lag in lags]
    rows: list[list[Cell]] = []
    for one in found.neurons:
        row: list[Cell] = [one.name, fmean(run.rate for run in one.runs)]
        row += [float(one.curve("largest")[t]) for t in steps]
        row += [float(one.curve(which)[lag - 1]) for which in CURVES for lag in lags]
        rows.append(row)
    return Table(head, rows)


def report(found: Study) -> Report:
    """All of it, ready for `snnctl.report.saving.write`."""
    return Report(
        document=document(found),
        tables=partial(tables, found),
        page=partial(page, found),
        document_name="lags.json",
        knobs={one.name: one.config for one in found.neurons},
        begun=0.9,
    )


def page(found: Study) -> Page:
    """What stands on it."""
    from snnctl.inspect.gradients.figures import curves, membranes

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
