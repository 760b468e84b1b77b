"""A comparison as CSV tables and as a page."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from snnctl.compare.document import Comparison, baseline_of, mean_rate, skip_alone, spread_of, training_seconds
from snnctl.compare.recipes import ABSENT, shown, title_of
from snnctl.compare.statistics import Spread
from snnctl.report.page import Cell, Page, Section, Table
from snnctl.report.saving import Report
from snnctl.report.tables import csv_text


def tables(found: Comparison) -> dict[str, str]:
    """File name -> CSV text: a row per run, per group and metric, per baseline and metric."""
    return {"compare.csv": _runs_csv(found), "groups.csv": _groups_csv(found), "baselines.csv": _baselines_csv(found)}


def _runs_csv(found: Comparison) -> str:
    keys, names = found.grouping.differing, list(found.baselines)
    facts = ("mean_rate", "parameters", "training_seconds", "epochs_done", "best_epoch")
    scores = [f"{name}:{metric}" for metric in found.metrics for name in names]
    rows = []
    for group in found.groups:
        for run in group.runs:
            results = run.results
            rows.append(
                [
                    group.name,
                    run.seed,
                    *(run.value(metric) for metric in found.metrics),
                    results["spikes"]["mean_rate"],
                    *(results.get(fact) for fact in facts[1:]),
                    *(baseline_of(run, name, metric) for metric in found.metrics for name in names),
                    *(shown(run.flat.get(key, ABSENT)) for key in keys),
                    run.path,
                ]
            )
    head = ("group", "seed", *found.metrics, *facts, *scores, *map(title_of, keys), "run")
    return csv_text(head, rows)


_SPREAD = ("n", "mean", "sd", "median", "min", "max")
_PAIR = ("pairs", "mean", "ci95_low", "ci95_high", "better", "ties", "sign_p", "preliminary")


def _groups_csv(found: Comparison) -> str:
    keys = found.grouping.keys
    pairs = {(pair.group, pair.metric): {**pair.found.to_json(), "against": pair.against} for pair in found.pairs}
    rows: list[list[Any]] = []
    for group in found.groups:
        for metric in found.metrics:
            spread, skip = spread_of(group, metric), skip_alone(group, metric)
            pair = pairs.get((group.name, metric))
            low, high = (pair["ci95"] or (None, None)) if pair else (None, None)
            found_pair = {**pair, "ci95_low": low, "ci95_high": high} if pair else {}
            rows.append(
                [
                    group.name,
                    *(shown(group.keys[key]) if key in group.keys else None for key in keys),
                    metric,
                    *_spread_cells(spread),
                    None if skip is None else skip.mean,
                    mean_rate(group),
                    group.runs[0].results["parameters"],
                    training_seconds(group),
                    pair["against"] if pair else None,
                    *(found_pair.get(name) for name in _PAIR),
                ]
            )
    facts = ("skip_alone_mean", "mean_rate", "parameters", "training_seconds", "against")
    differences = ("pairs", *(f"difference_{name}" for name in _PAIR[1:4]), *_PAIR[4:])
    return csv_text(("group", *map(title_of, keys), "metric", *_SPREAD, *facts, *differences), rows)


def _baselines_csv(found: Comparison) -> str:
    rows = [
        [name, metric, *_spread_cells(spread)]
        for name, scores in found.baselines.items()
        for metric, spread in scores.items()
    ]
    return csv_text(("baseline", "metric", *_SPREAD), rows)


def _spread_cells(spread: Spread | None) -> list[Any]:
    values = {} if spread is None else spread.to_json()
    return [values.get(name) for name in _SPREAD]


def _groups_table(found: Comparison, metric: str) -> Table:
    head = ["group", "seeds", "mean", "sd", "median", "min", "max"]
    more = ["spikes per neuron and step", "parameters", "training seconds"]
    rows: list[list[Cell]] = []
    for group in found.groups:
        mark = " (reference)" if group in found.references and len(found.groups) > 1 else ""
        cells = _spread_cells(spread_of(group, metric))
        facts = [mean_rate(group), int(group.runs[0].results["parameters"]), training_seconds(group)]
        rows.append([found.label(group) + mark, *cells, *facts])
        skip = skip_alone(group, metric)
        if skip is not None:
            rows.append(["   its linear skip alone", *_spread_cells(skip), None, None, None])
    for name, scores in found.baselines.items():
        if metric in scores:
            rows.append([f"baseline {name}", *_spread_cells(scores[metric]), None, None, None])
    return Table([*head, *more], rows, "Groups and baselines")


def _pairs_table(found: Comparison, metric: str) -> Table:
    head = ["group", "pairs", "mean difference", "95 % from", "to", "better", "ties", "sign test p", ""]
    labels = {group.name: found.label(group) for group in found.groups}
    rows: list[list[Cell]] = []
    for pair in found.pairs:
        if pair.metric == metric:
            one = pair.found
            low, high = one.interval or (None, None)
            state = "preliminary" if one.preliminary else ""
            mean = Spread(one.differences).mean
            rows.append([labels[pair.group], len(one.seeds), mean, low, high, one.better, one.ties, one.sign_p, state])
    return Table(head, rows, f"Paired differences from {found.against}")


def _keys_table(found: Comparison) -> Table:
    """Every key in which groups differ, also those that their names leave out."""
    rows = [
        [title_of(key), *(shown(group.runs[0].flat.get(key, ABSENT)) for group in found.groups)]
        for key in found.grouping.differing
    ]
    return Table(["key", *map(found.label, found.groups)], rows)


def sections(found: Comparison) -> list[Section]:
    """One per metric, then what the groups differ in, then the runs."""
    from snnctl.compare import figures, lines

    parts = []
    for metric in found.metrics:
        if not figures.drawable(found, metric):
            continue
        listed, drawn = [_groups_table(found, metric)], [figures.runs(found, metric)]
        if any(pair.metric == metric for pair in found.pairs):
            listed.append(_pairs_table(found, metric))
            drawn.append(figures.differences(found, metric))
        if lines.has_curves(found, metric):
            drawn.append(lines.curves(found, metric))
        parts.append(Section(metric, drawn, (), listed))
    scores = [metric for metric in found.metrics if not figures.is_energy(metric) and figures.drawable(found, metric)]
    prices = [metric for metric in found.metrics if figures.is_energy(metric) and figures.drawable(found, metric)]
    if scores and prices:
        drawn = [lines.trade(found, metric, energy) for metric in scores for energy in prices]
        parts.append(Section("Against energy", drawn, (), []))
    if found.grouping.differing:
        parts.append(Section("What differs", (), (), [_keys_table(found)]))
    rows: list[Sequence[Cell]] = [
        [found.label(group), run.seed, run.path] for group in found.groups for run in group.runs
    ]
    parts.append(Section("Runs", (), (), [Table(["group", "seed", "run"], rows)]))
    return parts


def report(found: Comparison) -> Report:
    """All of it, ready for `snnctl.report.saving.write`."""
    return Report(
        document=found.document(),
        tables=partial(tables, found),
        page=partial(page, found),
        document_name="compare.json",
        page_name="compare.html",
    )


def page(found: Comparison) -> Page:
    """What stands on it."""
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
