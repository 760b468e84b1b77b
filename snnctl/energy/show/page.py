"""The estimate as a document, as CSV and as one page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from typing import Any

import numpy as np

from snnctl.energy.count.counts import Number, Row
from snnctl.energy.estimate import Estimate, Priced
from snnctl.energy.judge.thresholds import break_even, twin_bits
from snnctl.energy.price.bill import Bill
from snnctl.energy.price.rules import RULES
from snnctl.energy.show import figures
from snnctl.report.page import Page, Section, Table
from snnctl.report.saving import Report
from snnctl.report.tables import csv_text


def _mean(number: Number) -> float:
    return float(np.mean(number))


def document(found: Estimate) -> dict[str, Any]:
    """What `--json` prints; joules and operations are per sample."""
    first = found.tables[0]
    return {
        "name": found.name,
        **found.facts,
        "costs": {priced.bill.table.name: _costs(priced) for priced in found.tables},
        "quantised": _quantised(found),
        "operations": {
            "macs": _mean(first.bill.macs),
            "acs": _mean(first.bill.acs),
            "dense_macs": sum(_mean(row.products.dense) for row in found.counts.rows),
            "neuron_updates": sum(_mean(row.neurons.updates) for row in found.counts.rows if row.neurons),
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


def ratio(priced: Priced) -> float | None:
    """Spiking over non-spiking; None where there is no twin or a product in either has no price."""
    if priced.twin is None:
        return None
    left = (item.what for bill in (priced.bill, priced.twin) for item in bill.uncharged)
    if "multiply-accumulates" in left:
        return None
    twin = _mean(priced.twin.joules)
    return priced.joules / twin if twin else None


def _quantised(found: Estimate) -> dict[str, Any] | None:
    """The spiking network and its quantised twin under one table that prices by width."""
    priced = found.by_width
    if priced.quantised is None:
        return None
    twin = _mean(priced.quantised.joules)
    bits = max(
        (twin_bits(found.counts.coding_steps, r.neurons.levels) for r in found.counts.rows if r.neurons), default=1
    )
    name = priced.bill.table.name
    return {
        "costs": name,
        "bits": bits,
        "snn_joules": priced.joules,
        "twin_joules": twin,
        "ratio": priced.joules / twin,
    }


def _costs(priced: Priced) -> dict[str, Any]:
    bill = priced.bill
    return {
        "snn_joules": priced.joules,
        "snn_standard_error": priced.standard_error,
        "ann_twin_joules": None if priced.twin is None else _mean(priced.twin.joules),
        "ratio": ratio(priced),
        "quantised_twin_joules": None if priced.quantised is None else _mean(priced.quantised.joules),
        "rule": bill.rule,
        "rules": priced.by_rule,
        "complete": bill.complete,
        "terms": {term: _mean(joules) for term, joules in bill.by_term().items()},
        "layers": {layer: _mean(joules) for layer, joules in bill.by_layer().items()},
        "uncharged": [{**asdict(item), "amount": _mean(item.amount)} for item in bill.uncharged],
        "policies": bill.policies(),
        "constants": [asdict(constant) for constant in bill.table.constants()],
    }


def _row(row: Row, error: float | None) -> dict[str, Any]:
    products = {k: v if k == "bits" else _mean(v) for k, v in asdict(row.products).items()}
    neurons = None
    if row.neurons is not None:
        plain = asdict(row.neurons)
        neurons = {k: v if isinstance(v, (str, bool, int, dict)) else _mean(v) for k, v in plain.items()}
    return {
        "layer": row.layer,
        "op": row.op,
        "kind": row.kind,
        "source": row.source,
        "steps": row.steps,
        "stem": row.stem,
        "same_each_step": row.same_each_step,
        "foldable": row.foldable,
        "feeds": row.feeds,
        **products,
        "events_standard_error": error,
        **{k: _mean(v) for k, v in asdict(row.elementwise).items()},
        "events_by_step": list(row.events_by_step),
        "geometry": None if row.geometry is None else asdict(row.geometry),
        "neurons": neurons,
    }


def report(found: Estimate) -> Report:
    """All of it, ready for `snnctl.report.saving.write`."""
    made = document(found)
    return Report(
        document=made,
        tables=partial(_csv, found, made),
        page=partial(page, found),
        document_name="energy.json",
        knobs={priced.bill.table.name: _constants(priced.bill) for priced in found.tables},
        begun=0.85,
        told=("tables",),
    )


def page(found: Estimate) -> Page:
    """What stands on it."""
    return Page(
        title=f"Energy: {found.name}",
        lead=(
            f"Estimated from {found.facts['samples']:,} samples of the {found.facts['split']} split,"
            f" T = {found.counts.steps} steps. All figures are per sample (one inference)."
        ),
        sections=list(_sections(found)),
        tables=[_totals_table(found)],
        sentences=[verdict.sentence for verdict in found.verdicts],
    )


def quantised_sentence(found: Estimate) -> list[str]:
    """The fair comparison in words, or nothing where nothing spikes."""
    both = _quantised(found)
    if both is None:
        return []
    return [
        f"Under {both['costs']}, which prices by width: spiking {both['snn_joules'] * 1e9:.4g} nJ, its twin with"
        f" {both['bits']}-bit activations {both['twin_joules'] * 1e9:.4g} nJ (dense), ratio {both['ratio']:.3g}."
    ]


def _constants(bill: Bill) -> dict[str, Any]:
    return {constant.key: f"{constant.value:g}: {constant.source}" for constant in bill.table.constants()}


def _totals_table(found: Estimate) -> Table:
    head = ("costs", "rule", "spiking, nJ", "± standard error", "non-spiking twin, nJ", "ratio", "quantised twin, nJ")
    rows = []
    for priced in found.tables:
        twin = None if priced.twin is None else _mean(priced.twin.joules)
        error = None if priced.standard_error is None else priced.standard_error * 1e9
        quantised = None if priced.quantised is None else _mean(priced.quantised.joules) * 1e9
        rows.append(
            (
                priced.bill.table.name,
                priced.bill.rule,
                priced.joules * 1e9,
                error,
                None if twin is None else twin * 1e9,
                ratio(priced),
                quantised,
            )
        )
    return Table(head, rows)


def _sections(found: Estimate) -> Iterator[Section]:
    whole = found.counts
    uncounted = [f"Not counted: {u.op} in {u.layer}, {u.elements:,.0f} numbers per sample." for u in whole.uncounted]
    yield Section(
        "Spiking network and twins",
        [figures.totals(found)],
        [
            *quantised_sentence(found),
            f"Non-spiking twin: {found.twin_note}.",
            f"Coverage of computed numbers: {whole.coverage:.2%}.",
            *uncounted,
        ],
    )
    for number, priced in enumerate(found.tables):
        bill = priced.bill
        left = [
            f"Not charged: {_mean(item.amount):,.0f} {item.what} in {item.layer}: {item.reason}."
            for item in bill.uncharged
        ]
        picture = figures.layers(found, priced, f"layers_{number + 1}_{bill.table.name}")
        yield Section(bill.table.name, [picture], [*bill.policies(), *left], [_rules_table(priced)])
    pictures = [figures.steps(found)] if figures.timed_rows(found) else []
    yield Section("Operations", pictures, (), [_operations_table(found)])
    bench = found.neurobench
    operations = bench["synaptic_operations"]
    yield Section(
        "NeuroBench metrics",
        (),
        ["By their definitions, for comparison; the NeuroBench package was not run."],
        [
            Table(
                ("metric", "value"),
                [
                    ("footprint, bytes", bench["footprint_bytes"]),
                    ("connection sparsity", bench["connection_sparsity"]),
                    ("activation sparsity", bench["activation_sparsity"]),
                    *((f"synaptic operations, {name.replace('_', ' ')}", value) for name, value in operations.items()),
                ],
            )
        ],
    )
    rows = [(b.bits, b.mac_pj, b.ac_pj, b.popcount) for b in break_even(found.tables[0].bill.table)]
    if rows:
        yield Section(
            "When are bit planes cheaper than a multiplier?",
            (),
            ["Mean set bits per spike below which shift-and-add costs less than one multiply-accumulate."],
            [Table(("bits", "MAC, pJ", "AC, pJ", "break-even set bits"), rows)],
        )


def _rules_table(priced: Priced) -> Table:
    rows = [(name, joules * 1e9, RULES[name].describe) for name, joules in priced.by_rule.items()]
    return Table(("rule", "spiking, nJ", "charges"), rows, "Under each rule for spikes of several levels")


def _operations_table(found: Estimate) -> Table:
    head = ("layer", "operation", "kind", "driven by", "levels", "steps", "dense MACs", "effective", "± standard error")
    rows: list[tuple[Any, ...]] = []
    for row, error in zip(found.counts.rows, found.event_errors, strict=True):
        if row.kind in ("synapse", "product"):
            levels = 2**row.products.bits - 1 if row.source == "spike" else None
            cells = (_mean(row.products.dense), _mean(row.products.events), error)
            rows.append((row.layer, row.op, row.kind, row.source, levels, row.steps, *cells))
        elif row.neurons is not None:
            updates = _mean(row.neurons.updates)
            rows.append((row.layer, row.neurons.name, "neuron", "", row.neurons.levels, row.steps, updates, None, None))
        else:
            work = sum(_mean(v) for v in asdict(row.elementwise).values())
            rows.append((row.layer, row.op, row.kind, "", None, row.steps, work, None, None))
    return Table(head, rows, "Everything that was counted")


def _csv(found: Estimate, made: dict[str, Any]) -> dict[str, str]:
    flat = [{k: v for k, v in row.items() if not isinstance(v, (dict, list))} for row in made["rows"]]
    keys = [key for key in flat[0] if key not in ("geometry", "neurons")] if flat else []
    bills = [
        (name, layer, term, joules)
        for priced in found.tables
        for name in (priced.bill.table.name,)
        for layer, term, joules in _lines(priced.bill)
    ]
    totals = [
        (
            name,
            cost["rule"],
            cost["snn_joules"],
            cost["snn_standard_error"],
            cost["ann_twin_joules"],
            cost["quantised_twin_joules"],
        )
        for name, cost in made["costs"].items()
    ]
    by_step = [
        (row["layer"], row["op"], step + 1, events)
        for row in made["rows"]
        for step, events in enumerate(row["events_by_step"])
    ]
    return {
        "operations.csv": csv_text(keys, ([row.get(key) for key in keys] for row in flat)),
        "energy.csv": csv_text(("costs", "layer", "term", "joules_per_sample"), bills),
        "totals.csv": csv_text(
            (
                "costs",
                "rule",
                "snn_joules",
                "standard_error",
                "ann_twin_joules",
                "quantised_twin_joules",
            ),
            totals,
        ),
        "steps.csv": csv_text(("layer", "operation", "step", "events_per_sample"), by_step),
    }


def _lines(bill: Bill) -> Iterator[tuple[str, str, float]]:
    for line in bill.lines:
        for term, joules in line.joules.items():
            yield line.layer, term, _mean(joules)
