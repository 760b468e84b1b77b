"""A survey in numbers: the document, the table over layers, and CSV of everything that is drawn."""

from __future__ import annotations

from typing import Any

import torch

from snnctl.inspect.activity.collect import Survey
from snnctl.inspect.circuits import tables as circuits
from snnctl.inspect.membranes import tables as membranes
from snnctl.inspect.membranes.collect import Potentials
from snnctl.measure.activity import LayerActivity
from snnctl.measure.circuits import Modulators
from snnctl.report.page import Cell, Table
from snnctl.report.tables import csv_text

QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)


def document(found: Survey) -> dict[str, Any]:
    """The public document, but for the files."""
    potentials = {one.name: one for one in found.potentials}
    modulators = {one.name: one for one in found.circuits.layers}
    totals = found.totals
    return {
        "run": found.run,
        "name": found.name,
        "split": found.split,
        "samples": found.samples,
        "samples_of": found.of_samples,
        "checkpoint": found.checkpoint,
        "spiking": bool(found.layers),
        "layers": [
            _layer(layer, potentials.get(layer.spikes.name), modulators.get(layer.spikes.name))
            for layer in found.layers
        ],
        "totals": {
            **vars(totals),
            "spikes_per_sample": found.per_sample.to_json() if found.per_sample.count else None,
            "spikes_by_class": found.by_class,
        },
        "classes": found.class_sizes or None,
        "health": [verdict.to_json() for verdict in found.health],
        "notes": notes(found),
    }


def _layer(layer: LayerActivity, potential: Potentials | None, modulators: Modulators | None) -> dict[str, Any]:
    spikes = layer.spikes
    counts, edges = layer.channel_histogram()
    quantiles = torch.quantile(layer.rates, torch.tensor(QUANTILES, dtype=layer.rates.dtype)).tolist()
    return {
        "name": spikes.name,
        "neuron": layer.neuron,
        "channels": spikes.channels,
        "levels": spikes.levels,
        "rate": spikes.rate,
        "nonzero": spikes.nonzero,
        "rate_by_step": layer.rate_by_step,
        "silent_share": spikes.silent_share,
        "saturated_share": spikes.saturated_share,
        "elements": None if layer.elements is None else vars(layer.elements),
        "rate_quantiles": dict(zip((f"{q:g}" for q in QUANTILES), quantiles, strict=True)),
        "rate_histogram": {"edges": edges.tolist(), "channels": counts.tolist()},
        "spikes_per_sample": None if layer.per_sample is None else layer.per_sample.to_json(),
        "spikes_by_class": layer.by_class,
        "level_counts": list(spikes.histogram),
        "membrane": membranes.document(potential),
        "circuits": None if modulators is None else circuits.document(modulators),
    }


def notes(found: Survey) -> list[str]:
    """What was not counted, and why, by name."""
    said = [] if found.layers else ["nothing in this network spikes: it is a non-spiking twin, or has no neurons"]
    said += membranes.notes(found.potentials)
    for layer in found.layers:
        if layer.elements is None:
            said.append(f"`{layer.spikes.name}` has too many elements to count one by one; its channels are counted")
        if layer.per_sample is None:
            said.append(f"`{layer.spikes.name}` has other axes folded into the batch: no spikes per sample or class")
    return said


def overview(found: Survey) -> Table:
    """A row per layer."""
    head = ["layer", "neuron", "channels", "levels", "rate", "median", "silent", "saturated", "silent elements"]
    rows: list[list[Cell]] = []
    for layer in found.layers:
        spikes, elements = layer.spikes, layer.elements
        known: list[Cell] = [
            spikes.name,
            layer.neuron,
            spikes.channels,
            spikes.levels,
            spikes.rate,
            float(layer.rates.median()),
        ]
        shares = [f"{spikes.silent_share:.1%}", f"{spikes.saturated_share:.1%}"]
        silent = None if elements is None else f"{elements.silent_share:.1%} of {elements.counted:,}"
        rows.append([*known, *shares, silent])
    return Table(head, rows)


def tables(found: Survey) -> dict[str, str | bytes]:
    """File name -> CSV text, or arrays."""
    layers = found.layers
    made: dict[str, str | bytes] = {
        "layers.csv": _layers_csv(found),
        "channels.csv": csv_text(
            ("layer", "channel", "rate"),
            ([one.spikes.name, k, rate] for one in layers for k, rate in enumerate(one.rates.tolist())),
        ),
        "steps.csv": csv_text(
            ("layer", "step", "rate"),
            ([one.spikes.name, t, rate] for one in layers for t, rate in enumerate(one.rate_by_step)),
        ),
        "levels.csv": csv_text(
            ("layer", "value", "neuron_steps"),
            ([one.spikes.name, v, count] for one in layers for v, count in enumerate(one.spikes.histogram)),
        ),
        "samples.csv": csv_text(
            ("layer", "spikes_from", "spikes_below", "samples"),
            (
                [name, i * tally.width, (i + 1) * tally.width, count]
                for name, tally in (
                    ("all", found.per_sample),
                    *((one.spikes.name, one.per_sample) for one in layers if one.per_sample is not None),
                )
                for i, count in enumerate(tally.counts.tolist())
                if count
            ),
        ),
    }
    if found.by_class is not None:
        rows = (("all", found.by_class), *((one.spikes.name, one.by_class) for one in layers if one.by_class))
        made["classes.csv"] = csv_text(
            ("layer", "class", "samples", "spikes_per_sample"),
            ([name, k, found.class_sizes[k], mean] for name, means in rows for k, mean in enumerate(means)),
        )
    return made | membranes.tables(found.potentials) | circuits.tables(found.circuits)


def _layers_csv(found: Survey) -> str:
    head = ("layer", "neuron", "channels", "levels", "rate", "nonzero", "silent_share", "saturated_share")
    more = ("elements", "silent_elements", "saturated_elements", "spikes_per_sample", "spikes_per_sample_sd")
    rows = []
    for layer in found.layers:
        one, elements, tally = layer.spikes, layer.elements, layer.per_sample
        counted = [None] * 3 if elements is None else list(vars(elements).values())
        sampled = [None] * 2 if tally is None else [tally.mean, tally.sd]
        shares = [one.rate, one.nonzero, one.silent_share, one.saturated_share]
        rows.append([one.name, layer.neuron, one.channels, one.levels, *shares, *counted, *sampled])
    return csv_text((*head, *more), rows)
