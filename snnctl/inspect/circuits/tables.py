"""Autaptic circuits in numbers: the entry of a layer in the document, CSV tables, and the arrays of the pictures."""

from __future__ import annotations

from typing import Any

from snnctl.inspect.circuits.collect import EDGES, Circuits
from snnctl.measure.circuits import Modulators, Spread
from snnctl.report.tables import csv_text

ARRAYS, HISTOGRAMS, STEPS = "circuits.npz", "circuits.csv", "circuits_by_step.csv"


def document(layer: Modulators) -> dict[str, Any]:
    """One layer, as the public document has it: over all steps, at each step, and by size of the factor."""
    totals = {key: value for key, value in vars(layer.totals).items() if key != "name"}
    by_step = {"largest_membrane": layer.largest.tolist()}
    histogram: dict[str, Any] = {"edges": EDGES.tolist()}
    for name in ("beta", "gamma"):
        one = layer.factors.get(name)
        totals[f"sd_{name}"] = None if one is None else one.total[1]
        histogram[name] = None if one is None else one.counts.sum(0).tolist()
        if one is not None:
            by_step |= {f"mean_{name}": one.mean.tolist(), f"sd_{name}": one.sd.tolist()}
    return {**totals, "by_step": by_step, "histogram": histogram}


def tables(found: Circuits) -> dict[str, str | bytes]:
    """File name -> CSV text or arrays; none of a network without circuits."""
    if not found.layers:
        return {}
    factors = [(layer.name, name, one) for layer in found.layers for name, one in layer.factors.items()]
    return {
        ARRAYS: found.to_bytes(),
        HISTOGRAMS: csv_text(
            ("layer", "factor", "from", "below", "count"),
            (
                [layer, name, *pair, count]
                for layer, name, one in factors
                for *pair, count in zip(
                    EDGES[:-1].tolist(), EDGES[1:].tolist(), one.counts.sum(0).tolist(), strict=True
                )
            ),
        ),
        STEPS: csv_text(
            ("layer", "step", "largest_membrane", "mean_beta", "sd_beta", "mean_gamma", "sd_gamma"),
            (
                [layer.name, step, largest, *_at(layer.beta, step), *_at(layer.gamma, step)]
                for layer in found.layers
                for step, largest in enumerate(layer.largest.tolist())
            ),
        ),
    }


def _at(one: Spread | None, step: int) -> list[float | None]:
    return [None, None] if one is None else [float(one.mean[step]), float(one.sd[step])]
