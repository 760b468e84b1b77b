"""The estimate as a document and as tables; joules and operations are per sample."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from snnctl.energy.count.counts import Row, mean, twin_bits
from snnctl.energy.estimate import Estimate, Priced
from snnctl.energy.price.rules import RULES
from snnctl.report.page import Cell, Table
from snnctl.report.tables import csv_text


def document(found: Estimate) -> dict[str, Any]:
    """What `--json` prints."""
    first = found.tables[0]
    return {
        "name": found.name,
        **found.facts,
        "costs": {priced.bill.table.name: _costs(priced) for priced in found.tables},
        "quantised": _quantised(found),
        "operations": {
            "macs": mean(first.bill.macs),
            "acs": mean(first.bill.acs),
            "dense_macs": sum(mean(row.products.dense) for row in found.counts.rows),
            "neuron_updates": sum(mean(row.neurons.updates) for row in found.counts.rows if row.neurons),
            "rule": first.bill.rule,
        },
        "coverage": found.counts.coverage,
        "uncounted": [asdict(item) for item in found.counts.uncounted],
        "spikes_per_synapse": found.per_synapse,
        "firing_rate": found.rate,
        "active_share": found.active,
        "verdicts": [asdict(verdict) for verdict in found.verdicts],
        "twin": found.twin_note,
        "neurobench": found.neurobench,
        "rows": [_row(row, error) for row, error in zip(found.counts.rows, found.event_errors, strict=True)],
    }


def _costs(priced: Priced) -> dict[str, Any]:
    bill = priced.bill
    return {
        "snn_joules": priced.joules,
        "snn_standard_error": priced.standard_error,
        "ann_twin_joules": None if priced.twin is None else mean(priced.twin.joules),
        "ratio": _ratio(priced),
        "quantised_twin_joules": None if priced.quantised is None else mean(priced.quantised.joules),
        "rule": bill.rule,
        "rules": priced.by_rule,
        "complete": bill.complete,
        "terms": {term: mean(joules) for term, joules in bill.by_term().items()},
        "layers": {layer: mean(joules) for layer, joules in bill.by_layer().items()},
        "uncharged": [{**asdict(item), "amount": mean(item.amount)} for item in bill.uncharged],
        "policies": bill.policies(),
        "constants": [asdict(constant) for constant in bill.table.constants()],
    }


def _ratio(priced: Priced) -> float | None:
    """Spiking over non-spiking; None where there is no twin or a product in either has no price."""
    if priced.twin is None:
        return None
    left = (item.what for bill in (priced.bill, priced.twin) for item in bill.uncharged)
    if "multiply-accumulates" in left:
        return None
    twin = mean(priced.twin.joules)
    return priced.joules / twin if twin else None


def _quantised(found: Estimate) -> dict[str, Any] | None:
    """The spiking network and its quantised twin under one table that prices by width."""
    priced = found.by_width
    if priced.quantised is None:
        return None
    twin = mean(priced.quantised.joules)
    levels = [row.neurons.levels for row in found.counts.rows if row.neurons]
    return {
        "costs": priced.bill.table.name,
        "bits": max((twin_bits(found.counts.coding_steps, highest) for highest in levels), default=1),
        "snn_joules": priced.joules,
        "twin_joules": twin,
        "ratio": priced.joules / twin,
    }


def _row(row: Row, error: float | None) -> dict[str, Any]:
    facts = ("layer", "op", "kind", "source", "steps", "stem", "same_each_step", "foldable", "feeds")
    return {
        **{fact: getattr(row, fact) for fact in facts},
        **{k: v if k == "bits" else mean(v) for k, v in asdict(row.products).items()},
        "events_standard_error": error,
        **{k: mean(v) for k, v in asdict(row.elementwise).items()},
        "events_by_step": list(row.events_by_step),
        "geometry": None if row.geometry is None else asdict(row.geometry),
        "neurons": None if row.neurons is None else _plain(asdict(row.neurons)),
    }


def _plain(neurons: Mapping[str, Any]) -> dict[str, Any]:
    return {k: v if isinstance(v, str | bool | int | dict) else mean(v) for k, v in neurons.items()}


def tables(found: Estimate, made: Mapping[str, Any]) -> dict[str, str]:
    """File name -> CSV text: what was counted, where the joules go, and the document's totals."""
    keys = [key for key, value in made["rows"][0].items() if not isinstance(value, dict | list)] if made["rows"] else []
    keys = [key for key in keys if key not in ("geometry", "neurons")]
    lines = (
        (priced.bill.table.name, line.layer, term, mean(joules))
        for priced in found.tables
        for line in priced.bill.lines
        for term, joules in line.joules.items()
    )
    sums = ("rule", "snn_joules", "snn_standard_error", "ann_twin_joules", "quantised_twin_joules")
    by_step = (
        (row["layer"], row["op"], step, events)
        for row in made["rows"]
        for step, events in enumerate(row["events_by_step"], 1)
    )
    return {
        "operations.csv": csv_text(keys, ([row[key] for key in keys] for row in made["rows"])),
        "energy.csv": csv_text(("costs", "layer", "term", "joules_per_sample"), lines),
        "totals.csv": csv_text(
            ("costs", "rule", "snn_joules", "standard_error", "ann_twin_joules", "quantised_twin_joules"),
            ((name, *(cost[key] for key in sums)) for name, cost in made["costs"].items()),
        ),
        "steps.csv": csv_text(("layer", "operation", "step", "events_per_sample"), by_step),
    }


