"""The page of an estimate."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from snnctl.energy.count.counts import mean
from snnctl.energy.estimate import Estimate
from snnctl.energy.judge.thresholds import break_even
from snnctl.energy.show import figures
from snnctl.energy.show.tables import document, neurobench_table, operations_table, rules_table, tables, totals_table
from snnctl.report.page import Page, Section, Table
from snnctl.report.saving import Report


def report(found: Estimate) -> Report:
    made = document(found)
    costs = [priced.bill.table for priced in found.tables]
    knobs = {table.name: {one.key: f"{one.value:g}: {one.source}" for one in table.constants()} for table in costs}
    csv, drawn = partial(tables, found, made), partial(page, found, made)
    return Report(made, csv, drawn, "energy.json", knobs=knobs, begun=0.85, told=("tables",))


def page(found: Estimate, made: Mapping[str, Any]) -> Page:
    """What stands on it; `made` is the document."""
    return Page(
        title=f"Energy: {found.name}",
        lead=(
            f"Estimated from {found.facts['samples']:,} samples of the {found.facts['split']} split,"
            f" T = {found.counts.steps} steps. All figures are per sample (one inference)."
        ),
        sections=list(_sections(found, made)),
        tables=[totals_table(made)],
        sentences=[verdict.sentence for verdict in found.verdicts],
    )


def _sections(found: Estimate, made: Mapping[str, Any]) -> Iterator[Section]:
    counts = found.counts
    said = [
        f"Non-spiking twin: {found.twin_note}.",
        f"Coverage of computed numbers: {counts.coverage:.2%}.",
        *(f"Not counted: {u.op} in {u.layer}, {u.elements:,.0f} numbers per sample." for u in counts.uncounted),
    ]
    if (both := made["quantised"]) is not None:  # the fair comparison; nothing where nothing spikes
        fair = (
            f"Under {both['costs']}, which prices by width: spiking {both['snn_joules'] * 1e9:.4g} nJ, its twin with"
            f" {both['bits']}-bit activations {both['twin_joules'] * 1e9:.4g} nJ (dense), ratio {both['ratio']:.3g}."
        )
        said.insert(0, fair)
    yield Section("Spiking network and twins", [figures.totals(found)], said)
    for number, priced in enumerate(found.tables, 1):
        bill = priced.bill
        left = [
            f"Not charged: {mean(item.amount):,.0f} {item.what} in {item.layer}: {item.reason}."
            for item in bill.uncharged
        ]
        yield Section(
            bill.table.name, [figures.layers(found, priced, number)], [*bill.policies(), *left], [rules_table(priced)]
        )
    pictures = [figures.steps(found)] if figures.timed_rows(found) else []
    yield Section("Operations", pictures, (), [operations_table(found)])
    words = ["By their definitions, for comparison; the NeuroBench package was not run."]
    yield Section("NeuroBench metrics", (), words, [neurobench_table(found)])
    rows = break_even(found.tables[0].bill.table)
    if rows:
        yield Section(
            "When are bit planes cheaper than a multiplier?",
            (),
            ["Mean set bits per spike below which shift-and-add costs less than one multiply-accumulate."],
            [Table(("bits", "MAC, pJ", "AC, pJ", "break-even set bits"), rows)],
        )
