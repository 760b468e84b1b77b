"""The page of a comparison."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from snnctl.compare.comparison import Comparison
from snnctl.compare.figures import curves, groups, labels
from snnctl.compare.recipes import title_of
from snnctl.compare.tables import document, groups_table, keys_table, pairs_table, tables
from snnctl.report.page import Cell, Page, Section, Table
from snnctl.report.saving import Report


def sections(found: Comparison) -> list[Section]:
    """One per metric, then what the groups differ in, then the runs."""
    parts = []
    drawn = [metric for metric in found.metrics if any(group.spread(metric) for group in found.groups)]
    for metric in drawn:
        listed, pictures = [groups_table(found, metric)], [groups.runs(found, metric)]
        if any(pair.metric == metric for pair in found.pairs):
            listed.append(pairs_table(found, metric))
            pictures.append(groups.differences(found, metric))
        if curves.has_curves(found, metric):
            pictures.append(curves.curves(found, *metric.split("/")))
        parts.append(Section(metric, pictures, (), listed))
    prices = [metric for metric in drawn if labels.is_energy(metric)]
    trades = [curves.trade(found, metric, price) for metric in drawn if metric not in prices for price in prices]
    if trades:
        parts.append(Section("Against energy", trades))
    if found.grouping.differing:
        parts.append(Section("What differs", (), (), [keys_table(found)]))
    rows: list[Sequence[Cell]] = [
        [found.label(group), run.seed, run.path] for group in found.groups for run in group.runs
    ]
    parts.append(Section("Runs", (), (), [Table(["group", "seed", "run"], rows)]))
    return parts


def report(found: Comparison) -> Report:
    return Report(document(found), partial(tables, found), partial(page, found), "compare.json", "compare.html")


def page(found: Comparison) -> Page:
    lead = f"{len(found.runs)} runs in {len(found.groups)} groups; within a group they differ in their seed alone."
    if found.grouping.keys:
        usual = f" Unless named, {found.unless_named}." if found.unless_named else ""
        lead += f" Groups differ in {', '.join(map(title_of, found.grouping.keys))}.{usual}"
    said = [f"{one.message}." for one in found.warnings] + [f"{note[0].upper()}{note[1:]}." for note in found.notes]
    return Page(
        title=f"Comparison: {', '.join(dict.fromkeys(str(run.results['name']) for run in found.runs))}",
        lead=lead,
        sections=sections(found),
        sentences=said,
    )
