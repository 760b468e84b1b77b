"""The survey as a document, as tables and as a page."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from snnctl.core.diagnostic import Diagnostic
from snnctl.inspect.activity.collect import Survey
from snnctl.inspect.circuits import page as circuit_report
from snnctl.inspect.time_constants.page import NOTHING_MORE, Addition
from snnctl.measure.activity import LayerActivity
from snnctl.measure.health import verdicts
from snnctl.measure.modulators import Modulators
from snnctl.measure.potentials import Potentials
from snnctl.report.page import Cell, Page, Section, Table
from snnctl.report.provenance import provenance
from snnctl.report.saving import Tell, save
from snnctl.report.tables import csv_text

PAGE, DOCUMENT = "report.html", "stats.json"
QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
Sections = Callable[[Survey], list[Section]]


def health(found: Survey) -> list[Diagnostic]:
    """Layers that are ill."""
    return verdicts([layer.spikes for layer in found.layers], None, found.circuits.totals)


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
        "health": [verdict.to_json() for verdict in health(found)],
        "notes": notes(found),
    }


def _layer(layer: LayerActivity, potential: Potentials | None, modulators: Modulators | None) -> dict[str, Any]:
    from snnctl.inspect.activity.figures import channel_histogram

    spikes = layer.spikes
    counts, edges = channel_histogram(layer)
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
        "membrane": _membrane(potential),
        "circuits": None if modulators is None else circuit_report.document(modulators),
    }


def _membrane(one: Potentials | None) -> dict[str, Any] | None:
    from snnctl.inspect.membranes.figures import membrane_histogram

    if one is None or one.reason:
        return None if one is None else {"known": False, "reason": one.reason}
    counts, edges, outside = membrane_histogram(one)
    return {
        "known": True,
        "mean": float(one.distances.double().mean()),
        "sd": float(one.distances.double().std()),
        "share_above": float((one.distances >= 0).double().mean()),
        "agreement": one.agreement,
        "histogram": {"edges": edges.tolist(), "counts": counts.tolist(), "outside": outside},
    }


def notes(found: Survey) -> list[str]:
    """What was not counted, and why, by name."""
    said = []
    if not found.layers:
        said.append("nothing in this network spikes: it is a non-spiking twin, or has no neurons")
    for one in found.potentials:
        if one.reason:
            said.append(f"no membrane of `{one.name}` ({one.neuron}): {one.reason}")
        elif one.agreement < 1:
            said.append(f"`{one.name}`: {1 - one.agreement:.2%} of its spikes differ from those of its definition")
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
        rows.append(
            [
                spikes.name,
                layer.neuron,
                spikes.channels,
                spikes.levels,
                spikes.rate,
                float(layer.rates.median()),
                f"{spikes.silent_share:.1%}",
                f"{spikes.saturated_share:.1%}",
                None if elements is None else f"{elements.silent_share:.1%} of {elements.counted:,}",
            ]
        )
    return Table(head, rows)


def _rates(found: Survey) -> list[Section]:
    from snnctl.inspect.activity import figures as activity

    pictures = [activity.rates(found), activity.channel_rates(found), activity.steps(found)]
    if any(layer.spikes.levels > 1 for layer in found.layers):
        pictures.append(activity.levels(found))
    return [Section("Firing rates", pictures)]


def _samples(found: Survey) -> list[Section]:
    from snnctl.inspect.activity import figures as activity

    pictures = [activity.per_sample(found)] if found.per_sample.count else []
    if found.by_class is not None and any(layer.by_class is not None for layer in found.layers):
        pictures.append(activity.classes(found))
    return [Section("Samples and classes", pictures)] if pictures else []


def _rasters(found: Survey) -> list[Section]:
    from snnctl.inspect.membranes import figures as traces

    drawn = [traces.raster(found, one) for one in found.rasters]
    more = f"{len(drawn)} of {len(found.layers)} layers; --layers PATTERN chooses others."
    return [Section("Rasters", drawn, [more] if len(drawn) < len(found.layers) else [])]


def _membranes(found: Survey) -> list[Section]:
    from snnctl.inspect.membranes import figures as traces

    drawn = [traces.membranes(found)] if any(len(one.distances) for one in found.potentials) else []
    missing = [f"{one.name} ({one.neuron}): {one.reason}." for one in found.potentials if one.reason]
    return [Section("Membranes", drawn, missing)]


def _circuits(found: Survey) -> list[Section]:
    return circuit_report.sections(found.circuits)


SECTIONS: tuple[Sections, ...] = (_rates, _samples, _rasters, _membranes, _circuits)


def tables(found: Survey) -> dict[str, str | bytes]:
    """File name -> CSV text, or arrays."""
    from snnctl.inspect.membranes.figures import membrane_histogram

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
    known = [(one, *membrane_histogram(one)[:2]) for one in found.potentials if len(one.distances)]
    if known:
        made["membranes.csv"] = csv_text(
            ("layer", "from", "below", "count"),
            (
                [one.name, *pair, count]
                for one, counts, edges in known
                for *pair, count in zip(edges[:-1].tolist(), edges[1:].tolist(), counts.tolist(), strict=True)
            ),
        )
    return made | circuit_report.tables(found.circuits)


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


def write(found: Survey, out: Path, command: str, tell: Tell, also: Addition = NOTHING_MORE) -> dict[str, Any]:
    """Everything into `out`; the document with the list of files.

    Args:
        out: made if it is missing; files of the same names are replaced.
        command: for the page, so that a reader can repeat it.
        tell: told what is being done, and which share of it is.
        also: sections, tables and entries of the document that another report adds.

    Raises:
        DiagnosticError: U453, the folder cannot be made or written to.
    """
    tell("figures", 0.6)
    parts = [*(part for make in SECTIONS for part in make(found)), *also.sections]
    ill = [f"{verdict.code}: {verdict.message}; {verdict.help}." for verdict in health(found)]
    totals = found.totals
    page = Page(
        title=f"Spikes: {found.name}",
        lead=(
            f"{found.samples:,} of {found.of_samples:,} samples of the {found.split} split, weights "
            f"`{found.checkpoint['path']}` of {found.run}. Mean rate {totals.mean_rate:.4f} spikes per neuron and step."
        ),
        sections=parts,
        provenance=provenance(command, {}),
        sentences=[*(ill or ["Health: no layer is silent, nearly silent or saturated."]), *notes(found)],
        tables=[overview(found)],
    )
    names = {"page_name": PAGE, "document_name": DOCUMENT}
    written, listed = {**document(found), **also.document}, {**tables(found), **also.tables}
    return save(out, page, listed, written, **names, tell=tell, start=0.65)
