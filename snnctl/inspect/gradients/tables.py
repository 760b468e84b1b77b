"""A study of gradients against lag as a document, sentences and tables."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean
from typing import Any

from snnctl.inspect.gradients.collect import Lags, Study
from snnctl.measure.circuits import FLOAT16_MAX
from snnctl.report.page import Cell, Table
from snnctl.report.tables import csv_text, mean_and_sd

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


def _neuron(one: Lags, found: Study) -> dict[str, Any]:
    last = found.setting.steps - 1
    membranes = {str(t): mean_and_sd([float(run.largest[t]) for run in one.runs]) for t in shown(MEMBRANE_STEPS, last)}
    lags = shown(SHOWN_LAGS, last)
    curves = {
        which: {str(lag): mean_and_sd([float(getattr(run, which)[lag - 1]) for run in one.runs]) for lag in lags}
        for which in CURVES
    }
    return {
        "name": one.name,
        "config": one.config,
        "whole": not one.parts,
        "rate": mean_and_sd([run.rate for run in one.runs]),
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
    runs = [(one.name, *pair) for one in found.neurons for pair in zip(found.setting.seeds, one.runs, strict=True)]
    rows = (
        (name, seed, lag, *(float(getattr(run, which)[lag - 1]) for which in CURVES))
        for name, seed, run in runs
        for lag in range(1, found.setting.steps)
    )
    membranes = (
        (name, seed, t, float(value), run.rate) for name, seed, run in runs for t, value in enumerate(run.largest)
    )
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