def totals_table(made: Mapping[str, Any]) -> Table:
    """The document's network beside its twins, a row per table of costs."""
    head = ("costs", "rule", "spiking, nJ", "± standard error", "non-spiking twin, nJ", "ratio", "quantised twin, nJ")
    rows: list[list[Cell]] = []
    for name, cost in made["costs"].items():
        snn, error, twin, quantised = (
            None if cost[key] is None else cost[key] * 1e9
            for key in ("snn_joules", "snn_standard_error", "ann_twin_joules", "quantised_twin_joules")
        )
        rows.append([name, cost["rule"], snn, error, twin, cost["ratio"], quantised])
    return Table(head, rows)


def rules_table(priced: Priced) -> Table:
    """What the spiking network would cost under each rule."""
    rows = [(name, joules * 1e9, RULES[name].describe) for name, joules in priced.by_rule.items()]
    return Table(("rule", "spiking, nJ", "charges"), rows, "Under each rule for spikes of several levels")


def operations_table(found: Estimate) -> Table:
    head = ("layer", "operation", "kind", "driven by", "levels", "steps", "dense MACs", "effective", "± standard error")
    rows: list[tuple[Cell, ...]] = []
    for row, error in zip(found.counts.rows, found.event_errors, strict=True):
        if row.kind in ("synapse", "product"):
            levels = 2**row.products.bits - 1 if row.source == "spike" else None
            cells = (mean(row.products.dense), mean(row.products.events), error)
            rows.append((row.layer, row.op, row.kind, row.source, levels, row.steps, *cells))
        elif row.neurons is not None:
            updates = mean(row.neurons.updates)
            rows.append((row.layer, row.neurons.name, "neuron", "", row.neurons.levels, row.steps, updates, None, None))
        else:
            work = sum(mean(v) for v in asdict(row.elementwise).values())
            rows.append((row.layer, row.op, row.kind, "", None, row.steps, work, None, None))
    return Table(head, rows, "Everything that was counted")


def neurobench_table(found: Estimate) -> Table:
    bench = found.neurobench
    operations = bench["synaptic_operations"].items()
    rows: list[tuple[Cell, ...]] = [
        ("footprint, bytes", bench["footprint_bytes"]),
        ("connection sparsity", bench["connection_sparsity"]),
        ("activation sparsity", bench["activation_sparsity"]),
        *((f"synaptic operations, {name.replace('_', ' ')}", value) for name, value in operations),
    ]
    return Table(("metric", "value"), rows)
