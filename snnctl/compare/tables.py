"""A comparison as a document and as tables."""

from __future__ import annotations

from typing import Any

from snnctl.compare.comparison import Comparison
from snnctl.compare.groups import Group
from snnctl.compare.recipes import ABSENT, shown, title_of
from snnctl.compare.statistics import Paired, Spread
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
    baselines = (
        [name, metric, *_spread_cells(spread)]
        for name, scores in found.baselines.items()
        for metric, spread in scores.items()
    )
    return {
        "compare.csv": _runs_csv(found),
        "groups.csv": _groups_csv(found),
        "baselines.csv": csv_text(("baseline", "metric", *_SPREAD), baselines),
    }


def _runs_csv(found: Comparison) -> str:
    keys = found.grouping.differing
    scores = [(name, metric) for metric in found.metrics for name in found.baselines]
    facts = ("parameters", "training_seconds", "epochs_done", "best_epoch")
    rows = (
        [
            group.name,
            run.seed,
            *(run.value(metric) for metric in found.metrics),
            run.results["spikes"]["mean_rate"],
            *(run.results.get(fact) for fact in facts),
            *(run.baseline(name, metric) for name, metric in scores),
            *(shown(run.flat.get(key, ABSENT)) for key in keys),
            run.path,
        ]
        for group in found.groups
        for run in group.runs
    )
    named = [f"{name}:{metric}" for name, metric in scores]
    return csv_text(("group", "seed", *found.metrics, "mean_rate", *facts, *named, *map(title_of, keys), "run"), rows)


_SPREAD = ("n", "mean", "sd", "median", "min", "max")
_FACTS = ("mean_rate", "parameters", "training_seconds")
_DIFFERENCE = ("difference_mean", "difference_ci95_low", "difference_ci95_high")
_PAIR = ("against", "pairs", *_DIFFERENCE, "better", "ties", "sign_p", "preliminary")


def _groups_csv(found: Comparison) -> str:
    keys = found.grouping.keys
    pairs = {(pair.group, pair.metric): pair for pair in found.pairs}
    rows: list[list[Any]] = []
    for group in found.groups:
        words = [shown(group.keys[key]) if key in group.keys else None for key in keys]
        for metric in found.metrics:
            skip, pair = group.skip_alone(metric), pairs.get((group.name, metric))
            scores = [*_spread_cells(group.spread(metric)), None if skip is None else skip.mean]
            compared = [None] * len(_PAIR) if pair is None else [pair.against, *_pair_cells(pair.found)]
            rows.append([group.name, *words, metric, *scores, *_facts(group), *compared])
    head = ("group", *map(title_of, keys), "metric", *_SPREAD, "skip_alone_mean", *_FACTS, *_PAIR)
    return csv_text(head, rows)


def _spread_cells(spread: Spread | None) -> list[Any]:
    values = {} if spread is None else spread.to_json()
    return [values.get(name) for name in _SPREAD]


def _facts(group: Group) -> list[Cell]:
    return [group.mean_rate, group.parameters, group.training_seconds]


def _pair_cells(one: Paired) -> list[Any]:
    low, high = one.interval or (None, None)
    mean = Spread(one.differences).mean
    return [len(one.seeds), mean, low, high, one.better, one.ties, one.sign_p, one.preliminary]


def groups_table(found: Comparison, metric: str) -> Table:
    """Every group, what its skip reaches alone, and the baselines."""
    head = ("group", "seeds", *_SPREAD[1:], "spikes per neuron and step", "parameters", "training seconds")
    rows: list[list[Cell]] = []
    for group in found.groups:
        mark = " (reference)" if group in found.references and len(found.groups) > 1 else ""
        rows.append([found.label(group) + mark, *_spread_cells(group.spread(metric)), *_facts(group)])
        skip = group.skip_alone(metric)
        if skip is not None:
            rows.append(["   its linear skip alone", *_spread_cells(skip), None, None, None])
    for name, scores in found.baselines.items():
        if metric in scores:
            rows.append([f"baseline {name}", *_spread_cells(scores[metric]), None, None, None])
    return Table(head, rows, "Groups and baselines")


def pairs_table(found: Comparison, metric: str) -> Table:
    """Every group against its reference."""
    head = ("group", "pairs", "mean difference", "95 % from", "to", "better", "ties", "sign test p", "")
    labels = {group.name: found.label(group) for group in found.groups}
    rows = [
        [labels[pair.group], *_pair_cells(pair.found)[:-1], "preliminary" if pair.found.preliminary else ""]
        for pair in found.pairs
        if pair.metric == metric
    ]
    return Table(head, rows, f"Paired differences from {found.against}")


def keys_table(found: Comparison) -> Table:
    """Every key in which groups differ, also those that their names leave out."""
    rows = [
        [title_of(key), *(shown(group.runs[0].flat.get(key, ABSENT)) for group in found.groups)]
        for key in found.grouping.differing
    ]
    return Table(["key", *map(found.label, found.groups)], rows)
