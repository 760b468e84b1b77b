"""A comparison as a document and as tables."""

from __future__ import annotations

from typing import Any

from snnctl.compare.comparison import Comparison
from snnctl.compare.groups import Group
from snnctl.compare.recipes import ABSENT, shown, title_of
from snnctl.compare.statistics import Spread
from snnctl.report.page import Cell, Table
from snnctl.report.tables import csv_text


def document(found: Comparison) -> dict[str, Any]:
    """The public document, but for the files.

    - `metrics`; `references`, names of groups, and `against`, what they have in common, in short; `keys`, what the
      names of groups tell, and `differing`, every key in which they differ.
    - `groups: [{name, label, keys, seeds, runs, parameters, mean_rate, training_seconds, metrics: {name: {n, mean,
      sd, median, min, max, values}}, skip_alone: null or as metrics}]`; `label` is the name with short
      keys and without the values of `unless_named`, which most groups share.
    - `pairs: [{group, against, metric, seeds, pairs, differences, mean, sd, ci95, better, ties, sign_p,
      preliminary}]`; a difference is the group's value minus that of `against`.
    - `baselines: {name: {metric: as above, a value per seed}}`; `notes`.
    """
    return {
        "metrics": found.metrics,
        "references": [group.name for group in found.references],
        "against": found.against,
        "unless_named": found.unless_named,
        "keys": found.grouping.keys,
        "differing": found.grouping.differing,
        "groups": [_group(found, group) for group in found.groups],
        "pairs": [
            {"group": pair.group, "against": pair.against, "metric": pair.metric, **pair.found.to_json()}
            for pair in found.pairs
        ],
        "baselines": {
            name: {metric: spread.to_json() for metric, spread in scores.items()}
            for name, scores in found.baselines.items()
        },
        "notes": found.notes,
    }


def _group(found: Comparison, group: Group) -> dict[str, Any]:
    spreads = {metric: group.spread(metric) for metric in found.metrics}
    skips = {metric: group.skip_alone(metric) for metric in found.metrics}
    return {
        "name": group.name,
        "label": found.label(group),
        "keys": group.keys,
        "seeds": group.seeds,
        "runs": [run.path for run in group.runs],
        "parameters": group.parameters,
        "mean_rate": group.mean_rate,
        "training_seconds": group.training_seconds,
        "metrics": {metric: spread.to_json() for metric, spread in spreads.items() if spread},
        "skip_alone": {metric: spread.to_json() for metric, spread in skips.items() if spread} or None,
    }


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
                    *(run.baseline(name, metric) for metric in found.metrics for name in names),
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
            spread, skip = group.spread(metric), group.skip_alone(metric)
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
                    group.mean_rate,
                    group.parameters,
                    group.training_seconds,
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


def groups_table(found: Comparison, metric: str) -> Table:
    head = ["group", "seeds", "mean", "sd", "median", "min", "max"]
    more = ["spikes per neuron and step", "parameters", "training seconds"]
    rows: list[list[Cell]] = []
    for group in found.groups:
        mark = " (reference)" if group in found.references and len(found.groups) > 1 else ""
        cells = _spread_cells(group.spread(metric))
        facts = [group.mean_rate, group.parameters, group.training_seconds]
        rows.append([found.label(group) + mark, *cells, *facts])
        skip = group.skip_alone(metric)
        if skip is not None:
            rows.append(["   its linear skip alone", *_spread_cells(skip), None, None, None])
    for name, scores in found.baselines.items():
        if metric in scores:
            rows.append([f"baseline {name}", *_spread_cells(scores[metric]), None, None, None])
    return Table([*head, *more], rows, "Groups and baselines")


def pairs_table(found: Comparison, metric: str) -> Table:
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


def keys_table(found: Comparison) -> Table:
    """Every key in which groups differ, also those that their names leave out."""
    rows = [
        [title_of(key), *(shown(group.runs[0].flat.get(key, ABSENT)) for group in found.groups)]
        for key in found.grouping.differing
    ]
    return Table(["key", *map(found.label, found.groups)], rows)
